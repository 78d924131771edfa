// Changes that do not go through the wrapped methods (the native handle of ruvector, Map.prototype, a database's own
// `load`): they are noticed when the count differs, or when the method is known, and then everything is looked at anew.
//
// A change that leaves the count as it was and comes from nowhere cannot be noticed; that is documented and not tested.
import test from 'ava'
import { join } from 'node:path'
import { readState, savedAgrees } from './helpers/archive'
import { GenericDb } from './helpers/generic'
import { attach, rejection } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, mapOf, vectorOf } from './helpers/vectors'

test('inserts and deletes through the native handle of ruvector are in the next save', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const persistence = attach(t, db, { baseDir: join(dir, 'data') })
  await db.insertBatch(entriesOf(5) as never)
  await persistence.save()
  const { db: handle } = db as any
  await handle.insert({ id: 'around', vector: vectorOf('around'), metadata: '{"by":"handle"}' })
  const state = await savedAgrees(t, persistence, db)
  t.deepEqual(state.vectors.find(({ id }) => id === 'around')?.metadata, { by: 'handle' })
  await handle.delete('doc-2')
  t.is((await savedAgrees(t, persistence, db)).vectors.length, 5)
})

test('inserts through the prototype of ruvector, un-awaited too, are in the next save', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const persistence = attach(t, db, { baseDir: join(dir, 'data') })
  await persistence.ready()
  const insert = Object.getPrototypeOf(db).insert
  await Promise.all(entriesOf(10).map((entry) => insert.call(db, entry)))
  t.is((await savedAgrees(t, persistence, db)).vectors.length, 10)
})

test('a value that was changed around the wrapper is in the save when something else made it look again', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const persistence = attach(t, db, { baseDir: join(dir, 'data') })
  await db.insertBatch(entriesOf(5) as never)
  await (db as any).db.insert({ id: 'doc-1', vector: vectorOf('changed around') })
  await (db as any).db.insert({ id: 'one more', vector: vectorOf(1) })
  await savedAgrees(t, persistence, db)
})

test('Map.prototype.set, delete and clear on a tracked Map are noticed by its size', async (t) => {
  const map = mapOf(entriesOf(4)) as Map<string, any>
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  await persistence.save()
  Map.prototype.set.call(map, 'around', { vector: vectorOf('around') })
  t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOfMap(map))
  Map.prototype.delete.call(map, 'doc-0')
  t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOfMap(map))
  Map.prototype.clear.call(map)
  t.is(readState(await persistence.save()).vectors.length, 0)
})

test('a generic database that changes behind the wrapper is noticed by its count', async (t) => {
  for (const async of [false, true]) {
    const db = new GenericDb({ async })
    const persistence = attach(t, db, { baseDir: tempDir(t) })
    await db.insertBatch(entriesOf(4) as never)
    await persistence.save()
    db.content.delete('doc-1')
    t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(db.content.values()))
    db.content.set('around', { id: 'around', vector: vectorOf('around') })
    t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(db.content.values()))
  }
})

test('load of the database itself makes everything look again, also when the count stays', async (t) => {
  const db: any = new GenericDb()
  db.load = function (this: GenericDb) {
    for (const [id, entry] of this.content) this.content.set(id, { ...entry, vector: vectorOf(`loaded ${id}`) })
  }
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  db.insertBatch(entriesOf(4))
  await persistence.save()
  db.load('somewhere')
  t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(db.content.values()))
})

test('a batch that a generic database carried out in part is read back', async (t) => {
  const db = new GenericDb()
  db.insertBatch = (batch) => {
    for (const [index, entry] of batch.entries()) {
      if (index === 2) throw new Error('full')
      db.content.set(entry.id, entry)
    }
  }
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  t.throws(() => db.insertBatch(entriesOf(4) as never), { message: 'full' })
  t.is(db.content.size, 2)
  t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(db.content.values()))
})

test('a database whose own methods call each other is tracked once', async (t) => {
  const db: any = new GenericDb()
  db.insertBatch = function (this: any, batch: any[]) {
    return batch.map((entry) => this.insert(entry))
  }
  db.upsert = function (this: any, entry: any) {
    return this.insert(entry)
  }
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  db.insertBatch(entriesOf(5))
  db.upsert({ id: 'doc-1', vector: vectorOf('upserted') })
  const path = await persistence.save()
  t.deepEqual(contentOf(readState(path).vectors), contentOf(db.content.values()))
  db.clear()
  await persistence.load({ path })
  t.is(db.content.size, 5)
  t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(db.content.values()))
})

test('a database that lost entries by itself, and cannot be listed, is refused with numbers', async (t) => {
  let count = 0
  const db = { insert: () => void count++, len: () => count }
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  for (const entry of entriesOf(5)) (db.insert as (entry: unknown) => void)(entry)
  t.is(readState(await persistence.save()).vectors.length, 5)
  count = 3
  const error = await rejection(persistence.save())
  t.is(error.code, 'ERR_INCOMPLETE')
  t.regex(error.message, /\b3\b.*\b5\b.*\b2 too many/)
})
