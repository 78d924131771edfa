// The traps of the real ruvector (COMPAT 5.1 and what was measured since), each through the public API against the real
// package: what is saved is what ruvector holds, not what one might think it was given.
//
// A failure means that an archive differs from the database it was made of. Vectors that may abort the process inside
// ruvector are tried in a process of their own.
import test from 'ava'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { VectorDB } from 'ruvector'
import { readState, savedAgrees } from './helpers/archive'
import { runChild } from './helpers/child'
import { attach, rejection } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { bitsOf, entriesOf, vectorOf } from './helpers/vectors'

function open(t: any, options: object = {}) {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  return { dir, db, persistence: attach(t, db, { baseDir: join(dir, 'data'), ...options }) }
}

const entryIn = (state: { vectors: any[] }, id: string): any => state.vectors.find((entry) => entry.id === id)

for (const when of ['at once', 'after ready()']) test(`an insert over an id without metadata keeps the old metadata, and so does the archive (${when})`, async (t) => {
  const { db, persistence } = open(t)
  if (when !== 'at once') await persistence.ready()
  await db.insert({ id: 'a', vector: vectorOf(1), metadata: { kept: true } })
  await db.insert({ id: 'a', vector: vectorOf(2) })
  const state = await savedAgrees(t, persistence, db)
  t.deepEqual(entryIn(state, 'a').metadata, { kept: true })
  t.is(bitsOf(entryIn(state, 'a').vector), bitsOf(vectorOf(2)))
})

test('an insert without metadata over an id that was there before construction keeps its metadata too', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  await db.insert({ id: 'a', vector: vectorOf(1), metadata: { kept: true } })
  const persistence = attach(t, db, { baseDir: dir })
  await db.insert({ id: 'a', vector: vectorOf(2) })
  t.deepEqual(entryIn(await savedAgrees(t, persistence, db), 'a').metadata, { kept: true })
})

for (const when of ['at once', 'after ready()']) test(`metadata of every kind are archived as ruvector kept them: {} replaces, arrays, texts and the like are dropped (${when})`, async (t) => {
  const { db, persistence } = open(t)
  if (when !== 'at once') await persistence.ready()
  const values: [string, any][] = [
    ['empty', {}], ['object', { new: 1 }], ['undefined', undefined], ['null', null], ['array', [1, 2]], ['text', 'x'], ['number', 5], ['zero', 0], ['false', false], ['true', true],
    ['NaN', Number.NaN], ['date', new Date(0)], ['surrogate', { text: '\ud800' }], ['nested undefined', { a: undefined }], ['function', { f: () => 1 }], ['NaN inside', { n: Number.NaN }],
    ['deep', Array.from({ length: 200 }).reduce((inner) => ({ inner }), {})],
  ]
  for (const [id, metadata] of values) {
    await db.insert({ id: `over ${id}`, vector: vectorOf(1), metadata: { old: true } })
    await db.insert({ id: `over ${id}`, vector: vectorOf(2), metadata })
    await db.insert({ id: `new ${id}`, vector: vectorOf(3), metadata })
    await db.insert({ id: `again ${id}`, vector: vectorOf(1), metadata: { old: true } })
    await db.delete(`again ${id}`)
    await db.insert({ id: `again ${id}`, vector: vectorOf(2), metadata })
  }
  const state = await savedAgrees(t, persistence, db)
  t.deepEqual(entryIn(state, 'over empty').metadata, {})
  t.deepEqual(entryIn(state, 'over array').metadata, { old: true })
  t.false('metadata' in entryIn(state, 'new array'))
  t.false('metadata' in entryIn(state, 'again undefined'), 'after a delete the old metadata are gone')
})

test('inserts that were not awaited are in the save that is called after them, before and after construction', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const entries = entriesOf(60)
  const before = entries.slice(0, 30).map((entry) => db.insert(entry))
  const persistence = attach(t, db, { baseDir: dir })
  const after = entries.slice(30).map((entry) => db.insert(entry))
  const state = readState(await persistence.save())
  t.deepEqual(state.vectors.map(({ id }) => id).sort(), entries.map(({ id }) => id).sort())
  await Promise.all([...before, ...after])
  await savedAgrees(t, persistence, db)
})

