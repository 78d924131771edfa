// The native VectorDB through its documented interface: what a call does, what a reopening brings back, what is refused.
//
// Everything is done with real files and, where nothing depends on the disk, with a database in memory too. A failure means
// that the documented interface is not what the package does. Rows are those of the table of bad inputs (RELIABILITY 3.8).
import test from 'ava'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, PersistenceError, VectorDB, type VectorDBOptions } from 'ruvector-persistence'
import { runChild } from './helpers/child'
import { attach, rejection, until } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { contentOfDb, distances, openDb, thrown } from './helpers/vector-db'
import { bitsOf, contentOf, entriesOf, fromBits, vectorOf } from './helpers/vectors'

/** The same test in memory and on disk, there in mapped files and in the runs of engine lsm (A84). */
function both(title: string, run: (t: any, options: VectorDBOptions) => Promise<void>): void {
  test(`${title} (in memory)`, (t) => run(t, {}))
  test(`${title} (on disk)`, (t) => run(t, { path: tempDir(t) }))
  test(`${title} (engine lsm)`, (t) => run(t, { path: tempDir(t), engine: 'lsm', lsm: { writeBufferSize: '64KB' } }))
}

both('the documented interface: insert, get, delete, updateMetadata, clear, stats, len, isEmpty', async (t, options) => {
  const db = await openDb(t, { dimension: 4, metric: 'euclidean', ...options })
  t.true(db.isEmpty())
  t.is(db.insert({ id: 'a', vector: [1, 2, 3, 4], metadata: { n: 1 } }), 'a')
  t.deepEqual(db.insertBatch([{ id: 'b', vector: Float32Array.of(5, 6, 7, 8) }, { id: 'c', vector: [0, 0, 0, 0], metadata: null }]), ['b', 'c'])
  t.deepEqual(db.get('a'), { id: 'a', vector: Float32Array.of(1, 2, 3, 4), metadata: { n: 1 } })
  t.deepEqual(db.get('b'), { id: 'b', vector: Float32Array.of(5, 6, 7, 8) })
  t.is(db.get('x'), null)
  t.true(db.has('a') && !db.has('x'))
  t.deepEqual(db.getMany(['b', 'x', 'a']), { vectors: Float32Array.of(5, 6, 7, 8, 0, 0, 0, 0, 1, 2, 3, 4), missing: [1] })
  t.true(db.updateMetadata('a', { m: 2 }))
  t.deepEqual(db.get('a')!.metadata, { m: 2 })
  t.true(db.updateMetadata('a', null))
  t.false('metadata' in db.get('a')!)
  t.false(db.updateMetadata('x', {}))
  t.true(db.delete('b'))
  t.false(db.delete('b'))
  const { memoryUsage, ...stats } = db.stats()
  t.true(memoryUsage > 0)
  t.deepEqual(stats, { count: 2, dimension: 4, metric: 'euclidean', indexType: 'flat', engine: options.engine ?? (options.path ? 'mmap' : 'memory'), readOnly: false })
  await db.buildIndex()
  db.clear()
  t.is(db.len(), 0)
  t.is(db.stats().dimension, 4, 'the dimension stays')
  t.is(thrown(() => db.insert({ vector: [1] })).code, 'ERR_DIMENSION')
})

both('an insert replaces the entry with its id whole, and without an id there is a UUID of version 7', async (t, options) => {
  const db = await openDb(t, { dimension: 1, ...options })
  db.insert({ id: 'a', vector: [1], metadata: { old: true } })
  db.insert({ id: 'a', vector: [2] })
  t.deepEqual(db.get('a'), { id: 'a', vector: Float32Array.of(2) })
  const before = Date.now()
  const ids = [db.insert({ vector: [1] }), ...db.insertBatch([{ vector: [1] }, { id: undefined, vector: [2] }]), await db.durable.insert({ vector: [3] })]
  t.is(new Set(ids).size, 4)
  for (const id of ids) {
    t.regex(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const time = parseInt(id.replace('-', '').slice(0, 12), 16)
    t.true(time >= before && time <= Date.now())
  }
})

both('C5, C7: vectors come back bit for bit, metadata character for character, ids of any kind', async (t, options) => {
  const db = await openDb(t, { dimension: 8, ...options })
  const bits = fromBits(0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff, 0x7f800000, 0xff800000, 0x80000000, 1)
  const metadata = JSON.parse('{"z":1,"a":{"__proto__":{"x":1},"é\\u2028":-0},"list":[[],{},null,1e-7,9007199254740991],"":""}')
  const ids = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '雪', '🙂', ' ', 'x'.repeat(1024), 'a/b\\c', '\u0001']
  db.insertBatch(ids.map((id) => ({ id, vector: bits, metadata })))
  const check = (found: VectorDB): void => {
    t.is(found.len(), ids.length)
    for (const id of ids) {
      const entry = found.get(id)!
      t.is(bitsOf(entry.vector), bitsOf(bits), id)
      t.is(JSON.stringify(entry.metadata), JSON.stringify(metadata))
      t.true(Object.is((entry.metadata as any).a['é\u2028'], -0))
      t.true(Object.hasOwn((entry.metadata as any).a, '__proto__'))
    }
  }
  check(db)
  t.is(({} as any).x, undefined)
  if (options.path === undefined) return
  await db.checkpoint()
  check(db)
  await db.close()
  check(await openDb(t, { path: options.path }))
})

test('A82, B49: in memory no file is written, and everything works from the start', async (t) => {
  const dir = tempDir(t)
  const told = (await runChild(`
    const { VectorDB: Native } = load('ruvector-persistence')
    const db = new Native({ dimension: 2, engine: 'memory' })
    db.insert({ id: 'a', vector: [1, 2] })
    await db.flush(); await db.checkpoint(); await db.optimize()
    tell([db.path, db.len(), (await db.statistics()).diskUsage, (await db.walStatus()).enabled])
    await db.close()
  `, dir)).told
  t.deepEqual(told, [[null, 1, 0, false]])
  t.deepEqual(readdirSync(dir), [])
})

