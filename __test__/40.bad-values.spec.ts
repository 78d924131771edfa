// Bad vectors, ids and metadata (rows 1 to 19 of the table of bad inputs).
//
// A database may take what no archive can hold: then `save` says which entry it is, the file of the save before stays, and
// once the entry is corrected or removed everything works again. A failure means that a save could lose or alter an entry
// without a word, or that one bad entry ends all saving.
import test, { type ExecutionContext } from 'ava'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence } from 'ruvector-persistence'
import { FORMATS } from './helpers/archive'
import { GenericDb } from './helpers/generic'
import { isUnharmed, keep, refusal, thrown } from './helpers/kept'
import { attach } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOf, contentOfMap, entriesOf, fromBits, vectorOf } from './helpers/vectors'

/** An entry that the Map takes and that no save can hold: refused by name each time, until it is gone. */
async function unfit(t: ExecutionContext, key: unknown, value: unknown, code: string, ...parts: (string | RegExp)[]): Promise<void> {
  const kept = await keep(t)
  kept.map.set(key, value)
  t.is(kept.map.get(key), value, 'the database itself works as ever')
  await refusal(t, () => kept.persistence.save(), code, ...parts)
  await refusal(t, () => kept.persistence.createSnapshot('x'), code, ...parts)
  t.deepEqual(await kept.persistence.listSnapshots(), [])
  t.true(readFileSync(kept.file).equals(kept.bytes), 'the file of the save before')
  kept.map.delete(key)
  await isUnharmed(t, kept)
}

/** Saves and loads the Map in every format and gives what was loaded. */
async function roundTrips(t: ExecutionContext, map: Map<any, any>): Promise<Map<any, any>> {
  const baseDir = tempDir(t)
  const persistence = attach(t, map, { baseDir })
  let loaded = new Map<any, any>()
  for (const format of FORMATS) {
    const path = await persistence.save({ path: join(baseDir, format), format })
    loaded = new Map()
    await attach(t, loaded, { baseDir }).load({ path })
    t.deepEqual(contentOfMap(loaded), contentOfMap(map), format)
  }
  return loaded
}

const floats = (...numbers: number[]): Float32Array => Float32Array.from(numbers)

test('row 1: a vector of another length is named with both lengths', async (t) => {
  await unfit(t, 'short', { vector: floats(1, 2, 3) }, 'ERR_DIMENSION', '"short"', '3 numbers', '8')
})

test('row 1: ruvector refuses it itself, and what is saved is complete without it', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const persistence = attach(t, db, { baseDir: dir })
  const entries = entriesOf(3)
  await db.insertBatch(entries)
  await t.throwsAsync(db.insert({ id: 'short', vector: floats(1, 2, 3) }), { message: /dimension/i })
  const loaded = new Map()
  await attach(t, loaded, { baseDir: dir }).load({ path: await persistence.save() })
  t.deepEqual(contentOfMap(loaded), contentOf(entries))
  t.is(await db.len(), 3)
})

test('row 2: NaN of every kind, infinities, -0 and denormals are kept bit for bit', async (t) => {
  const bits = fromBits(0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff, 0x7f800000, 0xff800000, 0x80000000, 1)
  const loaded = await roundTrips(t, new Map<string, any>([['weird', { vector: bits }], ['arrays', { vector: [NaN, Infinity, -Infinity, -0, 1e-45, 0, 1, 2] }]]))
  t.is(bitsOf(loaded.get('weird').vector), bitsOf(bits))
})

test('row 2: a number that no 32-bit float holds is refused with its index', async (t) => {
  await unfit(t, 'big', { vector: [0, 1, 2, 1e39, 4, 5, 6, 7] }, 'ERR_VECTOR_TYPE', '"big"', 'index 3', '1e+39')
})

test('row 3: a vector without numbers, and one over the limit', async (t) => {
  await unfit(t, 'empty', { vector: floats() }, 'ERR_DIMENSION', '"empty"', '0 numbers')
  await unfit(t, 'empty', { vector: [] }, 'ERR_DIMENSION', '"empty"', '0 numbers')
  await unfit(t, 'huge', { vector: new Float32Array(65_537) }, 'ERR_DIMENSION', '"huge"', '65537', '65536')
  await unfit(t, 'huge', { vector: new Array(65_537).fill(1) }, 'ERR_DIMENSION', '"huge"', '65537', '65536')
  await roundTrips(t, new Map([['at the limit', { vector: new Float32Array(65_536).fill(0.5) }]]))
})

