// Engine 'lsm' as its users meet it: its options, the change of engine while writes go on, readers, kills, damage, full disks.
//
// What every engine must do is asked of it by 73 as well. A failure means that rows in sorted runs are lost, wrong or
// not found, or that an option is taken and does nothing.
import test from 'ava'
import { cpSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PersistenceError, VectorDB } from 'ruvector-persistence'
import { runChild, startChild } from './helpers/child'
import { linux, mounts, smallDisk, testWith } from './helpers/faults'
import { rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { contentOfDb, openDb, openStore, thrown } from './helpers/vector-db'
import { contentOf, entriesOf } from './helpers/vectors'

const folder = (path: string, name: string): string => join(path, 'collections', 'default', name)

/** The files below a folder, with their paths. */
function filesIn(path: string): string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true }).filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name)).sort()
}

test('A84: embedded is another name of lsm, and rocksdb is refused by a sentence that points to it', async (t) => {
  const path = tempDir(t)
  const db = await openDb(t, { path, engine: 'embedded' })
  t.is(db.stats().engine, 'lsm')
  await db.close()
  t.is((await openDb(t, { path })).stats().engine, 'lsm')
  for (const engine of ['rocksdb', 'leveldb', 'lmdb', 'sled'] as any[]) {
    t.like(thrown(() => new VectorDB({ path, engine })), { code: 'ERR_UNSUPPORTED', message: `Engine '${engine}' is not supported: use 'lsm', an embedded log-structured merge tree` })
  }
  t.like(thrown(() => new VectorDB({ engine: 'lsm' })), { code: 'ERR_OPTION' })
})

test('C106 to C113: the knobs of RocksDB that there are do what they say and survive reopening', async (t) => {
  const path = tempDir(t)
  const lsm = { writeBufferSize: '64KB', targetFileSizeBase: 256 * 1024 * 1024, blockSize: 64 * 1024, blockCache: 4 * 1024 * 1024 * 1024, compression: 'none', bloomFilterBitsPerKey: 10 } as const
  const db = await openDb(t, { path, dimension: 8, engine: 'lsm', lsm })
  const manifest = (): any => JSON.parse(readFileSync(folder(path, 'MANIFEST')).subarray(64, -4).toString('utf8'))
  t.is(manifest().settings.memtableSize, 65_536)
  t.deepEqual(manifest().settings.lsm, { blockCache: 2 ** 32, blockSize: 65_536, compression: 'none', bloomFilterBitsPerKey: 10, targetFileSize: 2 ** 28 })
  // The bound of the write buffer is honoured: a checkpoint comes by itself.
  const entries = entriesOf(3000)
  for (const entry of entries) db.insert(entry)
  while ((await db.statistics()).segments === 0) await db.durable.insert(entries[0]!)
  await db.checkpoint()
  const plain = (await db.statistics()).segmentBytes
  await db.configure({ lsm: { compression: 'lz4' } })
  t.like(manifest().settings.lsm, { compression: 'lz4', blockSize: 65_536 }, 'what is not named stays')
  db.insertBatch(entries)
  await db.compact({ aggressive: true })
  t.true((await db.statistics()).segmentBytes < plain * 0.8)
  t.deepEqual(contentOfDb(db), contentOf(entries))
  await db.close()
  t.deepEqual(contentOfDb(await openDb(t, { path })), contentOf(entries))
})

test('C107, C109, C112: knobs that there are not, and values that mean nothing, are refused by name', async (t) => {
  const path = tempDir(t)
  const refused = (lsm: any): Error & { code?: string } => thrown(() => new VectorDB({ path, engine: 'lsm', lsm }))
  for (const [name, value] of Object.entries({ maxWriteBufferNumber: 4, maxBytesForLevelBase: 2.5 * 1024 ** 3, compressionLevel: 3, compression: 'zstd', numLevels: 7 })) {
    const error = refused({ [name]: value })
    t.true(error instanceof PersistenceError && error.code === 'ERR_UNSUPPORTED' && error.message.includes(name), `${error}`)
  }
  for (const lsm of [{ strange: 1 }, { blockSize: 1 }, { blockSize: NaN }, { blockSize: '64 bananas' }, { blockCache: -1 }, { bloomFilterBitsPerKey: 65 }, { writeBufferSize: 1 }, { compression: 5 }]) {
    const error = refused(lsm)
    t.true(error instanceof RangeError && error.code === 'ERR_OPTION', `${JSON.stringify(lsm)}: ${error}`)
  }
  for (const lsm of [5, [], null, { blockSize: true }, { blockSize: {} }, { blockSize: 10n }]) t.true(refused(lsm) instanceof TypeError, String(lsm))
  t.is(thrown(() => new VectorDB({ path, engine: 'lsm', memtableSize: 4096, lsm: { writeBufferSize: 8192 } })).code, 'ERR_OPTION')
  // What the engine of the collection would ignore.
  t.is((await rejection(VectorDB.open({ path, lsm: { blockSize: 4096 } }))).code, 'ERR_UNSUPPORTED')
  const db = await openDb(t, { path: join(path, 'lsm'), engine: 'lsm' })
  for (const call of [db.mmapEnable(), db.configure({ mmap: true }), db.configure({ hotTierSize: 1 })]) t.is((await rejection(call)).code, 'ERR_UNSUPPORTED')
  t.like(await db.mmapStats(), { enabled: false, mappedSize: 0 })
})

