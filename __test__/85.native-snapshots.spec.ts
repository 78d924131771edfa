// Native snapshots of `DatabasePersistence` (DESIGN 8; A33, A41, B10, E16-E21; RELIABILITY rows 20, 36, 37, 39): the files of the journal on disk,
// linked, beside the archives that are snapshots, too.
//
// A failure means that a snapshot that costs nothing is worth nothing: that it does not hold what the database held, or that it
// is not found, not restored or thrown away where the others are.
import test from 'ava'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, PersistenceError, type SnapshotMetadata, VectorStore } from 'ruvector-persistence'
import { startChild } from './helpers/child'
import { GenericDb } from './helpers/generic'
import { attach, rejection } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { type Content, contentOf, contentOfMap, entriesOf, mapOf, vectorOf } from './helpers/vectors'

function base(t: any, options: object = {}) {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(50)) as Map<string, any>
  return { baseDir, map, persistence: attach(t, map, { baseDir, wal: true, ...options }), folder: join(baseDir, 'snapshots') }
}

const ids = async (persistence: DatabasePersistence): Promise<string[]> => (await persistence.listSnapshots()).map(({ id }) => id)

test('without a journal on disk it is refused, and says why; options that mean nothing there are refused by name', async (t) => {
  const map = mapOf(entriesOf(3))
  const plain = attach(t, map, { baseDir: tempDir(t) })
  const refused = await rejection(plain.createSnapshot('x', {}, { format: 'native' }))
  t.is(refused.code, 'ERR_UNSUPPORTED')
  t.regex(refused.message, /journal on disk.*"wal"/)
  t.throws(() => new DatabasePersistence(new Map(), { baseDir: tempDir(t), snapshotFormat: 'native' }), { instanceOf: PersistenceError, code: 'ERR_UNSUPPORTED', message: /"wal"/ } as object)
  t.throws(() => new DatabasePersistence(new Map(), { baseDir: tempDir(t), snapshotFormat: 'nonsense' as never }), { code: 'ERR_OPTION' } as object)
  t.throws(() => new DatabasePersistence(new Map(), { baseDir: tempDir(t), format: 'native' as never, wal: true }), { code: 'ERR_UNSUPPORTED', message: /snapshotFormat/ } as object)
  const { persistence, folder } = base(t)
  for (const options of [{ compression: 'brotli' }, { compressionLevel: 3 }, { compression: 'gzip', compressionLevel: 3 }] as const) {
    t.is((await rejection(persistence.createSnapshot('x', {}, { format: 'native', ...options }))).code, 'ERR_UNSUPPORTED', JSON.stringify(options))
  }
  t.is((await rejection(persistence.createSnapshot('x', {}, { format: 'native', compress: false, compression: 'gzip' }))).code, 'ERR_OPTION')
  t.is((await rejection(persistence.createSnapshot('x', { n: NaN }, { format: 'native' }))).code, 'ERR_METADATA')
  t.deepEqual(existsSync(folder) ? readdirSync(folder) : [], [])
})

