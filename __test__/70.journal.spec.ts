// The journal of `DatabasePersistence` (option `wal`): what its options mean, what an acknowledgement is, recovering into an
// empty database, and differences between journal and database, which are told and never settled by themselves.
//
// A failure means that an acknowledged write is not in the journal, that one side is dropped without being asked for, or
// that the database behind a journal behaves differently from what it is without one.
import test from 'ava'
import { AsyncLocalStorage } from 'node:async_hooks'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, type Difference, PersistenceError, type PersistableDatabase, type JournalOptions } from 'ruvector-persistence'
import { mounts, smallDisk, testWith } from './helpers/faults'
import { GenericDb, type GenericOptions } from './helpers/generic'
import { attach, pause, rejection, until } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, mapOf, vectorOf } from './helpers/vectors'

const generic = (options: GenericOptions = {}): GenericDb => new GenericDb({ async: true, ...options })
const contentOfGeneric = (db: GenericDb): ReturnType<typeof contentOf> => contentOf(db.content.values())

/** What the journal in the folder holds, as an empty Map gets it. */
async function held(baseDir: string, wal: boolean | JournalOptions = true): Promise<Map<string, any>> {
  const map = new Map<string, any>()
  const persistence = new DatabasePersistence(map, { baseDir, wal })
  await persistence.recover()
  await persistence.shutdown()
  return map
}

const logFiles = (baseDir: string): string[] => readdirSync(join(baseDir, 'collections', 'journal', 'wal')).filter((name) => name.endsWith('.wal'))

test('A21: without wal nothing of a store is made, and what needs one says so', async (t) => {
  for (const wal of [undefined, false, { enabled: false, syncMode: 'async' }] as const) {
    const baseDir = tempDir(t)
    const persistence = attach(t, generic(), { baseDir, wal })
    await persistence.save()
    t.false(existsSync(join(baseDir, 'STORE')))
    for (const call of [() => persistence.recover(), () => persistence.flush(), () => persistence.walStatus()]) {
      const error = await rejection(call())
      t.is(error.code, 'ERR_UNSUPPORTED')
      t.regex(error.message, /"wal"/)
    }
    t.is((await rejection((persistence as any).load())).code, 'ERR_OPTION')
  }
})

test('B28 B29 B30 B31 A23: options of wal are known by name, checked, and make sense together', (t) => {
  const baseDir = tempDir(t)
  const refuse = (wal: unknown, kind: typeof TypeError | typeof RangeError, ...parts: string[]): void => {
    const error = t.throws(() => new DatabasePersistence(new Map(), { baseDir, wal } as any), { instanceOf: kind, code: 'ERR_OPTION' } as object, JSON.stringify(wal)) as Error
    for (const part of parts) t.true(error.message.includes(part), error.message)
  }
  refuse({ syncmode: 'fsync' }, TypeError, '"syncmode"', 'of wal', 'Did you mean "syncMode"?')
  refuse({ syncMode: 'always' }, RangeError, 'fsync, periodic, async')
  refuse({ syncMode: 'fsync', fsyncInterval: 100 }, TypeError, 'contradict')
  refuse({ syncMode: 'async', fsyncInterval: 100 }, TypeError, 'contradict')
  refuse({ syncMode: 'periodic', fsyncInterval: 0 }, TypeError, 'contradict')
  refuse({ segmentSize: 4095 }, RangeError, '4096')
  refuse({ segmentSize: 8192, maxSegmentSize: 4096 }, TypeError, 'contradict')
  for (const retention of ['24', 'h', '-1h', '1.5h', '24H', '1y', '']) refuse({ retention }, RangeError, "'24h'")
  refuse({ retention: -1 }, RangeError)
  refuse({ retention: true }, TypeError)
  refuse({ preallocate: 2 ** 31 }, RangeError)
  refuse({ compactionThreshold: 1.1 }, RangeError)
  refuse({ compactionThreshold: Number.NaN }, RangeError)
  refuse({ checkpointSize: 1 }, RangeError)
  refuse({ path: '' }, RangeError)
  refuse({ archive: 5 }, TypeError)
  refuse({ enabled: 1 }, TypeError)
  t.deepEqual(readdirSync(baseDir), [])
})

