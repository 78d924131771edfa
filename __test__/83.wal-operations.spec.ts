// The log of a collection, looked after and shipped: status, checkpoint, compact, archive, export, import (A48-A52, A56, A59, A60,
// A75, A103, B31, B66, C61, C62; RELIABILITY rows 20, 36, 39, 40).
//
// Real files, real processes, real kills. What goes of a log must not be needed; what is exported must be exactly what happened; who
// follows by exported logs must be what the first one was at each change, and must say so where it cannot. A failure means that a
// backup has holes, or that a standby holds something else than it says.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { type VectorDB, VectorStore } from 'ruvector-persistence'
import { startChild } from './helpers/child'
import { blockNamed, bytesOf } from './helpers/docs'
import { rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { contentOfDb, openStore } from './helpers/vector-db'
import { type Content, entriesOf, vectorOf } from './helpers/vectors'

const SMALL = { dimension: 8, wal: { segmentSize: 4096, preallocate: 0 } } as const

/** Every kind of change, so many that several files are filled. */
async function life(db: VectorDB, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n++) {
    await db.durable.insert({ id: `${n % 37}`, vector: vectorOf(n), metadata: { n } })
    if (n % 5 === 1) await db.durable.delete(`${(n + 11) % 37}`)
    if (n % 7 === 2) await db.durable.updateMetadata(`${n % 37}`, { changed: n })
    if (n % 50 === 49) await db.durable.clear()
    if (n % 11 === 3) await db.durable.insertBatch(entriesOf(3, 8, `batch-${n}`))
  }
}

const lsnOf = async (store: VectorStore, collection: string): Promise<number> => (await store.walStatus({ collection })).lastLsn

test('A48-A52: walStatus tells files, changes and times, and changes nothing', async (t) => {
  const path = tempDir(t)
  const store = await openStore(t, path)
  const db = await store.createCollection('a', SMALL)
  t.like(await store.walStatus({ collection: 'a' }), { segmentCount: 0, files: [], firstLsn: null, lastLsn: 0, lastTime: null, oldestNeededLsn: null, status: 'active' })
  const began = Date.now()
  await life(db, 0, 60)
  const status = await store.walStatus({ collection: 'a' })
  t.deepEqual(await store.walStatus({ collection: 'a' }), status)
  const onDisk = readdirSync(join(path, 'collections', 'a', 'wal'))
  t.true(status.segmentCount > 2)
  t.deepEqual([status.segmentCount, status.files.length], [onDisk.length, onDisk.length])
  t.is(status.totalSize, onDisk.reduce((sum, name) => sum + statSync(join(path, 'collections', 'a', 'wal', name)).size, 0))
  t.is(status.totalSizeMB, status.totalSize / 2 ** 20)
  t.is(status.totalSize, status.files.reduce((sum, { bytes }) => sum + bytes, 0))
  t.like(status, { collection: 'a', enabled: true, syncMode: 'fsync', firstLsn: 1, checkpointLsn: 0, oldestNeededLsn: 1, poisoned: null, lastReplayedSegment: null })
  t.is(status.unreplayedSegments, status.segmentCount)
  t.is(status.durableLsn, status.lastLsn)
  t.true(status.firstTime! >= began && status.lastTime! >= status.firstTime! && status.lastTime! <= Date.now())
  for (const [place, file] of status.files.entries()) {
    t.is(file.firstLsn, place === 0 ? 1 : status.files[place - 1]!.lastLsn! + 1)
    t.is(file.complete, place < status.files.length - 1)
    t.true(file.needed && existsSync(file.path))
  }
  t.is(status.files.at(-1)!.lastLsn, status.lastLsn)
  await store.walCheckpoint({ collection: 'a' })
  const after = await store.walStatus({ collection: 'a' })
  t.like(after, { checkpointLsn: status.lastLsn, oldestNeededLsn: null, unreplayedSegments: 0, segmentCount: status.segmentCount })
  t.is(after.lastReplayedSegment, status.files.at(-2)!.number)
  t.true(after.files.every(({ needed }) => !needed))
  // A process that only reads sees it, too.
  t.like(await (await openStore(t, path, { readOnly: true })).walStatus({ collection: 'a' }), { enabled: false, lastLsn: status.lastLsn })
})

