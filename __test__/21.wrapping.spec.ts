// The wrapping of a database: nobody can tell that it is there, but for what is tracked, and after shutdown it is gone.
//
// Types, `this`, return values, promises and errors are compared with those of an unwrapped database of the same kind. A
// failure means that giving a database to DatabasePersistence changes the program around it.
import test from 'ava'
import { types } from 'node:util'
import { readState, savedAgrees } from './helpers/archive'
import { runChild } from './helpers/child'
import { GenericDb } from './helpers/generic'
import { attach, pause, rejection } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { entriesOf, vectorOf } from './helpers/vectors'
import { join } from 'node:path'

test('a frozen database is refused, and left as it was', (t) => {
  const db = Object.freeze({ insert() {}, entries: () => [] })
  t.throws(() => attach(t, db, { baseDir: tempDir(t) }), { instanceOf: TypeError, code: 'ERR_OPTION', message: /frozen|sealed/ })
  const map = Object.freeze(new Map())
  t.throws(() => attach(t, map, { baseDir: tempDir(t) }), { instanceOf: TypeError })
})

test('a failed construction leaves no wrapping behind', (t) => {
  // The third method cannot be wrapped; the first two were already.
  const db: any = { insert: () => 'i', insertBatch: () => 'b', entries: () => [], len: () => 0 }
  Object.defineProperty(db, 'delete', { value: () => 'd', writable: false, configurable: false })
  const { insert } = db
  t.throws(() => attach(t, db, { baseDir: tempDir(t) }), { instanceOf: TypeError, message: /"delete"/ })
  t.is(db.insert, insert)
  t.notThrows(() => attach(t, { insert: () => 0, len: () => 0 }, { baseDir: tempDir(t) }))
})

test('shutdown leaves a ruvector, a Map and any other database exactly as they were', async (t) => {
  const dir = tempDir(t)
  class Derived extends GenericDb {}
  const own = Object.assign(new GenericDb(), { insert: function insert(this: GenericDb, entry: any) { return GenericDb.prototype.insert.call(this, entry) } })
  for (const [index, db] of [openRuvector(dir), new Map(), new GenericDb(), new Derived(), own, new GenericDb({ async: true })].entries()) {
    const before = Object.getOwnPropertyDescriptors(db)
    const persistence = attach(t, db as never, { baseDir: join(dir, String(index)) })
    t.true(Object.getOwnPropertyNames(db).length > Object.keys(before).length, 'something is wrapped')
    await persistence.ready()
    await persistence.shutdown()
    const after = Object.getOwnPropertyDescriptors(db)
    t.deepEqual(Reflect.ownKeys(after), Reflect.ownKeys(before))
    for (const key of Reflect.ownKeys(before)) t.is((after as any)[key].value, (before as any)[key].value, String(key))
  }
})

test('the wrapping does not show in enumeration, JSON, spread or the type of the database', (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const keys = Object.keys(db)
  attach(t, db, { baseDir: dir })
  t.deepEqual(Object.keys(db), keys)
  t.is(Object.getPrototypeOf(db), Object.getPrototypeOf(openRuvector(dir, { name: 'other.db' })))
  const map = new Map([['a', 1]])
  attach(t, map as never, { baseDir: join(dir, 'map') })
  t.deepEqual(Object.keys(map), [])
  t.true(types.isMap(map))
  t.is(structuredClone(map).get('a'), 1)
  t.is(Map.prototype.set.name, map.set.name)
  t.is(map.set.length, 2)
  t.is(map.delete.length, 1)
  t.is((db as any).insert.name, 'insert')
  t.is((db as any).insert.length, 1)
})

test('other instances of the same class are not wrapped', (t) => {
  const [one, two] = [new GenericDb(), new GenericDb()]
  attach(t, one, { baseDir: tempDir(t) })
  t.is(two.insert, GenericDb.prototype.insert)
  t.not(one.insert, GenericDb.prototype.insert)
})

test('return values of ruvector are what they were: real promises of the same values', async (t) => {
  const dir = tempDir(t)
  const [plain, wrapped] = [openRuvector(dir, { name: 'a.db' }), openRuvector(dir, { name: 'b.db' })]
  attach(t, wrapped, { baseDir: dir })
  const seen = []
  for (const db of [plain, wrapped]) {
    const results: unknown[] = []
    const calls = [() => db.insert(entriesOf(1)[0]!), () => db.insertBatch(entriesOf(3) as never), () => db.delete('doc-1'), () => db.delete('doc-1'), () => db.len(), () => db.isEmpty(), () => db.get('doc-2')]
    for (const call of calls) {
      const promise = call()
      t.is(Object.getPrototypeOf(promise), Promise.prototype)
      results.push(await promise)
    }
    seen.push(results)
  }
  t.deepEqual(seen[0], seen[1])
})

test('errors of ruvector are what they were, and a rejection that nobody handles is still unhandled', async (t) => {
  const dir = tempDir(t)
  const [plain, wrapped] = [openRuvector(dir, { name: 'a.db' }), openRuvector(dir, { name: 'b.db' })]
  attach(t, wrapped, { baseDir: dir })
  for (const bad of [{ id: 'a', vector: [1, 2] }, { id: 'a' }, { id: 5, vector: vectorOf(1) }, undefined, null, 5, { id: 'a', vector: 'text' }]) {
    const [one, two] = [await rejection(plain.insert(bad as never)), await rejection(wrapped.insert(bad as never))]
    t.is(two.message, one.message)
    t.is(two.name, one.name)
    t.is(two.code, one.code)
  }
  const { told } = await runChild(`
    process.on('unhandledRejection', (error) => tell(error.message))
    const db = new VectorDB({ dimensions: 8, storagePath: 'c.db' })
    new DatabasePersistence(db, { baseDir: 'data' })
    db.insert({ id: 'a', vector: [1, 2] })
    await new Promise((resolve) => setTimeout(resolve, 200))
  `, dir)
  t.is(told.length, 1, 'once')
  t.regex(told[0], /Dimension mismatch/)
})