test('row 3: dimensions that there are not', (t) => {
  for (const dimension of [0, -1, 1.5, 65_537, NaN, Infinity]) {
    thrown(t, () => new DatabasePersistence(new Map(), { baseDir: tempDir(t), dimension }), 'ERR_OPTION', '"dimension"', '1 to 65536')
  }
})

test('row 4: an array with a hole, text, a BigInt, an array, an object or undefined', async (t) => {
  const at3 = (item: unknown): unknown[] => [1, 2, 3, item, 5, 6, 7, 8]
  await unfit(t, 'hole', { vector: [1, 2, 3, , 5, 6, 7, 8] }, 'ERR_VECTOR_TYPE', '"hole"', 'index 3', 'undefined')
  for (const [item, kind] of [['4', 'string'], [4n, 'bigint'], [[4], 'array'], [{}, 'object'], [null, 'null'], [true, 'boolean'], [Symbol('x'), 'symbol']] as const) {
    await unfit(t, 'items', { vector: at3(item) }, 'ERR_VECTOR_TYPE', '"items"', 'index 3', kind)
  }
})

test('row 5: other typed arrays, buffers and views', async (t) => {
  for (const [vector, name] of [
    [new Float64Array(8), 'Float64Array'], [new Int8Array(8), 'Int8Array'], [new Uint8ClampedArray(8), 'Uint8ClampedArray'], [new BigInt64Array(8), 'BigInt64Array'],
    [new DataView(new ArrayBuffer(32)), 'DataView'], [new ArrayBuffer(32), 'ArrayBuffer'], [Buffer.alloc(32), 'Buffer'],
  ] as const) await unfit(t, 'typed', { vector }, 'ERR_VECTOR_TYPE', '"typed"', name)
})

test('row 6: what only looks like a Float32Array', async (t) => {
  for (const vector of [Object.create(Float32Array.prototype), new Proxy(floats(1, 2), {}), new Proxy([1, 2], {}), { length: 8 }, { 0: 1, length: 1 }, 'vector', 5, null, undefined, () => 1]) {
    await unfit(t, 'fake', { vector }, 'ERR_VECTOR_TYPE', '"fake"')
  }
  await unfit(t, 'none', {}, 'ERR_VECTOR_TYPE', '"none"')
  for (const value of [null, undefined, 5, 'text']) await unfit(t, 'value', value, 'ERR_VECTOR_TYPE', '"value"')
  await unfit(t, 'thrower', { get vector() { throw new Error('no vector today') } }, 'ERR_VECTOR_TYPE', '"thrower"', 'no vector today')
})

test('row 7: a detached buffer', async (t) => {
  const vector = vectorOf('gone')
  structuredClone(vector.buffer, { transfer: [vector.buffer as ArrayBuffer] })
  t.is(vector.length, 0)
  await unfit(t, 'detached', { vector }, 'ERR_DIMENSION', '"detached"', 'detached')
})

test('row 8: views on shared and resizable memory are kept by copy', async (t) => {
  const shared = new Float32Array(new SharedArrayBuffer(64), 16, 8)
  const resizable = new Float32Array(new (ArrayBuffer as any)(32, { maxByteLength: 64 }))
  const part = new Float32Array(floats(9, 9, 9, 9, 9, 9, 9, 9, 9, 9).buffer, 4, 8)
  for (const vector of [shared, resizable]) vector.set(vectorOf('any'))
  const loaded = await roundTrips(t, new Map([['shared', { vector: shared }], ['resizable', { vector: resizable }], ['part', { vector: part }]]))
  t.deepEqual([...loaded.get('part').vector], [9, 9, 9, 9, 9, 9, 9, 9])
})