test('a batch that was not awaited before construction is adopted whole', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const batch = db.insertBatch(entriesOf(300) as never)
  const persistence = attach(t, db, { baseDir: dir })
  t.is(readState(await persistence.save()).vectors.length, 300)
  await batch
  await savedAgrees(t, persistence, db)
})

test('deleted ids are not in the archive, and come back only when they are inserted again', async (t) => {
  const { db, persistence } = open(t)
  await db.insertBatch(entriesOf(20) as never)
  for (const row of [0, 3, 19]) t.true(await db.delete(`doc-${row}`))
  t.false(await db.delete('doc-3'))
  t.false(await db.delete('never there'))
  t.is((await savedAgrees(t, persistence, db)).vectors.length, 17)
  await db.insert({ id: 'doc-3', vector: vectorOf('back') })
  const state = await savedAgrees(t, persistence, db)
  t.false('metadata' in entryIn(state, 'doc-3'))
})

test('ids deleted before construction are not adopted', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  await db.insertBatch(entriesOf(20) as never)
  for (let row = 0; row < 8; row++) await db.delete(`doc-${row}`)
  const state = await savedAgrees(t, attach(t, db, { baseDir: dir }), db)
  t.is(state.vectors.length, 12)
})

test('a file of 4 numbers that is opened as one of 8 has still 4, and so has the archive', async (t) => {
  const dir = tempDir(t)
  await openRuvector(dir, { dimension: 4 }).insertBatch(entriesOf(3, 4) as never)
  const db = openRuvector(dir, { dimension: 8, metric: 'euclidean' })
  const persistence = attach(t, db, { baseDir: dir })
  const state = await savedAgrees(t, persistence, db)
  t.deepEqual(state.options, { dimension: 4, metric: 'cosine' })
  await t.throwsAsync(db.insert({ id: 'wide', vector: vectorOf(1, 8) }), { message: /expected 4, got 8/ })
  t.is((await savedAgrees(t, persistence, db)).vectors.length, 3)
})

test('options that contradict the database are refused', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir, { dimension: 4 })
  await db.insert({ id: 'a', vector: [1, 2, 3, 4] })
  const first = attach(t, db, { baseDir: dir, dimension: 8 })
  const dimension = await rejection(first.save())
  t.is(dimension.code, 'ERR_DIMENSION')
  t.regex(dimension.message, /8.*4/)
  await first.shutdown().catch(() => undefined)
  const metric = await rejection(attach(t, db, { baseDir: dir, metric: 'dot' }).save())
  t.is(metric.code, 'ERR_METRIC')
  t.regex(metric.message, /dot.*cosine/)
})

test('dimension and metric of an empty ruvector are in its archive', async (t) => {
  for (const [metric, due] of [['cosine', 'cosine'], ['euclidean', 'euclidean'], ['dot', 'dot'], ['manhattan', 'manhattan']] as const) {
    const dir = tempDir(t)
    const state = readState(await attach(t, openRuvector(dir, { dimension: 6, metric }), { baseDir: join(dir, 'data'), databasePath: join(dir, 'ruvector.db') }).save())
    t.deepEqual(state.options, { dimension: 6, metric: due })
    t.deepEqual(state.stats, { count: 0, dimension: 6, metric: due })
  }
})

test('the metric is in the archive also when the first inserts follow the construction at once', async (t) => {
  for (const metric of ['euclidean', 'dot', 'cosine', 'manhattan']) {
    const dir = tempDir(t)
    const db = openRuvector(dir, { metric })
    const persistence = attach(t, db, { baseDir: join(dir, 'data') })
    await db.insertBatch(entriesOf(5, 8, `metric-${metric}`) as never)
    t.deepEqual(readState(await persistence.save()).options, { dimension: 8, metric })
  }
})

