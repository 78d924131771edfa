// Loading (CHECKLIST D2, D27, D36, E14): by content, checked whole before the database is touched, with an error that says
// what is wrong and where.
//
// A failure of a refusal means that a bad file could reach a live database. Damage of every byte is tried elsewhere; here
// is one of each kind.
import test from 'ava'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Packr } from 'msgpackr'
import { PersistenceError } from 'ruvector-persistence'
import { COMPRESSIONS, FORMATS } from './helpers/archive'
import { earlierState, sha256 } from './helpers/earlier'
import { GenericDb } from './helpers/generic'
import { attach, rejection } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOf, contentOfMap, entriesOf, mapOf } from './helpers/vectors'

const entries = entriesOf(6)
const kept = mapOf(entriesOf(3, 8, 'kept'))

/** A state whose checksum fits, whatever was done to it. */
function stateWith(change: (state: any) => void): string {
  const { checksum: _, ...state } = earlierState(entries, { vectors: 'arrays' })
  change(state)
  return JSON.stringify({ ...state, checksum: sha256(JSON.stringify(state)) })
}

const BAD: [what: string, content: string | Buffer, code: string, message?: RegExp][] = [
  ['an empty file', '', 'ERR_FORMAT'],
  ['one byte', '{', 'ERR_FORMAT'],
  ['zeros', Buffer.alloc(1000), 'ERR_FORMAT'],
  ['text', 'hello, this is no archive', 'ERR_FORMAT'],
  ['an array', '[]', 'ERR_FORMAT'],
  ['an object of another shape', '{"hello":"world"}', 'ERR_FORMAT', /vectors/],
  ['an SQLite database', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4080)]), 'ERR_FORMAT', /SQLite/],
  ['a file cut off', stateWith(() => undefined).slice(0, 300), 'ERR_FORMAT', /cut|end/i],
  ['a gzip file cut off', gzipSync(stateWith(() => undefined)).subarray(0, 120), 'ERR_FORMAT'],
  ['other text after the archive', `${stateWith(() => undefined)} x`, 'ERR_FORMAT'],
  ['a trailing comma', stateWith(() => undefined).replace('"vectors":[{', '"vectors":[,{'), 'ERR_FORMAT', /line 1, column/],
  ['a state of a newer version', stateWith((state) => (state.version = '2.0.0')), 'ERR_VERSION', /2\.0\.0/],
  ['an entry without an id', stateWith((state) => delete state.vectors[2].id), 'ERR_FORMAT', /id/],
  ['an entry with an empty id', stateWith((state) => (state.vectors[2].id = '')), 'ERR_ID'],
  ['an entry without a vector', stateWith((state) => delete state.vectors[2].vector), 'ERR_FORMAT', /doc-2/],
  ['an entry of another dimension', stateWith((state) => state.vectors[2].vector.pop()), 'ERR_DIMENSION', /doc-2.*7.*8/],
  ['an empty vector', stateWith((state) => (state.vectors[2].vector = [])), 'ERR_DIMENSION', /doc-2/],
  ['text in a vector', stateWith((state) => (state.vectors[2].vector[1] = 'x')), 'ERR_FORMAT'],
  ['metadata that are an array', stateWith((state) => (state.vectors[2].metadata = [1])), 'ERR_METADATA', /doc-2/],
  ['a count that does not fit', stateWith((state) => (state.stats.count = 7)), 'ERR_CORRUPT', /7.*6/],
  ['options of another dimension', stateWith((state) => (state.options.dimension = state.stats.dimension = 9)), 'ERR_DIMENSION', /9.*8|8.*9/],
]

for (const [what, content, code, message] of BAD) {
  test(`D2: ${what} is refused with ${code}, and the database is not touched`, async (t) => {
    const dir = tempDir(t)
    const path = join(dir, 'bad')
    writeFileSync(path, content)
    const map = new Map(kept)
    const db = new GenericDb({ dimension: 8 })
    for (const [id, value] of kept) db.content.set(id, { id, ...value })
    for (const [index, target] of [map, db].entries()) {
      const persistence = attach(t, target as Map<string, any>, { baseDir: join(dir, `b${index}`) })
      await persistence.ready()
      db.recount()
      for (const call of [() => persistence.load({ path }), () => persistence.import({ path, clear: true }), () => persistence.import({ path })]) {
        const error = await rejection(call())
        t.true(error instanceof PersistenceError, String(error))
        t.is(error.code, code, error.message)
        t.is(error.path, path)
        if (message) t.regex(error.message, message)
      }
    }
    t.deepEqual(contentOfMap(map), contentOfMap(kept))
    t.deepEqual(db.calls.filter((name) => ['insert', 'insertBatch', 'delete', 'clear', 'buildIndex'].includes(name)), [])
  })
}