test('A83, B50, A20: what was written on disk is there after reopening, with dimension, metric and options', async (t) => {
  const path = join(tempDir(t), 'made', 'with', 'parents')
  const entries = entriesOf(500)
  const db = await openDb(t, { path, metric: 'dot', wal: { syncMode: 'periodic', fsyncInterval: 50, compression: true }, mmap: { advice: 'sequential' }, memtableSize: 1 << 20 })
  t.is(db.path, path)
  db.insertBatch(entries)
  t.is(db.stats().engine, 'mmap')
  await db.close()
  const again = await openDb(t, { path })
  t.deepEqual(contentOfDb(again), contentOf(entries))
  t.like(again.stats(), { count: 500, dimension: 8, metric: 'dot' })
  t.like(await again.walStatus(), { syncMode: 'periodic', fsyncInterval: 50, compression: true, enabled: true })
  t.is((await again.mmapStats()).advice, 'sequential')
  t.true(again.recovery.closed)
})

test('an option that contradicts the collection is refused, one that is given anew changes it', async (t) => {
  const path = tempDir(t)
  await (await openDb(t, { path, dimension: 3, metric: 'cosine', wal: { retention: 1000 } })).close()
  t.like(await rejection(VectorDB.open({ path, dimension: 4 })), { code: 'ERR_DIMENSION' })
  t.like(await rejection(VectorDB.open({ path, metric: 'dot' })), { code: 'ERR_METRIC' })
  t.like(await rejection(VectorDB.open({ path, wal: { path: join(path, 'elsewhere') } })), { code: 'ERR_UNSUPPORTED' })
  const db = await openDb(t, { path, dimensions: 3, distanceMetric: 'cosine', wal: { syncMode: 'async' } })
  t.like(await db.walStatus(), { syncMode: 'async', retention: 1000 })
  await db.configure({ wal: { fsyncInterval: 10 }, compaction: { minFragmentation: '40%', interval: 1000 } })
  t.like(await db.walStatus(), { syncMode: 'periodic', fsyncInterval: 10, retention: 1000 })
})

test('a synchronous call before the database is open is told what to do; asynchronous ones wait', async (t) => {
  const db = new VectorDB({ path: tempDir(t), dimension: 2 })
  t.teardown(() => db.close())
  const error = thrown(() => db.len())
  t.is(error.code, 'ERR_NOT_READY')
  t.regex(error.message, /ready\(\)/)
  const vector = Float32Array.of(1, 2)
  const waiting = [db.durable.insert({ id: 'a', vector }), db.search({ vector: [1, 2] }), db.flush(), db.statistics()] as const
  vector.fill(9)
  t.is(await waiting[0], 'a')
  await Promise.all(waiting)
  t.deepEqual(db.get('a')!.vector, Float32Array.of(1, 2), 'the entry is that of the time of the call')
})

test('what cannot be opened says so in every call, and close resolves', async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'mine.txt'), 'mine')
  const db = new VectorDB({ path: dir })
  t.is((await rejection(db.ready())).code, 'ERR_NOT_A_DATABASE')
  t.is((await rejection(db.search({ vector: [1] }))).code, 'ERR_NOT_A_DATABASE')
  t.is(thrown(() => db.len()).code, 'ERR_NOT_A_DATABASE')
  await db.close()
  t.deepEqual(readdirSync(dir), ['mine.txt'])
  const file = new VectorDB({ path: join(dir, 'mine.txt') })
  t.is((await rejection(file.ready())).code, 'ERR_PATH')
  t.is((await rejection(VectorDB.open({ path: join(dir, 'none'), readOnly: true }))).code, 'ERR_NOT_A_DATABASE')
})

for (const metric of ['cosine', 'euclidean', 'dot', 'manhattan'] as const) {
  test(`search finds what the plain way finds: ${metric}, in files, memory, after removals, with filter and threshold`, async (t) => {
    const db = await openDb(t, { path: tempDir(t), dimension: 16, metric })
    const entries = entriesOf(3000, 16)
    db.insertBatch(entries.slice(0, 1500))
    await db.checkpoint()
    db.insertBatch(entries.slice(1500))
    entries.filter((_, row) => row % 7 === 0).forEach(({ id }) => db.delete(id))
    const live = entries.filter((_, row) => row % 7 !== 0)
    const query = vectorOf('query', 16)
    const ranked = live.map((entry) => ({ ...entry, score: distances[metric]!(query, entry.vector) })).sort((a, b) => a.score - b.score)
    const check = (found: any[], due: typeof ranked): void => {
      t.deepEqual(found.map(({ id }) => id), due.map(({ id }) => id))
      found.forEach((hit, row) => t.true(Math.abs(hit.score - due[row]!.score) < 1e-5))
    }
    check(await db.search({ vector: query, k: 25 }), ranked.slice(0, 25))
    check(await db.search({ vector: [...query] }), ranked.slice(0, 10))
    check(await db.search({ vector: query, k: 1_000_000 }), ranked)
    const odd = ranked.filter(({ metadata }) => (metadata as any).row % 2 === 1 && (metadata as any).row > 100)
    check(await db.search({ vector: query, k: 25, filter: { $and: [{ row: { $gt: 100 } }, { row: { $in: odd.map(({ metadata }) => (metadata as any).row) } }] } }), odd.slice(0, 25))
    const similarity = (score: number): number => (metric === 'cosine' ? 1 - score : metric === 'dot' ? -score : 1 / (1 + score))
    const threshold = (similarity(ranked[12]!.score) + similarity(ranked[13]!.score)) / 2
    check(await db.search({ vector: query, k: 100, threshold }), ranked.slice(0, 13))
    const [first] = await db.search({ vector: query, k: 1, includeVectors: true })
    t.is(bitsOf(first!.vector!), bitsOf(ranked[0]!.vector))
    t.deepEqual(first!.metadata, ranked[0]!.metadata)
    t.deepEqual(Object.keys((await db.search({ vector: query, k: 1, includeMetadata: false }))[0]!), ['id', 'score'])
  })
}