test('row 9: a buffer that is transferred, resized or written right after the call is kept as it was', async (t) => {
  for (const kind of ['map', 'generic', 'ruvector'] as const) {
    const dir = tempDir(t)
    const db: any = kind === 'map' ? new Map() : kind === 'generic' ? new GenericDb({ async: true, dimension: 8 }) : openRuvector(dir)
    const persistence = attach(t, db, { baseDir: dir })
    await persistence.ready()
    const due = vectorOf('due')
    const put = (id: string, vector: Float32Array): Promise<unknown> => Promise.resolve(kind === 'map' ? db.set(id, { vector }) : db.insert({ id, vector }))
    const transferred = new Float32Array(due)
    const resized = new Float32Array(new (ArrayBuffer as any)(32, { maxByteLength: 64 }))
    const written = new Float32Array(due)
    resized.set(due)
    const puts = [put('transferred', transferred), put('resized', resized), put('written', written)]
    structuredClone(transferred.buffer, { transfer: [transferred.buffer as ArrayBuffer] })
    ;(resized.buffer as any).resize(0)
    written.fill(5)
    await Promise.all(puts)
    const loaded = new Map()
    const path = await persistence.save()
    await attach(t, loaded, { baseDir: join(dir, 'other') }).load({ path })
    t.deepEqual(contentOfMap(loaded), contentOf(['transferred', 'resized', 'written'].map((id) => ({ id, vector: due }))), kind)
    if (kind === 'ruvector') t.deepEqual(await contentOfRuvector(db, ['transferred', 'resized', 'written']), contentOfMap(loaded), 'and the database holds the same')
  }
})

test('row 10: ids that are empty, too long, no strings, or hold NUL or half a character', async (t) => {
  for (const [id, part] of [
    ['', 'empty'], ['x'.repeat(1025), '1024'], ['é'.repeat(513), '1024'], ['a\0b', 'NUL'], ['a\ud800b', 'surrogate'], ['\udc00', 'surrogate'],
    [5, 'string'], [null, 'string'], [undefined, 'string'], [Symbol('s'), 'string'], [{}, 'string'], [5n, 'string'],
  ] as const) await unfit(t, id, { vector: vectorOf('x') }, 'ERR_ID', part)
  const long = 'é'.repeat(512)
  await roundTrips(t, new Map([[long, { vector: vectorOf('long') }], [' ', { vector: vectorOf('space') }], ['\u0001\n"\\/', { vector: vectorOf('odd') }], ['😀', { vector: vectorOf('face') }]]))
})

test('row 11: names of Object.prototype are ordinary ids', async (t) => {
  const ids = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf', 'then', 'length']
  await roundTrips(t, new Map(ids.map((id) => [id, { vector: vectorOf(id), metadata: { id } }])))
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const persistence = attach(t, db, { baseDir: dir })
  await db.insertBatch(ids.map((id) => ({ id, vector: vectorOf(id) })))
  await persistence.saveIncremental()
  await db.delete('__proto__')
  const loaded = new Map()
  await attach(t, loaded, { baseDir: join(dir, 'other') }).load({ path: (await persistence.saveIncremental())! })
  t.deepEqual([...loaded.keys()].sort(), ids.filter((id) => id !== '__proto__').sort())
  t.is((Object.prototype as any).vector, undefined)
})

test('row 12: the key __proto__ of metadata stays an own key and pollutes nothing', async (t) => {
  const text = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"deep":[{"__proto__":1}]}'
  const loaded = await roundTrips(t, new Map([['a', { vector: vectorOf('a'), metadata: JSON.parse(text) }]]))
  t.is(JSON.stringify(loaded.get('a').metadata), text)
  t.is(Object.getPrototypeOf(loaded.get('a').metadata), Object.prototype)
  t.is(({} as any).polluted, undefined)
  const { persistence } = await keep(t)
  await persistence.createSnapshot('proto', JSON.parse(text))
  t.is(JSON.stringify((await persistence.listSnapshots())[0]!.metadata), text)
  t.is(({} as any).polluted, undefined)
})

test('row 13: circular metadata are named by place', async (t) => {
  const metadata: any = { a: { b: {} } }
  metadata.a.b = metadata.a
  await unfit(t, 'circle', { vector: vectorOf('x'), metadata }, 'ERR_METADATA', '"circle"', 'circular at $.a.b')
  const { persistence } = await keep(t)
  await refusal(t, () => persistence.createSnapshot('x', metadata), 'ERR_METADATA', 'circular at $.a.b')
  const twice = { value: 1 }
  await roundTrips(t, new Map([['twice', { vector: vectorOf('x'), metadata: { a: twice, b: [twice, twice] } }]]))
})