test('D2: a file that is not there, a folder and an empty path are refused with ERR_PATH', async (t) => {
  const dir = tempDir(t)
  const map = new Map(kept)
  const persistence = attach(t, map, { baseDir: dir })
  mkdirSync(join(dir, 'folder'))
  const missing = await rejection(persistence.load({ path: join(dir, 'missing') }))
  t.is(missing.code, 'ERR_PATH')
  t.is(missing.cause?.code, 'ENOENT')
  t.is(missing.path, join(dir, 'missing'))
  for (const path of [join(dir, 'folder'), '', `${dir}/a\0b`]) t.is((await rejection(persistence.load({ path }))).code, 'ERR_PATH', path)
  t.deepEqual(contentOfMap(map), contentOfMap(kept))
})

test('load without a path, or with unknown options, is wrong use', async (t) => {
  const persistence = attach(t, new Map(kept), { baseDir: tempDir(t) })
  for (const options of [undefined, {}, { path: 5 }, { path: 'x', verify: true }, 'database.json']) {
    await t.throwsAsync(persistence.load(options as never), { instanceOf: TypeError, code: 'ERR_OPTION' }, JSON.stringify(options))
  }
})

test('an archive of another dimension or metric than the database is refused before it is touched', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir, { dimension: 4 })
  await db.insert({ id: 'mine', vector: [1, 2, 3, 4] })
  const wide = await attach(t, mapOf(entries), { baseDir: join(dir, 'wide') }).save()
  const other = await attach(t, mapOf(entriesOf(3, 4)), { baseDir: join(dir, 'other'), metric: 'euclidean' }).save()
  const persistence = attach(t, db, { baseDir: dir })
  const dimension = await rejection(persistence.load({ path: wide }))
  t.is(dimension.code, 'ERR_DIMENSION')
  t.regex(dimension.message, /\b8\b.*\b4\b|\b4\b.*\b8\b/)
  const metric = await rejection(persistence.load({ path: other }))
  t.is(metric.code, 'ERR_METRIC')
  t.regex(metric.message, /euclidean.*cosine|cosine.*euclidean/)
  t.is(await db.len(), 1)
})

test('an archive of another dimension is refused by an empty ruvector as well', async (t) => {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(entries), { baseDir: join(dir, 'wide') }).save()
  const persistence = attach(t, openRuvector(dir, { dimension: 4 }), { baseDir: dir })
  t.is((await rejection(persistence.load({ path }))).code, 'ERR_DIMENSION')
})

test('a Map takes content of another dimension, since load replaces everything; import over it does not', async (t) => {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(entriesOf(2, 5)), { baseDir: join(dir, 'a') }).save()
  const map = new Map(kept)
  const persistence = attach(t, map, { baseDir: dir })
  t.is((await rejection(persistence.import({ path }))).code, 'ERR_DIMENSION')
  await persistence.load({ path })
  t.deepEqual(contentOfMap(map), contentOf(entriesOf(2, 5)))
})

test('E14: format and compression are found by content, whatever the name says and whatever is configured', async (t) => {
  const dir = tempDir(t)
  for (const format of FORMATS) {
    for (const compression of COMPRESSIONS) {
      const path = join(dir, `misleading-${format}-${compression}.db.br.gz.json.bin`)
      await attach(t, mapOf(entries), { baseDir: join(dir, `${format}${compression}`), format, compression }).save({ path })
      const map = new Map()
      await attach(t, map, { baseDir: join(dir, `b${format}${compression}`), format: 'binary', compression: 'gzip' }).load({ path })
      t.deepEqual(contentOfMap(map), contentOf(entries))
    }
  }
})