test('a search of many rows on all cores finds what the plain way finds', async (t) => {
  const db = await openDb(t, { dimension: 128, metric: 'euclidean' })
  const at = (row: number): Float32Array => Float32Array.from({ length: 128 }, (_, place) => Math.fround(Math.sin(row * 12.9898 + place * 78.233) * 43758.5453 % 1))
  for (let first = 0; first < 24_000; first += 1000) db.insertBatch(Array.from({ length: 1000 }, (_, row) => ({ id: `${first + row}`, vector: at(first + row) })))
  const query = at(1e6)
  const ranked = Array.from({ length: 24_000 }, (_, row) => ({ id: `${row}`, score: distances.euclidean!(query, at(row)) })).sort((a, b) => a.score - b.score)
  t.deepEqual((await db.search({ vector: query, k: 50 })).map(({ id }) => id), ranked.slice(0, 50).map(({ id }) => id))
})

test('bad searches are refused by name', async (t) => {
  const db = await openDb(t, { dimension: 2 })
  db.insert({ id: 'a', vector: [1, 2] })
  const refused = async (query: any): Promise<string> => (await rejection(db.search(query))).code!
  t.is(await refused({ vector: [1] }), 'ERR_DIMENSION')
  t.is(await refused({ vector: [] }), 'ERR_DIMENSION')
  t.is(await refused({ vector: ['1', 2] }), 'ERR_VECTOR_TYPE')
  t.is(await refused({ vector: new Float64Array(2) }), 'ERR_VECTOR_TYPE')
  t.is(await refused({}), 'ERR_VECTOR_TYPE')
  t.is(await refused({ vector: [1, 2], k: 0 }), 'ERR_OPTION')
  t.is(await refused({ vector: [1, 2], k: 1.5 }), 'ERR_OPTION')
  t.is(await refused({ vector: [1, 2], k: '5' }), 'ERR_OPTION')
  t.is(await refused({ vector: [1, 2], threshold: NaN }), 'ERR_OPTION')
  t.is(await refused({ vector: [1, 2], treshold: 1 }), 'ERR_OPTION')
  t.is(await refused({ vector: [1, 2], efSearch: 100 }), 'ERR_UNSUPPORTED')
  t.is(await refused({ vector: [1, 2], filter: { $near: 1 } }), 'ERR_METADATA')
  t.is(await refused({ vector: [1, 2], filter: 'x' }), 'ERR_METADATA')
  t.is(await refused(null), 'ERR_OPTION')
  t.deepEqual((await db.search({ vector: [NaN, 1] })).map(({ id, score }) => [id, score]), [['a', Infinity]], 'no number is no distance')
  t.deepEqual(await (await openDb(t, { dimension: 2 })).search({ vector: [1, 2] }), [])
})

both('iteration is of the moment it began, whatever is written meanwhile', async (t, options) => {
  const db = await openDb(t, { dimension: 8, ...options })
  const entries = entriesOf(2500)
  db.insertBatch(entries.slice(0, 1200))
  if (options.path) await db.checkpoint()
  db.insertBatch(entries.slice(1200))
  const views = [db.entries(), db[Symbol.iterator](), db.entries(), db.entries()] as const
  const ids = db.keys()
  const later = db[Symbol.asyncIterator]()
  t.is(views[0].next().value.id, entries[0]!.id)
  entries.forEach(({ id }, row) => row % 2 === 0 && db.delete(id))
  db.insert({ id: 'new', vector: vectorOf('new') })
  db.updateMetadata(entries[1]!.id, { changed: true })
  if (options.path) await db.optimize()
  t.deepEqual(contentOf(views[1]), contentOf(entries))
  t.deepEqual([...ids], entries.map(({ id }) => id))
  const found = []
  for await (const entry of later) found.push(entry)
  t.deepEqual(contentOf(found), contentOf(entries))
  t.is([...views[0]].length, entries.length - 1)
  db.clear()
  t.is([...views[2]].length, entries.length)
  for (const entry of views[3]) if (entry.id === entries[3]!.id) break
  t.deepEqual([...db], [])
  const open = db.entries()
  const openLater = db[Symbol.asyncIterator]()
  await db.close()
  t.is(thrown(() => open.next()).code, 'ERR_CLOSED')
  t.is((await rejection(openLater.next())).code, 'ERR_CLOSED')
})

