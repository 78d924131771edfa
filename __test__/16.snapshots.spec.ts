// Snapshots (CHECKLIST D7, E16-E21): create, list, restore, delete and retention, and what becomes of damaged ones.
//
// A failure of a restore is a backup that is none; of retention, a backup that was thrown away.
import test from 'ava'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { formatFileSize, PersistenceError, type SnapshotMetadata } from 'ruvector-persistence'
import { COMPRESSIONS, FORMATS } from './helpers/archive'
import { attach, rejection } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, mapOf, vectorOf } from './helpers/vectors'

function base(t: any, options: object = {}) {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(5)) as Map<string, any>
  return { baseDir, map, persistence: attach(t, map, { baseDir, ...options }), folder: join(baseDir, 'snapshots') }
}

test('E21: ids that are no snapshot ids are refused with ERR_SNAPSHOT_ID, and no file outside is touched', async (t) => {
  const { baseDir, persistence } = base(t)
  await persistence.createSnapshot('one')
  const evil = join(dirname(baseDir), `evil-${process.pid}.json`)
  t.teardown(() => rmSync(evil, { force: true }))
  for (const path of [evil, join(baseDir, 'evil.json'), join(baseDir, 'evil.meta.json')]) writeFileSync(path, '{}')
  const ids = ['', '.', '..', '../evil', `../../evil-${process.pid}`, '/etc/passwd', 'a/b', 'a\\b', 'C:x', 'CON', 'x\0y', 'x'.repeat(300), 'é', 'e\u0301', 'a.', 'a ', ' a', '-a', '*', '%2e%2e']
  for (const id of ids) {
    for (const call of [persistence.deleteSnapshot(id), persistence.restoreSnapshot(id)]) {
      const error = await rejection(call)
      t.true(error instanceof PersistenceError)
      t.is(error.code, 'ERR_SNAPSHOT_ID', JSON.stringify(id))
    }
  }
  for (const id of [undefined, null, 5, {}, ['a']]) await t.throwsAsync(persistence.deleteSnapshot(id as never), { instanceOf: TypeError, code: 'ERR_OPTION' })
  t.true(existsSync(evil) && existsSync(join(baseDir, 'evil.json')))
  t.is((await persistence.listSnapshots()).length, 1)
})

test('E21: an unknown id is refused with "Snapshot <id> not found"', async (t) => {
  const { persistence, map } = base(t)
  const id = '0192f3a4-0000-7000-8000-000000000000'
  for (const call of [persistence.deleteSnapshot(id), persistence.restoreSnapshot(id)]) {
    const error = await rejection(call)
    t.is(error.code, 'ERR_SNAPSHOT_NOT_FOUND')
    t.true(error.message.includes(`Snapshot ${id} not found`), error.message)
  }
  t.is(map.size, 5)
})

test('E16: names that are no strings, and metadata that are no plain JSON, are refused and leave nothing behind', async (t) => {
  const { persistence, folder } = base(t)
  for (const name of [undefined, null, 5, {}]) await t.throwsAsync(persistence.createSnapshot(name as never), { instanceOf: TypeError, code: 'ERR_OPTION' })
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  for (const metadata of [cycle, { f: () => 1 }, { n: Number.NaN }, [1], 'text']) {
    t.is((await rejection(persistence.createSnapshot('x', metadata as never))).code, 'ERR_METADATA')
  }
  await t.throwsAsync(persistence.createSnapshot('x', {}, { nonsense: 1 } as never), { instanceOf: TypeError, code: 'ERR_OPTION', message: /nonsense/ })
  t.deepEqual(existsSync(folder) ? readdirSync(folder) : [], [])
})