test('two databases that are empty side by side have each their own metric once they hold something', async (t) => {
  const dir = tempDir(t)
  const databases = ['euclidean', 'manhattan'].map((metric) => {
    const db = openRuvector(dir, { metric, dimension: 7, name: metric })
    return { metric, db, persistence: attach(t, db, { baseDir: join(dir, `data-${metric}`) }) }
  })
  for (const { persistence } of databases) await persistence.ready()
  for (const { metric, db, persistence } of databases) {
    await db.insertBatch(entriesOf(5, 7, `beside-${metric}`) as never)
    t.deepEqual(readState(await persistence.save()).options, { dimension: 7, metric })
  }
})

test('writes through a second handle on the same file are noticed', async (t) => {
  const { dir, db, persistence } = open(t)
  await db.insertBatch(entriesOf(5) as never)
  await persistence.save()
  const second = openRuvector(dir)
  await second.insert({ id: 'second', vector: vectorOf('second') })
  t.is((await savedAgrees(t, persistence, db)).vectors.length, 6)
  await second.delete('doc-0')
  t.is((await savedAgrees(t, persistence, db)).vectors.length, 5)
})

test('an entry without an id is archived under the id that ruvector gave it', async (t) => {
  const { db, persistence } = open(t)
  const id = await db.insert({ vector: vectorOf(1), metadata: { own: false } })
  const ids = await db.insertBatch([{ vector: vectorOf(2) }, { id: 'mine', vector: vectorOf(3) }, { vector: vectorOf(4) }])
  t.regex(id, /^[0-9a-f-]{36}$/)
  const state = await savedAgrees(t, persistence, db)
  t.deepEqual(state.vectors.map((entry) => entry.id).sort(), [id, ...ids].sort())
})

test('ids with half of a surrogate pair are archived as ruvector keeps them', async (t) => {
  const { db, persistence } = open(t)
  await db.insert({ id: 'x\ud800y', vector: vectorOf(1) })
  await db.insert({ id: 'x\ufffdy', vector: vectorOf(2) })
  await db.insert({ id: 'z\udfff', vector: vectorOf(3) })
  await db.delete('z\ud800')
  const state = await savedAgrees(t, persistence, db)
  t.deepEqual(state.vectors.map(({ id }) => id), ['x\ufffdy'])
})

test('an id that no archive can hold (empty, with NUL, too long) makes save an error that names it, until it is removed', async (t) => {
  for (const id of ['', 'a\0b', 'x'.repeat(1100)]) {
    const { db, persistence } = open(t)
    await db.insert({ id: 'good', vector: vectorOf(1) })
    await db.insert({ id, vector: vectorOf(2) })
    t.is(await db.len(), 2)
    t.is((await rejection(persistence.save())).code, 'ERR_ID')
    await db.delete(id)
    t.is((await savedAgrees(t, persistence, db)).vectors.length, 1)
  }
})

test('vectors of every kind that ruvector converts are archived as it stored them', async (t) => {
  const { db, persistence } = open(t)
  const numbers = Array.from(vectorOf('kinds'), (value) => value + 1e-9)
  const kinds: Record<string, any> = {
    float32: Float32Array.from(numbers), array: numbers, float64: Float64Array.from(numbers), set: new Set(numbers), int8: Int8Array.from([1, -2, 3, -4, 5, -6, 7, -8]),
    texts: numbers.map(String), arrayLike: Object.assign({ length: 8 }, numbers), view: new Float32Array(Float32Array.from([9, ...numbers, 9]).buffer, 4, 8),
  }
  for (const [id, vector] of Object.entries(kinds)) await db.insert({ id, vector })
  const state = await savedAgrees(t, persistence, db)
  t.is(state.vectors.length, Object.keys(kinds).length)
  for (const id of ['array', 'float64', 'set', 'texts', 'arrayLike', 'view']) t.is(bitsOf(entryIn(state, id).vector), bitsOf(numbers), id)
})