test('A33, A41, E16-E18: it says what it holds, is made of links, and comes back', async (t) => {
  const { baseDir, map, persistence, folder } = base(t)
  const heard: SnapshotMetadata[] = []
  persistence.on('snapshot', (snapshot) => heard.push(snapshot))
  const metadata = JSON.parse('{"user":"admin","__proto__":{"x":1},"n":[1,2.5]}') as Record<string, unknown>
  const before = Date.now()
  const taken = await persistence.createSnapshot('before the upgrade', metadata, { format: 'native' })
  t.regex(taken.id, /^snap-\d{4}-\d\d-\d\d-\d{6}(-\d+)?$/)
  t.like(taken, { name: 'before the upgrade', vectorCount: 50, dimension: 8, format: 'native', compressed: false })
  t.is(JSON.stringify(taken.metadata), JSON.stringify(metadata))
  t.true(taken.timestamp >= before - 1 && taken.timestamp <= Date.now() && taken.fileSize > 0)
  t.regex(taken.checksum, /^[0-9a-f]{64}$/)
  t.deepEqual(await persistence.listSnapshots(), [taken])
  t.deepEqual(heard, [taken])
  const inside = join('collections', 'journal', 'segments')
  const [segment] = readdirSync(join(baseDir, inside))
  t.is(statSync(join(folder, taken.id, inside, segment!)).ino, statSync(join(baseDir, inside, segment!)).ino, 'a link')
  const content = contentOfMap(map)
  map.delete('doc-1')
  map.set('doc-2', { vector: vectorOf('other') })
  map.set('new', { vector: vectorOf('new') })
  await persistence.restoreSnapshot(taken.id)
  t.deepEqual(contentOfMap(map), content)
  t.is(map.size, 50)
  // The journal holds what was restored, durably.
  await persistence.shutdown()
  const again = new Map<string, any>()
  const second = attach(t, again, { baseDir, wal: true })
  await second.recover()
  t.deepEqual(contentOfMap(again), content)
  // Without a journal it can be listed, restored and deleted, too.
  await second.shutdown()
  const plainMap = new Map<string, any>()
  const plain = attach(t, plainMap, { baseDir })
  t.deepEqual(await plain.listSnapshots(), [taken])
  await plain.restoreSnapshot(taken.id)
  t.deepEqual(contentOfMap(plainMap), content)
  await plain.deleteSnapshot(taken.id)
  t.false(existsSync(join(folder, taken.id)))
  t.is((await rejection(plain.restoreSnapshot(taken.id))).code, 'ERR_SNAPSHOT_NOT_FOUND')
  t.is((await rejection(plain.deleteSnapshot(taken.id))).code, 'ERR_SNAPSHOT_NOT_FOUND')
  t.deepEqual(readdirSync(folder), [])
})

test('what is written before the call is in it, whether it is awaited or not; what comes later is not', async (t) => {
  const baseDir = tempDir(t)
  const db = new GenericDb({ async: true })
  const persistence = attach(t, db as never, { baseDir, wal: true })
  await persistence.ready()
  const contents = new Map<string, number>()
  const writes: Promise<unknown>[] = []
  for (let round = 0; round < 6; round++) {
    for (let n = 0; n < 20; n++) writes.push(db.insert({ id: `${round}-${n}`, vector: vectorOf(`${round}-${n}`) }) as never)
    const taken = persistence.createSnapshot(`${round}`, undefined, { format: 'native' })
    writes.push(taken.then(({ id, vectorCount }) => void contents.set(id, vectorCount)))
  }
  await Promise.all(writes)
  const counts = [...contents.values()].sort((a, b) => a - b)
  counts.forEach((count, round) => t.true(count >= (round + 1) * 20 && count <= 120, `${counts}`))
  for (const [id, count] of contents) {
    await persistence.restoreSnapshot(id)
    t.is(db.content.size, count)
    for (const [key, { vector }] of db.content) t.deepEqual(Float32Array.from(vector), vectorOf(key))
  }
})