test('A56, B66: walCompact takes what retention does not keep, and no more; moments inside retention stay', async (t) => {
  const store = await openStore(t, tempDir(t))
  const db = await store.createCollection('a', SMALL)
  await life(db, 0, 60)
  const [before, content] = [await store.walStatus({ collection: 'a' }), contentOfDb(db)]
  t.like(await store.walCompact({ collection: 'a' }), { removed: [], freedBytes: 0, lsn: before.lastLsn }, 'retention is 24 hours')
  for (const lsn of [1, 17, before.lastLsn]) await store.rewind('a', { lsn, target: `at-${lsn}` })
  const half = before.files[Math.floor(before.files.length / 2)]!
  const gone = before.files.filter(({ lastLsn }) => lastLsn! < half.firstLsn)
  const done = await store.walCompact({ collection: 'a', before: { lsn: half.firstLsn } })
  t.deepEqual(done.removed, gone.map(({ number }) => number))
  t.is(done.freedBytes, gone.reduce((sum, { bytes }) => sum + bytes, 0))
  t.is(done.freedMB, done.freedBytes / 2 ** 20)
  t.true(gone.every(({ path }) => !existsSync(path)))
  t.is((await store.walStatus({ collection: 'a' })).firstLsn, half.firstLsn)
  t.is((await rejection(store.rewind('a', { lsn: 1, target: 'x' }))).code, 'ERR_PITR_RANGE')
  await db.configure({ wal: { retention: 0 } })
  t.true((await store.walCompact({ collection: 'a' })).removed.length > 0)
  t.like(await store.walStatus({ collection: 'a' }), { segmentCount: 0, totalSize: 0 })
  await db.durable.insert({ id: 'later', vector: vectorOf('later') })
  await store.close()
  const again = await openStore(t, store.path)
  const reopened = await again.collection('a')
  t.true(reopened.delete('later'))
  t.deepEqual(contentOfDb(reopened), content)
})

test('A103, C61: walCheckpoint({ force }) makes the log as short as it can be, durable in segments', async (t) => {
  const store = await openStore(t, tempDir(t))
  const db = await store.createCollection('a', SMALL)
  await life(db, 0, 40)
  const before = await store.walStatus({ collection: 'a' })
  t.is((await store.walCheckpoint({ collection: 'a' })).segmentCount, before.segmentCount, 'without force what is kept for going back stays')
  const done = await store.walCheckpoint({ collection: 'a', force: true })
  t.like(done, { segmentCount: 0, lsn: before.lastLsn })
  t.is(done.removed.length, before.segmentCount)
  t.like(await store.walStatus({ collection: 'a' }), { totalSize: 0, firstLsn: null })
  const content = contentOfDb(db)
  await store.close()
  t.deepEqual(contentOfDb(await (await openStore(t, store.path)).collection('a')), content)
})

test('C62: walArchive copies each complete file once, into a folder of the collection, and moves what is not needed', async (t) => {
  const store = await openStore(t, tempDir(t))
  const archive = join(tempDir(t), 'deep', 'archive')
  const [a, b] = [await store.createCollection('a', SMALL), await store.createCollection('b', SMALL)]
  await life(a, 0, 40)
  await life(b, 100, 40)
  const copies = new Map<string, Buffer>()
  for (const collection of ['a', 'b']) {
    const { segmentCount } = await store.walStatus({ collection })
    const done = await store.walArchive({ collection, directory: archive })
    t.is(done.copied.length, segmentCount, 'the current file is completed first')
    t.deepEqual([done.present, done.removed], [[], []])
    const { files } = await store.walStatus({ collection })
    for (const { number, path, bytes } of files) {
      const copy = join(done.path, `${String(number).padStart(20, '0')}.wal`)
      t.deepEqual(readFileSync(copy), readFileSync(path))
      t.is(statSync(copy).size, bytes)
      copies.set(copy, readFileSync(copy))
    }
    t.like(await store.walArchive({ collection, directory: archive }), { copied: [], present: done.copied, bytes: 0 }, 'a second time there is nothing to do')
    t.like(await store.walArchive({ collection, directory: archive, move: true, before: { lsn: 20 } }), { copied: [] })
    const moved = await store.walArchive({ collection, directory: archive, move: true })
    t.true(moved.removed.length > 0)
    t.is((await store.walStatus({ collection })).segmentCount, 0)
  }
  t.is(readdirSync(archive).length, 2, 'two collections do not share a folder')
  for (const [copy, bytes] of copies) t.deepEqual(readFileSync(copy), bytes)
  const refused = await rejection(store.walArchive({ collection: 'a' }))
  t.is(refused.code, 'ERR_UNSUPPORTED')
  // A damaged file is no copy.
  await life(a, 200, 40)
  const { path } = (await store.walStatus({ collection: 'a' })).files[0]!
  const bytes = readFileSync(path)
  bytes[200]! ^= 1
  writeFileSync(path, bytes)
  const damaged = await rejection(store.walArchive({ collection: 'a', directory: archive, move: true }))
  t.is(damaged.code, 'ERR_CORRUPT')
  t.true(existsSync(path))
})

