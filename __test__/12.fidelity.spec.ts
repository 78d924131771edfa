// That nothing changes on the way (DESIGN 3): every bit of a vector, every character of an id, and metadata with the order
// of their keys.
//
// A failure means that what was loaded is not what was saved, though both would look alike.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CompressionType, PersistenceFormat } from 'ruvector-persistence'
import { FORMATS } from './helpers/archive'
import { attach, rejection } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOfMap, entriesOf, fromBits, mapOf, vectorOf } from './helpers/vectors'

/** Saves a Map, loads it into another, and gives that one. */
async function through(t: any, map: Map<any, any>, format: PersistenceFormat, compression: CompressionType = 'none'): Promise<Map<string, any>> {
  const dir = tempDir(t)
  const path = await attach(t, map, { baseDir: dir, format, compression }).save()
  const back = new Map<string, any>()
  await attach(t, back, { baseDir: join(dir, 'back') }).load({ path })
  return back
}

const SPECIAL = fromBits(
  0x0000_0000, 0x8000_0000, 0x0000_0001, 0x8000_0001, 0x007f_ffff, 0x0080_0000, 0x7f7f_ffff, 0xff7f_ffff, 0x7f80_0000, 0xff80_0000,
  0x7fc0_0000, 0xffc0_0000, 0x7fc0_0001, 0x7fff_ffff, 0xffff_ffff, 0x7f80_0001, 0x7fbf_ffff, 0x3f80_0000, 0x3dcc_cccd, 0x3eaa_aaab,
)

for (const format of FORMATS) {
  test(`zeros of both signs, subnormals, infinities and NaNs with their payloads come back bit for bit through ${format}`, async (t) => {
    const back = await through(t, new Map([['special', { vector: SPECIAL }]]), format)
    t.is(bitsOf(back.get('special').vector), bitsOf(SPECIAL))
  })

  test(`a hundred thousand random bit patterns come back through ${format}`, async (t) => {
    let bits = 1
    const next = (): number => (bits = (Math.imul(bits, 1_664_525) + 1_013_904_223) >>> 0)
    const map = new Map(Array.from({ length: 100 }, (_, row) => [`row-${row}`, { vector: fromBits(...Array.from({ length: 1000 }, next)) }]))
    t.deepEqual(contentOfMap(await through(t, map, format, 'zstd')), contentOfMap(map))
  })

  test(`metadata keep the order of their keys, __proto__ and every character through ${format}`, async (t) => {
    const texts = [
      '{"z":1,"a":2,"10":3,"2":4,"m":{"y":1,"b":2}}',
      '{"__proto__":{"polluted":true},"constructor":1,"toString":"x","hasOwnProperty":null}',
      '{"text":"ünïcode 💾 \\u0000 \\u001f \\u2028 \\" \\\\ / \\n","💾":"","":"empty key","a b":"c\\td"}',
      '{}', '{"list":[],"deep":[[[[{"x":[1,-0,1.5,1e21,1e-7,123456789012345680000]}]]]],"t":true,"f":false,"n":null}',
    ]
    const map = new Map(texts.map((text, row) => [`row-${row}`, { vector: vectorOf(row), metadata: JSON.parse(text) }]))
    const back = await through(t, map, format)
    for (const [row, text] of texts.entries()) {
      const { metadata } = back.get(`row-${row}`)
      t.deepEqual(metadata, JSON.parse(text))
      t.is(JSON.stringify(metadata), JSON.stringify(JSON.parse(text)))
    }
    t.is(Object.is(back.get('row-4').metadata.deep[0][0][0][0].x[1], -0), true, 'negative zero')
    t.is(({} as { polluted?: boolean }).polluted, undefined)
    t.true(Object.hasOwn(back.get('row-1').metadata, '__proto__'))
  })

  test(`ids with any character, and with the names of members of objects, come back through ${format}`, async (t) => {
    const ids = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'ünï💾', 'a/b\\c', '"', '\u2028', ' ', '0', '-1', '{', 'é', 'e\u0301', '\u{10ffff}', '\u0001', 'x'.repeat(1024), '語'.repeat(341)]
    const map = new Map(ids.map((id) => [id, { vector: vectorOf(id), metadata: { id } }]))
    t.deepEqual(contentOfMap(await through(t, map, format)), contentOfMap(map))
  })

  test(`entries without metadata, with null and with {} come back as without, without and {} through ${format}`, async (t) => {
    const map = new Map<string, any>([['none', { vector: [1, 2] }], ['null', { vector: [1, 2], metadata: null }], ['empty', { vector: [1, 2], metadata: {} }]])
    const back = await through(t, map, format)
    t.false('metadata' in back.get('none'))
    t.false('metadata' in back.get('null'))
    t.deepEqual(back.get('empty').metadata, {})
  })

  test(`vectors of 1 and of 65,536 numbers come back through ${format}`, async (t) => {
    for (const dimension of [1, 65_536]) {
      const map = new Map([['a', { vector: Float32Array.from({ length: dimension }, (_, place) => Math.sin(place + 1)) }]])
      t.deepEqual(contentOfMap(await through(t, map, format)), contentOfMap(map))
    }
  })
}