test('E16, E17: createSnapshot gives id, name, time, count, dimension, format, size, checksum and metadata of its file', async (t) => {
  const { persistence, folder } = base(t)
  const before = Date.now()
  const metadata = { version: '2.0', user: 'admin', z: 1, a: { 2: 'x', 1: 'y' } }
  const snapshot = await persistence.createSnapshot('pre-migration', metadata)
  const file = join(folder, `${snapshot.id}.json`)
  const bytes = readFileSync(file)
  t.deepEqual(Object.keys(snapshot), ['id', 'name', 'timestamp', 'vectorCount', 'dimension', 'format', 'compressed', 'fileSize', 'checksum', 'metadata'])
  t.deepEqual(snapshot, {
    id: snapshot.id, name: 'pre-migration', timestamp: snapshot.timestamp, vectorCount: 5, dimension: 8, format: 'json',
    compressed: false, fileSize: bytes.length, checksum: createHash('sha256').update(bytes).digest('hex'), metadata,
  })
  t.true(snapshot.timestamp >= before && snapshot.timestamp <= Date.now())
  t.is(JSON.stringify(snapshot.metadata), JSON.stringify(metadata), 'the order of keys is kept')
  t.regex(snapshot.id, /^[a-z0-9][a-z0-9._-]{0,63}$/)
  t.is(formatFileSize(snapshot.fileSize), formatFileSize(statSync(file).size))
  t.deepEqual(JSON.parse(readFileSync(join(folder, `${snapshot.id}.meta.json`), 'utf8')), snapshot)
  t.deepEqual(readdirSync(folder).sort(), [`${snapshot.id}.json`, `${snapshot.id}.meta.json`].sort())
})

test('E16: a snapshot without metadata has none, and a name may be any text', async (t) => {
  const { persistence } = base(t)
  for (const name of ['', '../../x', 'a/b\0c', 'ü💾\n', 'x'.repeat(5000)]) {
    const snapshot = await persistence.createSnapshot(name)
    t.is(snapshot.name, name)
    t.false('metadata' in snapshot)
  }
  t.deepEqual((await persistence.listSnapshots()).map(({ name }) => name), ['x'.repeat(5000), 'ü💾\n', 'a/b\0c', '../../x', ''])
})

for (const format of FORMATS) {
  for (const compression of COMPRESSIONS) {
    test(`E20: a ${format} snapshot with ${compression} brings back what was there`, async (t) => {
      const { persistence, map, folder } = base(t, { format, compression })
      const snapshot = await persistence.createSnapshot('v1')
      t.is(snapshot.format, format)
      t.is(snapshot.compressed, compression !== 'none')
      t.true(existsSync(join(folder, `${snapshot.id}.${format}`)), 'the extension is the name of the format, whatever the compression')
      map.delete('doc-1')
      map.set('doc-2', { vector: vectorOf('changed') })
      map.set('new', { vector: vectorOf('new') })
      await persistence.restoreSnapshot(snapshot.id)
      t.deepEqual(contentOfMap(map), contentOf(entriesOf(5)))
    })
  }
}

test('format and compression of one snapshot go before what is configured, and old ones stay readable', async (t) => {
  const { persistence, map, baseDir } = base(t, { format: 'json', compression: 'none' })
  const made = [
    await persistence.createSnapshot('a'),
    await persistence.createSnapshot('b', undefined, { format: 'binary', compression: 'zstd', compressionLevel: 5 }),
    await persistence.createSnapshot('c', undefined, { compress: true }),
  ]
  t.deepEqual(made.map(({ format, compressed }) => [format, compressed]), [['json', false], ['binary', true], ['json', true]])
  await persistence.shutdown()
  const other = attach(t, map, { baseDir, format: 'binary', compression: 'brotli' })
  for (const { id } of made) {
    map.clear()
    await other.restoreSnapshot(id)
    t.is(map.size, 5)
  }
})