test('row 14: metadata that JSON does not have are refused by place, and the rest is kept', async (t) => {
  for (const [item, what] of [
    [() => 1, 'function'], [Symbol('s'), 'symbol'], [5n, 'bigint'], [new Map([[1, 2]]), 'Map'], [new Set([1]), 'Set'], [NaN, 'NaN'], [-Infinity, '-Infinity'],
    [new Float32Array(2), 'Float32Array'], [/x/, 'RegExp'], [new Error('x'), 'Error'], [Promise.resolve(), 'Promise'],
  ] as const) await unfit(t, 'meta', { vector: vectorOf('x'), metadata: { list: [1, { item }] } }, 'ERR_METADATA', '"meta"', '$.list[1].item', what)
  await unfit(t, 'meta', { vector: vectorOf('x'), metadata: { list: [undefined] } }, 'ERR_METADATA', '$.list[0]', 'undefined')
  for (const metadata of ['text', 5, true, [1], new Date(0)]) await unfit(t, 'meta', { vector: vectorOf('x'), metadata }, 'ERR_METADATA', '"meta"')
  class Point { constructor(public x = 1, public y = -0) {} }
  const metadata = { point: new Point(), date: new Date(0), absent: undefined, none: null, zero: -0, bare: Object.assign(Object.create(null), { a: 1 }) }
  const baseDir = tempDir(t)
  const loaded = new Map()
  await attach(t, loaded, { baseDir: join(baseDir, 'other') }).load({ path: await attach(t, new Map([['a', { vector: vectorOf('x'), metadata }]]), { baseDir }).save() })
  t.deepEqual(loaded.get('a').metadata, { point: { x: 1, y: -0 }, date: '1970-01-01T00:00:00.000Z', none: null, zero: -0, bare: { a: 1 } })
  t.true(Object.is(loaded.get('a').metadata.zero, -0) && Object.is(loaded.get('a').metadata.point.y, -0))
})

test('row 15: a getter or toJSON that throws is the cause, and the rest of the batch is there', async (t) => {
  const bomb = new Error('no metadata today')
  const metadata = { get deep() { throw bomb } }
  await unfit(t, 'getter', { vector: vectorOf('x'), metadata }, 'ERR_METADATA', '"getter"', '$.deep')
  await unfit(t, 'toJSON', { vector: vectorOf('x'), metadata: { a: { toJSON() { throw bomb } } } }, 'ERR_METADATA', '"toJSON"', '$.a')
  const kept = await keep(t)
  kept.map.set('bad', { vector: vectorOf('x'), metadata })
  kept.map.set('good', { vector: vectorOf('good') })
  t.is((await refusal(t, () => kept.persistence.save(), 'ERR_METADATA')).cause, bomb)
  kept.map.delete('bad')
  const loaded = new Map()
  await attach(t, loaded, { baseDir: kept.dir }).load({ path: await kept.persistence.save() })
  t.true(loaded.has('good'))
})

test('row 15: metadata that call back into the database, or shut the persistence down', async (t) => {
  const dir = tempDir(t)
  const map = new Map<string, any>()
  const persistence = attach(t, map, { baseDir: dir })
  await persistence.ready()
  const calls = { toJSON() { map.set('inner', { vector: vectorOf('inner') }); return { inner: true } } }
  map.set('outer', { vector: vectorOf('outer'), metadata: { calls } })
  const ends = { toJSON() { void persistence.shutdown().catch(() => undefined); return { ended: true } } }
  map.set('ends', { vector: vectorOf('ends'), metadata: { ends } })
  await persistence.shutdown()
  const loaded = new Map<string, any>()
  await attach(t, loaded, { baseDir: join(dir, 'other') }).load({ path: join(dir, 'database.json') })
  t.deepEqual([...loaded.keys()].sort(), ['ends', 'inner', 'outer'])
  t.deepEqual(loaded.get('outer').metadata, { calls: { inner: true } })
})

