// The list "Test coverage" of the documents (CHECKLIST D17, D62, D63), one test for each of its lines, against the real
// ruvector: what the earlier package's own tests meant to show, of which one in eight passed there.
import test from 'ava'
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, estimateMemoryUsage, formatFileSize, formatTimestamp, type Progress } from 'ruvector-persistence'
import { COMPRESSIONS, FORMATS, readState } from './helpers/archive'
import { attach, rejection } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, entriesOf } from './helpers/vectors'

const entries = entriesOf(25, 16, 'covered')
const ids = entries.map(({ id }) => id)

async function setup(t: any, options: object = {}) {
  const dir = tempDir(t)
  const db = openRuvector(dir, { dimension: 16 })
  const persistence = attach(t, db, { baseDir: join(dir, 'data'), ...options })
  await db.insertBatch(entries as never)
  const fresh = (): { db: ReturnType<typeof openRuvector>; persistence: DatabasePersistence } => {
    const other = openRuvector(dir, { dimension: 16, name: `other-${readdirSync(dir).length}.db` })
    return { db: other, persistence: attach(t, other, { baseDir: join(dir, `data-${readdirSync(dir).length}`) }) }
  }
  return { dir, db, persistence, fresh }
}

test('D63 error handling: every failure is typed, says what and where, and leaves the database as it was', async (t) => {
  const { dir, db, persistence } = await setup(t)
  writeFileSync(join(dir, 'bad'), '{"vectors":')
  const calls: [string, () => Promise<unknown>][] = [
    ['ERR_PATH', () => persistence.load({ path: join(dir, 'missing') })],
    ['ERR_FORMAT', () => persistence.load({ path: join(dir, 'bad') })],
    ['ERR_SNAPSHOT_NOT_FOUND', () => persistence.restoreSnapshot('nosuch')],
    ['ERR_SNAPSHOT_ID', () => persistence.deleteSnapshot('../nosuch')],
    ['ERR_PATH', () => persistence.save({ path: join(dir, 'bad', 'below') })],
    ['ERR_OPTION', () => persistence.save({ format: 'xml' as never })],
  ]
  for (const [code, call] of calls) {
    const error = await rejection(call())
    t.is(error.code, code, error.message)
    t.true(error.message.length > 10)
  }
  t.deepEqual(await contentOfRuvector(db, ids), contentOf(entries))
})

test('D63 basic save and load', async (t) => {
  for (const format of FORMATS) {
    const { persistence, fresh } = await setup(t, { format })
    const path = await persistence.save()
    const other = fresh()
    await other.persistence.load({ path })
    t.is(await other.db.len(), 25)
    t.deepEqual(await contentOfRuvector(other.db, ids), contentOf(entries))
  }
})

test('D63 compression: smaller files that load again', async (t) => {
  const sizes: Record<string, number> = {}
  for (const compression of COMPRESSIONS) {
    const { persistence, fresh } = await setup(t, { compression })
    const path = await persistence.save()
    sizes[compression] = statSync(path).size
    const other = fresh()
    await other.persistence.load({ path })
    t.deepEqual(await contentOfRuvector(other.db, ids), contentOf(entries))
  }
  for (const compression of ['gzip', 'brotli', 'zstd']) t.true(sizes[compression]! < sizes['none']! * 0.7, `${compression}: ${sizes[compression]} of ${sizes['none']}`)
})

test('D63 snapshots: create, list, restore, delete', async (t) => {
  const { db, persistence } = await setup(t)
  const first = await persistence.createSnapshot('first', { step: 1 })
  await db.delete(ids[0]!)
  const second = await persistence.createSnapshot('second')
  t.deepEqual((await persistence.listSnapshots()).map(({ name, vectorCount }) => [name, vectorCount]), [['second', 24], ['first', 25]])
  await persistence.restoreSnapshot(first.id)
  t.is(await db.len(), 25)
  await persistence.restoreSnapshot(second.id)
  t.is(await db.len(), 24)
  await persistence.deleteSnapshot(first.id)
  t.deepEqual((await persistence.listSnapshots()).map(({ id }) => id), [second.id])
})

test('D63 export and import', async (t) => {
  const { dir, persistence, fresh } = await setup(t)
  const path = join(dir, 'exported.json')
  await persistence.export({ path, format: 'json' })
  t.is(readState(path).vectors.length, 25)
  const other = fresh()
  await other.db.insert({ id: 'mine', vector: entries[0]!.vector })
  await other.persistence.import({ path, verifyChecksum: true })
  t.is(await other.db.len(), 26)
  await other.persistence.import({ path, clear: true })
  t.is(await other.db.len(), 25)
})

test('D63 progress callbacks: monotonic, ending at 100', async (t) => {
  const { dir, persistence } = await setup(t)
  const path = join(dir, 'data', 'database.json')
  for (const call of ['save', 'load'] as const) {
    const reports: Progress[] = []
    const onProgress = (progress: Progress): void => void reports.push(progress)
    if (call === 'save') await persistence.save({ onProgress })
    else await persistence.load({ path, onProgress })
    t.is(reports.at(-1)?.percentage, 100)
    for (let index = 1; index < reports.length; index++) t.true(reports[index]!.percentage >= reports[index - 1]!.percentage)
  }
})

test('D63 checksum verification', async (t) => {
  const { persistence } = await setup(t)
  const path = await persistence.save()
  await t.notThrowsAsync(persistence.load({ path, verifyChecksum: true }))
  writeFileSync(path, readFileSync(path, 'utf8').replace('"row":3', '"row":4'))
  const error = await rejection(persistence.load({ path, verifyChecksum: true }))
  t.true(error.message.includes('checksum'))
  await t.notThrowsAsync(persistence.load({ path, verifyChecksum: false }))
})

test('D63 utility functions', async (t) => {
  const { persistence } = await setup(t)
  t.is(formatFileSize(0), '0.00 B')
  t.is(formatFileSize(1024), '1.00 KB')
  t.is(formatFileSize(1024 * 1024), '1.00 MB')
  const time = Date.parse('2024-01-15T10:30:00.000Z')
  t.is(formatTimestamp(time), '2024-01-15T10:30:00.000Z')
  t.true(estimateMemoryUsage(readState(await persistence.save())) >= 25 * (16 * 4 + 100))
})

test('D63 cleanup: shutdown saves, and neither it nor a failed call leaves temporary files', async (t) => {
  const { dir, persistence } = await setup(t, { autoSaveInterval: 60_000 })
  await rejection(persistence.save({ onProgress: () => { throw new Error('stop') } }))
  await persistence.shutdown()
  t.true(existsSync(join(dir, 'data', 'database.json')))
  t.deepEqual(readdirSync(join(dir, 'data')).filter((name) => !['database.json', '.incremental.json'].includes(name)), [])
})