test('rows 1 to 8, 10: bad vectors and ids are refused, and nothing changes', async (t) => {
  const db = await openDb(t, { path: tempDir(t) })
  db.insert({ id: 'a', vector: [1, 2, 3] })
  const { lsn } = await db.statistics()
  const detached = new Float32Array(3)
  structuredClone(detached.buffer, { transfer: [detached.buffer] })
  const vectors: [unknown, string][] = [
    [[1, 2], 'ERR_DIMENSION'], [[], 'ERR_DIMENSION'], [new Float32Array(0), 'ERR_DIMENSION'], [new Float32Array(65_537), 'ERR_DIMENSION'], [detached, 'ERR_DIMENSION'],
    [[1, , 3], 'ERR_VECTOR_TYPE'], [[1, '2', 3], 'ERR_VECTOR_TYPE'], [[1, 2n, 3], 'ERR_VECTOR_TYPE'], [[1, [2], 3], 'ERR_VECTOR_TYPE'], [[1, 1e39, 3], 'ERR_VECTOR_TYPE'],
    [new Float64Array(3), 'ERR_VECTOR_TYPE'], [new Int8Array(3), 'ERR_VECTOR_TYPE'], [new DataView(new ArrayBuffer(12)), 'ERR_VECTOR_TYPE'], [new ArrayBuffer(12), 'ERR_VECTOR_TYPE'],
    [Buffer.alloc(12), 'ERR_VECTOR_TYPE'], [Object.create(Float32Array.prototype), 'ERR_VECTOR_TYPE'], [new Proxy(new Float32Array(3), {}), 'ERR_VECTOR_TYPE'],
    ['1,2,3', 'ERR_VECTOR_TYPE'], [null, 'ERR_VECTOR_TYPE'], [undefined, 'ERR_VECTOR_TYPE'],
  ]
  for (const [vector, code] of vectors) {
    const entry = { id: 'bad', vector } as any
    t.is(thrown(() => db.insert(entry)).code, code)
    t.is(thrown(() => db.insertBatch([{ id: 'good', vector: [1, 2, 3] }, entry])).code, code)
    t.is((await rejection(db.durable.insert(entry))).code, code)
    t.is((await rejection(db.durable.insertBatch([entry]))).code, code)
  }
  for (const id of ['', 'x'.repeat(1025), 'a\0b', '\ud800', 5, null, Symbol('x'), {}] as any[]) {
    for (const call of [() => db.insert({ id, vector: [1, 2, 3] }), () => db.get(id), () => db.delete(id), () => db.has(id), () => db.updateMetadata(id, {}), () => db.getMany([id])]) {
      t.is(thrown(call).code, 'ERR_ID')
    }
  }
  for (const entry of [null, 5, 'x', undefined] as any[]) t.is(thrown(() => db.insert(entry)).code, 'ERR_OPTION')
  for (const batch of [null, {}, 'x', new Proxy([], {})] as any[]) t.is(thrown(() => db.insertBatch(batch)).code, 'ERR_OPTION')
  t.regex(thrown(() => db.insert({ id: 'b', vector: [1] })).message, /'b' has 1 numbers, collection has 3/)
  t.is((await db.statistics()).lsn, lsn)
  t.is(db.len(), 1)
  db.insert({ id: 'shared', vector: new Float32Array(new SharedArrayBuffer(12)) })
  t.deepEqual(db.get('shared')!.vector, new Float32Array(3))
})

test('rows 13 to 17: metadata that JSON has not are refused by place, and user code that throws or closes harms nothing', async (t) => {
  const db = await openDb(t, { path: tempDir(t), dimension: 1 })
  const circular: any = { a: { b: {} } }
  circular.a.b.c = circular
  for (const [metadata, code, text] of [
    [circular, 'ERR_METADATA', /circular/], [{ a: () => 1 }, 'ERR_METADATA', /\$\.a/], [{ a: [1n] }, 'ERR_METADATA', /\$\.a\[0\]/], [{ a: NaN }, 'ERR_METADATA', /\$\.a/],
    [new Map(), 'ERR_METADATA', /Map/], [[1], 'ERR_METADATA', /object is due/], ['x', 'ERR_METADATA', /object is due/],
    [JSON.parse('{"a":'.repeat(200) + '1' + '}'.repeat(200)), 'ERR_LIMIT', /deeper/], [{ a: 'x'.repeat(17 << 20) }, 'ERR_LIMIT', /limit/],
  ] as [any, string, RegExp][]) {
    const error = thrown(() => db.insert({ id: 'a', vector: [1], metadata }))
    t.is(error.code, code)
    t.regex(error.message, text)
    t.is(thrown(() => db.updateMetadata('a', metadata)).code, code)
  }
  const planted = new Error('planted')
  const throwing = { get a(): never { throw planted } }
  t.is((thrown(() => db.insertBatch([{ id: 'a', vector: [1] }, { id: 'b', vector: [1], metadata: throwing }])) as any).cause, planted)
  t.is(db.len(), 0)
  const nested = { get a() { return db.insert({ id: 'inner', vector: [2] }) } }
  db.insert({ id: 'outer', vector: [1], metadata: nested })
  t.deepEqual(contentOfDb(db).map(([id]) => id), ['inner', 'outer'])
  const closing = { toJSON() { void db.close(); return {} } }
  t.is(thrown(() => db.insert({ id: 'late', vector: [1], metadata: closing })).code, 'ERR_CLOSED')
})

both('rows 18, 19: of a batch with one id twice the last wins; an empty batch is nothing; a batch over the limit is refused', async (t, options) => {
  const db = await openDb(t, { dimension: 1, ...options })
  t.deepEqual(db.insertBatch([{ id: 'a', vector: [1] }, { id: 'b', vector: [2] }, { id: 'a', vector: [3], metadata: { last: true } }]), ['a', 'b', 'a'])
  t.deepEqual(db.get('a'), { id: 'a', vector: Float32Array.of(3), metadata: { last: true } })
  t.is(db.len(), 2)
  t.deepEqual(db.insertBatch([]), [])
  t.deepEqual(await db.durable.insertBatch([]), [])
  t.is(thrown(() => db.insertBatch(new Array(1_000_001).fill({ vector: [1] }))).code, 'ERR_LIMIT')
  t.is(db.len(), 2)
})