test('sync results, exceptions, thenables and odd promises go through untouched', async (t) => {
  const results: any[] = []
  const db: any = {
    insert() {
      const result = results.shift()
      if (result instanceof Error) throw result
      return result
    },
    entries: () => [],
    len: () => 0,
  }
  attach(t, db, { baseDir: tempDir(t) })
  const give = (result: unknown): unknown => {
    results.push(result)
    return db.insert({ id: 'a', vector: [1] })
  }
  class Special extends Promise<unknown> {}
  const thenable = { then: (resolve: (value: unknown) => void) => resolve(5) }
  const twice = { then: (resolve: (value: unknown) => void) => (resolve(1), resolve(2)) }
  const special = Special.resolve(1)
  const extra = Object.assign(Promise.resolve(1), { cancel() {} })
  for (const result of [undefined, null, 5, 'x', Symbol.iterator, thenable, twice, special, extra]) t.is(give(result), result)
  const mine = new Error('mine')
  results.push(mine)
  t.is(t.throws(() => db.insert({ id: 'a', vector: [1] })), mine)
  const failed = Promise.reject(mine)
  t.is(await rejection(give(failed) as Promise<unknown>), mine)
  t.is(await (give(Promise.resolve('value')) as Promise<unknown>), 'value')
})

test('this and the arguments are what the caller gave, and methods can be called without the instance where they could before', (t) => {
  const seen: unknown[] = []
  const db: any = { insert(...args: unknown[]) { seen.push(this, args) }, entries: () => [], len: () => 0 }
  attach(t, db, { baseDir: tempDir(t) })
  const entry = { id: 'a', vector: [1] }
  const extra = { extra: true }
  db.insert(entry, extra, 5)
  t.is(seen[0], db)
  t.is((seen[1] as unknown[])[0], entry)
  t.deepEqual(seen[1], [entry, extra, 5])
  const other = { name: 'other' }
  db.insert.call(other, entry)
  t.is(seen[2], other)
  const { insert } = db
  insert(entry)
  t.true(seen[4] === undefined || seen[4] === globalThis)
})

test('calls on another object through the wrapped method are not tracked', async (t) => {
  const map = new Map<string, any>()
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  const other = new Map()
  map.set.call(other, 'other', { vector: [1] })
  map.set('mine', { vector: [1] })
  t.deepEqual([...other.keys()], ['other'])
  t.deepEqual(readState(await persistence.save()).vectors.map(({ id }) => id), ['mine'])
})

test('a subclass of the database that overrides a method keeps its behaviour', async (t) => {
  const dir = tempDir(t)
  const { VectorDB } = await import('ruvector')
  class Mine extends VectorDB {
    calls = 0
    override async insert(entry: any) {
      this.calls++
      return super.insert({ ...entry, id: `mine-${entry.id}` })
    }
  }
  const db = new Mine({ dimensions: 8, storagePath: join(dir, 'mine.db') })
  const persistence = attach(t, db, { baseDir: dir })
  t.is(await db.insert({ id: 'a', vector: vectorOf(1) }), 'mine-a')
  t.is(db.calls, 1)
  const state = await savedAgrees(t, persistence, db)
  t.deepEqual(state.vectors.map(({ id }) => id), ['mine-a'])
})

test('an own method that somebody put over ours is not removed by shutdown, and lets everything pass', async (t) => {
  const db = new GenericDb()
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  const ours = db.insert
  let calls = 0
  db.insert = function (entry) {
    calls++
    return ours.call(this, entry)
  }
  db.insert({ id: 'a', vector: [1, 2] })
  t.is(readState(await persistence.save()).vectors.length, 1)
  await persistence.shutdown()
  db.insert({ id: 'b', vector: [1, 2] })
  t.is(calls, 2)
  t.is(db.content.size, 2)
})

test('a getter or toJSON in an entry is called as often as before, and may call the database', async (t) => {
  const map = new Map<string, any>()
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  let calls = 0
  const metadata = { get value() { calls++; map.set('inner', { vector: [1, 2] }); return 5 } }
  map.set('outer', { vector: [1, 2], metadata })
  const state = readState(await persistence.save())
  t.deepEqual(state.vectors.map(({ id }) => id).sort(), ['inner', 'outer'])
  t.true(calls >= 1)
  const thrower = new Map<string, any>()
  const second = attach(t, thrower, { baseDir: tempDir(t) })
  t.notThrows(() => thrower.set('bad', { get vector() { throw new Error('mine') } }), 'a Map does not read its values')
  const error = await rejection(second.save())
  t.regex(`${error.message} ${error.cause?.message}`, /mine/)
})

test('tracking does not change the order in which results of ruvector come', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  attach(t, db, { baseDir: dir })
  const order: number[] = []
  for (let number = 0; number < 5; number++) {
    await db.insert({ id: `${number}`, vector: vectorOf(number) }).then(() => order.push(number))
    await pause(0)
  }
  t.deepEqual(order, [0, 1, 2, 3, 4])
})
