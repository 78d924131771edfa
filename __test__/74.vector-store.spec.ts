// Stores of many collections, and what several processes, worker threads and a kill do to them.
//
// Real files, real processes. A killed child has written; the parent opens the store again and must find every write that
// the child was told is acknowledged, batches whole. A failure means that an acknowledged write can be lost, that two
// processes can write one store, or that a reader sees something that never was.
import test from 'ava'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { VectorDB, VectorStore } from 'ruvector-persistence'
import { runChild, startChild } from './helpers/child'
import { rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { contentOfDb, openDb, openStore, thrown } from './helpers/vector-db'
import { contentOf, entriesOf, vectorOf } from './helpers/vectors'

const root = join(__dirname, '..')

test('A62, B52: collections are made, listed, used side by side, renamed and dropped', async (t) => {
  const path = tempDir(t)
  const store = await openStore(t, path)
  t.is(store.path, path)
  t.deepEqual(await store.list(), [])
  const docs = await store.createCollection('docs', { dimension: 8, metric: 'dot' })
  const images = await store.createCollection('images', { dimension: 3, engine: 'hybrid', hotTierSize: 1 << 20 })
  t.deepEqual(await store.list(), [{ name: 'docs' }, { name: 'images' }])
  t.is(await store.collection('docs'), docs, 'the same object as long as it is open')
  t.is((await rejection(store.createCollection('docs'))).code, 'ERR_EXISTS')
  t.is((await rejection(store.collection('none'))).code, 'ERR_NOT_FOUND')
  t.is(thrown(() => docs.insert({ vector: [1] })).code, 'ERR_DIMENSION')
  docs.insertBatch(entriesOf(100))
  images.insert({ id: 'i', vector: [1, 2, 3] })
  await docs.close()
  t.is(images.len(), 1, 'one collection is closed, the other goes on')
  const again = await store.collection('docs')
  t.not(again, docs)
  t.deepEqual(contentOfDb(again), contentOf(entriesOf(100)))
  await store.rename('docs', 'papers')
  t.is(thrown(() => again.len()).code, 'ERR_CLOSED')
  t.is((await rejection(store.rename('papers', 'images'))).code, 'ERR_EXISTS')
  t.is((await rejection(store.rename('docs', 'x'))).code, 'ERR_NOT_FOUND')
  t.is((await store.collection('papers')).len(), 100)
  await store.drop('images')
  t.is(thrown(() => images.len()).code, 'ERR_CLOSED')
  t.is((await rejection(store.drop('images'))).code, 'ERR_NOT_FOUND')
  t.deepEqual(await store.list(), [{ name: 'papers' }])
  t.deepEqual(readdirSync(join(path, 'collections')), ['papers'])
  await store.close()
  await store.close()
  for (const call of [store.list(), store.collection('papers'), store.createCollection('x'), store.drop('papers'), store.rename('papers', 'x')]) t.is((await rejection(call)).code, 'ERR_CLOSED')
  const db = await openDb(t, { path, collection: 'papers' })
  t.like(db.stats(), { count: 100, metric: 'dot' })
})

test('a collection of engine memory in a store writes nothing and its name is free when it is closed', async (t) => {
  const path = tempDir(t)
  const store = await openStore(t, path)
  const cache = await store.createCollection('cache', { engine: 'memory', dimension: 2 })
  cache.insert({ id: 'a', vector: [1, 2] })
  t.is(await store.collection('cache'), cache)
  t.deepEqual(await store.list(), [{ name: 'cache' }])
  await cache.close()
  t.deepEqual(await store.list(), [])
  t.deepEqual(readdirSync(path).sort(), ['LOCK', 'STORE'])
  await store.createCollection('cache', { engine: 'memory' })
})

test('names that are no names, and folders that are no stores, are refused', async (t) => {
  const store = await openStore(t, tempDir(t))
  for (const name of ['', '.', '..', 'a/b', '../x', 'CON', 'a b', 'ü', 'x'.repeat(65), '.hidden', 'a\0']) {
    t.is((await rejection(store.createCollection(name))).code, 'ERR_PATH', name)
    t.is((await rejection(store.collection(name))).code, 'ERR_PATH', name)
  }
  for (const name of [5, null, undefined] as any[]) t.is((await rejection(store.createCollection(name))).code, 'ERR_OPTION')
  t.is((await rejection(store.createCollection('a', { path: 'x' } as any))).code, 'ERR_OPTION')
  t.is((await rejection(VectorStore.open(join(tempDir(t), 'none'), { create: false }))).code, 'ERR_NOT_A_DATABASE')
  t.is((await rejection(VectorStore.open(tempDir(t), { create: false }))).code, 'ERR_NOT_A_DATABASE')
  t.is((await rejection(VectorStore.open(tempDir(t), { creat: false } as any))).code, 'ERR_OPTION')
  const dir = tempDir(t)
  writeFileSync(join(dir, 'thesis.txt'), 'mine')
  t.is((await rejection(VectorStore.open(dir))).code, 'ERR_NOT_A_DATABASE', 'row 22')
  t.deepEqual(readdirSync(dir), ['thesis.txt'])
  t.throws(() => new (VectorStore as any)('x'), { instanceOf: TypeError })
})

test('row 25: a second writer, in this process, in a worker or elsewhere, is refused with the pid of the first', async (t) => {
  const path = tempDir(t)
  const db = await openDb(t, { path, dimension: 1 })
  const refused = await rejection(VectorDB.open({ path }))
  t.is(refused.code, 'ERR_LOCKED')
  t.regex(refused.message, new RegExp(`process ${process.pid}\\b`))
  t.is((await rejection(VectorStore.open(path))).code, 'ERR_LOCKED')
  const { told } = await runChild(`await load('ruvector-persistence').VectorDB.open({ path: ${JSON.stringify(path)} }).catch((error) => tell([error.code, error.message]))`, tempDir(t))
  t.is(told[0][0], 'ERR_LOCKED')
  t.regex(told[0][1], new RegExp(`process ${process.pid}\\b`))
  db.insert({ id: 'a', vector: [1] })
  await db.close()
  t.is((await openDb(t, { path })).len(), 1)
})

test('readers in other processes see a consistent content while the writer works, and newer content after refresh', async (t) => {
  const path = tempDir(t)
  const db = await openDb(t, { path, dimension: 4, memtableSize: 64 << 10, compaction: { threshold: 0.1 } })
  db.insertBatch(Array.from({ length: 50 }, (_, row) => ({ id: `${row}`, vector: [0, 0, 0, 0] })))
  await db.flush()
  // Each batch gives all entries one number: a reader that sees two numbers sees something that never was.
  const script = `
    const { VectorDB: Native } = load('ruvector-persistence')
    const db = await Native.open({ path: ${JSON.stringify(path)}, readOnly: true })
    try { db.insert({ vector: [1, 2, 3, 4] }) } catch (error) { tell(error.code) }
    let last = -1
    for (let round = 0; round < 60; round++) {
      const numbers = new Set([...db].map(({ vector }) => vector[0]))
      if (numbers.size !== 1) throw new Error('mixed: ' + [...numbers])
      const [number] = numbers
      if (number < last) throw new Error('it went back')
      last = number
      await db.refresh()
    }
    tell(last)
    await db.close()
  `
  let running = true
  const readers = Promise.all([runChild(script, tempDir(t)), runChild(script, tempDir(t))]).finally(() => (running = false))
  let number = 0
  while (running) {
    number++
    await db.durable.insertBatch(Array.from({ length: 50 }, (_, row) => ({ id: `${row}`, vector: [number, 0, 0, 0], metadata: { text: 'x'.repeat(100) } })))
    if (number % 50 === 0) await db.optimize()
  }
  for (const { told } of await readers) {
    t.is(told[0], 'ERR_READ_ONLY')
    t.true(told[1] > 0 && told[1] <= number)
  }
})

test('a read-only database and store: refresh, and what cannot be done', async (t) => {
  const path = tempDir(t)
  const writer = await openStore(t, path)
  const db = await writer.createCollection('a', { dimension: 1 })
  db.insert({ id: 'x', vector: [1] })
  await db.flush()
  const reader = await openStore(t, path, { readOnly: true })
  t.true(reader.readOnly)
  const read = await reader.collection('a')
  t.true(read.stats().readOnly)
  t.deepEqual(await reader.list(), [{ name: 'a' }])
  db.insert({ id: 'y', vector: [2] })
  await db.flush()
  const before = read.entries()
  await read.refresh()
  t.deepEqual([...read.keys()], ['x', 'y'])
  t.deepEqual([...before].map(({ id }) => id), ['x'], 'an iteration stays with its moment')
  for (const call of [reader.createCollection('b'), reader.drop('a'), reader.rename('a', 'b'), read.setReadOnly(true), read.configure({}), read.checkpoint(), read.compact(), read.durable.clear()]) {
    t.is((await rejection(call)).code, 'ERR_READ_ONLY')
  }
  t.is((await rejection(db.refresh())).code, 'ERR_UNSUPPORTED')
  t.is((await read.search({ vector: [1] })).length, 2)
  await read.flush()
  await reader.close()
  t.is(thrown(() => read.len()).code, 'ERR_CLOSED')
})

const WORKER = `
  const { workerData, parentPort } = require('node:worker_threads')
  const { VectorDB } = require(workerData.root)
  ;(async () => {
    const seen = []
    for (let round = 0; round < 5; round++) {
      const own = await VectorDB.open({ path: workerData.own, dimension: 2 })
      await own.durable.insert({ id: String(round), vector: [round, 1] })
      await own.close()
      const shared = await VectorDB.open({ path: workerData.shared, readOnly: true })
      seen.push((await shared.search({ vector: [1, 1], k: 1000 })).length)
      if (round % 2) await shared.close()
    }
    parentPort.postMessage(seen)
  })()
`

test('eight worker threads open, write, read and close at once', async (t) => {
  const dir = tempDir(t)
  const shared = join(dir, 'shared')
  const db = await openDb(t, { path: shared, dimension: 2 })
  db.insertBatch(Array.from({ length: 100 }, (_, row) => ({ id: `${row}`, vector: [row, 1] })))
  await db.checkpoint()
  const seen = await Promise.all(Array.from({ length: 8 }, (_, number) => new Promise<number[]>((resolve, reject) => {
    const worker = new Worker(WORKER, { eval: true, workerData: { root, shared, own: join(dir, `own-${number}`) }, execArgv: [], env: {} })
    worker.on('message', resolve)
    worker.on('error', reject)
  })))
  t.deepEqual(seen, Array(8).fill(Array(5).fill(100)))
  for (let number = 0; number < 8; number++) t.is((await openDb(t, { path: join(dir, `own-${number}`) })).len(), 5)
})

test('row 56: a worker that is terminated and a process that exits lose nothing that was acknowledged', async (t) => {
  const dir = tempDir(t)
  const script = `
    const { workerData, parentPort } = require('node:worker_threads')
    const { VectorDB } = require(workerData.root)
    VectorDB.open({ path: workerData.path, dimension: 1 }).then((db) => {
      for (let row = 0; row < 2000; row++) db.durable.insert({ id: String(row), vector: [row] }).then((id) => parentPort.postMessage(id))
    })
  `
  const acked: string[] = []
  const worker = new Worker(script, { eval: true, workerData: { root, path: join(dir, 'worker') }, execArgv: [], env: {} })
  await new Promise<void>((resolve, reject) => {
    worker.on('error', reject)
    worker.on('message', (id) => {
      acked.push(id)
      if (acked.length === 50) resolve()
    })
  })
  await worker.terminate()
  const db = await openDb(t, { path: join(dir, 'worker') })
  t.true(acked.length >= 50 && acked.every((id) => db.has(id)))
  for (const end of ['process.exit(7)', 'throw new Error("planted")', 'process.kill(process.pid, "SIGTERM")']) {
    const path = join(dir, end.replace(/\W/g, ''))
    const { child, ended } = await startChild(`
      const { VectorDB: Native } = load('ruvector-persistence')
      const db = await Native.open({ path: ${JSON.stringify(path)}, dimension: 1 })
      const acked = []
      for (let row = 0; row < 100; row++) db.durable.insert({ id: String(row), vector: [row] }).then((id) => acked.push(id))
      await new Promise(setImmediate)
      fs.writeFileSync(${JSON.stringify(`${path}.acked`)}, JSON.stringify(acked))
      ${end}
      await new Promise((resolve) => setTimeout(resolve, 10000))
    `, dir)
    const { code, signal, stderr } = await ended
    t.is(child.killed, false)
    if (end.startsWith('process.exit')) t.is(code, 7, stderr)
    else if (end.startsWith('throw')) t.is(code, 1)
    else t.is(signal, 'SIGTERM')
    const found = await openDb(t, { path })
    for (const id of JSON.parse(require('node:fs').readFileSync(`${path}.acked`, 'utf8'))) t.true(found.has(id))
  }
})

test('a process that has nothing to do but to wait for its writes stays until they are acknowledged, and then ends', async (t) => {
  const dir = tempDir(t)
  const { stdout } = await runChild(`
    const { VectorDB: Native } = load('ruvector-persistence')
    const db = await Native.open({ path: 'store', dimension: 1 })
    process.disconnect(); ended = true
    db.durable.insertBatch(Array.from({ length: 20000 }, (_, row) => ({ id: String(row), vector: [row] }))).then((ids) => console.log('acknowledged', ids.length))
  `.replace('process.disconnect(); ended = true', ''), dir)
  t.is(stdout.trim(), 'acknowledged 20000')
  t.is((await openDb(t, { path: join(dir, 'store') })).len(), 20_000)
})

for (const syncMode of ['fsync', 'periodic', 'async'] as const) {
  test.serial(`killed again and again with kill -9, mode ${syncMode}: every acknowledged write is there, batches whole`, async (t) => {
    const path = join(tempDir(t), 'store')
    const acked = new Map<string, number>()
    for (let cycle = 0; cycle < 12; cycle++) {
      const { child, ended }: Awaited<ReturnType<typeof startChild>> = await startChild(`
        const { VectorDB: Native } = load('ruvector-persistence')
        const db = await Native.open({ path: ${JSON.stringify(path)}, dimension: 4, memtableSize: 16384, wal: { syncMode: '${syncMode}', segmentSize: 65536 }, compaction: { threshold: 0.1 } })
        tell(['open', db.recovery.closed])
        for (let number = ${cycle * 100_000} + 1; ; number++) {
          const row = number % 40
          const vector = [number, number, number, number]
          // Two ids of a batch get one number: they must never differ afterwards.
          const writes = [db.durable.insertBatch([{ id: 'a' + row, vector }, { id: 'b' + row, vector }])]
          if (number % 9 === 0) writes.push(db.durable.insert({ id: 'c' + row, vector }))
          if (number % 50 === 0) void db.optimize().catch(() => {})
          if (number % 31 === 0) void db.checkpoint().catch(() => {})
          await Promise.all(writes)
          process.send(['acked', row, number, number % 9 === 0])
        }
      `, tempDir(t), ([what, row, number, alone]) => {
        // Killed at a moment of its own: while it writes, checkpoints or compacts.
        if (what === 'open' && cycle % 4 < 3) setTimeout(() => child.kill('SIGKILL'), ((cycle * 7919) % 13) * 25)
        if (what !== 'acked') return
        acked.set(`a${row}`, number).set(`b${row}`, number)
        if (alone) acked.set(`c${row}`, number)
      })
      // Or, now and then, while it starts and opens.
      if (cycle % 4 === 3) setTimeout(() => child.kill('SIGKILL'), 100 + cycle * 20)
      const { signal, stderr } = await ended
      t.is(signal, 'SIGKILL', stderr)
      if (!existsSync(join(path, 'STORE'))) continue
      const db = await VectorDB.open({ path })
      for (const [id, number] of acked) {
        const found = db.get(id)?.vector[0] ?? -1
        t.true(found >= number, `cycle ${cycle}: ${id} was acknowledged with ${number}, found ${found}`)
      }
      for (let row = 0; row < 40; row++) t.deepEqual(db.get(`a${row}`)?.vector, db.get(`b${row}`)?.vector, `cycle ${cycle}, row ${row}`)
      t.is([...db].length, db.len())
      await db.close()
    }
    t.true(acked.size > 40, `${acked.size} acknowledged`)
  })
}

test('A21, A49: without a close the log is replayed, and the recovery report says so', async (t) => {
  const path = join(tempDir(t), 'store')
  await runChild(`
    const { VectorDB: Native } = load('ruvector-persistence')
    const db = await Native.open({ path: ${JSON.stringify(path)}, dimension: 8 })
    for (let row = 0; row < 100; row++) await db.durable.insert({ id: 'doc-' + row, vector: vectorOf('doc-' + row) })
    tell((await db.walStatus()).unreplayedSegments)
    await new Promise(setImmediate)
    process.kill(process.pid, 'SIGKILL')
  `, tempDir(t)).catch((error) => t.regex(String(error), /SIGKILL/))
  const db = await openDb(t, { path })
  t.like(db.recovery, { closed: false, records: 100, entries: 100, truncatedBytes: 0 })
  t.deepEqual(db.get('doc-7')!.vector, vectorOf('doc-7'))
  t.is((await db.walStatus()).unreplayedSegments > 0, true)
  await db.checkpoint()
  t.is((await db.walStatus()).unreplayedSegments, 0)
})

test('A22: the log in a folder of its own', async (t) => {
  const path = tempDir(t)
  const wal = join(tempDir(t), 'wal')
  const db = await openDb(t, { path, dimension: 1, wal: { path: wal } })
  await db.durable.insert({ id: 'a', vector: [1] })
  const folder = (await db.walStatus()).path!
  t.is(dirname(folder), wal)
  t.true(readdirSync(folder).length > 0)
  t.false(existsSync(join(path, 'collections', 'default', 'wal')) && readdirSync(join(path, 'collections', 'default', 'wal')).length > 0)
  await db.close()
  t.is((await openDb(t, { path, wal: { path: wal } })).len(), 1)
})