test('row 20: options are checked by name and value; what is not supported is refused by name', (t) => {
  const path = tempDir(t)
  const refused = (options: any): { code?: string; message: string } => thrown(() => new VectorDB(options))
  for (const options of [
    { pth: path }, { path: 5 }, { path, dimension: 0 }, { path, dimension: 1.5 }, { path, dimension: '3' }, { path, dimension: 65_537 }, { path, metric: 'hamming' }, { path, metric: 5 },
    { path, engine: 'disk' }, { path, engine: 'memory' }, { engine: 'mmap' }, { hotTierSize: 5 }, { path, memtableSize: 1 }, { path, wal: { segmentsize: 1 } }, { path, wal: { segmentSize: 1 } },
    { path, wal: { syncMode: 'fsync', fsyncInterval: 5 } }, { path, wal: { syncMode: 'periodic', fsyncInterval: 0 } }, { path, wal: 'on' }, { path, mmap: { advice: 'backwards' } },
    { path, compaction: { threshold: 101 } }, { path, compaction: { threshold: '30' } }, { path, dimension: 3, dimensions: 4 }, { path, metric: 'dot', distanceMetric: 'cosine' },
    { path, readOnly: 1 }, { path, readOnly: true, wal: {} }, { wal: {} }, { collection: 'x' }, { readOnly: true }, { path, onError: 5 }, null, 'x', [],
  ]) t.is(refused(options).code, 'ERR_OPTION', JSON.stringify(options))
  t.regex(refused({ path, dimensionn: 3 }).message, /"dimensionn".*Did you mean "dimensions?"\?.*Allowed: /)
  for (const options of [{ path, hnsw: {} }, { path, hnswConfig: {} }, { path, quantization: 'int8' }, { path, engine: 'rocksdb' }, { path, wal: false }, { path, mmap: { readahead: 4096 } }]) {
    t.is(refused(options).code, 'ERR_UNSUPPORTED', JSON.stringify(options))
  }
  for (const bad of ['', 'a\0b']) t.is(refused({ path: bad }).code, 'ERR_PATH')
  t.deepEqual(readdirSync(path), [], 'nothing was made')
})

both('row 24: after close every call throws or rejects with ERR_CLOSED; a second close is the first', async (t, options) => {
  const db = await openDb(t, { dimension: 1, ...options })
  db.insert({ id: 'a', vector: [1] })
  const closing = db.close()
  t.is(db.close(), closing)
  const entry = { id: 'b', vector: [1] }
  const sync: Record<string, () => unknown> = {
    insert: () => db.insert(entry), insertBatch: () => db.insertBatch([entry]), get: () => db.get('a'), getMany: () => db.getMany([]), has: () => db.has('a'), delete: () => db.delete('a'),
    updateMetadata: () => db.updateMetadata('a', {}), clear: () => db.clear(), len: () => db.len(), isEmpty: () => db.isEmpty(), stats: () => db.stats(), entries: () => db.entries(), keys: () => db.keys(),
    iterator: () => [...db], recovery: () => db.recovery, asyncIterator: () => db[Symbol.asyncIterator](),
  }
  const later: Record<string, () => Promise<unknown>> = {
    ready: () => db.ready(), search: () => db.search({ vector: [1] }), flush: () => db.flush(), checkpoint: () => db.checkpoint(), compact: () => db.compact(), optimize: () => db.optimize(),
    buildIndex: () => db.buildIndex(), save: () => db.save('x'), load: () => db.load('x'), setReadOnly: () => db.setReadOnly(true), configure: () => db.configure({}), mmapEnable: () => db.mmapEnable(),
    statistics: () => db.statistics(), walStatus: () => db.walStatus(), mmapStats: () => db.mmapStats(), mmapPrefetch: () => db.mmapPrefetch([]), refresh: () => db.refresh(),
    durable: () => db.durable.insert(entry), batch: () => db.durable.insertBatch([entry]), remove: () => db.durable.delete('a'), update: () => db.durable.updateMetadata('a', {}), empty: () => db.durable.clear(),
  }
  for (const when of ['while it closes', 'afterwards']) {
    for (const [name, call] of Object.entries(sync)) t.is(thrown(call).code, 'ERR_CLOSED', `${name} ${when}`)
    for (const [name, call] of Object.entries(later)) t.is((await rejection(call())).code, 'ERR_CLOSED', `${name} ${when}`)
    await closing
  }
})

test('row 57: a thousand writes that nobody waits for, then close: all settle, in order, and all are there', async (t) => {
  const path = tempDir(t)
  const db = new VectorDB({ path, dimension: 1 })
  const settled: string[] = []
  const writes = Array.from({ length: 500 }, (_, row) => db.durable.insert({ id: `${row}`, vector: [row] }).then((id) => settled.push(id)))
  await db.ready()
  for (let row = 500; row < 1000; row++) writes.push(db.durable.insert({ id: `${row}`, vector: [row] }).then((id) => settled.push(id)))
  for (let row = 0; row < 1000; row++) db.insert({ id: `s${row}`, vector: [row] })
  await db.close()
  await Promise.all(writes)
  t.deepEqual(settled, Array.from({ length: 1000 }, (_, row) => `${row}`))
  t.is((await openDb(t, { path })).len(), 2000)
})

test('close right after writes to a database that is still being opened: they are made first', async (t) => {
  const path = tempDir(t)
  const db = new VectorDB({ path, dimension: 1 })
  const writes = [db.durable.insert({ id: 'a', vector: [1] }), db.durable.insertBatch([{ id: 'b', vector: [2] }])]
  await db.close()
  t.deepEqual(await Promise.all(writes), ['a', ['b']])
  t.is((await openDb(t, { path })).len(), 2)
})