test('A80, A81: the engine of a database in use changes back and forth while writes go on, and nothing is lost', async (t) => {
  const path = tempDir(t)
  const db = await openDb(t, { path, dimension: 8, memtableSize: 64 << 10 })
  const expected = new Map(entriesOf(2000).map((entry) => [entry.id, entry]))
  db.insertBatch([...expected.values()])
  let running = true
  let wrote = 0
  const writing = (async () => {
    while (running) {
      const fresh = entriesOf(20, 8, `late-${wrote++}`)
      await db.durable.insertBatch(fresh)
      for (const entry of fresh) expected.set(entry.id, entry)
      const gone = `doc-${wrote}`
      if (await db.durable.delete(gone)) expected.delete(gone)
      t.is((await db.search({ vector: fresh[3]!.vector, k: 1 }))[0]!.id, fresh[3]!.id)
    }
  })()
  for (const engine of ['lsm', 'hybrid', 'embedded', 'mmap', 'lsm'] as const) {
    const before = wrote
    await db.configure({ engine })
    t.is(db.stats().engine, engine === 'embedded' ? 'lsm' : engine)
    while (wrote === before) await new Promise(setImmediate)
  }
  running = false
  await writing
  t.true(wrote > 5 && expected.size > 2000)
  t.deepEqual(contentOfDb(db), contentOf(expected.values()))
  await db.close()
  t.deepEqual(filesIn(folder(path, 'segments')).filter((file) => file.endsWith('.seg')), [], 'files of the engine before are gone')
  const again = await openDb(t, { path })
  t.is(again.stats().engine, 'lsm')
  t.deepEqual(again.recovery.ignored, [])
  t.deepEqual(contentOfDb(again), contentOf(expected.values()))
})

test('A81: a change of engine that fails in the middle leaves the old engine usable', async (t) => {
  const path = tempDir(t)
  const db = await openDb(t, { path, dimension: 8 })
  const entries = entriesOf(300)
  db.insertBatch(entries)
  writeFileSync(folder(path, 'lsm'), 'a file in the place of the folder')
  const error = await rejection(db.configure({ engine: 'lsm' }))
  t.true(error instanceof PersistenceError, `${error}`)
  t.is(db.stats().engine, 'mmap')
  await db.durable.insert({ id: 'later', vector: new Float32Array(8) })
  await db.checkpoint()
  t.is(db.len(), 301)
  rmSync(folder(path, 'lsm'))
  await db.configure({ engine: 'lsm' })
  db.delete('later')
  t.deepEqual(contentOfDb(db), contentOf(entries))
})

test('in a VectorStore, with archives and searches the same as of another engine', async (t) => {
  const store = await openStore(t, tempDir(t))
  const entries = entriesOf(1500, 32)
  const [plain, lsm] = await Promise.all((['mmap', 'lsm'] as const).map((engine) => store.createCollection(engine, { dimension: 32, engine })))
  t.deepEqual([plain!.stats().engine, lsm!.stats().engine], ['mmap', 'lsm'])
  for (const db of [plain!, lsm!]) {
    db.insertBatch(entries)
    await db.checkpoint()
    for (let row = 0; row < 1500; row += 3) db.delete(`doc-${row}`)
    db.insertBatch(entries.slice(0, 30).map((entry, row) => ({ ...entry, metadata: { row } })))
    await db.checkpoint()
    t.is(db.updateMetadata('doc-7', { changed: true }), true)
  }
  t.deepEqual(contentOfDb(lsm!), contentOfDb(plain!))
  for (const [filter, row] of [[undefined, 5], [{ tags: 't1' }, 8], [{ row: { $lt: 900 } }, 100]] as const) {
    const query = { vector: entries[row]!.vector, k: 20, includeMetadata: true, includeVectors: true, ...(filter ? { filter } : {}) }
    t.deepEqual(await lsm!.search(query as any), await plain!.search(query as any))
  }
  t.deepEqual(lsm!.getMany(['doc-1', 'nobody', 'doc-3']), plain!.getMany(['doc-1', 'nobody', 'doc-3']))
  const file = join(tempDir(t), 'saved.bin')
  await lsm!.save(file)
  lsm!.clear()
  await lsm!.load(file)
  t.deepEqual(contentOfDb(lsm!), contentOfDb(plain!))
})