test('the folder wal.archive keeps the logs of two collections apart', async (t) => {
  const archive = tempDir(t)
  const store = await openStore(t, tempDir(t))
  const contents = new Map<string, string[]>()
  for (const name of ['a', 'b']) {
    const db = await store.createCollection(name, { dimension: 8, wal: { ...SMALL.wal, retention: 0, archive } })
    await life(db, name === 'a' ? 0 : 500, 60)
    const { files } = await store.walStatus({ collection: name })
    contents.set(name, files.filter(({ complete }) => complete).map(({ path }) => readFileSync(path).toString('hex')))
    await store.walCompact({ collection: name })
  }
  const folders = readdirSync(archive)
  t.is(folders.length, 2)
  const archived = folders.map((folder) => readdirSync(join(archive, folder)).map((name) => readFileSync(join(archive, folder, name)).toString('hex')))
  for (const files of contents.values()) t.true(archived.some((held) => files.every((file) => held.some((copy) => file.startsWith(copy) || copy === file))))
  t.true(archived.flat().length >= [...contents.values()].flat().length)
})

/** A primary with a snapshot, and a second store that was restored from it. */
async function pair(t: Parameters<typeof openStore>[0]): Promise<{ primary: VectorStore; db: VectorDB; standby: VectorStore; follower: VectorDB; directory: string }> {
  const directory = tempDir(t)
  const [primary, standby] = [await openStore(t, tempDir(t)), await openStore(t, tempDir(t))]
  const db = await primary.createCollection('a', SMALL)
  await life(db, 0, 30)
  const taken = await primary.snapshots.create({ directory: join(directory, 'snapshots') })
  await standby.snapshots.restore(taken.path)
  return { primary, db, standby, follower: await standby.collection('a'), directory }
}

test('A59, A60, A75, B56: a standby that was restored from a snapshot follows by exported logs, under the same numbers and times', async (t) => {
  const { primary, db, standby, follower, directory } = await pair(t)
  const content = (): Content => contentOfDb(db)
  t.is(await lsnOf(standby, 'a'), await lsnOf(primary, 'a'), 'what was restored elsewhere goes on with the numbers of the origin')
  const moments = new Map<number, Content>()
  let since = await lsnOf(primary, 'a')
  for (const [round, format] of (['tar.gz', 'tar.zst', 'tar.gz', 'tar.gz'] as const).entries()) {
    await life(db, 100 * (round + 1), round === 2 ? 0 : 25)
    moments.set(await lsnOf(primary, 'a'), content())
    const path = join(directory, `log-${round}.${format}`)
    const done = await primary.walExport({ collection: 'a', since: { lsn: since }, path })
    t.like(done, { path, format, collection: 'a', toLsn: await lsnOf(primary, 'a'), fromLsn: round === 2 ? null : since + 1 })
    t.is(done.sizeBytes, statSync(path).size)
    const members = execFileSync('tar', [format === 'tar.gz' ? '-tzf' : '--zstd', ...(format === 'tar.gz' ? [] : ['-tf']), path], { encoding: 'utf8' }).trim().split('\n')
    t.is(members[0], 'EXPORT')
    t.is(members.length, round === 2 ? 1 : 2)
    const imported = await standby.walImport({ path, collection: 'a' })
    t.like(imported, { operations: done.operations, skipped: 0, lsn: done.toLsn, toLsn: done.toLsn })
    t.deepEqual(contentOfDb(follower), content())
    t.like(await standby.walImport({ path, collection: 'a' }), { operations: 0, skipped: done.operations }, 'twice is once')
    t.deepEqual(contentOfDb(follower), content())
    since = done.toLsn
  }
  const [there, here] = [await primary.walStatus({ collection: 'a' }), await standby.walStatus({ collection: 'a' })]
  t.deepEqual([here.lastLsn, here.lastTime], [there.lastLsn, there.lastTime])
  for (const [lsn, expected] of moments) {
    await standby.rewind('a', { lsn, target: `at-${lsn}` })
    t.deepEqual(contentOfDb(await standby.collection(`at-${lsn}`)), expected)
  }
  // It is found again after a restart, and goes on.
  await standby.close()
  const again = await openStore(t, standby.path)
  await life(db, 900, 10)
  await primary.walExport({ collection: 'a', since: { lsn: since - 3 }, path: join(directory, 'last.tar.gz') })
  const last = await again.walImport({ path: join(directory, 'last.tar.gz'), collection: 'a' })
  t.is(last.skipped, 3, 'what overlaps is passed over')
  t.deepEqual(contentOfDb(await again.collection('a')), content())
  t.deepEqual(readdirSync(again.path).filter((name) => name.startsWith('.')), [])
})

