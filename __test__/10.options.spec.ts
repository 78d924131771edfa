// The options of the constructor (CHECKLIST E4-E10): which are refused, and what each of them does.
//
// A failure of a refusal means that a typo or a nonsense value would be accepted and ignored. What an archive holds is
// tested further on; here only that the option reaches it.
import test from 'ava'
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, PersistenceError } from 'ruvector-persistence'
import { GenericDb } from './helpers/generic'
import { attach, rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { entriesOf, mapOf } from './helpers/vectors'

const make = (options: any, ...db: any[]): DatabasePersistence => new DatabasePersistence(db.length > 0 ? db[0] : new Map(), options)

test('E4: baseDir is required, and must be a string that is not empty', (t) => {
  for (const options of [undefined, null, {}, { baseDir: undefined }, { baseDir: '' }, { baseDir: 7 }, { baseDir: null }]) {
    t.throws(() => make(options), { instanceOf: TypeError, code: 'ERR_OPTION', message: /baseDir/ }, JSON.stringify(options))
  }
})

test('a database that none of the adapters fits is refused with a TypeError', (t) => {
  const baseDir = tempDir(t)
  for (const db of [undefined, null, 5, 'db', {}, { get() {} }, new Set()]) {
    t.throws(() => make({ baseDir }, db), { instanceOf: TypeError, code: 'ERR_OPTION', message: /database/i })
  }
})

test('an unknown option is refused by name with the allowed ones, and a misspelled one with what was meant', (t) => {
  const baseDir = tempDir(t)
  const typo = t.throws(() => make({ baseDir, autoSaveIntervall: 5 }), { instanceOf: TypeError, code: 'ERR_OPTION' })
  t.regex(typo.message, /"autoSaveIntervall"/)
  t.regex(typo.message, /Did you mean "autoSaveInterval"/)
  for (const name of ['baseDir', 'format', 'compression', 'incremental', 'maxSnapshots', 'batchSize']) t.regex(typo.message, new RegExp(`\\b${name}\\b`))
  t.throws(() => make({ baseDir, segmentsize: 1 }), { instanceOf: TypeError, code: 'ERR_OPTION', message: /"segmentsize"/ })
})

test('only own properties of the options are read', (t) => {
  const baseDir = tempDir(t)
  const inherited = Object.create({ format: 'no such format', baseDir: '/nowhere' })
  t.throws(() => make(inherited), { instanceOf: TypeError, message: /baseDir/ })
  inherited.baseDir = baseDir
  t.notThrows(() => attach(t, new Map(), inherited))
})

test('options of the store and formats that are to come are refused with ERR_UNSUPPORTED', (t) => {
  const baseDir = tempDir(t)
  const engine = t.throws(() => make({ baseDir, engine: 'mmap' }), { instanceOf: PersistenceError, code: 'ERR_UNSUPPORTED' } as object) as Error
  t.regex(engine.message, /"engine"/)
  t.regex((t.throws(() => make({ baseDir, syncMode: 'fsync' }), { code: 'ERR_UNSUPPORTED' } as object) as Error).message, /inside "wal"/)
  t.throws(() => make({ baseDir, format: 'native' }), { instanceOf: PersistenceError, message: /native/ })
})

test('E5-E10: values of a wrong type are TypeErrors, values out of range are RangeErrors, each with the name', (t) => {
  const baseDir = tempDir(t)
  const wrong: [string, unknown, typeof TypeError | typeof RangeError][] = [
    ['format', 5, TypeError], ['format', 'xml', RangeError], ['compression', true, TypeError], ['compression', 'lz4', RangeError],
    ['incremental', 'yes', TypeError], ['autoSaveInterval', '5', TypeError], ['autoSaveInterval', -1, RangeError],
    ['autoSaveInterval', Number.NaN, RangeError], ['autoSaveInterval', 2 ** 31, RangeError], ['autoSaveInterval', 1.5, RangeError],
    ['maxSnapshots', -1, RangeError], ['maxSnapshots', '10', TypeError], ['maxSnapshots', 2 ** 53, RangeError],
    ['batchSize', 0, RangeError], ['batchSize', 1_000_001, RangeError], ['batchSize', null, TypeError],
    ['dimension', 0, RangeError], ['dimension', 65_537, RangeError], ['dimension', 1.5, RangeError],
    ['metric', 'hamming', RangeError], ['databasePath', 7, TypeError], ['onError', 'log', TypeError],
  ]
  for (const [name, value, type] of wrong) {
    const error = t.throws(() => make({ baseDir, [name]: value }), { instanceOf: type, code: 'ERR_OPTION' }, `${name}: ${String(value)}`)
    t.regex(error.message, new RegExp(`"${name}"`))
  }
})

test('a compression level needs a compression, and must be in the range of that compression', (t) => {
  const baseDir = tempDir(t)
  t.throws(() => make({ baseDir, compressionLevel: 3 }), { instanceOf: TypeError, code: 'ERR_OPTION', message: /compressionLevel/ })
  for (const [compression, level] of [['gzip', 10], ['brotli', 12], ['zstd', 0], ['zstd', 23]] as const) {
    t.throws(() => make({ baseDir, compression, compressionLevel: level }), { instanceOf: RangeError, code: 'ERR_OPTION' }, `${compression} ${level}`)
  }
})

test('a refused option leaves the database as it was', (t) => {
  const db = new GenericDb()
  const before = Object.getOwnPropertyNames(db)
  t.throws(() => make({ baseDir: tempDir(t), nonsense: 1 }, db))
  t.deepEqual(Object.getOwnPropertyNames(db), before)
  t.deepEqual(db.calls, [])
})

test('E4: a baseDir that is a file is refused by ready and by save, with its path', async (t) => {
  const baseDir = join(tempDir(t), 'taken')
  writeFileSync(baseDir, 'mine')
  const persistence = attach(t, new Map(), { baseDir })
  for (const call of [() => persistence.ready(), () => persistence.save(), () => persistence.createSnapshot('x')]) {
    const error = await rejection(call())
    t.true(error instanceof PersistenceError, String(error))
    t.is(error.code, 'ERR_PATH')
    t.true(error.path?.startsWith(baseDir), error.path)
  }
  t.is(readFileSync(baseDir, 'utf8'), 'mine')
})

test('E4: a missing baseDir is made with its parents', async (t) => {
  const baseDir = join(tempDir(t), 'a', 'b', 'c')
  await attach(t, new Map(), { baseDir }).ready()
  t.true(statSync(baseDir).isDirectory())
})

test('E4: a folder that could not be used is tried again by the next call', async (t) => {
  const baseDir = join(tempDir(t), 'late')
  writeFileSync(baseDir, '')
  const persistence = attach(t, mapOf(entriesOf(2)), { baseDir })
  await rejection(persistence.ready())
  rmSync(baseDir)
  mkdirSync(baseDir)
  await persistence.ready()
  t.is(await persistence.save(), join(baseDir, 'database.json'))
})

test('E5, E6: the defaults are json without compression', async (t) => {
  const baseDir = tempDir(t)
  const path = await attach(t, mapOf(entriesOf(3)), { baseDir }).save()
  t.is(path, join(baseDir, 'database.json'))
  t.is(JSON.parse(readFileSync(path, 'utf8')).vectors.length, 3)
})

test('E6, D54: the compression level changes the size of the file', async (t) => {
  for (const [compression, low, high] of [['gzip', 1, 9], ['brotli', 0, 11], ['zstd', 1, 19]] as const) {
    const sizes = []
    for (const compressionLevel of [low, high]) {
      const persistence = attach(t, mapOf(entriesOf(200)), { baseDir: tempDir(t), compression, compressionLevel })
      sizes.push(statSync(await persistence.save()).size)
    }
    t.true(sizes[1]! < sizes[0]!, `${compression}: level ${low} gives ${sizes[0]}, level ${high} gives ${sizes[1]}`)
  }
})

test('E10: entries are handed to the database in batches of batchSize while loading', async (t) => {
  const baseDir = tempDir(t)
  const path = await attach(t, mapOf(entriesOf(25)), { baseDir }).save()
  for (const [batchSize, due] of [[10, [10, 10, 5]], [25, [25]], [1, Array(25).fill(1)], [1000, [25]]] as const) {
    const db = new GenericDb()
    const sizes: number[] = []
    db.insertBatch = function (entries) {
      sizes.push(entries.length)
      return GenericDb.prototype.insertBatch.call(this, entries)
    }
    await attach(t, db, { baseDir: tempDir(t), batchSize }).load({ path })
    t.deepEqual(sizes, [...due])
  }
})

test('the metric and the dimension of the options reach the archive of a database that cannot tell', async (t) => {
  const baseDir = tempDir(t)
  const persistence = attach(t, new Map(), { baseDir, metric: 'manhattan', dimension: 12 })
  const state = JSON.parse(readFileSync(await persistence.save(), 'utf8'))
  t.deepEqual(state.options, { dimension: 12, metric: 'manhattan' })
  t.deepEqual(state.stats, { count: 0, dimension: 12, metric: 'manhattan' })
})