test('a format that is asked for and not found is refused with ERR_FORMAT, and one that is found is taken', async (t) => {
  const dir = tempDir(t)
  const persistence = attach(t, new Map(kept), { baseDir: dir })
  const path = await persistence.save({ format: 'binary' })
  const error = await rejection(persistence.load({ path, format: 'json' }))
  t.is(error.code, 'ERR_FORMAT')
  t.regex(error.message, /binary.*json/)
  await t.notThrowsAsync(persistence.load({ path, format: 'binary' }))
})

test('D27: a file edited by hand loads with verifyChecksum: false, and only then', async (t) => {
  const dir = tempDir(t)
  const map = mapOf(entries)
  const persistence = attach(t, map, { baseDir: dir })
  const path = await persistence.save()
  const state = JSON.parse(readFileSync(path, 'utf8'))
  state.vectors[0].metadata.title = 'edited'
  state.vectors.splice(3, 1)
  state.note = 'an added member'
  writeFileSync(path, JSON.stringify(state, null, 4))
  t.is((await rejection(persistence.load({ path }))).code, 'ERR_CHECKSUM')
  t.is(map.size, 6)
  await persistence.load({ path, verifyChecksum: false })
  t.is(map.size, 5)
  t.is(map.get('doc-0')?.metadata?.title, 'edited')
})

test('verifyChecksum: false still refuses entries that are malformed', async (t) => {
  const dir = tempDir(t)
  const persistence = attach(t, new Map(kept), { baseDir: dir })
  for (const [what, content, code] of BAD.filter(([, , code]) => code !== 'ERR_CORRUPT')) {
    const path = join(dir, 'bad')
    writeFileSync(path, content)
    t.is((await rejection(persistence.load({ path, verifyChecksum: false }))).code, code, what)
  }
})

test('white space around tokens does not matter to the checksum', async (t) => {
  const dir = tempDir(t)
  const map = mapOf(entries)
  const persistence = attach(t, map, { baseDir: dir })
  const path = await persistence.save()
  const state = JSON.parse(readFileSync(path, 'utf8'))
  for (const indent of [undefined, 1, 4, '\t']) {
    writeFileSync(path, `\n${JSON.stringify(state, null, indent)}\n`)
    await t.notThrowsAsync(persistence.load({ path }))
  }
})

test('of an id that stands twice in a file the last entry counts', async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'twice')
  const last = { id: 'doc-1', vector: [8, 7, 6, 5, 4, 3, 2, 1] }
  writeFileSync(path, stateWith((state) => {
    state.vectors.push(last)
    state.stats.count = 7
  }))
  const map = new Map()
  await attach(t, map, { baseDir: join(dir, 'b') }).load({ path })
  t.is(map.size, 6)
  t.is(bitsOf(map.get('doc-1').vector), bitsOf(last.vector))
  t.is(map.get('doc-1').metadata, undefined)
})

test('D4: a MessagePack archive made by msgpackr loads with verifyChecksum: false, vectors as arrays or binary, metadata as maps', async (t) => {
  const dir = tempDir(t)
  const state = earlierState(entries, { vectors: 'arrays' })
  delete state.checksum
  state.vectors[1].vector = Buffer.from(entries[1]!.vector.buffer)
  delete state.vectors[2].metadata
  const path = join(dir, 'made-by-msgpackr')
  writeFileSync(path, new Packr({ useRecords: false, variableMapSize: true }).pack(state))
  const map = new Map()
  const persistence = attach(t, map, { baseDir: join(dir, 'b') })
  t.is((await rejection(persistence.load({ path }))).code, 'ERR_CHECKSUM')
  await persistence.load({ path, verifyChecksum: false })
  t.deepEqual(contentOfMap(map), contentOf(entries.map(({ id, vector, metadata }) => ({ id, vector, metadata: id === 'doc-2' ? undefined : metadata }))))
})

test('the event "load" counts what was added, changed and removed', async (t) => {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(entriesOf(10)), { baseDir: dir }).save()
  const map = mapOf(entriesOf(8))
  map.set('doc-0', { vector: map.get('doc-1')!.vector })
  map.set('extra', { vector: map.get('doc-1')!.vector })
  const persistence = attach(t, map, { baseDir: join(dir, 'b') })
  const reports: unknown[] = []
  persistence.on('load', (report) => reports.push(report))
  await persistence.load({ path })
  t.deepEqual(reports, [{ operation: 'load', path, count: 10, added: 2, changed: 1, removed: 1 }])
})