test('A60: since is a change, a time or a snapshot, until a change or a time; the range is what the file holds', async (t) => {
  const { primary, db, directory } = await pair(t)
  const [at, begun] = [await lsnOf(primary, 'a'), (await primary.walStatus({ collection: 'a' })).firstTime!]
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))
  await sleep(5)
  const then = Date.now()
  await sleep(5)
  await life(db, 100, 10)
  const middle = await lsnOf(primary, 'a')
  await sleep(5)
  const later = new Date()
  await sleep(5)
  await life(db, 200, 10)
  const last = await lsnOf(primary, 'a')
  let number = 0
  const range = async (options: object): Promise<unknown[]> => {
    const { fromLsn, toLsn, operations, fromTime, toTime } = await primary.walExport({ collection: 'a', path: join(directory, `${number++}.tar.gz`), ...options })
    if (fromLsn !== null) t.is(operations, toLsn - fromLsn + 1)
    if (fromLsn !== null) t.true(fromTime! <= toTime!)
    return [fromLsn, toLsn]
  }
  t.deepEqual(await range({}), [1, last])
  t.deepEqual(await range({ since: then }), [at + 1, last])
  t.deepEqual(await range({ since: new Date(then) }), [at + 1, last])
  t.deepEqual(await range({ since: { time: later.toISOString() } }), [middle + 1, last])
  t.deepEqual(await range({ since: { lsn: middle }, until: { lsn: middle + 2 } }), [middle + 1, middle + 2])
  t.deepEqual(await range({ since: { snapshot: 'latest' }, directory: join(directory, 'snapshots'), until: later }), [at + 1, middle])
  t.deepEqual(await range({ since: Date.now() + 1000 }), [null, last])
  t.deepEqual(await range({ until: then }), [1, at])
  const all = statSync(join(directory, '0.tar.gz')).size
  t.true(statSync(join(directory, '4.tar.gz')).size < all / 5)
  const refused = await rejection(range({ since: { lsn: last + 1 } }))
  t.is(refused.code, 'ERR_PITR_RANGE')
  t.true(refused.message.includes(`changes 1 to ${last}`), refused.message)
  t.is((await rejection(range({ until: { lsn: last + 1 } }))).code, 'ERR_PITR_RANGE')
  t.is((await rejection(range({ since: { snapshot: 'nobody' } }))).code, 'ERR_SNAPSHOT_NOT_FOUND')
  t.is((await rejection(primary.walExport({ collection: 'a', path: join(directory, '0.tar.gz') }))).code, 'ERR_EXISTS')
  await primary.walCompact({ collection: 'a', before: { lsn: middle } })
  const { firstLsn } = await primary.walStatus({ collection: 'a' })
  t.is((await rejection(range({ since: { lsn: 3 } }))).code, 'ERR_PITR_RANGE')
  t.is((await rejection(range({ since: begun }))).code, 'ERR_PITR_RANGE', 'what is gone may have been as new')
  t.deepEqual(await range({}), [firstLsn, last])
})

test('row 39: a gap, another collection and one that went its own way are refused by name, and nothing is done', async (t) => {
  const { primary, db, standby, follower, directory } = await pair(t)
  const at = await lsnOf(primary, 'a')
  await life(db, 100, 10)
  await primary.walExport({ collection: 'a', since: { lsn: at + 3 }, path: join(directory, 'gap.tar.gz') })
  await primary.walExport({ collection: 'a', since: { lsn: at }, path: join(directory, 'good.tar.gz') })
  const before = contentOfDb(follower)
  const gap = await rejection(standby.walImport({ path: join(directory, 'gap.tar.gz'), collection: 'a' }))
  t.is(gap.code, 'ERR_CHAIN')
  t.true(gap.message.includes(`is at change ${at}, the file begins with change ${at + 4}: changes ${at + 1} to ${at + 3} are missing`), gap.message)
  const foreign = await primary.createCollection('b', SMALL)
  await life(foreign, 300, 60)
  await primary.walExport({ collection: 'b', path: join(directory, 'foreign.tar.gz') })
  const refused = await rejection(standby.walImport({ path: join(directory, 'foreign.tar.gz'), collection: 'a' }))
  t.is(refused.code, 'ERR_CHAIN')
  t.true(refused.message.includes('another collection'), refused.message)
  t.is((await rejection(standby.walImport({ path: join(directory, 'good.tar.gz'), collection: 'nobody' }))).code, 'ERR_NOT_FOUND')
  t.deepEqual(contentOfDb(follower), before)
  // A write of its own makes it another collection from then on.
  await follower.durable.insert({ id: 'own', vector: vectorOf('own') })
  const own = await rejection(standby.walImport({ path: join(directory, 'good.tar.gz'), collection: 'a' }))
  t.is(own.code, 'ERR_CHAIN')
  t.true(own.message.includes('gone its own way'), own.message)
  // Before the first write of its own, too, where nothing can be compared.
  await standby.drop('a')
  await standby.snapshots.restore('latest', { directory: join(directory, 'snapshots') })
  await standby.walImport({ path: join(directory, 'good.tar.gz'), collection: 'a' })
  t.deepEqual(contentOfDb(await standby.collection('a')), contentOfDb(db))
  await (await standby.collection('a')).setReadOnly(true)
  await life(db, 200, 3)
  await primary.walExport({ collection: 'a', since: { lsn: at }, path: join(directory, 'more.tar.gz') })
  t.is((await rejection(standby.walImport({ path: join(directory, 'more.tar.gz'), collection: 'a' }))).code, 'ERR_READ_ONLY')
})