test('A23 A24 B29 B30 B31 B33 A86 A87 A88: options arrive, with their defaults', async (t) => {
  const cases: [boolean | JournalOptions, object][] = [
    [true, { enabled: true, status: 'active', syncMode: 'fsync', segmentSize: 67_108_864, compression: false, retention: 86_400_000, poisoned: null, behind: false }],
    [{ fsyncInterval: 0, compression: false }, { syncMode: 'fsync' }],
    [{ fsyncInterval: 1000, compression: true }, { syncMode: 'periodic', fsyncInterval: 1000, compression: true }],
    [{ fsyncInterval: 10_000 }, { syncMode: 'periodic', fsyncInterval: 10_000 }],
    [{ syncMode: 'periodic' }, { syncMode: 'periodic', fsyncInterval: 1000 }],
    [{ syncMode: 'async' }, { syncMode: 'async' }],
    [{ maxSegmentSize: 268_435_456 }, { segmentSize: 268_435_456 }],
    [{ segmentSize: 134_217_728, retention: '48h' }, { segmentSize: 134_217_728, retention: 172_800_000 }],
    [{ retention: '168h' }, { retention: 604_800_000 }],
    [{ retention: 5 }, { retention: 5 }],
    [{ retention: '7d' }, { retention: 604_800_000 }],
  ]
  for (const [wal, due] of cases) {
    const baseDir = tempDir(t)
    const persistence = attach(t, new Map(), { baseDir, wal })
    const status = await persistence.walStatus()
    t.like(status, due)
    t.is(status.path, join(baseDir, 'collections', 'journal', 'wal'))
    t.is(status.totalSizeMB, status.totalSize / 2 ** 20)
    await persistence.shutdown()
    // What is not given has its default again, whatever there was before.
    const again = attach(t, new Map(), { baseDir, wal: true })
    t.like(await again.walStatus(), cases[0]![1])
    await again.shutdown()
  }
})

test('A21 A86: what was awaited is in the journal, for a generic database, a Map and ruvector', async (t) => {
  const entries = entriesOf(30)
  for (const kind of ['generic', 'map', 'ruvector'] as const) {
    const dir = tempDir(t)
    const baseDir = join(dir, 'base')
    const db: any = kind === 'generic' ? generic() : kind === 'map' ? new Map() : openRuvector(dir)
    const persistence = attach(t, db, { baseDir, wal: true })
    if (kind === 'map') for (const { id, ...value } of entries) db.set(id, value)
    else {
      for (const entry of entries.slice(0, 10)) t.is(await db.insert(entry), entry.id)
      t.deepEqual(await db.insertBatch(entries.slice(10)), entries.slice(10).map(({ id }) => id))
    }
    const removed: unknown = await db.delete('doc-3')
    t.true(removed)
    await persistence.flush()
    await persistence.shutdown()
    const recovered = kind === 'ruvector' ? openRuvector(dir, { name: 'second.db' }) : generic()
    const second = attach(t, recovered as PersistableDatabase, { baseDir, wal: true })
    const report = await second.recover()
    t.like(report, { count: 29, added: 29, changed: 0, removed: 0, truncatedBytes: 0 })
    const ids = entries.map(({ id }) => id)
    const found = recovered instanceof GenericDb ? contentOfGeneric(recovered) : await contentOfRuvector(recovered, ids)
    t.deepEqual(found, contentOf(entries.filter(({ id }) => id !== 'doc-3')), kind)
    await second.shutdown()
  }
})

test('A21: an insert resolves after the journal has it, also while somebody uses an AsyncLocalStorage', async (t) => {
  const baseDir = tempDir(t)
  const db = generic()
  const persistence = attach(t, db, { baseDir, wal: { syncMode: 'fsync' } })
  for (const storage of [null, new AsyncLocalStorage<object>()]) {
    const work = async (): Promise<void> => {
      for (const entry of entriesOf(5, 8, storage === null ? 'plain' : 'stored')) {
        const before = (await persistence.walStatus()).durableLsn
        await db.insert(entry)
        t.true((await persistence.walStatus()).durableLsn > before)
      }
    }
    await (storage === null ? work() : storage.run({}, work))
  }
})