test('E20: a snapshot of a real ruvector is restored into a real ruvector', async (t) => {
  const baseDir = tempDir(t)
  const db = openRuvector(baseDir)
  const persistence = attach(t, db, { baseDir })
  await db.insertBatch(entriesOf(10) as never)
  const snapshot = await persistence.createSnapshot('ten')
  t.is(snapshot.vectorCount, 10)
  await db.delete('doc-0')
  await db.insert({ id: 'doc-1', vector: vectorOf('other'), metadata: { other: true } })
  await db.insert({ id: 'doc-99', vector: vectorOf('new') })
  await persistence.restoreSnapshot(snapshot.id)
  t.is(await db.len(), 10)
  t.deepEqual(await contentOfRuvector(db, entriesOf(10).map(({ id }) => id)), contentOf(entriesOf(10)))
})

test('E18, E19: listSnapshots is empty at first, and then newest first, also within one millisecond', async (t) => {
  const { persistence, map } = base(t, { maxSnapshots: 0 })
  t.deepEqual(await persistence.listSnapshots(), [])
  const made: SnapshotMetadata[] = []
  for (let count = 0; count < 12; count++) {
    map.set(`more-${count}`, { vector: vectorOf(count) })
    made.unshift(await persistence.createSnapshot(`number ${count}`))
  }
  t.deepEqual(await persistence.listSnapshots(), made)
  t.deepEqual((await persistence.listSnapshots()).map(({ vectorCount }) => vectorCount), [17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6])
})

test('E18: snapshots with equal timestamps keep one order in every listing', async (t) => {
  const { persistence, folder } = base(t)
  const ids: string[] = []
  for (let count = 0; count < 6; count++) ids.unshift((await persistence.createSnapshot(`${count}`)).id)
  for (const id of ids) {
    const path = join(folder, `${id}.meta.json`)
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), timestamp: 1_700_000_000_000 }))
  }
  for (let round = 0; round < 3; round++) t.deepEqual((await persistence.listSnapshots()).map(({ id }) => id), ids)
})

test('E9: maxSnapshots keeps the newest, also of the snapshots of another instance', async (t) => {
  const { persistence, map, baseDir, folder } = base(t, { maxSnapshots: 3 })
  for (let count = 0; count < 5; count++) await persistence.createSnapshot(`${count}`)
  t.deepEqual((await persistence.listSnapshots()).map(({ name }) => name), ['4', '3', '2'])
  t.is(readdirSync(folder).length, 6, 'no file of the removed ones is left')
  await persistence.shutdown()
  const second = attach(t, map, { baseDir, maxSnapshots: 1 })
  t.is((await second.listSnapshots()).length, 3, 'only a new snapshot removes old ones')
  const made = await second.createSnapshot('5')
  t.deepEqual(await second.listSnapshots(), [made])
})

test('E9: the default keeps 10, and 0 keeps all', async (t) => {
  for (const [options, due] of [[{}, 10], [{ maxSnapshots: 0 }, 13]] as const) {
    const { persistence } = base(t, options)
    for (let count = 0; count < 13; count++) await persistence.createSnapshot(`${count}`)
    t.is((await persistence.listSnapshots()).length, due)
  }
})

test('E21: deleteSnapshot removes its files and no others', async (t) => {
  const { persistence, folder } = base(t)
  const [a, b] = [await persistence.createSnapshot('a'), await persistence.createSnapshot('b')]
  await persistence.deleteSnapshot(a.id)
  t.deepEqual(readdirSync(folder).sort(), [`${b.id}.json`, `${b.id}.meta.json`].sort())
  t.is((await rejection(persistence.deleteSnapshot(a.id))).code, 'ERR_SNAPSHOT_NOT_FOUND')
  t.is((await rejection(persistence.restoreSnapshot(a.id))).code, 'ERR_SNAPSHOT_NOT_FOUND')
})