test('a replaced content is in no log: the export names the change, and a newer snapshot leads on', async (t) => {
  const { primary, db, standby, directory } = await pair(t)
  await primary.rewind('a', { lsn: 5 })
  const replaced = await lsnOf(primary, 'a')
  await life(db, 100, 5)
  const refused = await rejection(primary.walExport({ collection: 'a', since: { lsn: 3 }, path: join(directory, 'x.tar.gz') }))
  t.is(refused.code, 'ERR_PITR_RANGE')
  t.true(refused.message.includes(`change ${replaced} replaced the whole content`), refused.message)
  t.false(existsSync(join(directory, 'x.tar.gz')))
  const done = await primary.walExport({ collection: 'a', path: join(directory, 'x.tar.gz') })
  t.is(done.fromLsn, replaced + 1, 'without since: what leads to the present')
  t.is((await rejection(standby.walImport({ path: done.path, collection: 'a' }))).code, 'ERR_CHAIN')
  await standby.drop('a')
  const taken = await primary.snapshots.create({ directory: join(directory, 'snapshots') })
  await standby.snapshots.restore(taken.path)
  t.like(await standby.walImport({ path: done.path, collection: 'a' }), { operations: 0, skipped: done.operations })
  t.deepEqual(contentOfDb(await standby.collection('a')), contentOfDb(db))
})

test('an empty collection takes a log from its first change on; a copy of a store goes on, too', async (t) => {
  const { primary, db, directory } = await pair(t)
  const copy = tempDir(t)
  cpSync(primary.path, join(copy, 'store'), { recursive: true })
  const at = await lsnOf(primary, 'a')
  await life(db, 100, 10)
  await primary.walExport({ collection: 'a', path: join(directory, 'all.tar.zst') })
  await primary.walExport({ collection: 'a', since: { lsn: at }, path: join(directory, 'end.tar.zst') })
  const other = await openStore(t, tempDir(t))
  const empty = await other.createCollection('new', { dimension: 8 })
  t.is((await other.walImport({ path: join(directory, 'all.tar.zst'), collection: 'new', verify: false })).skipped, 0)
  t.deepEqual(contentOfDb(empty), contentOfDb(db))
  const copied = await openStore(t, join(copy, 'store'))
  await copied.walImport({ path: join(directory, 'end.tar.zst'), collection: 'a' })
  t.deepEqual(contentOfDb(await copied.collection('a')), contentOfDb(db))
  const narrow = await other.createCollection('narrow', { dimension: 3 })
  t.is((await rejection(other.walImport({ path: join(directory, 'all.tar.zst'), collection: 'narrow' }))).code, 'ERR_DIMENSION')
  t.is(narrow.len(), 0)
})

