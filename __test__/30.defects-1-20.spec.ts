// Defects 1 to 20 of the earlier persistence module (COMPAT 5.3), one test each, named by its number: what went wrong there
// must not go wrong here. Most are tested in more depth elsewhere; this is the list to read against.
import test from 'ava'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { Unpackr } from 'msgpackr'
import * as everything from 'ruvector-persistence'
import { readState } from './helpers/archive'
import { runChild } from './helpers/child'
import { earlierState, sha256 } from './helpers/earlier'
import { attach, rejection } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOf, entriesOf, mapOf, vectorOf } from './helpers/vectors'

/** A real ruvector of `count` entries with ids that nobody would guess, and its persistence. */
async function filled(t: any, count = 20, options: object = {}) {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  await db.insertBatch(entriesOf(count) as never)
  const persistence = attach(t, db, { baseDir: join(dir, 'data'), ...options })
  return { dir, db, persistence, ids: entriesOf(count).map(({ id }) => id) }
}

test('defect 1: everything that is documented is exported from the root of the package, by require and by import', async (t) => {
  const names = ['DatabasePersistence', 'PersistenceError', 'VectorDB', 'VectorStore', 'diff', 'estimateMemoryUsage', 'exportRuvector', 'formatFileSize', 'formatTimestamp']
  t.deepEqual(Object.keys(everything).filter((name) => name !== 'default' && name !== 'module.exports').sort(), names)
  const { told } = await runChild(`
    const { pathToFileURL } = require('node:url')
    const imported = await import(pathToFileURL(load.resolve('ruvector-persistence')).href)
    tell(Object.keys(load('ruvector-persistence')).sort())
    tell(${JSON.stringify(names)}.filter((name) => typeof imported[name] !== 'function'))
  `, tempDir(t))
  t.deepEqual(told, [names, []])
})

test('defect 2: the published VectorDB, which has no stats, clear or buildIndex, works', async (t) => {
  const { db, persistence, ids } = await filled(t)
  for (const name of ['stats', 'clear', 'buildIndex']) t.false(name in db)
  const path = await persistence.save()
  for (const id of ids.slice(0, 5)) await db.delete(id)
  await persistence.load({ path })
  t.deepEqual(await contentOfRuvector(db, ids), contentOf(entriesOf(20)))
})

test('defect 3: results of an async database are awaited, and its rejections are no unhandled ones', async (t) => {
  const { told } = await runChild(`
    process.on('unhandledRejection', (error) => tell('unhandled: ' + error))
    const content = new Map()
    let broken = false
    const slow = async (work) => { await new Promise((resolve) => setTimeout(resolve, 5)); if (broken) throw new Error('broken'); return work() }
    const db = {
      insert: (entry) => slow(() => content.set(entry.id, entry)), delete: (id) => slow(() => content.delete(id)),
      get: (id) => slow(() => content.get(id)), stats: () => slow(() => ({ count: content.size, dimension: 8 })), entries: () => slow(() => [...content.values()]),
    }
    for (let row = 0; row < 5; row++) content.set('doc-' + row, { id: 'doc-' + row, vector: vectorOf(row) })
    const persistence = new DatabasePersistence(db, { baseDir: 'data' })
    const file = await persistence.save()
    tell(JSON.parse(fs.readFileSync(file, 'utf8')).vectors.length)
    db.insert({ id: 'new', vector: vectorOf('new') }).catch(() => {})
    broken = true
    tell(await persistence.save().then(() => 'saved', (error) => error.code))
    tell(await persistence.load({ path: file }).then(() => 'loaded', (error) => error.code))
    broken = false
    await persistence.load({ path: file })
    tell(content.size)
  `, tempDir(t))
  t.deepEqual(told.filter((line) => String(line).startsWith('unhandled')), [])
  t.is(told[0], 5)
  t.is(told[1], 'ERR_INCOMPLETE')
  t.true(['ERR_INCOMPLETE', 'ERR_APPLY'].includes(told[2]))
  t.is(told[3], 5)
})

test('defect 4: ids are not guessed: a save of 20 entries with ids like doc-1 writes 20 vectors', async (t) => {
  const { persistence, ids } = await filled(t)
  t.deepEqual(readState(await persistence.save()).vectors.map(({ id }) => id).sort(), [...ids].sort())
})