test('another process reads while the writer works, without a lock, and sees only what was', async (t) => {
  const path = tempDir(t)
  const db = await openDb(t, { path, dimension: 4, engine: 'lsm', memtableSize: 32 << 10, compaction: { threshold: 0.1 } })
  const batch = (number: number): void => void db.insertBatch(Array.from({ length: 50 }, (_, row) => ({ id: `${row}`, vector: [number, 0, 0, 0], metadata: { text: 'x'.repeat(100) } })))
  batch(0)
  await db.checkpoint()
  const { ended } = await startChild(`
    const { VectorDB: Native } = load('ruvector-persistence')
    const db = await Native.open({ path: ${JSON.stringify(path)}, readOnly: true })
    tell(db.stats().engine)
    let last = -1
    for (let round = 0; round < 40; round++) {
      const numbers = new Set([...db].map(({ vector }) => vector[0]))
      if (numbers.size !== 1 || db.len() !== 50) throw new Error('mixed: ' + [...numbers])
      const [number] = numbers
      if (number < last) throw new Error('it went back')
      last = number
      if (db.get('7').vector[0] !== number) throw new Error('get and scan differ')
      await db.refresh()
    }
    tell(last)
  `, tempDir(t))
  let running = true
  const reading = ended.finally(() => (running = false))
  for (let number = 1; running; number++) {
    batch(number)
    await db.flush()
    if (number % 20 === 0) await db.checkpoint()
  }
  const { code, told, stderr } = await reading
  t.is(code, 0, stderr)
  t.is(told[0], 'lsm')
  t.true(told[1] > 0)
})

test('killed with kill -9 in the middle of checkpoints and changes of engine: what was acknowledged is there, and nothing is left lying', async (t) => {
  const path = join(tempDir(t), 'store')
  const acked = new Map<string, number>()
  const engines = new Set<string>()
  for (let cycle = 0; cycle < 8; cycle++) {
    const { child, ended }: Awaited<ReturnType<typeof startChild>> = await startChild(`
      const { VectorDB: Native } = load('ruvector-persistence')
      const db = await Native.open({ path: ${JSON.stringify(path)}, dimension: 4, engine: 'lsm', memtableSize: 16384, wal: { segmentSize: 65536, retention: 0 }, compaction: { threshold: 0.1 } })
      tell(['open'])
      for (let number = ${cycle * 100_000} + 1; ; number++) {
        const row = number % 60, vector = [number, number, number, number]
        if (number % 13 === 0) void db.checkpoint().catch(() => {})
        if (number % 90 === 0) void db.configure({ engine: number % 180 ? 'mmap' : 'lsm' }).catch(() => {})
        await db.durable.insertBatch([{ id: 'a' + row, vector, metadata: { text: 'y'.repeat(200) } }, { id: 'b' + row, vector }])
        process.send(['acked', row, number])
      }
    `, tempDir(t), ([what, row, number]) => {
      if (what === 'open') setTimeout(() => child.kill('SIGKILL'), 150 + ((cycle * 7919) % 13) * 25)
      else acked.set(`a${row}`, number).set(`b${row}`, number)
    })
    const { signal, stderr } = await ended
    t.is(signal, 'SIGKILL', stderr)
    const db = await openDb(t, { path })
    for (const [id, number] of acked) t.true((db.get(id)?.vector[0] ?? -1) >= number, `cycle ${cycle}: ${id} was acknowledged with ${number}`)
    for (let row = 0; row < 60; row++) t.deepEqual(db.get(`a${row}`)?.vector, db.get(`b${row}`)?.vector, `cycle ${cycle}, row ${row}`)
    t.is([...db].length, db.len())
    t.deepEqual(db.recovery.ignored, [])
    const { segments, engine } = await db.statistics()
    engines.add(engine)
    const kept = filesIn(path).filter((file) => /\.seg$|SEAL$/.test(file))
    t.is(kept.length, segments, kept.join('\n'))
    await db.close()
  }
  t.true(acked.size > 60 && engines.has('lsm'), `${acked.size} acknowledged`)
})