test('B57 B58 B59: fsync is durable at once, periodic within its interval, async with a flush', async (t) => {
  const durable = async (wal: JournalOptions): Promise<{ lsns: number[]; persistence: DatabasePersistence }> => {
    const db = generic()
    const persistence = attach(t, db, { baseDir: tempDir(t), wal })
    await db.insert(entriesOf(1)[0]!)
    await persistence.flush()
    const before = (await persistence.walStatus()).durableLsn
    for (const entry of entriesOf(3)) await db.insert(entry)
    return { lsns: [before, (await persistence.walStatus()).durableLsn], persistence }
  }
  const fsync = await durable({ syncMode: 'fsync' })
  t.is(fsync.lsns[1], fsync.lsns[0]! + 3)
  const periodic = await durable({ fsyncInterval: 1500 })
  t.is(periodic.lsns[1], periodic.lsns[0])
  await until(async () => (await periodic.persistence.walStatus()).durableLsn === periodic.lsns[0]! + 3, 'a sync after 1500 ms', 10_000)
  const asynchronous = await durable({ syncMode: 'async' })
  await pause(400)
  t.is((await asynchronous.persistence.walStatus()).durableLsn, asynchronous.lsns[0]!)
  await asynchronous.persistence.flush()
  t.is((await asynchronous.persistence.walStatus()).durableLsn, asynchronous.lsns[0]! + 3)
})

test('A24 A46 A47 A51 A52: the log is cut into files, compressed when asked, and can be read again', async (t) => {
  const entries = Array.from({ length: 200 }, (_, row) => ({ id: `id-${row}`, vector: vectorOf(row), metadata: { text: 'the same words again and again '.repeat(20) } }))
  const sizes: number[] = []
  for (const compression of [false, true]) {
    const baseDir = tempDir(t)
    const db = generic()
    const persistence = attach(t, db, { baseDir, wal: { segmentSize: 16_384, preallocate: false, compression } })
    for (const entry of entries) await db.insert(entry)
    const status = await persistence.walStatus()
    t.is(status.segmentCount, logFiles(baseDir).length)
    t.is(status.totalSize, logFiles(baseDir).reduce((sum, name) => sum + statSync(join(status.path, name)).size, 0))
    t.true(logFiles(baseDir).every((name) => statSync(join(status.path, name)).size <= 16_384))
    sizes.push(status.totalSize)
    if (!compression) t.true(status.segmentCount > 5)
    await persistence.shutdown()
    t.deepEqual(contentOfMap(await held(baseDir)), contentOf(entries))
  }
  t.true(sizes[1]! < sizes[0]! / 2, sizes.join())
})

testWith(mounts, 'A22 C104: the log is in another folder, on another file system, beside that of another journal', async (t) => {
  const dir = tempDir(t)
  const path = join(smallDisk(t, dir, '16m'), 'logs', 'deep')
  const bases = [join(dir, 'one'), join(dir, 'two')]
  for (const baseDir of bases) {
    const db = generic()
    const persistence = attach(t, db, { baseDir, wal: { path } })
    await db.insert({ id: baseDir, vector: [1, 2] })
    t.true((await persistence.walStatus()).path.startsWith(`${path}/`))
    t.false(existsSync(join(baseDir, 'collections', 'journal', 'wal')))
    await persistence.shutdown()
  }
  t.is(readdirSync(path).length, 2)
  // Where it is, is kept; another place is refused.
  for (const baseDir of bases) for (const wal of [true, { path }]) t.deepEqual([...(await held(baseDir, wal)).keys()], [baseDir])
  const moved = attach(t, new Map(), { baseDir: bases[0]!, wal: { path: join(dir, 'elsewhere') } })
  t.is((await rejection(moved.ready())).code, 'ERR_UNSUPPORTED')
})