test('the order of the entries is the order in which they came', async (t) => {
  const entries = entriesOf(20).reverse()
  const path = await attach(t, mapOf(entries), { baseDir: tempDir(t) }).save()
  t.deepEqual(JSON.parse(readFileSync(path, 'utf8')).vectors.map(({ id }: { id: string }) => id), entries.map(({ id }) => id))
})

test('metadata of ruvector entries are archived as they were given, although ruvector itself loses the order of keys', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const persistence = attach(t, db, { baseDir: dir })
  const metadata = { z: 1, y: { b: 1, a: 2 }, x: [3, { d: 1, c: 2 }], w: 'ü', v: null, u: 1.5 }
  await db.insert({ id: 'a', vector: vectorOf('a'), metadata })
  const state = JSON.parse(readFileSync(await persistence.save(), 'utf8'))
  t.is(JSON.stringify(state.vectors[0].metadata), JSON.stringify(metadata))
})

test('what a Map holds but no archive can hold is an error of save that names it, never a changed value', async (t) => {
  const cycle: any = { a: {} }
  cycle.a.b = cycle
  const refused: [any, any, string, RegExp][] = [
    ['a', { vector: [1, Number.NaN, 'x'] }, 'ERR_VECTOR_TYPE', /"a".*index 2/],
    ['a', { vector: new Float64Array([1, 2]) }, 'ERR_VECTOR_TYPE', /Float64Array/],
    ['a', { vector: [1, 1e300] }, 'ERR_VECTOR_TYPE', /index 1/],
    ['a', { vector: [] }, 'ERR_DIMENSION', /"a"/],
    ['a', 'text', 'ERR_VECTOR_TYPE', /"a"/],
    ['', { vector: [1, 2] }, 'ERR_ID', /empty/],
    [7, { vector: [1, 2] }, 'ERR_ID', /7.*string/],
    ['x\0', { vector: [1, 2] }, 'ERR_ID', /NUL/],
    ['\ud800', { vector: [1, 2] }, 'ERR_ID', /surrogate/],
    ['x'.repeat(1025), { vector: [1, 2] }, 'ERR_ID', /1024/],
    ['a', { vector: [1, 2], metadata: [1] }, 'ERR_METADATA', /"a"/],
    ['a', { vector: [1, 2], metadata: cycle }, 'ERR_METADATA', /\$\.a\.b/],
    ['a', { vector: [1, 2], metadata: { n: Number.NaN } }, 'ERR_METADATA', /\$\.n/],
    ['a', { vector: [1, 2], metadata: { n: 1n } }, 'ERR_METADATA', /\$\.n/],
    ['a', { vector: [1, 2], metadata: { f: () => 1 } }, 'ERR_METADATA', /\$\.f/],
    ['a', { vector: [1, 2], metadata: { m: new Map() } }, 'ERR_METADATA', /\$\.m/],
  ]
  for (const [key, value, code, message] of refused) {
    const map = new Map<any, any>([['good', { vector: [1, 2] }], [key, value]])
    const persistence = attach(t, map, { baseDir: tempDir(t) })
    const error = await rejection(persistence.save())
    t.is(error.code, code, error.message)
    t.regex(error.message, message)
    map.delete(key)
    await t.notThrowsAsync(persistence.save(), 'once it is removed, everything is saved')
  }
})