test('listed, restored and thrown away together with archives, newest first; packed ones, too', async (t) => {
  const { map, persistence, folder } = base(t, { maxSnapshots: 4, compression: 'gzip' })
  const made: SnapshotMetadata[] = []
  const contents: Content[] = []
  const pauses = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 3))
  for (const [n, options] of ([{ format: 'native' }, {}, { format: 'native', compress: true }, { format: 'binary' }, { format: 'native', compression: 'zstd' }, { format: 'native' }] as const).entries()) {
    map.set('round', { vector: vectorOf(n) })
    contents.push(contentOfMap(map))
    made.push(await persistence.createSnapshot(`${n}`, { n }, options))
    await pauses()
    t.true((await persistence.listSnapshots()).length <= 4)
  }
  t.deepEqual(made.map(({ format, compressed }) => [format, compressed]), [['native', false], ['json', true], ['native', true], ['binary', true], ['native', true], ['native', false]])
  t.deepEqual(await persistence.listSnapshots(), made.slice(2).reverse())
  t.true(existsSync(join(folder, `${made[2]!.id}.tar.gz`)) && existsSync(join(folder, `${made[4]!.id}.tar.zst`)))
  t.is(made[2]!.fileSize, statSync(join(folder, `${made[2]!.id}.tar.gz`)).size)
  for (const n of [2, 5, 3, 4]) {
    await persistence.restoreSnapshot(made[n]!.id)
    t.deepEqual(contentOfMap(map), contents[n], `${n}`)
  }
  await persistence.deleteSnapshot(made[2]!.id)
  await persistence.deleteSnapshot(made[3]!.id)
  t.deepEqual(await ids(persistence), [made[5]!.id, made[4]!.id])
  const left = readdirSync(folder).sort()
  t.deepEqual(left, [made[4]!.id + '.tar.zst', made[5]!.id].sort())
})

test('snapshotFormat makes it the default, and saves stay what they are', async (t) => {
  const { baseDir, persistence } = base(t, { snapshotFormat: 'native', format: 'binary' })
  t.is((await persistence.createSnapshot('a')).format, 'native')
  t.is((await persistence.createSnapshot('b', {}, { format: 'json' })).format, 'json')
  t.is(await persistence.save(), join(baseDir, 'database.bin'))
  const other = base(t, { snapshotFormat: 'sqlite' })
  t.is((await other.persistence.createSnapshot('a')).format, 'sqlite')
})

test('snapshots of the whole store in the same folder are not its own, and retention leaves them and pinned ones alone', async (t) => {
  const { baseDir, persistence } = base(t, { maxSnapshots: 1 })
  await persistence.ready()
  await persistence.shutdown()
  const store = await VectorStore.open(baseDir)
  await store.createCollection('other', { dimension: 3 })
  const whole = await store.snapshots.create()
  await store.close()
  const map = new Map<string, any>()
  const second = attach(t, map, { baseDir, wal: true, maxSnapshots: 1 })
  await second.recover()
  t.deepEqual(await second.listSnapshots(), [])
  t.is((await rejection(second.deleteSnapshot(whole.id))).code, 'ERR_SNAPSHOT_NOT_FOUND')
  const first = await second.createSnapshot('first', {}, { format: 'native' })
  writeFileSync(join(baseDir, 'snapshots', `${first.id}.pin`), '')
  const next = await second.createSnapshot('second', {}, { format: 'native' })
  t.deepEqual((await ids(second)).sort(), [first.id, next.id].sort(), 'pinned')
  t.is((await rejection(second.deleteSnapshot(first.id))).code, 'ERR_EXISTS')
  const last = await second.createSnapshot('third')
  t.deepEqual((await ids(second)).sort(), [first.id, last.id].sort())
  t.true(existsSync(whole.path))
})