test('B31 C62: files that opening does not need go when their time is over, to the archive where there is one', async (t) => {
  const dir = tempDir(t)
  const archive = join(dir, 'archive', 'deep')
  const db = generic()
  const wal: JournalOptions = { segmentSize: 4096, checkpointSize: 4096, retention: 0, archive, preallocate: false }
  const persistence = attach(t, db, { baseDir: join(dir, 'base'), wal })
  for (let round = 0; round < 6; round++) for (const entry of entriesOf(40)) await db.insert({ ...entry, metadata: { round } })
  await until(() => readdirSync(archive, { recursive: true }).length > 4, 'files in the folder of the collection in the archive')
  t.true((await persistence.walStatus()).segmentCount < 40)
  await persistence.shutdown()
  t.deepEqual(contentOfMap(await held(join(dir, 'base'), wal)), contentOfGeneric(db))
})

test('what was in the database before goes to an empty journal, with what is written meanwhile', async (t) => {
  const baseDir = tempDir(t)
  const db = generic()
  for (const entry of entriesOf(20, 8, 'old')) await db.insert(entry)
  const persistence = attach(t, db, { baseDir, wal: true })
  await Promise.all(entriesOf(20, 8, 'new').map((entry) => db.insert(entry)))
  await persistence.ready()
  const content = contentOfGeneric(db)
  await persistence.shutdown()
  t.deepEqual(contentOfMap(await held(baseDir)), content)
})

test('A58: an unrecovered journal: nothing is saved or loaded over it, writes go to both, recover() twice is recover() once', async (t) => {
  const baseDir = tempDir(t)
  const first = attach(t, mapOf(entriesOf(10)), { baseDir, wal: true })
  const archive = await first.save({ path: join(baseDir, 'before.json') })
  await first.shutdown()
  const db = generic()
  const second = attach(t, db, { baseDir, wal: true })
  const [heard, recovered]: [unknown[], unknown[]] = [[], []]
  second.on('difference', (difference) => heard.push(difference)).on('recover', (report) => recovered.push(report))
  await db.insert({ id: 'doc-1', vector: vectorOf('over') })
  await db.insert({ id: 'fresh', vector: vectorOf('fresh') })
  await second.ready()
  for (const call of [() => second.save(), () => second.createSnapshot('no'), () => second.load({ path: archive }), () => second.import({ path: archive }), () => second.export({ path: join(baseDir, 'no.json') })]) {
    const error = await rejection(call())
    t.is(error.code, 'ERR_INCOMPLETE')
    t.regex(error.message, /not recovered yet: 9 entries are only in the journal, 0 only in the database, 0 are not the same.*recover\(\)/)
  }
  await second.flush()
  const report = await second.recover()
  t.like(report, { count: 11, added: 9, changed: 0, removed: 0 })
  t.is(report.records, 0, 'what the first process had was moved to segments, and nothing was written behind them')
  t.deepEqual(contentOf([db.content.get('doc-1')!]), contentOf([{ id: 'doc-1', vector: vectorOf('over') }]), 'the later write stands')
  t.like(await second.recover(), { count: 11, added: 0, changed: 0, removed: 0 })
  await second.load()
  t.is(db.content.size, 11)
  t.deepEqual([heard, recovered.length], [[], 3])
  await second.save()
  await second.shutdown()
  t.is((await held(baseDir)).size, 11)
})

test('an unrecovered journal is given up only by name, by a load after that, or by clear', async (t) => {
  const baseDir = tempDir(t)
  await attach(t, mapOf(entriesOf(10)), { baseDir, wal: true }).shutdown()
  const db = generic()
  const persistence = attach(t, db, { baseDir, wal: true })
  await db.insert({ id: 'doc-1', vector: vectorOf('over') })
  t.like(await persistence.recover({ prefer: 'database' }), { count: 1, added: 0, changed: 0, removed: 9 })
  await persistence.shutdown()
  t.deepEqual([...(await held(baseDir)).keys()], ['doc-1'])
  const cleared = generic()
  const other = attach(t, cleared, { baseDir, wal: true })
  await cleared.clear()
  await cleared.insert({ id: 'b', vector: [1, 2, 3] })
  await other.save()
  await other.shutdown()
  t.deepEqual([...(await held(baseDir)).keys()], ['b'], 'also with vectors of another dimension')
})