test('a flipped bit, a cut or a lost file of a run is an error that names it or changes nothing; it is never wrong data', async (t) => {
  const path = join(tempDir(t), 'store')
  const db = await openDb(t, { path, dimension: 16, engine: 'lsm', lsm: { blockSize: 1024 } })
  const entries = entriesOf(150, 16)
  db.insertBatch(entries)
  await db.close()
  const reopened = await openDb(t, { path })
  await reopened.checkpoint()
  await reopened.close()
  const expected = contentOf(entries)
  let noticed = 0
  let tried = 0
  const check = async (what: string, harm: (file: string, bytes: Buffer) => void, name: string): Promise<void> => {
    const copy = join(tempDir(t), 'copy')
    cpSync(path, copy, { recursive: true })
    const file = join(copy, name)
    harm(file, readFileSync(file))
    tried++
    let harmed: VectorDB | null = null
    try {
      harmed = await VectorDB.open({ path: copy, readOnly: true })
      const found = contentOfDb(harmed)
      for (const { id } of entries) harmed.get(id)
      t.deepEqual(found, expected, what)
    } catch (error: any) {
      noticed++
      t.true(['ERR_CORRUPT', 'ERR_VERSION', 'ERR_IO', 'ERR_PATH'].includes(error.code), `${what}: ${error.code} ${error.message}`)
      t.true(error.path?.startsWith(join(copy, 'collections')), `${what}: ${error.path}`)
    } finally {
      await harmed?.close()
    }
  }
  const names = filesIn(folder(path, 'lsm')).map((file) => file.slice(path.length + 1))
  t.true(names.some((name) => name.endsWith('SEAL')) && names.length >= 4, names.join())
  for (const name of names) {
    const { length } = readFileSync(join(path, name))
    for (let turn = 0; turn < 25; turn++) {
      const at = Math.floor((turn * length) / 25)
      await check(`bit ${turn % 8} of byte ${at} of ${name}`, (file, bytes) => {
        bytes[at]! ^= 1 << (turn % 8)
        writeFileSync(file, bytes)
      }, name)
    }
    await check(`${name} cut`, (file, bytes) => writeFileSync(file, bytes.subarray(0, length >> 1)), name)
    await check(`${name} lost`, (file) => rmSync(file), name)
  }
  t.true(noticed > tried * 0.9, `${noticed} of ${tried}`)
})

testWith(mounts, 'a full disk refuses checkpoints and changes of engine cleanly, and they go on when there is room', async (t) => {
  const path = join(smallDisk(t, tempDir(t), '24m'), 'store')
  const db = await openDb(t, { path, dimension: 512, engine: 'lsm', wal: { preallocate: 0, retention: 0 } })
  const entries = entriesOf(3000, 512)
  for (let row = 0; row < entries.length; row += 500) await db.durable.insertBatch(entries.slice(row, row + 500))
  const ballast = join(path, '..', 'ballast')
  const { bavail, bsize } = statfsSync(path)
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - (1 << 20))))
  for (const call of [() => db.checkpoint(), () => db.configure({ engine: 'mmap' })]) t.is((await rejection(call())).code, 'ENOSPC')
  t.is(db.stats().engine, 'lsm')
  t.deepEqual(contentOfDb(db), contentOf(entries))
  t.deepEqual(filesIn(folder(path, 'lsm')), [], 'what was begun is removed')
  rmSync(ballast)
  await db.checkpoint()
  t.deepEqual(contentOfDb(db), contentOf(entries))
  await db.close()
  t.deepEqual(contentOfDb(await openDb(t, { path })), contentOf(entries))
})

testWith(linux, 'opening costs the same reads for many rows as for few', async (t) => {
  const script = (path: string): string => `
    const { VectorDB: Native } = load('ruvector-persistence')
    const read = () => Number(/rchar: (\\d+)/.exec(fs.readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0)
    const before = read()
    const db = await Native.open({ path: ${JSON.stringify(path)} })
    tell([db.len(), read() - before])
    await db.close()
  `
  const found: number[][] = []
  for (const rows of [200, 20_000]) {
    const path = tempDir(t)
    const db = await openDb(t, { path, dimension: 32, engine: 'lsm' })
    t.is(db.stats().engine, 'lsm')
    db.insertBatch(entriesOf(rows, 32))
    await db.checkpoint()
    await db.close()
    found.push((await runChild(script(path), tempDir(t))).told[0])
  }
  t.deepEqual(found.map(([rows]) => rows), [200, 20_000])
  t.true(found[1]![1]! < found[0]![1]! + 64 * 1024, `${JSON.stringify(found)} bytes`)
})