test('damage in an exported log is found before anything is done', async (t) => {
  const { primary, db, standby, follower, directory } = await pair(t)
  const at = await lsnOf(primary, 'a')
  await life(db, 100, 6)
  const path = join(directory, 'log.tar.gz')
  await primary.walExport({ collection: 'a', since: { lsn: at }, path })
  const [bytes, damaged] = [readFileSync(path), join(directory, 'damaged.tar.gz')]
  let held = contentOfDb(follower)
  const unpacked = join(directory, 'unpacked')
  mkdirSync(unpacked)
  execFileSync('tar', ['-xzf', path, '-C', unpacked])
  const refuse = async (what: string): Promise<void> => {
    const refused = await rejection(standby.walImport({ path: damaged, collection: 'a' }))
    t.true(['ERR_CORRUPT', 'ERR_FORMAT', 'ERR_VERSION', 'ERR_LIMIT'].includes(refused.code!), `${what}: ${refused.message}`)
    t.true(refused.message.includes(damaged), `${what}: ${refused.message}`)
    t.deepEqual(contentOfDb(follower), held, what)
  }
  for (let place = 20; place < bytes.length; place += 97) {
    const copy = Buffer.from(bytes)
    copy[place]! ^= 16
    writeFileSync(damaged, copy)
    // Some bits of a gzip stream carry no data: then it is what it was.
    const same = await standby.walImport({ path: damaged, collection: 'a' }).then(() => true, () => false)
    if (same) t.deepEqual((held = contentOfDb(follower)), contentOfDb(db))
    else await refuse(`byte ${place}`)
  }
  writeFileSync(damaged, bytes.subarray(0, bytes.length >> 1))
  await refuse('cut')
  // Well-formed archives whose members are wrong.
  const [wal] = readdirSync(unpacked).filter((name) => name.endsWith('.wal'))
  const pack = (...members: string[]): void => void execFileSync('tar', ['-czf', damaged, '-C', unpacked, ...members])
  pack(wal!, 'EXPORT')
  await refuse('another order')
  pack('EXPORT')
  await refuse('a member is missing')
  copyFileSync(join(unpacked, wal!), join(unpacked, 'more'))
  pack('EXPORT', wal!, 'more')
  await refuse('a member too many')
  for (const file of ['EXPORT', wal!]) {
    const whole = readFileSync(join(unpacked, file))
    for (let place = 0; place < whole.length; place += 61) {
      const copy = Buffer.from(whole)
      copy[place]! ^= 1
      writeFileSync(join(unpacked, file), copy)
      pack('EXPORT', wal!)
      await refuse(`byte ${place} of ${file}`)
    }
    writeFileSync(join(unpacked, file), whole)
  }
  pack('EXPORT', wal!)
  const { operations, skipped } = await standby.walImport({ path: damaged, collection: 'a' })
  t.true(operations + skipped > 6, 'packed by another program it is still good')
  t.deepEqual(contentOfDb(follower), contentOfDb(db))
  t.deepEqual(readdirSync(standby.path).filter((name) => name.startsWith('.')), [])
})

test('another process exports the log of a store that is being written; each file is a whole prefix', async (t) => {
  const path = tempDir(t)
  let heard: () => void
  const told = new Promise<void>((resolve) => (heard = resolve))
  const { child, ended } = await startChild(`
    const { VectorStore } = load('ruvector-persistence')
    const store = await VectorStore.open(${JSON.stringify(path)})
    const db = await store.createCollection('a', { dimension: 8, memtableSize: 65536, wal: { segmentSize: 16384 } })
    tell('begun')
    for (let n = 0; ; n++) await db.durable.insert({ id: String(n), vector: vectorOf(String(n)) })
  `, tempDir(t), () => heard())
  await Promise.race([told, ended.then(({ stderr }) => Promise.reject(new Error(stderr)))])
  const [reader, standby, directory] = [await openStore(t, path, { readOnly: true }), await openStore(t, tempDir(t)), tempDir(t)]
  const follower = await standby.createCollection('a', { dimension: 8 })
  let at = 0
  for (let round = 0; round < 6; round++) {
    const file = join(directory, `${round}.tar.zst`)
    const { toLsn } = await reader.walExport({ collection: 'a', since: { lsn: at }, path: file })
    t.true(toLsn >= at)
    t.is((await standby.walImport({ path: file, collection: 'a' })).operations, toLsn - at)
    at = toLsn
    t.deepEqual([...follower.keys()].sort((a, b) => Number(a) - Number(b)), Array.from({ length: at }, (_, n) => String(n)))
  }
  t.true(at > 0)
  child.kill('SIGKILL')
  await ended
})

test('a follower that is killed at any moment of an import goes on where it was', async (t) => {
  const { primary, db, standby, directory } = await pair(t)
  const at = await lsnOf(primary, 'a')
  await life(db, 100, 300)
  const path = join(directory, 'log.tar.gz')
  await primary.walExport({ collection: 'a', since: { lsn: at }, path })
  await standby.close()
  let between = 0
  for (let round = 0; round < 6; round++) {
    const { child, ended } = await startChild(`
      const { VectorStore } = load('ruvector-persistence')
      const store = await VectorStore.open(${JSON.stringify(standby.path)})
      tell('begun')
      await store.walImport({ path: ${JSON.stringify(path)}, collection: 'a' })
      tell('done')
      await store.close()
    `, tempDir(t), () => void setTimeout(() => child.kill('SIGKILL'), round * 6))
    await ended
    const store = await VectorStore.open(standby.path)
    const lsn = await lsnOf(store, 'a')
    between += Number(lsn > at && lsn < await lsnOf(primary, 'a'))
    await primary.rewind('a', { lsn, target: `at-${round}` })
    t.deepEqual(contentOfDb(await store.collection('a')), contentOfDb(await primary.collection(`at-${round}`)), `killed at ${lsn}`)
    await store.close()
  }
  t.log(`${between} of 6 were killed in the middle`)
  const store = await openStore(t, standby.path)
  await store.walImport({ path, collection: 'a' })
  t.deepEqual(contentOfDb(await store.collection('a')), contentOfDb(db))
  t.deepEqual(readdirSync(standby.path).filter((name) => name.startsWith('.')), [], 'what was left is removed')
})