test('defect 5: a snapshot of 20 restores 20, and one that holds fewer than it says is refused', async (t) => {
  const { dir, db, persistence } = await filled(t)
  const { id, vectorCount } = await persistence.createSnapshot('twenty')
  t.is(vectorCount, 20)
  await db.delete('doc-3')
  await persistence.restoreSnapshot(id)
  t.is(await db.len(), 20)
  // The snapshot of the earlier module: 20 in the record, 0 in the file, all checksums right.
  const file = join(dir, 'data', 'snapshots', `${id}.json`)
  const record = file.replace('.json', '.meta.json')
  const bytes = JSON.stringify(earlierState([], { dimension: 8 }))
  writeFileSync(file, bytes)
  writeFileSync(record, JSON.stringify({ ...JSON.parse(readFileSync(record, 'utf8')), checksum: sha256(bytes), fileSize: bytes.length }))
  t.is((await rejection(persistence.restoreSnapshot(id))).code, 'ERR_CORRUPT')
  t.is(await db.len(), 20)
})

test('defect 6: brotli output can be read back', async (t) => {
  const { db, persistence, ids } = await filled(t, 20, { compression: 'brotli' })
  const path = await persistence.save()
  t.is(JSON.parse(brotliDecompressSync(readFileSync(path)).toString()).vectors.length, 20)
  const { id } = await persistence.createSnapshot('brotli')
  for (const call of [() => persistence.load({ path }), () => persistence.restoreSnapshot(id), () => persistence.import({ path, clear: true })]) {
    await db.delete('doc-0')
    await call()
    t.deepEqual(await contentOfRuvector(db, ids), contentOf(entriesOf(20)))
  }
})

test('defect 7: binary is MessagePack, not JSON', async (t) => {
  const { persistence } = await filled(t, 20, { format: 'binary' })
  const bytes = readFileSync(await persistence.save())
  t.throws(() => JSON.parse(bytes.toString()))
  t.is(new Unpackr({ useRecords: false }).unpack(bytes).vectors.length, 20)
})

test('defect 8: sqlite is a format like any other, at construction and in every call', async (t) => {
  const { dir, persistence } = await filled(t)
  const path = join(dir, 'exported')
  await persistence.export({ path, format: 'sqlite' })
  const { id, format } = await persistence.createSnapshot('x', {}, { format: 'sqlite' })
  t.is(format, 'sqlite')
  const map = new Map()
  const other = attach(t, map, { baseDir: join(dir, 'other'), format: 'sqlite' })
  for (const from of [await persistence.save({ format: 'sqlite' }), path]) {
    map.clear()
    await other.load({ path: from, format: 'sqlite' })
    t.is(map.size, 20)
  }
  t.is(await other.save(), join(dir, 'other', 'database.db'))
  await persistence.restoreSnapshot(id)
})

test('defect 9: compress: true without a compression option compresses, and export to x.gz with it is gzip', async (t) => {
  const { dir, persistence } = await filled(t)
  const path = await persistence.save({ compress: true })
  t.is(path, join(dir, 'data', 'database.json.gzip'))
  t.notThrows(() => gunzipSync(readFileSync(path)))
  t.false(existsSync(join(dir, 'data', 'database.json.none')))
  await persistence.export({ path: join(dir, 'x.gz'), compress: true })
  t.is(JSON.parse(gunzipSync(readFileSync(join(dir, 'x.gz'))).toString()).vectors.length, 20)
})

test('defect 10: saveIncremental notices changed vectors and changed metadata under the same ids', async (t) => {
  const { db, persistence } = await filled(t, 20, { incremental: true })
  t.truthy(await persistence.saveIncremental())
  await db.insert({ id: 'doc-3', vector: vectorOf('changed') })
  const path = await persistence.saveIncremental()
  t.truthy(path)
  const { puts } = readState(path!) as any
  t.deepEqual(puts.map(({ id, vector }: any) => [id, bitsOf(vector)]), [['doc-3', bitsOf(vectorOf('changed'))]])
  await db.insert({ id: 'doc-3', vector: vectorOf('changed'), metadata: { changed: true } })
  t.truthy(await persistence.saveIncremental())
  t.is(await persistence.saveIncremental(), null)
})

test('defect 11: saveIncremental writes nothing when nothing has changed, and finds that out in linear time', async (t) => {
  const map = new Map(Array.from({ length: 20_000 }, (_, row) => [`doc-${row}`, { vector: Float32Array.of(row, 1) }]))
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  const path = await persistence.saveIncremental()
  const before = statSync(path!, { bigint: true }).mtimeNs
  const started = performance.now()
  t.is(await persistence.saveIncremental(), null)
  t.is(statSync(path!, { bigint: true }).mtimeNs, before)
  t.true(performance.now() - started < 5000, 'comparing each id with each would take minutes')
})

test('defect 12: saveIncremental gives null without the option incremental as well', async (t) => {
  const { persistence } = await filled(t)
  t.truthy(await persistence.saveIncremental())
  t.is(await persistence.saveIncremental(), null)
})

test('defect 13: a snapshot is not taken for a save of the main file', async (t) => {
  const { db, persistence } = await filled(t)
  await persistence.saveIncremental()
  await db.insert({ id: 'new', vector: vectorOf('new') })
  await persistence.createSnapshot('between')
  const path = await persistence.saveIncremental()
  t.truthy(path)
  const state = readState(path!) as any
  t.deepEqual([state.puts.length, state.stats.count], [1, 21])
})