test('Appendix D: buffers that are transferred, resized or changed right after the call', async (t) => {
  const told = (await runChild(`
    const { VectorDB: Native } = load('ruvector-persistence')
    const db = await Native.open({ path: 'store' })
    { let f = new Float32Array(60000).fill(1); const p = db.durable.insert({ id: 'a', vector: f }); structuredClone(f.buffer, { transfer: [f.buffer] }); f = null; for (let i = 0; i < 5; i++) gc(); await p }
    { const b = new ArrayBuffer(240000, { maxByteLength: 480000 }); const f = new Float32Array(b).fill(3); const p = db.durable.insert({ id: 'b', vector: f }); b.resize(0); await p }
    { const f = new Float32Array(60000).fill(1); const p = db.durable.insert({ id: 'c', vector: f }); f.fill(5); await p }
    { const f = new Float32Array(60000).fill(1); const p = db.search({ vector: f, k: 3 }); structuredClone(f.buffer, { transfer: [f.buffer] }); gc(); tell((await p).map(({ id }) => id).sort()) }
    for (const id of ['a', 'b', 'c']) tell([...new Set(db.get(id).vector)])
    await db.close()
  `, tempDir(t))).told
  t.deepEqual(told, [['a', 'b', 'c'], [1], [3], [1]])
})

both('row 16: metadata that write other entries while they are read, and vectors that lie about their length, mix nothing up', async (t, options) => {
  const db = await openDb(t, { dimension: 3, ...options })
  const nested = (id: string, write: () => void) => ({ id, vector: Float32Array.of(1, 2, 3), metadata: { m: { toJSON() { write(); return id } } } })
  db.insert(nested('a', () => db.insert({ id: 'b', vector: Float32Array.of(4, 5, 6) })))
  db.insertBatch([nested('c', () => db.insertBatch([{ id: 'd', vector: Float32Array.of(7, 8, 9) }])), { id: 'e', vector: [10, 11, 12] }])
  await db.durable.insert(nested('f', () => void db.durable.insert({ id: 'g', vector: Float32Array.of(13, 14, 15) })))
  const lying = Object.defineProperty(Float32Array.of(16, 17), 'length', { value: 3 })
  t.is(thrown(() => db.insert({ id: 'h', vector: lying })).code, 'ERR_DIMENSION')
  t.is((await rejection(db.durable.insertBatch([{ id: 'i', vector: lying }]))).code, 'ERR_DIMENSION')
  const held = db.getMany(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'])
  t.deepEqual([...held.vectors], [1, 2, 3, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 11, 12, 1, 2, 3, 13, 14, 15, 0, 0, 0, 0, 0, 0])
  t.deepEqual(held.missing, [7, 8])
  t.deepEqual(db.get('a')!.metadata, { m: 'a' })
})

both('keys and values of metadata that need escapes come back as they were', async (t, options) => {
  const db = await openDb(t, { dimension: 1, ...options })
  const texts = ['"', '\\', '\n', '\u0000', '\u001f', '\u007f', '\u2028', 'é', '😀', '\ud800', 'a"b', `${'x'.repeat(100)}"`, '', 'plain text', '__proto__']
  const metadata = JSON.parse(JSON.stringify(Object.fromEntries(texts.map((text) => [`k${text}`, text]))))
  for (const id of ['first', 'again']) db.insert({ id, vector: [0], metadata })
  t.deepEqual(db.get('first')!.metadata, metadata)
  t.deepEqual(db.get('again')!.metadata, metadata)
})

test('A39, A61: counts and sizes are those of the files', async (t) => {
  const path = tempDir(t)
  const db = await openDb(t, { path, dimension: 8 })
  db.insertBatch(entriesOf(1000))
  await db.checkpoint()
  for (let row = 0; row < 250; row++) db.delete(`doc-${row}`)
  await db.flush()
  const found = await db.statistics()
  t.like(found, { name: 'default', vectorCount: 750, fragmentation: 0.25, fragmentationPercent: 25, segments: 1, dimension: 8, metric: 'cosine', engine: 'mmap' })
  t.is(found.vectorCount, db.len())
  const home = join(path, 'collections', 'default')
  const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => statSync(join(entry.parentPath, entry.name)).size)
  t.is(found.diskUsage, files.reduce((sum, size) => sum + size, 0))
  t.is(found.diskUsageMB, found.diskUsage / 2 ** 20)
  t.is(found.wal.segmentCount, readdirSync(join(home, 'wal')).length)
  t.is(found.wal.totalSizeMB, found.wal.totalSize / 2 ** 20)
})

test('A40: setReadOnly refuses writes, reads go on, and it survives reopening', async (t) => {
  const path = tempDir(t)
  const db = await openDb(t, { path, dimension: 1 })
  db.insert({ id: 'a', vector: [1] })
  await db.setReadOnly(true)
  const check = async (found: VectorDB): Promise<void> => {
    for (const call of [() => found.insert({ vector: [1] }), () => found.insertBatch([{ vector: [1] }]), () => found.delete('a'), () => found.updateMetadata('a', {}), () => found.clear()]) {
      t.is(thrown(call).code, 'ERR_READ_ONLY')
    }
    t.is((await rejection(found.durable.insert({ vector: [1] }))).code, 'ERR_READ_ONLY')
    t.is((await rejection(found.load(join(path, 'x')))).code, 'ERR_PATH')
    t.is(found.len(), 1)
    t.is((await found.search({ vector: [1] })).length, 1)
    t.true(found.stats().readOnly)
  }
  await check(db)
  await db.close()
  const again = await openDb(t, { path })
  await check(again)
  await again.setReadOnly(false)
  again.insert({ id: 'b', vector: [1] })
  t.is(again.len(), 2)
  const memory = await openDb(t)
  await memory.setReadOnly(true)
  t.is(thrown(() => memory.insert({ vector: [1] })).code, 'ERR_READ_ONLY')
})

