// A database that refuses entries while it is loaded: the old content is put back and the error says so, or it says that it
// could not be. Every write of the way there is made to fail once.
//
// A failure means that a failed load leaves half of one content and half of another, or that the error says otherwise.
import test from 'ava'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, PersistenceError } from 'ruvector-persistence'
import { readState, savedAgrees } from './helpers/archive'
import { GenericDb, type GenericOptions } from './helpers/generic'
import { attach, rejection } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, entriesOf, mapOf, vectorOf, type TestEntry } from './helpers/vectors'

// doc-0..2 are equal in both, doc-3..5 change, old-* go, new-* come.
const shared = entriesOf(6)
const old: TestEntry[] = [...shared.slice(0, 3), ...shared.slice(3).map((entry) => ({ ...entry, vector: vectorOf(`old ${entry.id}`) })), ...entriesOf(4, 8, 'old')]
const wanted: TestEntry[] = [...shared, ...entriesOf(4, 8, 'new')]

async function setup(t: any, options: GenericOptions & { batchSize?: number } = {}) {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(wanted), { baseDir: join(dir, 'archive') }).save()
  const db = new GenericDb(options)
  for (const entry of old) db.content.set(entry.id, { ...entry })
  const persistence = attach(t, db, { baseDir: join(dir, 'data'), batchSize: options.batchSize ?? 2 })
  await persistence.ready()
  db.recount()
  return { dir, path, db, persistence }
}

const KINDS: [string, GenericOptions][] = [
  ['a sync database', {}], ['an async database', { async: true }], ['a database without insertBatch', { without: ['insertBatch'] }],
  ['a database without delete', { without: ['delete'] }], ['an async database without clear', { async: true, without: ['clear'] }],
]

for (const [what, options] of KINDS) {
  test(`${what} that fails once, at any write, has its old content back, and the error says so`, async (t) => {
    const { db: probe, path: probePath, persistence: probing } = await setup(t, options)
    await probing.load({ path: probePath })
    t.deepEqual(contentOf(probe.content.values()), contentOf(wanted))
    const writes = ['insert', 'insertBatch', 'delete', 'clear'].map((name) => [name, probe.calls.filter((call) => call === name).length] as const).filter(([, count]) => count > 0)
    t.true(writes.reduce((sum, [, count]) => sum + count, 0) >= 2)
    for (const [name, count] of writes) {
      for (let nth = 1; nth <= count; nth++) {
        const { db, persistence, path } = await setup(t, options)
        db.fail = { [name]: nth }
        const error = await rejection(persistence.load({ path }))
        const at = `${name} ${nth}: ${error.message}`
        t.true(error instanceof PersistenceError, at)
        t.is(error.code, 'ERR_APPLY', at)
        t.is(error.content, 'old', at)
        t.is(error.cause?.message, `${name} refused call ${nth}`, at)
        t.deepEqual(contentOf(db.content.values()), contentOf(old), at)
        t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(old), at)
        await persistence.load({ path })
        t.deepEqual(contentOf(db.content.values()), contentOf(wanted), 'the next load works')
      }
    }
  })
}

test('an entry that the database refuses every time: the old content stays, however often it is tried', async (t) => {
  const { db, persistence, path } = await setup(t, { without: ['insertBatch'] })
  db.insert = function (entry) {
    if (entry.id === 'new-2') throw new Error('no new-2 here')
    return GenericDb.prototype.insert.call(this, entry)
  }
  // The method was put on after the wrapping; a new DatabasePersistence sees it.
  await persistence.shutdown()
  const second = attach(t, db, { baseDir: tempDir(t) })
  for (let round = 0; round < 2; round++) {
    const error = await rejection(second.load({ path }))
    t.like(error, { code: 'ERR_APPLY', content: 'old' })
    t.regex(error.message, /no new-2 here/)
    t.deepEqual(contentOf(db.content.values()), contentOf(old))
  }
})

test('when the old content cannot be put back either, the error says mixed, and only an explicit save or load ends that', async (t) => {
  const { dir, db, persistence, path } = await setup(t)
  await persistence.save()
  db.fail = { insertBatch: 0 }
  const error = await rejection(persistence.load({ path }))
  t.is(error.code, 'ERR_APPLY')
  t.is(error.content, 'mixed')
  t.regex(error.message, /mixture/)
  db.fail = {}
  const data = join(dir, 'data', 'database.json')
  t.deepEqual(contentOf(readState(data).vectors), contentOf(old))
  await persistence.load({ path })
  t.deepEqual(contentOf(db.content.values()), contentOf(wanted))
  t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(wanted))
})

