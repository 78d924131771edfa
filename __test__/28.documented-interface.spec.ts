// The interface that the documents describe (and that no published class has): sync insert, insertBatch, search, get,
// delete, updateMetadata, stats, save, load, clear, buildIndex, optimize. It works verbatim, sync and async.
import test from 'ava'
import { join } from 'node:path'
import { readState } from './helpers/archive'
import { GenericDb } from './helpers/generic'
import { attach } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { contentOf, entriesOf, mapOf, vectorOf } from './helpers/vectors'

const METHODS = { without: ['entries', 'keys', 'len'], dimension: 8 }

for (const async of [false, true]) {
  const what = async ? 'async' : 'sync'

  test(`the ${what} documented interface is saved, loaded and snapshotted`, async (t) => {
    const dir = tempDir(t)
    const db = new GenericDb({ ...METHODS, async })
    const persistence = attach(t, db, { baseDir: dir })
    await db.insertBatch(entriesOf(10) as never)
    await db.insert({ id: 'one', vector: Array.from(vectorOf('one')), metadata: { a: 1 } })
    const path = await persistence.save()
    t.deepEqual(contentOf(readState(path).vectors), contentOf(db.content.values()))
    const snapshot = await persistence.createSnapshot('v1', { version: '1' })
    await db.clear()
    t.is(readState(await persistence.save()).vectors.length, 0)
    await persistence.restoreSnapshot(snapshot.id)
    t.is(db.content.size, 11)
    await db.delete('one')
    t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(entriesOf(10)))
  })

  test(`what a ${what} database of the documented interface held before is found by searching`, async (t) => {
    const db = new GenericDb({ ...METHODS, async })
    for (const entry of entriesOf(15)) db.content.set(entry.id, entry)
    const state = readState(await attach(t, db, { baseDir: tempDir(t) }).save())
    t.deepEqual(contentOf(state.vectors), contentOf(entriesOf(15)))
    t.deepEqual(state.options, { dimension: 8, metric: 'cosine' })
  })

  test(`updateMetadata of a ${what} database is tracked, with and without get`, async (t) => {
    for (const without of [METHODS.without, [...METHODS.without, 'get']] as string[][]) {
      const db = new GenericDb({ ...METHODS, without, async })
      const persistence = attach(t, db, { baseDir: tempDir(t) })
      await db.insertBatch(entriesOf(3) as never)
      await db.updateMetadata('doc-1', { updated: { deep: [1] } })
      if (!without.includes('get')) await db.updateMetadata('no such id', { x: 1 })
      const state = readState(await persistence.save())
      t.deepEqual(state.vectors.find(({ id }) => id === 'doc-1')?.metadata, { updated: { deep: [1] } })
      t.is(state.vectors.length, 3)
    }
  })

  test(`a ${what} database that keeps old metadata over a bare insert is archived as it is`, async (t) => {
    const db = new GenericDb({ ...METHODS, async })
    db.insert = function (entry) {
      const put = (): void => void this.content.set(entry.id, { ...this.content.get(entry.id), ...entry })
      return async ? Promise.resolve().then(put) : put()
    }
    const persistence = attach(t, db, { baseDir: tempDir(t) })
    await db.insert({ id: 'a', vector: vectorOf(1), metadata: { kept: true } })
    await db.insert({ id: 'a', vector: vectorOf(2) })
    t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(db.content.values()))
  })

  test(`fifty writes of one id at once in a ${what} database end with an archive that agrees`, async (t) => {
    const db = new GenericDb({ ...METHODS, async })
    const insert = db.insert
    // Writes land in any order.
    if (async) db.insert = async function (entry) { await new Promise((resolve) => setTimeout(resolve, Math.random() * 5)); return insert.call(this, entry) }
    const persistence = attach(t, db, { baseDir: tempDir(t) })
    await Promise.all(Array.from({ length: 50 }, (_, number) => db.insert({ id: 'one', vector: vectorOf(number) })))
    t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(db.content.values()))
  })
}

test('of two writes of one id that overlap, the archive has the one that landed last, whichever was acknowledged last', async (t) => {
  for (const adopted of [false, true]) {
    const db = new GenericDb({ ...METHODS, async: true })
    const acknowledge: (() => void)[] = []
    db.insert = (entry) => {
      db.content.set(entry.id, entry)
      return new Promise<void>((resolve) => acknowledge.push(resolve))
    }
    db.delete = (id) => {
      db.content.delete(id)
      return new Promise<void>((resolve) => acknowledge.push(resolve))
    }
    const persistence = attach(t, db, { baseDir: tempDir(t) })
    if (adopted) await persistence.ready()
    const writes = [db.insert({ id: 'a', vector: vectorOf(1) }), db.insert({ id: 'a', vector: vectorOf(2) }), db.insert({ id: 'b', vector: vectorOf(3) }), db.delete('b'), db.delete('c'), db.insert({ id: 'c', vector: vectorOf(4) })]
    for (const resolve of acknowledge.reverse()) {
      resolve()
      await new Promise((done) => setImmediate(done))
    }
    await Promise.all(writes)
    t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf([{ id: 'a', vector: vectorOf(2) }, { id: 'c', vector: vectorOf(4) }]))
  }
})

test('un-awaited writes of an async database are in the save that is called after them', async (t) => {
  const db = new GenericDb({ ...METHODS, async: true })
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  for (const entry of entriesOf(20)) void db.insert(entry as never)
  void db.delete('doc-3')
  const state = readState(await persistence.save())
  t.is(state.vectors.length, 19)
})

test('a write that the database refuses is not archived', async (t) => {
  for (const async of [false, true]) {
    const db = new GenericDb({ ...METHODS, async, fail: { insert: 2, delete: 1 } })
    const persistence = attach(t, db, { baseDir: tempDir(t) })
    await db.insert({ id: 'a', vector: vectorOf(1) })
    await Promise.resolve().then(() => db.insert({ id: 'b', vector: vectorOf(2) })).catch(() => undefined)
    await Promise.resolve().then(() => db.delete('a')).catch(() => undefined)
    t.deepEqual(readState(await persistence.save()).vectors.map(({ id }) => id), ['a'])
  }
})

test('ids that the database makes itself are archived', async (t) => {
  const db = new GenericDb(METHODS)
  let next = 0
  db.insert = function (entry: any) {
    const id = entry.id ?? `made-${next++}`
    this.content.set(id, { ...entry, id })
    return id
  }
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  db.insert({ vector: vectorOf(1) } as never)
  db.insert({ id: 'mine', vector: vectorOf(2) })
  t.deepEqual(readState(await persistence.save()).vectors.map(({ id }) => id).sort(), ['made-0', 'mine'])
})

test('one save does not call the database entry by entry', async (t) => {
  const db = new GenericDb({ dimension: 8 })
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  db.insertBatch(entriesOf(500) as never)
  await persistence.save()
  db.recount()
  await persistence.save()
  t.true(db.calls.length <= 5, db.calls.join(' '))
  t.false(db.calls.includes('get') || db.calls.includes('entries'))
})

test('content moves between the documented interface and a Map', async (t) => {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(entriesOf(7)), { baseDir: dir }).save()
  const db = new GenericDb(METHODS)
  const persistence = attach(t, db, { baseDir: join(dir, 'b') })
  await persistence.load({ path })
  t.deepEqual(contentOf(db.content.values()), contentOf(entriesOf(7)))
  t.true(db.calls.includes('buildIndex'))
})