test('a journal and a database that differ: told once, nothing is saved, either side can be preferred', async (t) => {
  for (const prefer of ['journal', 'database'] as const) {
    const dir = tempDir(t)
    const baseDir = join(dir, 'base')
    const entries = entriesOf(20)
    const db = openRuvector(dir)
    const persistence = attach(t, db, { baseDir, wal: true, databasePath: join(dir, 'ruvector.db') })
    await db.insertBatch(entries)
    await persistence.shutdown()
    // Without a wrapper: two are gone, three are new, one is another.
    for (const id of ['doc-0', 'doc-1', 'doc-2']) await db.delete(id)
    await db.insertBatch([...entriesOf(3, 8, 'new'), { id: 'doc-2', vector: vectorOf('changed') }])
    const again = attach(t, db, { baseDir, wal: true, databasePath: join(dir, 'ruvector.db') })
    const heard: Difference[] = []
    again.on('difference', (difference) => heard.push(difference))
    await again.ready()
    t.deepEqual(heard, [{ onlyInJournal: 2, onlyInDatabase: 3, changed: 1 }])
    await db.insert({ id: 'meanwhile', vector: vectorOf('meanwhile') })
    const error = await rejection(again.save())
    t.is(error.code, 'ERR_INCOMPLETE')
    t.regex(error.message, /2 entries are only in the journal, 3 only in the database, 1 are not the same/)
    const report = await again.recover({ prefer })
    t.like(report, prefer === 'journal' ? { count: 21, added: 2, changed: 1, removed: 3 } : { count: 22, added: 3, changed: 1, removed: 2 })
    await again.save()
    t.is(await db.len(), report.count)
    await again.shutdown()
    const now = await held(baseDir)
    t.deepEqual([now.size, now.has('doc-0'), now.has('new-0'), now.has('meanwhile')], [report.count, prefer === 'journal', prefer === 'database', true])
    t.is(heard.length, 1)
  }
})

test('writes that go around the wrapper are found by count and by samples, and not swallowed', async (t) => {
  for (const how of ['count', 'sample'] as const) {
    const baseDir = tempDir(t)
    const map = mapOf(entriesOf(6))
    const persistence = attach(t, map, { baseDir, wal: true })
    await persistence.save()
    const heard: Difference[] = []
    persistence.on('difference', (difference) => heard.push(difference))
    Map.prototype.delete.call(map, 'doc-0')
    if (how === 'sample') Map.prototype.set.call(map, 'other', { vector: vectorOf('other') })
    const error = await rejection(persistence.save())
    t.is(error.code, 'ERR_INCOMPLETE', how)
    t.deepEqual(heard, [{ onlyInJournal: 1, onlyInDatabase: how === 'sample' ? 1 : 0, changed: 0 }])
    await persistence.recover()
    t.deepEqual(contentOfMap(map), contentOf(entriesOf(6)))
    await persistence.save()
  }
})

test('what a database brings in by itself, in a way that is tracked and cannot be followed, the journal follows', async (t) => {
  const baseDir = tempDir(t)
  class Loading extends GenericDb {
    load(): Promise<void> {
      this.content.clear()
      for (const entry of entriesOf(7, 8, 'loaded')) this.content.set(entry.id, entry)
      return Promise.resolve()
    }
    /** Ids of its own, and nothing that tells which. */
    async add(): Promise<void> {}
  }
  const db = new Loading({ async: true })
  const persistence = attach(t, db, { baseDir, wal: true })
  const heard: unknown[] = []
  persistence.on('difference', (difference) => heard.push(difference))
  for (const entry of entriesOf(5)) await db.insert(entry)
  await db.load()
  t.deepEqual(heard, [])
  await persistence.shutdown()
  t.deepEqual(contentOfMap(await held(baseDir)), contentOf(entriesOf(7, 8, 'loaded')))
})