test('row 37: a damaged one is told, hides no other, changes nothing, and can be deleted', async (t) => {
  const { map, persistence, folder } = base(t)
  const [good, bit, cut, broken] = await Promise.all(['good', 'bit', 'cut', 'broken'].map((name) => persistence.createSnapshot(name, {}, { format: 'native', compress: name === 'cut' })))
  const segments = join(folder, bit!.id, 'collections', 'journal', 'segments')
  const segment = join(segments, readdirSync(segments)[0]!)
  const bytes = readFileSync(segment)
  bytes[bytes.length >> 1]! ^= 1
  rmSync(segment)
  writeFileSync(segment, bytes)
  truncateSync(join(folder, `${cut!.id}.tar.gz`), cut!.fileSize >> 1)
  writeFileSync(join(folder, broken!.id, 'SNAPSHOT'), 'nothing')
  const errors: any[] = []
  persistence.on('error', (error) => errors.push(error))
  const listed = await ids(persistence)
  t.true(listed.includes(good!.id) && listed.includes(bit!.id) && !listed.includes(broken!.id))
  t.true(errors.some(({ path }) => path.startsWith(join(folder, broken!.id))), JSON.stringify(errors))
  const content = contentOfMap(map)
  for (const { id } of [bit!, cut!, broken!]) {
    const refused = await rejection(persistence.restoreSnapshot(id))
    t.true(['ERR_CORRUPT', 'ERR_FORMAT'].includes(refused.code!), `${refused.code}: ${refused.message}`)
    t.deepEqual(contentOfMap(map), content)
  }
  await persistence.restoreSnapshot(good!.id)
  for (const { id } of [bit!, cut!, broken!]) await persistence.deleteSnapshot(id)
  t.deepEqual(readdirSync(folder), [good!.id])
  mkdirSync(join(folder, 'empty'))
  t.deepEqual(await ids(persistence), [good!.id])
})

test('a snapshot of other dimensions or metric is refused, and the database stays', async (t) => {
  const { baseDir, persistence } = base(t)
  const { id } = await persistence.createSnapshot('8', {}, { format: 'native' })
  await persistence.shutdown()
  const map = mapOf(entriesOf(3, 4)) as Map<string, any>
  const other = attach(t, map, { baseDir, dimension: 4 })
  t.is((await rejection(other.restoreSnapshot(id))).code, 'ERR_DIMENSION')
  t.is(map.size, 3)
})

test('the real ruvector, through a restart', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const persistence = attach(t, db as never, { baseDir: join(dir, 'base'), databasePath: join(dir, 'ruvector.db'), wal: true } as never)
  await db.insertBatch(entriesOf(30) as never)
  const taken = await persistence.createSnapshot('x', {}, { format: 'native' })
  const content = await contentOfRuvector(db, entriesOf(30).map(({ id }) => id))
  await db.delete('doc-3')
  await db.insert({ id: 'doc-4', vector: vectorOf('other') } as never)
  await persistence.restoreSnapshot(taken.id)
  t.deepEqual(await contentOfRuvector(db, entriesOf(30).map(({ id }) => id)), content)
})

test('a process that is killed while it takes snapshots leaves whole ones, and nothing else', async (t) => {
  const baseDir = tempDir(t)
  const first = attach(t, mapOf(entriesOf(200)), { baseDir, wal: true })
  await first.shutdown()
  let found = 0
  for (let round = 0; round < 6; round++) {
    const { child, ended } = await startChild(`
      const map = new Map()
      const persistence = new DatabasePersistence(map, { baseDir: ${JSON.stringify(baseDir)}, wal: true, maxSnapshots: 3 })
      await persistence.recover()
      tell('ready')
      for (let n = 0; ; n++) await persistence.createSnapshot('s', {}, { format: n % 3 === 2 ? 'json' : 'native', compress: n % 3 === 1 })
    `, tempDir(t), () => void setTimeout(() => child.kill('SIGKILL'), 20 + round * 25))
    await ended
    const map = new Map<string, any>()
    const persistence = attach(t, map, { baseDir, wal: true, maxSnapshots: 3 })
    const errors: unknown[] = []
    persistence.on('error', (error) => errors.push(error))
    await persistence.recover()
    const list = await persistence.listSnapshots()
    t.true(list.length <= 4, `${list.length}`)
    t.deepEqual(errors, [])
    for (const { id, vectorCount } of list) {
      t.is(vectorCount, 200)
      await persistence.restoreSnapshot(id)
      t.deepEqual(contentOfMap(map), contentOf(entriesOf(200)))
      found += 1
    }
    const folder = join(baseDir, 'snapshots')
    t.deepEqual((existsSync(folder) ? readdirSync(folder) : []).filter((name) => name.startsWith('.')), [])
    await persistence.shutdown()
  }
  t.true(found > 3)
})
