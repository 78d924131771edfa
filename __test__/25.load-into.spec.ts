// Loading into databases that hold something: exactly the content of the file afterwards, reached by the difference, with
// the writes that the user makes meanwhile.
import test from 'ava'
import { join } from 'node:path'
import { readState, savedAgrees } from './helpers/archive'
import { GenericDb } from './helpers/generic'
import { attach, pause, rejection } from './helpers/persistence'
import { contentOfRuvector, openRuvector, type Ruvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, mapOf, vectorOf, type TestEntry } from './helpers/vectors'

/** An archive of these entries. */
async function archive(t: any, dir: string, entries: readonly TestEntry[]): Promise<string> {
  return attach(t, mapOf(entries), { baseDir: join(dir, 'archive') }).save()
}

/** Counts the calls of a database's own methods; must be put on before it is given away. */
function counted(db: Ruvector): { ids: Record<string, string[]> } {
  const ids: Record<string, string[]> = { insert: [], insertBatch: [], delete: [] }
  const prototype = Object.getPrototypeOf(db)
  Object.defineProperties(db, {
    insert: { value: (entry: any) => (ids['insert']!.push(entry.id), prototype.insert.call(db, entry)), configurable: true, writable: true },
    insertBatch: { value: (entries: any[]) => (ids['insertBatch']!.push(...entries.map(({ id }) => id)), prototype.insertBatch.call(db, entries)), configurable: true, writable: true },
    delete: { value: (id: string) => (ids['delete']!.push(id), prototype.delete.call(db, id)), configurable: true, writable: true },
  })
  return { ids }
}

test('a database that cannot remove entries is refused when some must go, and nothing is touched', async (t) => {
  const dir = tempDir(t)
  const db = new GenericDb({ without: ['delete', 'clear'] })
  for (const entry of entriesOf(5)) db.content.set(entry.id, entry)
  const persistence = attach(t, db, { baseDir: dir })
  const error = await rejection(persistence.load({ path: await archive(t, dir, entriesOf(3)) }))
  t.is(error.code, 'ERR_UNSUPPORTED')
  t.regex(error.message, /"delete".*"clear"/)
  t.is(db.content.size, 5)
  await t.notThrowsAsync(persistence.load({ path: await archive(t, join(dir, 'more'), entriesOf(8)) }), 'adding is possible')
  t.is(db.content.size, 8)
})

test('load into a ruvector that holds something leaves exactly the content of the file', async (t) => {
  const dir = tempDir(t)
  const entries = entriesOf(20)
  delete entries[4]!.metadata
  entries[5]!.metadata = {}
  const path = await archive(t, dir, entries)
  const db = openRuvector(dir)
  // Some equal, some with another vector, some with other metadata, some with metadata that must go, some extra.
  await db.insertBatch([
    ...entries.slice(0, 4), { ...entries[4]!, metadata: { must: 'go' } }, { ...entries[5]!, metadata: { must: 'go' } }, { ...entries[6]!, vector: vectorOf('other') },
    { ...entries[7]!, metadata: { title: 'other' } }, ...entriesOf(5, 8, 'extra'),
  ] as never)
  const persistence = attach(t, db, { baseDir: join(dir, 'data') })
  await persistence.load({ path })
  t.is(await db.len(), 20)
  t.deepEqual(await contentOfRuvector(db, [...entries, ...entriesOf(5, 8, 'extra')].map(({ id }) => id)), contentOf(entries))
  await savedAgrees(t, persistence, db)
  // The index is approximate, and the removed entries leave gaps in it.
  const found = (await db.search({ vector: entries[0]!.vector, k: 20 })).map(({ id }) => id)
  t.true(found.length > 0 && found.every((id) => id.startsWith('doc-')), 'it can be searched, and finds nothing that was removed')
})

// ruvector gives several keys of metadata back in any order, which is no difference.
for (const keys of ['one key', 'several keys']) test(`only the difference is written: metadata of ${keys}`, async (t) => {
  const dir = tempDir(t)
  const entries = entriesOf(20, 8, keys).map((entry, row) => (keys === 'one key' ? { ...entry, metadata: { row } } : entry))
  const path = await archive(t, dir, entries)
  const db = openRuvector(dir)
  await db.insertBatch(entries.slice(0, 18) as never)
  await db.insert({ id: `${keys}-7`, vector: vectorOf('other') })
  await db.insert({ id: 'extra', vector: vectorOf('extra') })
  const { ids } = counted(db)
  const persistence = attach(t, db, { baseDir: join(dir, 'data') })
  await persistence.load({ path })
  t.deepEqual(ids['insertBatch']!.concat(ids['insert']!).sort(), [`${keys}-18`, `${keys}-19`, `${keys}-7`])
  t.deepEqual(ids['delete']!.sort(), ['extra', `${keys}-7`].sort())
  for (const name of Object.keys(ids)) ids[name] = []
  await persistence.load({ path })
  t.deepEqual(ids, { insert: [], insertBatch: [], delete: [] }, 'a second load has nothing to do')
})

