// Snapshots of a store, and going back in time (A33-A45, A49-A55, A76-A77, B1-B27, B34-B37, B62, C11, C12, C15, C16).
//
// Real files, real processes, real kills. A snapshot must hold one moment while others write; a restore that fails must leave
// what was there. A failure means that a backup is not what it says, or that going back loses the way forward.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VectorStore } from 'ruvector-persistence'
import { runChild, startChild } from './helpers/child'
import { mounts, smallDisk, testWith } from './helpers/faults'
import { rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { contentOfDb, openStore } from './helpers/vector-db'
import { contentOf, entriesOf, vectorOf } from './helpers/vectors'

/** A child that has told something, to be killed. */
async function begun(script: string): Promise<{ kill: () => Promise<unknown> }> {
  let heard: () => void
  const told = new Promise<void>((resolve) => (heard = resolve))
  const { child, ended } = await startChild(script, tmpdir(), () => heard())
  await Promise.race([told, ended.then(({ stderr }) => Promise.reject(new Error(stderr)))])
  return { kill: () => (child.kill('SIGKILL'), ended) }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

test('A33-A37, A41-A45, B6-B12, B16-B21: a snapshot says what it holds, and comes back by id, name, path and latest', async (t) => {
  const store = await openStore(t, tempDir(t))
  const docs = await store.createCollection('docs', { dimension: 8, metric: 'dot' })
  docs.insertBatch(entriesOf(100))
  const metadata = JSON.parse('{"reason":"before","__proto__":{"x":1},"vectorCount":100}') as Record<string, unknown>
  const taken = await store.snapshots.create({ name: 'before the upgrade', metadata })
  t.regex(taken.id, /^snap-\d{4}-\d\d-\d\d-\d{6}(-\d+)?$/)
  t.like(taken, { name: 'before the upgrade', type: 'full', vectorCount: 100, compressed: false, base: null, pinned: false })
  t.is(JSON.stringify(taken.metadata), JSON.stringify(metadata))
  t.is(taken.sizeMB, taken.sizeBytes / 2 ** 20)
  t.is(new Date(taken.createdAt).toISOString(), taken.createdAtIso)
  t.like(taken.collections[0], { name: 'docs', vectorCount: 100, dimension: 8, metric: 'dot', lsn: 1 })
  t.false(/[<>:"|?*]/.test(taken.id), 'a name that every file system takes')
  docs.clear()
  docs.insert({ id: 'later', vector: vectorOf('later') })
  t.is((await rejection(store.snapshots.restore(taken.id))).code, 'ERR_EXISTS')
  for (const word of [taken.id, 'before the upgrade', 'latest', taken.path]) {
    docs.delete('doc-3')
    const done = await store.snapshots.restore(word, { overwrite: true })
    t.like(done, { snapshot: taken.id, vectorsRestored: 100 })
    t.deepEqual(contentOfDb(docs), contentOf(entriesOf(100)), word)
  }
  await store.snapshots.restore('latest', { target: 'copy' })
  t.deepEqual(contentOfDb(await store.collection('copy')), contentOf(entriesOf(100)))
  const second = await store.snapshots.create()
  t.not(second.id, taken.id)
  t.deepEqual((await store.snapshots.list()).map(({ id }) => id), [taken.id, second.id], 'oldest first')
  t.is((await store.snapshots.list({ collection: 'copy' })).length, 1)
  t.true((await store.snapshots.verify(taken.id)).ok)
  await store.snapshots.delete(taken.id)
  t.false(existsSync(taken.path))
  for (const nobody of [taken.id, '../x', '/etc/x', 'x/y', '']) {
    t.is((await rejection(store.snapshots.restore(nobody))).code, 'ERR_SNAPSHOT_NOT_FOUND', nobody)
    t.is((await rejection(store.snapshots.delete(nobody))).code, 'ERR_SNAPSHOT_NOT_FOUND', nobody)
  }
})

test('C15: on the file system of the store a snapshot is made of links', async (t) => {
  const path = tempDir(t)
  const store = await openStore(t, path)
  const db = await store.createCollection('a', { dimension: 8 })
  db.insertBatch(entriesOf(500))
  await db.checkpoint()
  const { path: place } = await store.snapshots.create()
  const [segment] = readdirSync(join(path, 'collections', 'a', 'segments'))
  t.is(statSync(join(place, 'collections', 'a', 'segments', segment!)).ino, statSync(join(path, 'collections', 'a', 'segments', segment!)).ino)
  const opened = await openStore(t, place, { readOnly: true })
  t.deepEqual(contentOfDb(await opened.collection('a')), contentOf(entriesOf(500)), 'a snapshot is a store')
})

test('B3-B5, B62, A44: packed and incremental ones; a base that is needed stays, and one that is missing is named', async (t) => {
  const store = await openStore(t, tempDir(t))
  const db = await store.createCollection('a', { dimension: 8 })
  db.insertBatch(entriesOf(2000))
  for (const compress of [false, true, 'zstd'] as const) {
    const directory = tempDir(t)
    const options = { directory, compress, incremental: true }
    const full = await store.snapshots.create(options)
    t.is(full.type, 'full', 'there is nothing yet to build on')
    if (compress === true) {
      t.deepEqual([...readFileSync(full.path).subarray(0, 2)], [0x1f, 0x8b])
      t.true(full.path.endsWith('.tar.gz'))
      t.true(execFileSync('tar', ['-tzf', full.path], { encoding: 'utf8' }).startsWith('SNAPSHOT\n'))
    }
    db.insert({ id: 'new', vector: vectorOf(`${compress}`) })
    const little = await store.snapshots.create(options)
    t.like(little, { type: 'incremental', base: full.id, vectorCount: db.len() })
    t.true(little.sizeBytes < full.sizeBytes / 10, `${little.sizeBytes} of ${full.sizeBytes}`)
    const before = contentOfDb(db)
    db.delete('new')
    await store.snapshots.restore(little.id, { directory, overwrite: true })
    t.deepEqual(contentOfDb(db), before)
    const refused = await rejection(store.snapshots.delete(full.id, { directory }))
    t.is(refused.code, 'ERR_CHAIN')
    t.true(refused.message.includes(little.id))
    rmSync(full.path, { recursive: true })
    const broken = await rejection(store.snapshots.restore(little.id, { directory, overwrite: true }))
    t.is(broken.code, 'ERR_CHAIN')
    t.true(broken.message.includes(`'${full.id}', which is missing`), broken.message)
    t.false((await store.snapshots.verify(little.id, { directory })).ok)
    t.deepEqual(contentOfDb(db), before)
  }
})

test('C11: another process takes one of a store that is being written, at one moment', async (t) => {
  const path = tempDir(t)
  const child = await begun(`
    const { VectorStore } = load('ruvector-persistence')
    const store = await VectorStore.open(${JSON.stringify(path)})
    const db = await store.createCollection('a', { dimension: 8, memtableSize: 65536 })
    tell('begun')
    for (let n = 0; ; n++) await db.durable.insert({ id: String(n), vector: vectorOf(String(n)) })
  `)
  const reader = await openStore(t, path, { readOnly: true })
  let last = -1
  for (let round = 0; round < 8; round++) {
    const directory = tempDir(t)
    const taken = await reader.snapshots.create({ directory, compress: round % 2 === 1 })
    t.true((await reader.snapshots.verify(taken.id, { directory })).ok)
    const other = await openStore(t, tempDir(t))
    await other.snapshots.restore(taken.path)
    const count = (await other.collection('a')).len()
    t.is(count, taken.vectorCount)
    t.true(count > last, 'the writer goes on')
    last = count
    const db = await other.collection('a')
    for (let n = 0; n < count; n++) if (!db.has(String(n))) t.fail(`${n} is missing of ${count}`)
    await sleep(20)
  }
  await child.kill()
})

test('A49-A55, A76, A77, B34-B37: back to a time and a name, and forward again along the log', async (t) => {
  const store = await openStore(t, tempDir(t))
  const db = await store.createCollection('a', { dimension: 8 })
  const insert = (id: string): Promise<unknown> => db.durable.insert({ id, vector: vectorOf(id) })
  const ids = (): string[] => [...db.keys()].sort()
  const before = Date.now() - 10_000
  await insert('a')
  await insert('b')
  await store.snapshots.create({ name: 'base' })
  await insert('c')
  await sleep(5)
  const then = Date.now()
  await sleep(5)
  await store.createRestorePoint('a', 'good')
  t.is((await rejection(store.createRestorePoint('a', 'good'))).code, 'ERR_EXISTS')
  await insert('d')
  db.delete('a')
  await db.flush()
  t.deepEqual(ids(), ['b', 'c', 'd'])
  await store.rewind('a', { time: then })
  t.deepEqual(ids(), ['a', 'b', 'c'])
  await store.rewind('a', { lsn: 5 })
  t.deepEqual(ids(), ['b', 'c', 'd'], 'the present of before is a moment, too')
  await store.rewind('a', { point: 'good', target: 'beside' })
  t.deepEqual([...(await store.collection('beside')).keys()].sort(), ['a', 'b', 'c'])
  t.like(await store.moments('a'), { windows: [{ fromLsn: 0, toLsn: 7 }], points: [{ name: 'good', lsn: 3 }] })
  const early = await rejection(store.rewind('a', { time: before }))
  t.is(early.code, 'ERR_PITR_RANGE')
  t.true(early.message.includes('0 to 7'), early.message)
  t.is((await rejection(store.rewind('a', { lsn: 1e9 }))).code, 'ERR_PITR_RANGE')
  // The procedure of the documents: the last snapshot before T, then the log until T.
  await store.snapshots.restore('base', { overwrite: true })
  t.deepEqual(ids(), ['a', 'b'])
  t.is((await store.walReplay('a', { until: new Date(then), verify: true })).operations, 1)
  t.deepEqual(ids(), ['a', 'b', 'c'])
  t.is((await store.walReplay('a', { until: then })).operations, 0, 'a second time there is nothing to do')
  t.is((await store.walReplay('a')).operations, 2)
  t.deepEqual(ids(), ['b', 'c', 'd'])
})

test('A28, A85: retention keeps what its rules say, tells before it does, and never takes what is needed', async (t) => {
  const store = await openStore(t, tempDir(t))
  const db = await store.createCollection('a', { dimension: 8 })
  const ids: string[] = []
  for (let round = 0; round < 5; round++) {
    db.insert({ id: `${round}`, vector: vectorOf(`${round}`) })
    ids.push((await store.snapshots.create({ incremental: round === 2 })).id)
  }
  const dry = await store.snapshots.prune({ last: 3, dryRun: true })
  t.deepEqual(dry.removed.map(({ id }) => id), [ids[0]])
  t.deepEqual(dry.kept.find(({ id }) => id === ids[1])!.reasons, [`base of ${ids[2]}`])
  t.is((await store.snapshots.list()).length, 5)
  await store.snapshots.pin(ids[0]!)
  t.is((await rejection(store.snapshots.delete(ids[0]!))).code, 'ERR_EXISTS')
  t.deepEqual((await store.snapshots.prune({ last: 1 })).removed.map(({ id }) => id), [ids[3], ids[2], ids[1]])
  t.deepEqual((await store.snapshots.list()).map(({ id }) => id), [ids[0], ids[4]])
  await store.snapshots.unpin(ids[0]!)
  await store.snapshots.prune({ last: 1 })
  t.deepEqual((await store.snapshots.list()).map(({ id }) => id), [ids[4]])
})

test('B19, B27: damage is named and nothing is restored; strange things in the folder hinder nobody', async (t) => {
  const path = tempDir(t)
  const store = await openStore(t, path)
  const db = await store.createCollection('a', { dimension: 8 })
  db.insertBatch(entriesOf(200))
  const good = await store.snapshots.create()
  const bad = await store.snapshots.create({ compress: true })
  const segment = join(good.path, 'collections', 'a', 'segments', '00000001.seg')
  copyFileSync(segment, `${segment}.copy`)
  rmSync(segment)
  copyFileSync(`${segment}.copy`, segment)
  rmSync(`${segment}.copy`)
  const bytes = readFileSync(segment)
  bytes[bytes.length >> 1]! ^= 1
  writeFileSync(segment, bytes)
  truncateSync(bad.path, statSync(bad.path).size - 9)
  writeFileSync(join(path, 'snapshots', 'notes.txt'), 'mine')
  mkdirSync(join(path, 'snapshots', 'empty'))
  db.insert({ id: 'later', vector: vectorOf('later') })
  const before = contentOfDb(db)
  for (const id of [good.id, bad.id]) {
    const refused = await rejection(store.snapshots.restore(id, { overwrite: true }))
    t.true(['ERR_CORRUPT', 'ERR_FORMAT'].includes(refused.code!), refused.message)
    t.deepEqual(contentOfDb(db), before)
  }
  const report = await store.snapshots.verify(good.id)
  t.false(report.ok)
  t.is(report.damage[0]!.path, segment)
  t.true(report.damage[0]!.entries > 0 && report.damage[0]!.length > 0)
  writeFileSync(join(good.path, 'SNAPSHOT'), 'nothing')
  t.deepEqual((await store.snapshots.list()).map(({ id }) => id), [bad.id])
  t.deepEqual((await store.snapshots.damaged()).map(({ path: where }) => where), [good.path])
})

test('a process that is killed while it takes a snapshot leaves none, and the next one cleans up', async (t) => {
  const path = tempDir(t)
  const { told } = await runChild(`
    const { VectorStore } = load('ruvector-persistence')
    const store = await VectorStore.open(${JSON.stringify(path)})
    const db = await store.createCollection('a', { dimension: 8 })
    for (let n = 0; n < 3000; n++) db.insert({ id: String(n), vector: vectorOf(String(n)) })
    await db.flush()
    tell('written')
    await store.close()
  `, tempDir(t))
  t.deepEqual(told, ['written'])
  let found = 0
  for (let round = 0; round < 12; round++) {
    const child = await begun(`
      const { VectorStore } = load('ruvector-persistence')
      const store = await VectorStore.open(${JSON.stringify(path)})
      await store.collection('a')
      tell('open')
      for (let n = 0; ; n++) await store.snapshots.create({ compress: n % 2 === 1, incremental: n % 3 === 2 })
    `)
      await sleep(round * 7)
    await child.kill()
    const store = await VectorStore.open(path)
    for (const { id, vectorCount } of await store.snapshots.list()) {
      t.is(vectorCount, 3000)
      if (round % 4 === 3) t.true((await store.snapshots.verify(id)).ok)
      found += 1
    }
    t.deepEqual(await store.snapshots.damaged(), [], 'whole or not there')
    await store.snapshots.create()
    t.deepEqual(readdirSync(join(path, 'snapshots')).filter((name) => name.startsWith('.')), [])
    await store.close()
  }
  t.true(found > 0)
})

testWith(mounts, 'row 50: on a full disk a snapshot is refused and leaves nothing, and works when there is room', async (t) => {
  const disk = smallDisk(t, tempDir(t), '8m')
  const store = await openStore(t, tempDir(t))
  const db = await store.createCollection('a', { dimension: 8 })
  db.insertBatch(entriesOf(5000))
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(bavail * bsize - 65_536))
  for (const compress of [false, 'zstd'] as const) {
    const refused = await rejection(store.snapshots.create({ directory: join(disk, 'snapshots'), compress }))
    t.is(refused.code, 'ENOSPC', refused.message)
    t.deepEqual(readdirSync(join(disk, 'snapshots')), [])
  }
  rmSync(join(disk, 'ballast'))
  const taken = await store.snapshots.create({ directory: join(disk, 'snapshots') })
  t.true((await store.snapshots.verify(taken.path)).ok)
})

test('rows 20 and 36-40: what makes no sense is refused before anything is done', async (t) => {
  const store = await openStore(t, tempDir(t))
  await store.createCollection('a', { dimension: 8 })
  const { snapshots } = store
  const option = async (promise: Promise<unknown>): Promise<void> => void t.is((await rejection(promise)).code, 'ERR_OPTION')
  await option(snapshots.create({ incremantal: true } as any))
  await option(snapshots.create({ compress: 'brotli' as any }))
  await option(snapshots.create({ path: '/x', directory: '/y' }))
  await option(snapshots.create({ base: 'x', incremental: false }))
  await option(snapshots.create({ collections: [] }))
  await option(snapshots.restore(7 as any))
  await option(snapshots.prune({}))
  await option(snapshots.prune({ last: -1 }))
  await option(store.rewind('a', {}))
  await option(store.rewind('a', { lsn: 1, time: 2 }))
  await option(store.rewind('a', { time: NaN }))
  await option(store.rewind('a', { time: 'yesterday' }))
  await option(store.walReplay('a', { until: {} as any }))
  t.is((await rejection(snapshots.create({ base: 'nobody' }))).code, 'ERR_CHAIN')
  t.is((await rejection(snapshots.create({ collections: ['nobody'] }))).code, 'ERR_NOT_FOUND')
  t.is((await rejection(snapshots.create({ path: join(tempDir(t), 'x.tar.gz') }))).code, 'ERR_PATH')
  const there = tempDir(t)
  t.is((await rejection(snapshots.create({ path: there }))).code, 'ERR_EXISTS')
  const reader = await openStore(t, store.path, { readOnly: true })
  await snapshots.create()
  t.is((await rejection(reader.snapshots.restore('latest', { target: 'b' }))).code, 'ERR_READ_ONLY')
  const controller = new AbortController()
  controller.abort(new Error('enough'))
  t.is((await rejection(snapshots.create({ signal: controller.signal }))).message, 'enough')
})