test('A63 to A70: mappings: advice on the open database, sizes, page faults, hit rate, hot regions, prefetch, on and off', async (t) => {
  const db = await openDb(t, { path: tempDir(t), dimension: 256, mmap: { enabled: false } })
  const entries = entriesOf(6000, 256)
  db.insertBatch(entries)
  await db.checkpoint()
  t.like(await db.mmapStats(), { enabled: false, mappedSize: 0, mappedSizeGB: 0 })
  t.true(db.stats().memoryUsage > 6_000_000, 'the file is on the heap')
  await db.mmapEnable({ advice: 'normal' })
  t.true(db.stats().memoryUsage < 100_000)
  const before = await db.mmapStats()
  t.like(before, { enabled: true, advice: 'normal', populate: false })
  t.is(before.mappedSize, (await db.statistics()).segmentBytes)
  t.is(before.mappedSizeGB, before.mappedSize / 2 ** 30)
  for (let row = 0; row < 400; row++) for (let times = 0; times < 5; times++) db.get(`doc-${row}`)
  const after = await db.mmapStats()
  t.true(after.reads > before.reads && after.pageFaults! >= before.pageFaults!)
  t.true(after.cacheHitRate > 0.5 && after.cacheHitRate <= 1)
  t.is(after.cacheHitRatePercent, after.cacheHitRate * 100)
  t.true(after.residentSize! > 0 && after.residentSize! <= after.mappedSize + 4096)
  t.is(after.residentSizeGB, after.residentSize! / 2 ** 30)
  const hits = after.hotRegions.map((region) => region.hits)
  t.deepEqual(hits, [...hits].sort((a, b) => b - a))
  const vectors = after.hotRegions.find(({ offset }) => offset === 0)!
  const cold = after.hotRegions.filter(({ offset }) => offset > 0 && offset < 5 << 20)
  t.true(vectors.hits >= 2000 && cold.every(({ hits }) => hits < 100), 'the vectors that were read are at the front')
  t.true(await db.mmapPrefetch(after.hotRegions))
  t.true(await db.mmapPrefetch([]))
  for (const bad of [5, [{}], [{ segment: 1, offset: -1, length: 1 }], [null]] as any[]) t.is((await rejection(db.mmapPrefetch(bad))).code, 'ERR_OPTION')
  await db.mmapEnable({ enabled: false })
  t.is((await db.mmapStats()).mappedSize, 0)
  t.deepEqual(contentOfDb(db), contentOf(entries))
})

test('B51: engine hybrid keeps what is read most on the heap, never more than its size, and cold reads are right', async (t) => {
  const path = tempDir(t)
  const entries = entriesOf(12_000, 128)
  const db = await openDb(t, { path, dimension: 128, engine: 'hybrid', hotTierSize: 2 << 20 })
  db.insertBatch(entries)
  await db.checkpoint()
  t.is(db.stats().engine, 'hybrid')
  for (let times = 0; times < 3; times++) for (let row = 0; row < 2000; row++) db.get(`doc-${row}`)
  await db.configure({ hotTierSize: 3 << 20 })
  const { hotSize, mappedSize } = await db.mmapStats()
  t.true(hotSize > 2 << 20 && hotSize <= 3 << 20, `${hotSize}`)
  t.true(mappedSize > 6 << 20)
  t.deepEqual(contentOfDb(db), contentOf(entries))
  await db.configure({ hotTierSize: 0 })
  t.is((await db.mmapStats()).hotSize, 0)
  await db.configure({ engine: 'mmap' })
  t.is(db.stats().engine, 'mmap')
  t.deepEqual(contentOfDb(db), contentOf(entries))
  await db.close()
  t.is((await openDb(t, { path })).stats().engine, 'mmap')
})

test('A71, A72: compaction takes back the space of removed entries, with the report of the documents', async (t) => {
  const db = await openDb(t, { path: tempDir(t), dimension: 64, compaction: false })
  const entries = entriesOf(4000, 64)
  db.insertBatch(entries)
  await db.checkpoint()
  const live = entries.filter((_, row) => row % 2 === 1)
  entries.forEach(({ id }, row) => row % 2 === 0 && db.delete(id))
  await db.checkpoint()
  t.is((await db.statistics()).fragmentation, 0.5)
  t.is((await db.compact({ threshold: 0.6 })).reclaimedBytes, 0)
  t.is((await db.compact({ threshold: '60%' })).removed, 0)
  const report = await db.compact({ vacuum: true })
  t.is(report.reclaimedMB, report.sizeBefore - report.sizeAfter)
  t.is(report.sizeBefore, report.sizeBeforeBytes / 2 ** 20)
  t.is(report.reclaimedBytes, report.sizeBeforeBytes - report.sizeAfterBytes)
  t.true(report.durationMs > 0 && report.reclaimedBytes > report.sizeBeforeBytes * 0.4)
  t.is(report.removed, 2000)
  const { fragmentation, segmentBytes, lastCompaction } = await db.statistics()
  t.deepEqual([fragmentation, segmentBytes], [0, report.sizeAfterBytes])
  t.true(lastCompaction! > Date.now() - 60_000)
  t.deepEqual(contentOfDb(db), contentOf(live))
  t.is((await rejection(db.compact({ threshold: 2000 }))).code, 'ERR_OPTION')
  t.is((await rejection(db.compact({ threshold: 0.1, vacuum: true }))).code, 'ERR_OPTION')
  db.insertBatch(entriesOf(10, 64, 'more'))
  t.is((await db.optimize()).segments, 1, 'small files become one')
})

test('A73: compaction by itself, above the threshold only, also when it is configured later', async (t) => {
  const db = await openDb(t, { path: tempDir(t), dimension: 8, compaction: { minFragmentation: 0.3, interval: 20 } })
  db.insertBatch(entriesOf(1000))
  await db.checkpoint()
  for (let row = 0; row < 290; row++) db.delete(`doc-${row}`)
  await new Promise((resolve) => setTimeout(resolve, 150))
  t.is((await db.statistics()).fragmentation, 0.29)
  for (let row = 290; row < 310; row++) db.delete(`doc-${row}`)
  // It may begin with the first row above the threshold; those that die meanwhile wait for the next.
  await until(async () => (await db.statistics()).fragmentation < 0.1, 'a compaction', 30_000)
  t.is(db.len(), 690)
  await db.configure({ compaction: { enabled: false } })
  for (let row = 310; row < 900; row++) db.delete(`doc-${row}`)
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.true((await db.statistics()).fragmentation > 0.5)
  await db.configure({ compaction: { enabled: true, interval: 10 } })
  await until(async () => (await db.statistics()).fragmentation === 0, 'a compaction', 30_000)
})