test('rows 20, 36, 40: what makes no sense is refused before anything is done', async (t) => {
  const store = await openStore(t, tempDir(t))
  await store.createCollection('a', { dimension: 8 })
  await store.createCollection('m', { dimension: 8, engine: 'memory' })
  const option = async (promise: Promise<unknown>): Promise<void> => void t.is((await rejection(promise)).code, 'ERR_OPTION')
  const path = join(tempDir(t), 'x.tar.gz')
  for (const call of ['walStatus', 'walCheckpoint', 'walCompact', 'walArchive', 'walExport', 'walImport'] as const) {
    const method = store[call].bind(store) as (options?: unknown) => Promise<unknown>
    await option(method())
    await option(method({ collection: 7, path }))
    await option(method({ collection: 'a', path, nonsense: true }))
    t.is((await rejection(method({ collection: 'nobody', ...(call === 'walExport' ? { path } : {}), ...(call === 'walImport' ? { path } : {}) }))).code, call === 'walImport' ? 'ERR_PATH' : 'ERR_NOT_FOUND', call)
  }
  await option(store.walCompact({ collection: 'a', before: 'yesterday' }))
  await option(store.walCompact({ collection: 'a', before: {} as never }))
  await option(store.walCompact({ collection: 'a', before: { lsn: 1, time: 2 } as never }))
  await option(store.walExport({ collection: 'a' } as never))
  await option(store.walExport({ collection: 'a', path, format: 'zip' as never }))
  await option(store.walExport({ collection: 'a', path, since: { lsn: -1 } }))
  await option(store.walExport({ collection: 'a', path, until: { snapshot: 'x' } as never }))
  await option(store.walImport({ collection: 'a' } as never))
  t.is((await rejection(store.walExport({ collection: 'a', path, format: 'tar.zst' }))).code, 'ERR_PATH')
  t.is((await rejection(store.walExport({ collection: 'a', path: '' }))).code, 'ERR_PATH')
  for (const call of ['walCompact', 'walCheckpoint'] as const) t.is((await rejection(store[call]({ collection: 'm' }))).code, 'ERR_UNSUPPORTED')
  t.is((await rejection(store.walExport({ collection: 'm', path }))).code, 'ERR_UNSUPPORTED')
  writeFileSync(path, 'no archive')
  t.is((await rejection(store.walImport({ collection: 'a', path }))).code, 'ERR_CORRUPT')
  const snapshot = await store.snapshots.create({ compress: true })
  t.is((await rejection(store.walImport({ collection: 'a', path: snapshot.path }))).code, 'ERR_FORMAT', 'a snapshot is no log')
  const reader = await openStore(t, store.path, { readOnly: true })
  t.is((await rejection(reader.walCompact({ collection: 'a' }))).code, 'ERR_READ_ONLY')
  const controller = new AbortController()
  controller.abort(new Error('enough'))
  t.is((await rejection(store.walCompact({ collection: 'a', signal: controller.signal }))).message, 'enough')
})