test('load, import and restoreSnapshot: the journal holds the same when they resolve', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(10))
  const persistence = attach(t, map, { baseDir, wal: true })
  const path = await persistence.save({ path: join(baseDir, 'ten.json') })
  const { id } = await persistence.createSnapshot('ten')
  const lsnBefore = (await persistence.walStatus()).durableLsn
  map.clear()
  for (const entry of entriesOf(3, 8, 'x')) map.set(entry.id, entry)
  await persistence.import({ path })
  t.is(map.size, 13)
  const journal = async (): Promise<ReturnType<typeof contentOf>> => {
    await persistence.flush()
    t.true((await persistence.walStatus()).durableLsn > lsnBefore)
    t.false((await persistence.walStatus()).behind)
    t.like(await persistence.recover(), { added: 0, changed: 0, removed: 0 })
    return contentOfMap(map)
  }
  t.is((await journal()).length, 13)
  await persistence.load({ path })
  t.deepEqual(await journal(), contentOf(entriesOf(10)))
  map.delete('doc-1')
  await persistence.restoreSnapshot(id)
  t.deepEqual(await journal(), contentOf(entriesOf(10)))
  await persistence.shutdown()
  t.deepEqual(contentOfMap(await held(baseDir)), contentOf(entriesOf(10)))
})

test('writes while content is being loaded are acknowledged and stand', async (t) => {
  const baseDir = tempDir(t)
  const db = generic()
  const persistence = attach(t, db, { baseDir, wal: true, batchSize: 10 })
  const source = attach(t, mapOf(entriesOf(300)), { baseDir: tempDir(t) })
  const path = await source.save()
  const loading = persistence.load({ path })
  for (let turn = 0; turn < 30; turn++) await db.insert({ id: `doc-${turn * 7}`, vector: vectorOf(`mine ${turn}`) })
  await loading
  await db.insert({ id: 'after', vector: vectorOf('after') })
  const content = contentOfGeneric(db)
  t.is(content.length, 301)
  await persistence.shutdown()
  t.deepEqual(contentOfMap(await held(baseDir)), content)
})

test('overlapping writes of one id: the journal has what the database has, when all have resolved', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const persistence = attach(t, db, { baseDir: join(dir, 'base'), wal: true })
  await Promise.all(Array.from({ length: 40 }, (_, turn) => db.insert({ id: `id-${turn % 3}`, vector: vectorOf(turn), metadata: { turn } })))
  const content = await contentOfRuvector(db, ['id-0', 'id-1', 'id-2'])
  t.is(content.length, 3)
  await persistence.shutdown()
  t.deepEqual(contentOfMap(await held(join(dir, 'base'))), content)
})

test('methods that call each other do not wait for each other, ids that the database gives are kept, metadata too', async (t) => {
  const baseDir = tempDir(t)
  class Nested extends GenericDb {
    #next = 0
    override async insert(entry: any): Promise<any> {
      const id = entry.id ?? `given-${this.#next++}`
      await this.delete(id)
      return super.insert({ ...entry, id })
    }
    override async insertBatch(entries: any[]): Promise<any> {
      return Promise.all(entries.map((entry) => this.insert(entry)))
    }
  }
  const db = new Nested({ async: true })
  const persistence = attach(t, db, { baseDir, wal: true })
  t.is(await db.insert({ vector: [1, 2] }), 'given-0')
  t.deepEqual(await db.insertBatch([{ vector: [3, 4] }, { id: 'own', vector: [5, 6] }]), ['given-1', 'own'])
  await Promise.all([db.insert({ id: 'own', vector: [7, 8] }), db.insert({ id: 'own', vector: [9, 9] })])
  await db.updateMetadata('own', { tag: 'x' })
  const content = contentOfGeneric(db)
  t.is(content.length, 3)
  await persistence.shutdown()
  t.deepEqual(contentOfMap(await held(baseDir)), content)
})

test('an entry that the database takes and no journal can hold: the call rejects, or the error is told', async (t) => {
  const db = generic()
  const persistence = attach(t, db, { baseDir: tempDir(t), wal: true })
  await db.insert({ id: 'good', vector: [1, 2] })
  const error = await rejection(db.insert({ id: 'bad', vector: [1, 2], metadata: { n: Number.NaN } }))
  t.true(error instanceof PersistenceError)
  t.is(error.code, 'ERR_METADATA')
  t.regex(error.message, /The database did the write, but it is not durable in the journal/)
  t.true(db.content.has('bad'))
  t.is((await rejection(persistence.flush())).code, 'ERR_METADATA')
  await db.delete('bad')
  await persistence.flush()
  const map = new Map<string, any>([['good', { vector: [1, 2] }]])
  const errors: any[] = []
  const other = attach(t, map, { baseDir: tempDir(t), wal: true, onError: (thrown) => errors.push(thrown) })
  await other.ready()
  map.set('bad', { vector: [1, 2, 3] })
  await until(() => errors.length > 0, 'an error')
  t.deepEqual(errors.map(({ code }) => code), ['ERR_DIMENSION'])
})