test('loading is not taken for writes of the user: what was loaded is saved once, and bit for bit', async (t) => {
  const dir = tempDir(t)
  const path = await archive(t, dir, entriesOf(10))
  const db = openRuvector(dir)
  const persistence = attach(t, db, { baseDir: join(dir, 'data') })
  await persistence.load({ path })
  const state = await savedAgrees(t, persistence, db)
  t.deepEqual(contentOf(state.vectors), contentOf(entriesOf(10)))
  await db.insert({ id: 'doc-3', vector: vectorOf('later') })
  t.deepEqual((await savedAgrees(t, persistence, db)).vectors.find(({ id }) => id === 'doc-3')?.metadata, entriesOf(4)[3]!.metadata, 'tracking goes on, with the metadata that were loaded')
})

test('writes that the user makes while a ruvector is loaded win', async (t) => {
  const dir = tempDir(t)
  const path = await archive(t, dir, entriesOf(200))
  const db = openRuvector(dir)
  await db.insertBatch(entriesOf(60, 8, 'old') as never)
  const persistence = attach(t, db, { baseDir: join(dir, 'data'), batchSize: 10 })
  await persistence.ready()
  let round = 0
  const writes: Promise<unknown>[] = []
  await persistence.load({
    path,
    onProgress({ operation }) {
      if (operation !== 'apply' || round > 5) return
      round++
      writes.push(db.insert({ id: `doc-${round * 30}`, vector: vectorOf(`user ${round}`), metadata: { user: round } }), db.insert({ id: `mine-${round}`, vector: vectorOf(round) }), db.delete(`doc-${round * 30 + 1}`))
    },
  })
  await Promise.all(writes)
  t.true(round > 0)
  const state = await savedAgrees(t, persistence, db)
  for (let number = 1; number <= round; number++) {
    t.deepEqual(state.vectors.find(({ id }) => id === `doc-${number * 30}`)?.metadata, { user: number })
    t.truthy(state.vectors.find(({ id }) => id === `mine-${number}`))
    t.falsy(state.vectors.find(({ id }) => id === `doc-${number * 30 + 1}`))
  }
  t.falsy(state.vectors.find(({ id }) => id.startsWith('old')))
})

test('writes that were not awaited when load was called, and writes after it, end as if load came in between', async (t) => {
  const dir = tempDir(t)
  const path = await archive(t, dir, entriesOf(10))
  const db = openRuvector(dir)
  const persistence = attach(t, db, { baseDir: join(dir, 'data') })
  const before = db.insert({ id: 'before', vector: vectorOf('before') })
  const loading = persistence.load({ path })
  const after = db.insert({ id: 'after', vector: vectorOf('after') })
  await Promise.all([before, loading, after])
  const state = await savedAgrees(t, persistence, db)
  t.truthy(state.vectors.find(({ id }) => id === 'after'))
  t.true(entriesOf(10).every(({ id }) => state.vectors.some((entry) => entry.id === id)))
})

for (const async of [false, true]) {
  const what = async ? 'an async' : 'a sync'

  test(`${what} database is brought to the content of the file, and buildIndex is called once at the end`, async (t) => {
    const dir = tempDir(t)
    const path = await archive(t, dir, entriesOf(30))
    const db = new GenericDb({ async, dimension: 8 })
    for (const entry of [...entriesOf(10), ...entriesOf(5, 8, 'extra')]) db.content.set(entry.id, entry)
    const persistence = attach(t, db, { baseDir: join(dir, 'data'), batchSize: 7 })
    await persistence.ready()
    db.recount()
    await persistence.load({ path })
    t.deepEqual(contentOf(db.content.values()), contentOf(entriesOf(30)))
    const writes = db.calls.filter((name) => ['insert', 'insertBatch', 'delete', 'clear', 'buildIndex'].includes(name))
    t.is(writes.filter((name) => name === 'buildIndex').length, 1)
    t.is(writes.at(-1), 'buildIndex')
    t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(entriesOf(30)))
  })

  test(`${what} database without delete is cleared and written anew`, async (t) => {
    const dir = tempDir(t)
    const path = await archive(t, dir, entriesOf(6))
    const db = new GenericDb({ async, without: ['delete', 'insertBatch'] })
    for (const entry of entriesOf(9)) db.content.set(entry.id, entry)
    const persistence = attach(t, db, { baseDir: join(dir, 'data') })
    await persistence.load({ path })
    t.deepEqual(contentOf(db.content.values()), contentOf(entriesOf(6)))
    t.is(db.calls.filter((name) => name === 'clear').length, 1)
    t.is(db.calls.filter((name) => name === 'insert').length, 6)
  })

  test(`${what} database whose insert keeps what it is not given is replaced whole all the same`, async (t) => {
    const dir = tempDir(t)
    const entries = entriesOf(3)
    delete entries[1]!.metadata
    const path = await archive(t, dir, entries)
    const db = new GenericDb({ async })
    db.insertBatch = function (batch) {
      for (const entry of batch) this.content.set(entry.id, { ...this.content.get(entry.id), ...entry })
      return async ? Promise.resolve([]) : []
    }
    for (const entry of entriesOf(3)) db.content.set(entry.id, { ...entry, vector: vectorOf(`old ${entry.id}`) })
    await attach(t, db, { baseDir: join(dir, 'data') }).load({ path })
    t.deepEqual(contentOf(db.content.values()), contentOf(entries))
  })
}