/** What the words of docs/format.md make of the members of an exported log: the descriptor, and number, time, kind and body of each record. */
function decoded(members: ReadonlyMap<string, Buffer>): { descriptor: any; records: { lsn: number; time: number; kind: number; body: Buffer }[] } {
  const check = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(what)
  }
  const header = (file: Buffer, magic: string, number: number, owner: Buffer): void => {
    check(file.toString('latin1', 0, 8) === magic && file.readUInt32LE(8) === 0x10001 && file.readUInt32LE(12) === 0, 'magic and versions')
    check(file.subarray(16, 48).equals(owner) && file.readBigUInt64LE(48) === BigInt(number) && file.readUInt32LE(56) === number, 'owner and number')
    check(file.readUInt32LE(60) === zlib.crc32(file.subarray(0, 60)), 'the checksum of the header')
  }
  const first = members.get('EXPORT')!
  const owner = first.subarray(16, 48)
  header(first, 'RVPexprt', 0, owner)
  check(first.readUInt32LE(first.length - 4) === zlib.crc32(first.subarray(64, -4)), 'the checksum of EXPORT')
  const descriptor = JSON.parse(first.toString('utf8', 64, first.length - 4))
  check(members.size === descriptor.files.length + 1, 'members')
  const records = []
  let next = descriptor.after + 1
  for (const [place, { name, firstLsn, lastLsn, length, checksum }] of descriptor.files.entries()) {
    const file = members.get(name)!
    check(name === `${String(place + 1).padStart(20, '0')}.wal` && file.length === length && firstLsn === next, 'a file')
    check(createHash('sha256').update(file).digest('hex') === checksum, 'its checksum')
    header(file, 'RVPwalog', place + 1, owner)
    check(file.readBigUInt64LE(80) === BigInt(firstLsn) && file.readUInt32LE(88) === 1 && file.readUInt32LE(92) === zlib.crc32(file.subarray(64, 92)), 'the preamble')
    const seed = zlib.crc32(file.subarray(64, 92), zlib.crc32(file.subarray(0, 60)))
    for (let at = 96; at < length; ) {
      const bytes = file.readUInt32LE(at)
      const record = file.subarray(at + 8, at + 8 + bytes)
      const place64 = Buffer.alloc(8)
      place64.writeBigUInt64LE(BigInt(at))
      check(file.readUInt32LE(at + 4) === zlib.crc32(record, zlib.crc32(file.subarray(at, at + 4), zlib.crc32(place64, seed))), `the frame at ${at}`)
      const [lsn, body] = [Number(record.readBigUInt64LE(0)), record.subarray(32)]
      check(lsn === next && Number(record.readBigUInt64LE(16)) === firstLsn - 1 && record[25] === 0 && body.length === record.readUInt32LE(28), 'the record')
      records.push({ lsn, time: Number(record.readBigUInt64LE(8)), kind: record[24]!, body })
      next = record[24] === 5 ? Number(body.readBigUInt64LE(0)) + 1 : lsn + 1
      at += Math.ceil((8 + bytes) / 8) * 8
    }
    check(next === lastLsn + 1, 'the end of a file')
  }
  check(next === descriptor.to + 1 && records.length === descriptor.records, 'the end')
  check(records.length === 0 || (records[0]!.time === descriptor.fromTime && records.at(-1)!.time === descriptor.toTime), 'times')
  return { descriptor, records }
}

test('docs/format.md tells what an exported log is: its example, and one that is made here', async (t) => {
  const page = (language: string, name: string): Buffer => {
    const block = blockNamed('docs/format.md', language, name)
    return language === 'hex' ? bytesOf(block) : Buffer.from(block.text.split('\n').map((line) => line.trim()).join(''))
  }
  const first = Buffer.concat([page('hex', 'export-header'), page('json', 'export'), page('hex', 'export-checksum')])
  const example = new Map([['EXPORT', first], ['00000000000000000001.wal', page('hex', 'export-log')]])
  const { descriptor, records } = decoded(example)
  t.like(descriptor, { name: 'default', after: 2, to: 4, dimension: 2, metric: 'cosine' })
  t.deepEqual(records.map(({ lsn, kind }) => [lsn, kind]), [[3, 1], [4, 2]])
  t.deepEqual([records[0]!.body.toString('latin1', 14, 15), records[0]!.body.readFloatLE(15), records[0]!.body.readFloatLE(19)], ['c', 1, 0.25])
  t.is(records[1]!.body.toString('latin1', 6), 'b')
  for (const [name, file] of example) {
    for (let place = 0; place < file.length; place++) {
      const copy = Buffer.from(file)
      copy[place]! ^= 4
      const inPadding = name !== 'EXPORT' && [159, 207].includes(place)
      if (!inPadding) t.throws(() => decoded(new Map([...example, [name, copy]])), undefined, `byte ${place} of ${name}`)
    }
  }
  // It is read as what it is: packed by another program, it does not go on where an empty collection stands.
  const folder = tempDir(t)
  for (const [name, file] of example) writeFileSync(join(folder, name), file)
  execFileSync('tar', ['-czf', join(folder, 'x.tar.gz'), '-C', folder, ...example.keys()])
  const store = await openStore(t, tempDir(t))
  await store.createCollection('a', { dimension: 2 })
  const refused = await rejection(store.walImport({ path: join(folder, 'x.tar.gz'), collection: 'a' }))
  t.true(refused.code === 'ERR_CHAIN' && refused.message.includes('changes 1 to 2 are missing'), refused.message)
  const { primary, db, directory } = await pair(t)
  await life(db, 100, 60)
  const made = await primary.walExport({ collection: 'a', path: join(directory, 'made.tar.gz') })
  const unpacked = join(directory, 'made')
  mkdirSync(unpacked)
  execFileSync('tar', ['-xzf', made.path, '-C', unpacked])
  const real = decoded(new Map(readdirSync(unpacked).map((name) => [name, readFileSync(join(unpacked, name))])))
  t.like(real.descriptor, { name: 'a', after: 0, to: made.toLsn, previous: null, records: made.operations })
  t.deepEqual([...new Set(real.records.map(({ kind }) => kind))].sort(), [1, 2, 3, 4])
})