for (const when of ['at once', 'after ready()']) test(`a buffer that is changed, transferred or resized right after the insert does not matter: stored is what was given (${when})`, async (t) => {
  const { db, persistence } = open(t)
  if (when !== 'at once') await persistence.ready()
  const due = bitsOf(vectorOf('given'))
  const mutated = vectorOf('given')
  const one = db.insert({ id: 'mutated', vector: mutated })
  mutated.fill(7)
  const transferred = vectorOf('given')
  const two = db.insert({ id: 'transferred', vector: transferred })
  structuredClone(transferred.buffer, { transfer: [transferred.buffer as ArrayBuffer] })
  const buffer = new (ArrayBuffer as any)(32, { maxByteLength: 64 })
  new Float32Array(buffer).set(vectorOf('given'))
  const three = db.insertBatch([{ id: 'resized', vector: new Float32Array(buffer) }])
  buffer.resize(0)
  const shared = new Float32Array(new SharedArrayBuffer(32))
  shared.set(vectorOf('given'))
  const four = db.insert({ id: 'shared', vector: shared })
  shared.fill(9)
  const metadata = { state: 'given', list: [1] }
  const five = db.insert({ id: 'metadata', vector: vectorOf('given'), metadata })
  metadata.state = 'changed'
  metadata.list.push(2)
  await Promise.all([one, two, three, four, five])
  const state = await savedAgrees(t, persistence, db)
  for (const { id, vector } of state.vectors) t.is(bitsOf(vector), due, id)
  t.is(state.vectors.length, 5)
  t.deepEqual(entryIn(state, 'metadata').metadata, { state: 'given', list: [1] })
})

test('fifty writes of one id at once: the archive has the one that ruvector has', async (t) => {
  const { db, persistence } = open(t)
  for (let round = 0; round < 12; round++) {
    const writes = Array.from({ length: 50 }, (_, number) => db.insert({ id: 'one', vector: vectorOf(`${round}/${number}`), metadata: number % 3 ? { number } : undefined }))
    if (round % 2) writes.push(db.delete('one') as never)
    const saved = persistence.save()
    await Promise.all(writes)
    await saved
    await savedAgrees(t, persistence, db)
  }
})

test('overlapping inserts, batches and deletes of few ids end with an archive that agrees with ruvector', async (t) => {
  const { db, persistence } = open(t)
  let seed = 7
  const random = (below: number): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) % below
  for (let round = 0; round < 4; round++) {
    const writes: Promise<unknown>[] = []
    for (let number = 0; number < 80; number++) {
      const id = `id-${random(6)}`
      const kind = random(4)
      if (kind === 0) writes.push(db.delete(id))
      else if (kind === 1) writes.push(db.insertBatch([{ id, vector: vectorOf(number) }, { id: `id-${random(6)}`, vector: vectorOf(-number), metadata: { number } }]))
      else writes.push(db.insert({ id, vector: vectorOf(number), metadata: kind === 2 ? { round, number } : undefined }))
      if (number % 20 === 10) writes.push(persistence.createSnapshot(`${number}`))
    }
    await Promise.all(writes)
    await savedAgrees(t, persistence, db)
  }
})

for (const when of ['at once', 'after ready()']) test(`of an id that stands twice in one batch the last one wins, and keeps metadata of the earlier one when it has none (${when})`, async (t) => {
  const { db, persistence } = open(t)
  if (when !== 'at once') await persistence.ready()
  await db.insertBatch([{ id: 'a', vector: vectorOf(1), metadata: { first: true } }, { id: 'b', vector: vectorOf(2) }, { id: 'a', vector: vectorOf(3) }])
  const state = await savedAgrees(t, persistence, db)
  t.is(state.vectors.length, 2)
  t.is(bitsOf(entryIn(state, 'a').vector), bitsOf(vectorOf(3)))
  t.deepEqual(entryIn(state, 'a').metadata, { first: true })
})