test('a database of plain arrays is given plain arrays, one of Float32Arrays Float32Arrays with buffers of their own', async (t) => {
  const dir = tempDir(t)
  const path = await archive(t, dir, entriesOf(4))
  for (const arrays of [true, false]) {
    const db = new GenericDb()
    const { vector } = entriesOf(1, 8, 'old')[0]!
    db.content.set('old', { id: 'old', vector: arrays ? Array.from(vector) : vector })
    await attach(t, db, { baseDir: join(dir, String(arrays)) }).load({ path })
    for (const entry of db.content.values()) {
      t.is(Array.isArray(entry.vector), arrays)
      if (!arrays) t.is((entry.vector as Float32Array).buffer.byteLength, 32)
    }
  }
})

test('what the database does with what it was given does not reach the journal', async (t) => {
  const dir = tempDir(t)
  const path = await archive(t, dir, entriesOf(4))
  const map = new Map<string, any>()
  const persistence = attach(t, map, { baseDir: join(dir, 'data') })
  await persistence.load({ path })
  const value = map.get('doc-1')
  map.set('new', { vector: value.vector, metadata: value.metadata })
  value.vector.fill(9)
  value.metadata.title = 'changed'
  const state = readState(await persistence.save())
  t.deepEqual(contentOf(state.vectors), contentOf([...entriesOf(4), { ...entriesOf(2)[1]!, id: 'new' }]))
})

test('a Map keeps its identity, and entries that are equal already keep theirs', async (t) => {
  const dir = tempDir(t)
  const path = await archive(t, dir, entriesOf(4))
  const map = mapOf(entriesOf(3)) as Map<string, any>
  map.set('doc-2', { vector: vectorOf('other') })
  const kept = map.get('doc-0')
  await attach(t, map, { baseDir: join(dir, 'data') }).load({ path })
  t.is(map.get('doc-0'), kept)
  t.deepEqual(contentOfMap(map), contentOf(entriesOf(4)))
})

test('clear, or load, of the database itself while it is loaded is not papered over', async (t) => {
  const dir = tempDir(t)
  const path = await archive(t, dir, entriesOf(40))
  const db = new GenericDb({ async: true })
  for (const entry of entriesOf(5, 8, 'old')) db.content.set(entry.id, entry)
  db.insertBatch = async function (batch) {
    await pause(15)
    return GenericDb.prototype.insertBatch.call(this, batch)
  }
  const persistence = attach(t, db, { baseDir: join(dir, 'data'), batchSize: 2 })
  let cleared = false
  const outcome = await persistence.load({
    path,
    onProgress({ operation, current }) {
      if (operation !== 'apply' || cleared || current < 10) return
      cleared = true
      db.clear()
    },
  }).then(() => null, (error) => error)
  t.true(cleared)
  if (outcome !== null) t.is(outcome.code, 'ERR_APPLY')
  // Whatever was said, the archive is what the database holds.
  t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(db.content.values()))
})

test('a load of the file that was just saved restores what was changed since', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const persistence = attach(t, db, { baseDir: join(dir, 'data'), format: 'binary', compression: 'zstd' })
  await db.insertBatch(entriesOf(10) as never)
  const path = await persistence.save()
  await db.insert({ id: 'doc-1', vector: vectorOf('x') })
  await db.delete('doc-2')
  await db.insert({ id: 'new', vector: vectorOf('new') })
  await persistence.load({ path })
  t.is(await db.len(), 10)
  t.deepEqual(await contentOfRuvector(db, entriesOf(10).map(({ id }) => id)), contentOf(entriesOf(10)))
})