test('E20: a damaged snapshot is refused and the content stays; with verifyChecksum: false all else is still checked', async (t) => {
  const { persistence, map, folder } = base(t)
  const { id } = await persistence.createSnapshot('x')
  map.delete('doc-0')
  const due = contentOfMap(map)
  const file = join(folder, `${id}.json`)
  const text = readFileSync(file, 'utf8')

  writeFileSync(file, text.replace('Title of doc-3', 'Title of doc-X'))
  const error = await rejection(persistence.restoreSnapshot(id))
  t.is(error.code, 'ERR_CHECKSUM')
  t.regex(error.message, /checksum.*Snapshot checksum verification failed - file may be corrupted/)
  t.deepEqual(contentOfMap(map), due)
  await persistence.restoreSnapshot(id, { verifyChecksum: false })
  t.is(map.get('doc-3').metadata.title, 'Title of doc-X')

  const now = contentOfMap(map)
  writeFileSync(file, text.slice(0, 400))
  t.is((await rejection(persistence.restoreSnapshot(id, { verifyChecksum: false }))).code, 'ERR_FORMAT')
  rmSync(file)
  t.true(['ERR_PATH', 'ERR_CORRUPT'].includes((await rejection(persistence.restoreSnapshot(id))).code!))
  t.deepEqual(contentOfMap(map), now)
})

test('damaged records are left out of the list and reported; nothing else suffers from them', async (t) => {
  const errors: any[] = []
  const { persistence, folder } = base(t, { maxSnapshots: 2, onError: (error: Error) => errors.push(error) })
  const a = await persistence.createSnapshot('a')
  const record = JSON.parse(readFileSync(join(folder, `${a.id}.meta.json`), 'utf8'))
  const damaged: Record<string, string> = {
    'empty.meta.json': '', 'cut.meta.json': '{"id":"cut","na', 'list.meta.json': '[]', 'other-id.meta.json': JSON.stringify(record),
    'outside.meta.json': JSON.stringify({ ...record, id: '../outside' }), 'format.meta.json': JSON.stringify({ ...record, id: 'format', format: '../x' }),
    'count.meta.json': JSON.stringify({ ...record, id: 'count', vectorCount: 'many' }),
  }
  for (const [name, text] of Object.entries(damaged)) writeFileSync(join(folder, name), text)
  writeFileSync(join(folder, '.DS_Store'), 'x')
  mkdirSync(join(folder, 'folder.json'))
  t.deepEqual(await persistence.listSnapshots(), [a])
  t.is(errors.length, Object.keys(damaged).length)
  for (const error of errors) {
    t.true(error instanceof PersistenceError)
    t.true(error.path.startsWith(folder), error.path)
  }
  const [b, c] = [await persistence.createSnapshot('b'), await persistence.createSnapshot('c')]
  t.deepEqual(await persistence.listSnapshots(), [c, b])
  for (const name of Object.keys(damaged)) t.true(existsSync(join(folder, name)), `${name} is not ours to remove`)
})

test('a data file without a record is no snapshot', async (t) => {
  const { persistence, folder } = base(t)
  const { id } = await persistence.createSnapshot('x')
  rmSync(join(folder, `${id}.meta.json`))
  t.deepEqual(await persistence.listSnapshots(), [])
  t.is((await rejection(persistence.restoreSnapshot(id))).code, 'ERR_SNAPSHOT_NOT_FOUND')
})

test('the events "snapshot" and "load" tell of snapshots', async (t) => {
  const { persistence } = base(t)
  const events: unknown[] = []
  persistence.on('snapshot', (snapshot) => events.push(snapshot)).on('load', (report) => events.push(report))
  const made = await persistence.createSnapshot('x')
  await persistence.restoreSnapshot(made.id)
  t.is(events.length, 2)
  t.deepEqual(events[0], made)
  t.like(events[1], { operation: 'restore', count: 5, added: 0, changed: 0, removed: 0 })
})

test('an empty database has snapshots too', async (t) => {
  const { persistence, map } = base(t)
  map.clear()
  const { id, vectorCount } = await persistence.createSnapshot('empty')
  t.is(vectorCount, 0)
  map.set('a', { vector: [1] })
  await persistence.restoreSnapshot(id)
  t.is(map.size, 0)
})