test('a mixed content is not written over the last good save by auto-save or shutdown', async (t) => {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(wanted), { baseDir: join(dir, 'archive') }).save()
  const db = new GenericDb()
  for (const entry of old) db.content.set(entry.id, { ...entry })
  const persistence = new DatabasePersistence(db, { baseDir: join(dir, 'data'), batchSize: 2 })
  const saved = await persistence.save()
  db.recount()
  db.fail = { insertBatch: 0 }
  t.is((await rejection(persistence.load({ path }))).content, 'mixed')
  db.fail = {}
  const error = await rejection(persistence.shutdown())
  t.is(error.content, 'mixed')
  t.deepEqual(contentOf(readState(saved).vectors), contentOf(old))
})

test('an explicit save after a mixed content writes what the database holds', async (t) => {
  const { db, persistence, path } = await setup(t)
  db.fail = { insertBatch: 0 }
  t.is((await rejection(persistence.load({ path }))).content, 'mixed')
  db.fail = {}
  t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(db.content.values()))
  await t.notThrowsAsync(persistence.shutdown())
})

test('buildIndex that fails: the new content is in place, and the error says so', async (t) => {
  const { db, persistence, path } = await setup(t)
  db.fail = { buildIndex: 0 }
  const error = await rejection(persistence.load({ path }))
  t.is(error.code, 'ERR_APPLY')
  t.is(error.content, 'new')
  t.is(error.cause?.message, 'buildIndex refused call 1')
  t.deepEqual(contentOf(db.content.values()), contentOf(wanted))
  t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOf(wanted))
})

test('a database that takes entries and loses them is noticed by its count', async (t) => {
  const { db, persistence: first, path } = await setup(t)
  await first.shutdown()
  db.insertBatch = function (batch) {
    return GenericDb.prototype.insertBatch.call(this, batch.filter(({ id }) => id !== 'new-1'))
  }
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  const error = await rejection(persistence.load({ path }))
  t.is(error.code, 'ERR_APPLY')
  t.is(error.content, 'old')
  t.regex(error.message, /\b9\b.*\b10\b/)
  t.deepEqual(contentOf(db.content.values()), contentOf(old))
})

test('restoreSnapshot and import fail in the same way', async (t) => {
  const { dir, db, persistence, path } = await setup(t)
  const { id } = await persistence.createSnapshot('old')
  const exported = join(dir, 'exported')
  await persistence.export({ path: exported })
  await persistence.load({ path })
  for (const call of [() => persistence.restoreSnapshot(id), () => persistence.import({ path: exported }), () => persistence.import({ path: exported, clear: true })]) {
    const before = contentOf(db.content.values())
    db.recount()
    db.fail = { insertBatch: 1 }
    t.like(await rejection(call()), { code: 'ERR_APPLY', content: 'old' })
    t.deepEqual(contentOf(db.content.values()), before)
    db.fail = {}
  }
  await persistence.restoreSnapshot(id)
  t.deepEqual(contentOf(db.content.values()), contentOf(old))
})

test('a real ruvector whose writes fail, each once, has its old content back', async (t) => {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(wanted), { baseDir: join(dir, 'archive') }).save()
  const ids = [...old, ...wanted].map(({ id }) => id)
  for (const [name, most] of [['insertBatch', 4], ['delete', 7]] as const) {
    for (let nth = 1; nth <= most; nth++) {
      const db = openRuvector(dir, { name: `${name}-${nth}.db` })
      await db.insertBatch(old as never)
      const original = db[name].bind(db) as (argument: any) => Promise<any>
      let calls = 0
      Object.defineProperty(db, name, { value: async (argument: any) => { if (++calls === nth) throw new Error('mine'); return original(argument) }, configurable: true, writable: true })
      const persistence = attach(t, db, { baseDir: join(dir, `${name}-${nth}`), batchSize: 2 })
      const error = await rejection(persistence.load({ path }))
      t.like(error, { code: 'ERR_APPLY', content: 'old' }, `${name} ${nth}: ${error.message}`)
      t.is(error.cause?.message, 'mine')
      t.is(await db.len(), old.length)
      t.deepEqual(await contentOfRuvector(db, ids), contentOf(old), `${name} ${nth}`)
      await savedAgrees(t, persistence, db)
      await persistence.load({ path })
      t.deepEqual(await contentOfRuvector(db, ids), contentOf(wanted))
      t.is(await db.len(), wanted.length)
    }
  }
})

test('a failed load does not overwrite the last save', async (t) => {
  const { dir, db, persistence, path } = await setup(t)
  db.fail = { insertBatch: 1 }
  await rejection(persistence.load({ path }))
  t.false(existsSync(join(dir, 'data', 'database.json')))
})