both('save and load: archives of DatabasePersistence; a load replaces the content in one step', async (t, options) => {
  const dir = tempDir(t)
  const db = await openDb(t, { dimension: 8, metric: 'dot', ...options })
  const entries = entriesOf(300)
  db.insertBatch(entries)
  const seen: number[] = []
  const report = (await db.save(join(dir, 'a.json'), { compression: 'gzip', onProgress: ({ percentage }) => seen.push(percentage) }))!
  t.like(report, { path: join(dir, 'a.json'), count: 300, dimension: 8 })
  t.is(report.bytes, statSync(report.path).size)
  t.is(seen.at(-1), 100)
  await db.save(join(dir, 'a.bin'))
  t.not(readFileSync(join(dir, 'a.bin'))[0], '{'.charCodeAt(0))
  const map = new Map()
  await attach(t, map, { baseDir: dir }).load({ path: join(dir, 'a.bin') })
  t.is(map.size, 300)
  for (const name of ['a.db', 'a.sqlite', 'a.SQLITE3']) {
    await db.save(join(dir, name))
    t.is(readFileSync(join(dir, name)).toString('latin1', 0, 16), 'SQLite format 3\0', name)
  }
  for (const name of ['a.json', 'a.bin', 'a.db']) {
    db.clear()
    db.insert({ id: 'other', vector: vectorOf(1) })
    t.is(await db.load(join(dir, name)), 300)
    t.deepEqual(contentOfDb(db), contentOf(entries))
  }
  t.is(db.stats().metric, 'dot')
  t.is((await rejection(db.load(join(dir, 'none.json')))).code, 'ERR_PATH')
  writeFileSync(join(dir, 'bad.json'), readFileSync(join(dir, 'a.bin')).subarray(0, 1000))
  t.true((await rejection(db.load(join(dir, 'bad.json')))) instanceof PersistenceError)
  t.is((await rejection((await openDb(t, { dimension: 4 })).load(join(dir, 'a.json')))).code, 'ERR_DIMENSION')
  t.is((await rejection((await openDb(t, { metric: 'cosine' })).load(join(dir, 'a.json')))).code, 'ERR_METRIC')
  t.is((await rejection(db.save(join(dir, 'a'), { signal: AbortSignal.abort(new Error('stop')) }))).message, 'stop')
  t.deepEqual(contentOfDb(db), contentOf(entries))
  if (options.path === undefined) {
    t.is((await rejection(db.save())).code, 'ERR_OPTION')
    return
  }
  t.is(await db.save(), null)
  await db.close()
  t.deepEqual(contentOfDb(await openDb(t, { path: options.path })), contentOf(entries))
})

both('D.3, E.3: DatabasePersistence saves, snapshots and restores it', async (t, options) => {
  const db = await openDb(t, { dimension: 8, metric: 'euclidean', ...options })
  const entries = entriesOf(50)
  db.insertBatch(entries)
  const persistenceDir = tempDir(t)
  const persistence = attach(t, db, { baseDir: persistenceDir, format: 'binary', compression: 'zstd' })
  const path = await persistence.save()
  const snapshot = await persistence.createSnapshot('before', { user: 'admin' })
  t.like(snapshot, { vectorCount: 50, dimension: 8 })
  db.insert({ id: 'new', vector: vectorOf('new') })
  t.true(db.delete('doc-0'))
  await persistence.restoreSnapshot(snapshot.id)
  t.deepEqual(contentOfDb(db), contentOf(entries))
  db.clear()
  await persistence.load({ path })
  t.deepEqual(contentOfDb(db), contentOf(entries))
  t.is((await db.search({ vector: entries[3]!.vector, k: 1 }))[0]!.id, 'doc-3')
  t.is(await persistence.saveIncremental({ path: join(tempDir(t), 'x') }).then((written) => typeof written), 'string')
  // Every way to write counts, also one that replaces an entry around the methods of the database itself.
  t.is(await persistence.saveIncremental(), null)
  await db.durable.insert({ ...entries[3]!, metadata: { replaced: true } })
  t.is(await persistence.saveIncremental(), `${path}.delta-000001`)
  const other = await openDb(t, { metric: 'euclidean' })
  await other.load(path)
  t.deepEqual(contentOfDb(other), contentOfDb(db))
  t.is(thrown(() => new DatabasePersistence(db, { baseDir: persistenceDir, wal: true })).code, 'ERR_UNSUPPORTED')
  const wrong = await openDb(t, { dimension: 3 })
  t.is((await rejection(attach(t, wrong, { baseDir: tempDir(t) }).load({ path }))).code, 'ERR_DIMENSION')
  db.insert({ id: 'kept', vector: vectorOf('kept') })
  const small = await openDb(t, { metric: 'euclidean' })
  small.insert(entries[0]!)
  await small.save(join(persistenceDir, 'small.json'))
  db.delete('doc-0')
  await persistence.import({ path: join(persistenceDir, 'small.json') })
  t.true(db.has('kept') && db.has('doc-0') && db.len() === 51)
  db.insert({ id: 'last', vector: vectorOf('last') })
  const due = contentOfDb(db)
  await persistence.shutdown()
  await other.load(path)
  t.deepEqual(contentOfDb(other), due, 'the final save')
  t.true(existsSync(path))
})