test('a batch with one bad entry stores nothing, and nothing of it is archived', async (t) => {
  const { db, persistence } = open(t)
  await db.insert({ id: 'doc-0', vector: vectorOf('before') })
  const before = await savedAgrees(t, persistence, db)
  await t.throwsAsync(db.insertBatch([...entriesOf(3), { id: 'bad', vector: [1, 2] }] as never), { message: /Dimension mismatch: expected 8, got 2/ })
  await t.throwsAsync(db.insert({ id: 'doc-0', vector: [1] }), { message: /Dimension mismatch: expected 8, got 1/ })
  await t.throwsAsync(db.insertBatch([{ id: 'x', vector: undefined }] as never))
  await t.throwsAsync(db.insert(null as never))
  t.deepEqual((await savedAgrees(t, persistence, db)).vectors, before.vectors)
})

test('empty batches change nothing', async (t) => {
  const { db, persistence } = open(t)
  t.deepEqual(await db.insertBatch([]), [])
  t.is((await savedAgrees(t, persistence, db)).vectors.length, 0)
})

test('without a storagePath ruvector keeps ./ruvector.db in the working directory; it is found and adopted', async (t) => {
  const dir = tempDir(t)
  const { told, stdout } = await runChild(`
    const db = new VectorDB({ dimensions: 8 })
    for (let row = 0; row < 25; row++) await db.insert({ id: 'doc-' + row, vector: vectorOf(row), metadata: { row } })
    const again = new VectorDB({ dimension: 8 })
    tell(await again.len())
    const persistence = new DatabasePersistence(db, { baseDir: './data' })
    const saved = await persistence.save()
    tell(saved)
    tell(JSON.parse(fs.readFileSync(saved, 'utf8')).vectors.length)
    fs.mkdirSync('elsewhere')
    process.chdir('elsewhere')
    await db.insert({ id: 'late', vector: vectorOf('late') })
    await persistence.save()
  `, dir)
  t.deepEqual(told, [25, join('data', 'database.json'), 25], stdout)
  t.true(existsSync(join(dir, 'ruvector.db')))
  t.is(readState(join(dir, 'data', 'database.json')).vectors.length, 26, 'baseDir stays where it was at construction')
})

test('zeros, negative zero, subnormals and NaN with payload that ruvector takes are archived bit for bit', async (t) => {
  const dir = tempDir(t)
  const { told, stderr } = await runChild(`
    const db = new VectorDB({ dimensions: 4, storagePath: 'ruvector.db', distanceMetric: 'cosine' })
    const persistence = new DatabasePersistence(db, { baseDir: 'data', format: 'binary' })
    const bits = { zero: [0, 0, 0, 0], special: [0x80000000, 1, 0x7f7fffff, 0x00800000], nan: [0x7fc00001, 0xffc00000, 0x7f800000, 0xff800000] }
    for (const [id, words] of Object.entries(bits)) await db.insert({ id, vector: new Float32Array(Uint32Array.from(words).buffer) })
    const file = await persistence.save()
    const map = new Map()
    await new DatabasePersistence(map, { baseDir: 'b' }).load({ path: file })
    for (const id of Object.keys(bits)) tell([id, Array.from(new Uint32Array(map.get(id).vector.buffer)), Array.from(new Uint32Array((await db.get(id)).vector.buffer))])
    process.exit(0)
  `, dir)
  t.is(told.length, 3, stderr)
  for (const [id, archived, kept] of told) t.deepEqual(archived, kept, id)
  t.deepEqual(told[2][1], [0x7fc00001, 0xffc00000, 0x7f800000, 0xff800000])
})

test('D18: a database made with the alias "dimension" and "path" works as well', async (t) => {
  const dir = tempDir(t)
  const db = new VectorDB({ dimension: 8, path: join(dir, 'alias.db'), metric: 'dot' })
  await db.insertBatch(entriesOf(4) as never)
  const state = await savedAgrees(t, attach(t, db, { baseDir: dir }), db)
  t.deepEqual(state.options, { dimension: 8, metric: 'dot' })
})

test('the native handle of ruvector is refused with what to give instead', async (t) => {
  const { db } = open(t)
  t.throws(() => attach(t, (db as any).db, { baseDir: tempDir(t) }), { code: 'ERR_UNSUPPORTED', message: /VectorDB/ } as object)
})