test('all vectors gone, another dimension: the journal follows', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(5))
  const persistence = attach(t, map, { baseDir, wal: true })
  await persistence.ready()
  for (const id of [...map.keys()]) map.delete(id)
  map.set('a', { vector: Float32Array.of(1, 2, 3) })
  map.set('b', { vector: Float32Array.of(4, 5, 6) })
  await persistence.flush()
  await persistence.shutdown()
  t.deepEqual(contentOfMap(await held(baseDir)), contentOfMap(map))
})

test('ERR_LOCKED: a journal has one owner; the other database goes on and its calls say so, until the first is closed', async (t) => {
  const baseDir = tempDir(t)
  const first = attach(t, new Map(), { baseDir, wal: true })
  await first.ready()
  const db = generic()
  const second = attach(t, db, { baseDir, wal: true })
  const early = rejection(db.insert({ id: 'a', vector: [1, 2] }))
  for (const call of [() => second.ready(), () => second.save(), () => second.flush(), () => second.recover(), () => second.listSnapshots()]) {
    t.is((await rejection(call())).code, 'ERR_LOCKED')
  }
  for (const error of [await early, await rejection(db.insert({ id: 'b', vector: [1, 2] }))]) {
    t.is(error.code, 'ERR_LOCKED')
    t.regex(error.message, /The database did the write, but it is not durable/)
  }
  t.is(db.content.size, 2)
  await first.shutdown()
  await second.ready()
  await db.insert({ id: 'c', vector: [1, 2] })
  await second.shutdown()
  t.deepEqual([...(await held(baseDir)).keys()].sort(), ['a', 'b', 'c'])
})

test('recover: what does not fit is refused before anything is touched, and a signal cancels it', async (t) => {
  const baseDir = tempDir(t)
  await attach(t, mapOf(entriesOf(200)), { baseDir, wal: true, metric: 'dot' }).shutdown()
  const wrong = attach(t, generic({ dimension: 3 }), { baseDir, wal: true })
  t.is((await rejection(wrong.recover())).code, 'ERR_DIMENSION')
  await wrong.shutdown()
  const metric = attach(t, new Map(), { baseDir, wal: true, metric: 'cosine' })
  t.is((await rejection(metric.recover())).code, 'ERR_METRIC')
  await metric.shutdown()
  const db = generic({ metric: 'dot' })
  const persistence = attach(t, db, { baseDir, wal: true, batchSize: 10 })
  const stop = new AbortController()
  const error = await rejection(persistence.recover({ signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) }))
  t.is(error.message, 'enough')
  t.is(db.content.size, 0, 'the old content is back')
  const seen: string[] = []
  await persistence.recover({ onProgress: ({ operation, percentage }) => seen.push(`${operation} ${percentage}`) })
  t.is(seen.at(-1), 'recover 100')
  t.is(db.content.size, 200)
  t.is((await rejection(persistence.recover({ prefer: 'both' } as any))).code, 'ERR_OPTION')
  t.is((await rejection(persistence.load({ format: 'json' } as any))).code, 'ERR_OPTION')
})

test('A49: after shutdown the log is closed, the lock free, and calls are refused; opening replays nothing that is in segments', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(50))
  const persistence = attach(t, map, { baseDir, wal: true })
  await persistence.ready()
  t.is((await persistence.walStatus()).unreplayedSegments, 0, 'a whole content is put in as segments')
  map.set('one', { vector: vectorOf('one') })
  await persistence.shutdown()
  for (const call of [() => persistence.flush(), () => persistence.recover(), () => persistence.walStatus(), () => persistence.load()]) {
    t.is((await rejection(call())).code, 'ERR_CLOSED')
  }
  map.set('two', { vector: vectorOf('two') })
  const again = attach(t, new Map(), { baseDir, wal: true })
  // The one write behind the checkpoint.
  t.like(await again.recover(), { count: 51, records: 1 })
})
