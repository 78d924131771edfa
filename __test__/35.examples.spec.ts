// The quick starts and the five examples of the documents (CHECKLIST D16, D18-D20, E3, E33-E37, E45-E47), as written there
// but for the name of the package, the temporary folder, and `await` where the real class is async.
import test from 'ava'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, estimateMemoryUsage, formatFileSize, formatTimestamp, type ProgressCallback } from 'ruvector-persistence'
import { VectorDB } from 'ruvector'
import { rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'

/** A VectorDB with only a dimension, as in the documents; its file is put into the folder of the test. */
const databaseOf = (dimension: number, folder: string, name = 'ruvector.db'): InstanceType<typeof VectorDB> => new VectorDB({ dimension, storagePath: join(folder, name), hnsw: { m: 8, efConstruction: 32 } })

const random = (dimension: number): number[] => Array(dimension).fill(0).map(() => Math.random() - 0.5)

test('E3: the quick start runs as written: an insert that is not awaited, save, snapshot, restore', async (t) => {
  const folder = tempDir(t)
  const db = databaseOf(384, folder)
  void db.insert({ id: 'doc1', vector: random(384), metadata: { title: 'My Document' } })
  const persistence = new DatabasePersistence(db, { baseDir: join(folder, 'data'), format: 'json', compression: 'gzip', autoSaveInterval: 60_000 })
  const messages: string[] = []
  const path = await persistence.save({ onProgress: (p) => messages.push(`${p.percentage}% - ${p.message}`) })
  t.is(path, join(folder, 'data', 'database.json.gzip'))
  t.regex(messages.at(-1)!, /^100% - ./)
  const snapshot = await persistence.createSnapshot('backup-v1')
  t.is(snapshot.vectorCount, 1)
  await db.delete('doc1')
  await persistence.restoreSnapshot(snapshot.id)
  t.deepEqual((await db.get('doc1'))?.metadata, { title: 'My Document' })
  await persistence.shutdown()
})

test('D18-D20: the quick usage runs as written', async (t) => {
  const folder = tempDir(t)
  const db = databaseOf(384, folder)
  const persistence = new DatabasePersistence(db, { baseDir: join(folder, 'data'), format: 'json', compression: 'gzip' })
  await persistence.save()
  const snapshot = await persistence.createSnapshot('backup')
  await persistence.restoreSnapshot(snapshot.id)
  await persistence.shutdown()
  t.is(await db.len(), 0)
})

test('E33: example 1, basic persistence: a thousand random vectors that are not awaited, saved with only a baseDir', async (t) => {
  const folder = tempDir(t)
  const db = databaseOf(128, folder)
  for (let i = 0; i < 1000; i++) {
    void db.insert({ id: `doc-${i}`, vector: Array(128).fill(0).map(() => Math.random()) })
  }
  const persistence = new DatabasePersistence(db, { baseDir: join(folder, 'data') })
  const path = await persistence.save()
  t.is(JSON.parse(readFileSync(path, 'utf8')).vectors.length, 1000)
  t.is(await db.len(), 1000)
  await persistence.shutdown()
})

test('E34: example 2, snapshot workflow: the rollback to v1 has the count of v1', async (t) => {
  const folder = tempDir(t)
  const db = databaseOf(16, folder)
  const persistence = new DatabasePersistence(db, { baseDir: join(folder, 'data') })
  await db.insert({ id: 'old-doc', vector: random(16) })

  const v1 = await persistence.createSnapshot('version-1.0')
  void db.insert({ id: 'new-doc', vector: random(16) })
  const v2 = await persistence.createSnapshot('version-1.1')
  await persistence.restoreSnapshot(v1.id)

  t.deepEqual([v1.vectorCount, v2.vectorCount], [1, 2])
  t.is(await db.len(), 1)
  t.is(await db.get('new-doc'), null)
  t.deepEqual((await persistence.listSnapshots()).map((snap) => `${snap.name}: ${snap.vectorCount} vectors`), ['version-1.1: 2 vectors', 'version-1.0: 1 vectors'])
  await persistence.shutdown()
})

test('E35: example 3, export and import into a new database with verifyChecksum', async (t) => {
  const folder = tempDir(t)
  const db = databaseOf(128, folder)
  const persistence = new DatabasePersistence(db, { baseDir: join(folder, 'data') })
  const vectors = Array.from({ length: 20 }, () => Float32Array.from(random(128)))
  await db.insertBatch(vectors.map((vector, i) => ({ id: `doc-${i}`, vector, metadata: { i } })))
  await persistence.export({ path: join(folder, 'backup.json'), format: 'json', compress: false })

  const db2 = databaseOf(128, folder, 'second.db')
  const p2 = new DatabasePersistence(db2, { baseDir: join(folder, 'data2') })
  await p2.import({ path: join(folder, 'backup.json'), verifyChecksum: true })

  t.is(await db2.len(), 20)
  for (const [i, vector] of vectors.entries()) t.deepEqual(await db2.get(`doc-${i}`), { id: `doc-${i}`, vector, metadata: { i } })
  await Promise.all([persistence.shutdown(), p2.shutdown()])
})

test('E36: example 4, progress tracking: percentage, message and current of total items', async (t) => {
  const folder = tempDir(t)
  const db = databaseOf(16, folder)
  await db.insertBatch(Array.from({ length: 50 }, (_, i) => ({ id: `doc-${i}`, vector: random(16) })))
  const persistence = new DatabasePersistence(db, { baseDir: join(folder, 'data') })
  const lines: string[] = []
  await persistence.save({
    onProgress: (progress) => {
      lines.push(`[${progress.percentage}%] ${progress.message}`)
      lines.push(`${progress.current}/${progress.total} items`)
    },
  })
  t.regex(lines.at(-2)!, /^\[100%\] \S/)
  t.is(lines.at(-1), '50/50 items')
  for (const line of lines) t.regex(line, /^\[\d{1,3}%\] \S|^\d+\/\d+ items$/)
  await persistence.shutdown()
})

test('E37: example 5, auto-save every five minutes, incremental, and shutdown', async (t) => {
  const folder = tempDir(t)
  const db = databaseOf(16, folder)
  const persistence = new DatabasePersistence(db, { baseDir: join(folder, 'data'), autoSaveInterval: 300_000, incremental: true })
  await db.insert({ id: 'doc', vector: random(16) })
  await persistence.shutdown()
  t.true(existsSync(join(folder, 'data', 'database.json')))
})

test('E11-E14, E17, E22, E24: the calls of the API documentation run as written', async (t) => {
  const folder = tempDir(t)
  const db = databaseOf(16, folder)
  await db.insert({ id: 'doc', vector: random(16), metadata: { a: 1 } })
  const persistence = new DatabasePersistence(db, { baseDir: join(folder, 'data') })
  const log: string[] = []
  const onProgress: ProgressCallback = (p) => log.push(p.message)

  await persistence.save({ path: join(folder, 'backup.json.gz'), format: 'json', compress: true, onProgress })
  const path = await persistence.saveIncremental()
  if (path) log.push(`Changes saved to: ${path}`)
  await persistence.load({ path: join(folder, 'backup.json.gz'), verifyChecksum: true, onProgress })
  const snapshot = await persistence.createSnapshot('pre-migration', { version: '2.0', user: 'admin' })
  t.regex(`Size: ${formatFileSize(snapshot.fileSize)}`, /^Size: \d+\.\d\d (B|KB)$/)
  t.deepEqual(snapshot.metadata, { version: '2.0', user: 'admin' })
  await persistence.restoreSnapshot(snapshot.id, { verifyChecksum: true, onProgress })
  await persistence.export({ path: join(folder, 'export', 'database.json'), format: 'json', compress: true, includeIndex: false, onProgress })
  await persistence.import({ path: join(folder, 'export', 'database.json'), clear: true, verifyChecksum: true, onProgress })
  await persistence.deleteSnapshot(snapshot.id)
  t.is(formatFileSize(1_536_000), '1.46 MB')
  t.is(formatTimestamp(1_705_314_600_000), '2024-01-15T10:30:00.000Z')
  t.true(estimateMemoryUsage(JSON.parse(readFileSync(await persistence.save({ compress: false }), 'utf8'))) > 0)
  t.true(log.length >= 6)
  await persistence.shutdown()
})

test('E46, E47: the error handling of the documents tells corruption by the word "checksum", and other errors by their message', async (t) => {
  const folder = tempDir(t)
  const db = databaseOf(16, folder)
  await db.insert({ id: 'doc', vector: random(16) })
  const persistence = new DatabasePersistence(db, { baseDir: join(folder, 'data') })
  const explain = (error: Error & { code?: string }): string => {
    if (error.code === 'ENOSPC') return 'Not enough disk space'
    if (error.message.includes('checksum')) return 'Data corruption detected'
    return `Save failed: ${error.message}`
  }
  const path = await persistence.save()
  writeFileSync(path, readFileSync(path, 'utf8').replace('"count":1', '"count":1 ').replace('"id":"doc"', '"id":"dog"'))
  t.is(explain(await rejection(persistence.load({ path }))), 'Data corruption detected')
  const other = explain(await rejection(persistence.save({ path: join(path, 'below', 'a', 'file') })))
  t.regex(other, /^Save failed: .*database\.json/)
  await persistence.shutdown()
})