test('defect 14: a bad file does not empty the database', async (t) => {
  const { dir, db, persistence, ids } = await filled(t)
  const path = join(dir, 'bad')
  for (const content of ['', '{', 'no archive', JSON.stringify({ ...earlierState(entriesOf(3)), checksum: 'x' })]) {
    writeFileSync(path, content)
    await rejection(persistence.load({ path }))
    t.deepEqual(await contentOfRuvector(db, ids), contentOf(entriesOf(20)))
    t.is(await db.len(), 20)
  }
})

test('defect 15: import({ clear: true }) of a file that is not there does not empty the database', async (t) => {
  const { dir, db, persistence } = await filled(t)
  const error = await rejection(persistence.import({ path: join(dir, 'missing'), clear: true }))
  t.is(error.code, 'ERR_PATH')
  t.is(error.cause?.code, 'ENOENT')
  t.is(await db.len(), 20)
})

test('defect 16: import({ clear: false }) keeps what is there', async (t) => {
  const { dir, db, persistence } = await filled(t)
  const path = join(dir, 'other')
  await attach(t, mapOf(entriesOf(5, 8, 'other')), { baseDir: join(dir, 'o') }).export({ path })
  await persistence.import({ path, clear: false })
  t.is(await db.len(), 25)
  await persistence.import({ path })
  t.is(await db.len(), 25)
})

test('defect 17: dimension, metric and version of the file are checked', async (t) => {
  const { dir, db, persistence } = await filled(t)
  const path = join(dir, 'file')
  const write = (change: (state: any) => void): void => {
    const { checksum: _, ...state } = earlierState(entriesOf(3))
    change(state)
    writeFileSync(path, JSON.stringify({ ...state, checksum: sha256(JSON.stringify(state)) }))
  }
  const cases: [string, (state: any) => void][] = [
    ['ERR_VERSION', (state) => (state.version = '9.0.0')],
    ['ERR_METRIC', (state) => (state.options.metric = state.stats.metric = 'euclidean')],
    ['ERR_DIMENSION', (state) => {
      state.options.dimension = state.stats.dimension = 2
      for (const entry of state.vectors) entry.vector = [1, 2]
    }],
  ]
  for (const [code, change] of cases) {
    write(change)
    t.is((await rejection(persistence.load({ path }))).code, code)
    t.is(await db.len(), 20)
  }
  write(() => undefined)
  await t.notThrowsAsync(persistence.load({ path }))
})

test('defect 18: checksums are verified without being asked for, by load, import and restoreSnapshot', async (t) => {
  const { dir, db, persistence } = await filled(t)
  const path = await persistence.save()
  const { id } = await persistence.createSnapshot('x')
  const snapshot = join(dir, 'data', 'snapshots', `${id}.json`)
  for (const file of [path, snapshot]) writeFileSync(file, readFileSync(file, 'utf8').replace('Title of doc-3', 'Title of doc-4'))
  for (const call of [() => persistence.load({ path }), () => persistence.import({ path }), () => persistence.restoreSnapshot(id)]) {
    t.is((await rejection(call())).code, 'ERR_CHECKSUM')
  }
  t.is((await db.get('doc-3'))?.metadata?.['title'], 'Title of doc-3')
})

test('defect 19: a missing checksum is an error, not a pass', async (t) => {
  const { dir, db, persistence } = await filled(t)
  const path = await persistence.save()
  const { checksum: _, ...state } = readState(path)
  writeFileSync(path, JSON.stringify(state))
  for (const options of [{ path }, { path, verifyChecksum: true }]) {
    const error = await rejection(persistence.load(options))
    t.is(error.code, 'ERR_CHECKSUM')
    t.regex(error.message, /checksum/)
  }
  t.is(await db.len(), 20)
  t.truthy(dir)
})

test('defect 20: errors of a checksum hold the word "checksum" in lower case, and the known texts', async (t) => {
  const { dir, persistence } = await filled(t)
  const path = await persistence.save()
  const { id } = await persistence.createSnapshot('x')
  const snapshot = join(dir, 'data', 'snapshots', `${id}.json`)
  for (const file of [path, snapshot]) writeFileSync(file, readFileSync(file, 'utf8').replace('Title of doc-3', 'Title of doc-4'))
  const loaded = await rejection(persistence.load({ path }))
  t.true(loaded.message.includes('checksum'))
  t.regex(loaded.message, /checksum verification failed - file may be corrupted/i)
  const restored = await rejection(persistence.restoreSnapshot(id))
  t.true(restored.message.includes('checksum'))
  t.true(restored.message.includes('Snapshot checksum verification failed - file may be corrupted'))
})