test('row 16: metadata that are too deep, too long or too many', async (t) => {
  const nested = (depth: number): any => Array.from({ length: depth - 1 }).reduce((inner) => ({ inner }), {})
  await unfit(t, 'deep', { vector: vectorOf('x'), metadata: nested(10_000) }, 'ERR_LIMIT', '"deep"', '128')
  await unfit(t, 'deep', { vector: vectorOf('x'), metadata: nested(129) }, 'ERR_LIMIT', '"deep"', '128')
  await unfit(t, 'long', { vector: vectorOf('x'), metadata: { text: 'x'.repeat(17 << 20) } }, 'ERR_LIMIT', '"long"', '16777216')
  const keys = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, key) => [`k${key}`, 1]))
  await unfit(t, 'keys', { vector: vectorOf('x'), metadata: keys }, 'ERR_LIMIT', '"keys"', '100000')
  const loaded = await roundTrips(t, new Map<string, any>([['deep', { vector: vectorOf('x'), metadata: nested(128) }], ['long', { vector: vectorOf('y'), metadata: { text: 'x'.repeat(10 << 20) } }]]))
  t.is(JSON.stringify(loaded.get('deep').metadata), JSON.stringify(nested(128)))
})

test('row 17: numbers in the metadata of a file stay as they are written there', async (t) => {
  const dir = tempDir(t)
  const numbers = '{"n":9007199254740993,"e":1e999,"long":123456789012345678901234567890,"small":1e-400,"zero":-0,"exact":0.10}'
  const path = join(dir, 'numbers.json')
  writeFileSync(path, `{"version":"1.0.0","vectors":[{"id":"a","vector":[1,2],"metadata":${numbers}}]}`)
  const map = new Map()
  const persistence = attach(t, map, { baseDir: dir })
  await persistence.load({ path, verifyChecksum: false })
  for (const format of FORMATS) {
    const again = await persistence.save({ path: join(dir, `again.${format}`), format })
    t.true(readFileSync(again).includes(numbers), format)
  }
})

test('row 18: of two entries with one id in one batch the last wins', async (t) => {
  for (const kind of ['generic', 'ruvector'] as const) {
    const dir = tempDir(t)
    const db: any = kind === 'generic' ? new GenericDb({ dimension: 8 }) : openRuvector(dir)
    const persistence = attach(t, db, { baseDir: dir })
    await persistence.ready()
    await db.insertBatch([{ id: 'a', vector: vectorOf('first'), metadata: { n: 1 } }, { id: 'b', vector: vectorOf('b') }, { id: 'a', vector: vectorOf('last'), metadata: { n: 2 } }])
    const loaded = new Map()
    await attach(t, loaded, { baseDir: join(dir, 'other') }).load({ path: await persistence.save() })
    t.deepEqual(contentOfMap(loaded), contentOf([{ id: 'a', vector: vectorOf('last'), metadata: { n: 2 } }, { id: 'b', vector: vectorOf('b') }]), kind)
  }
})

test('row 19: a batch of none, and one of many', async (t) => {
  const dir = tempDir(t)
  const db = new GenericDb({ dimension: 4 })
  const persistence = attach(t, db, { baseDir: dir })
  await persistence.ready()
  db.insertBatch([])
  const empty = new Map()
  await attach(t, empty, { baseDir: join(dir, 'empty') }).load({ path: await persistence.save() })
  t.is(empty.size, 0)
  const many = Array.from({ length: 50_000 }, (_, n) => ({ id: `id-${n}`, vector: Float32Array.of(n, 1, 2, 3) }))
  db.insertBatch(many)
  const loaded = new Map()
  await attach(t, loaded, { baseDir: join(dir, 'other') }).load({ path: await persistence.save({ format: 'binary' }) })
  t.deepEqual([loaded.size, loaded.get('id-49999').vector[0]], [50_000, 49_999])
  const ruvector = openRuvector(dir)
  const second = attach(t, ruvector, { baseDir: join(dir, 'ruvector') })
  t.deepEqual(await ruvector.insertBatch([]), [])
  await second.save()
})

test('rows 1 to 16: several bad entries are counted, and correcting them by a write is enough', async (t) => {
  const kept = await keep(t)
  kept.map.set('one', { vector: floats(1) }).set('two', { vector: [] }).set('three', { vector: vectorOf('x'), metadata: [] })
  await refusal(t, () => kept.persistence.save(), 'ERR_DIMENSION', '"one"', '2 more')
  for (const id of ['one', 'two', 'three']) kept.map.set(id, { vector: vectorOf(id) })
  const loaded = new Map()
  await attach(t, loaded, { baseDir: kept.dir }).load({ path: await kept.persistence.save() })
  t.deepEqual(contentOfMap(loaded), contentOfMap(kept.map))
  t.is(loaded.size, 7)
})
