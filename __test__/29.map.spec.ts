// A plain Map as a database: what set, delete and clear mean for the archive, and what the Map looks like after a load.
import test from 'ava'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { readState } from './helpers/archive'
import { attach, rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOf, contentOfMap, entriesOf, mapOf, vectorOf } from './helpers/vectors'

test('a value that is no entry makes save an error that names its key; the Map takes it as before', async (t) => {
  const map = new Map<any, any>()
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  for (const [key, value] of [['a', undefined], ['b', [1, 2]], ['c', { metadata: {} }], [5, { vector: [1] }], [{}, { vector: [1] }]] as const) {
    t.is(map.set(key, value), map)
    t.is(map.get(key), value)
    const error = await rejection(persistence.save())
    t.true(['ERR_VECTOR_TYPE', 'ERR_ID'].includes(error.code!), error.message)
    t.true(map.delete(key))
  }
  await t.notThrowsAsync(persistence.save())
})

test('of several entries that cannot be kept the error names one and counts the others', async (t) => {
  const map = new Map<any, any>([['good', { vector: [1] }], ['x', 5], ['y', 6], ['z', 7]])
  const error = await rejection(attach(t, map, { baseDir: tempDir(t) }).save())
  t.regex(error.message, /"x"/)
  t.regex(error.message, /2 more/)
})

test('set, delete and clear are tracked as they are called', async (t) => {
  const map = mapOf(entriesOf(5)) as Map<string, any>
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  map.set('new', { vector: vectorOf('new') }).set('doc-1', { vector: vectorOf('changed'), metadata: { changed: true } })
  t.true(map.delete('doc-2'))
  t.false(map.delete('doc-2'))
  t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOfMap(map))
  t.is(map.clear(), undefined)
  map.set('after', { vector: [1, 2, 3] })
  const state = readState(await persistence.save())
  t.deepEqual(contentOf(state.vectors), contentOfMap(map))
  t.is(state.options.dimension, 3, 'an emptied Map may go on with another dimension')
})

test('a value is archived as it was when it was set', async (t) => {
  const map = new Map<string, any>()
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  await persistence.ready()
  const vector = vectorOf('given')
  const metadata = { state: 'given' }
  map.set('a', { vector, metadata })
  vector.fill(9)
  metadata.state = 'changed'
  const [entry] = readState(await persistence.save()).vectors
  t.is(bitsOf(entry!.vector), bitsOf(vectorOf('given')))
  t.deepEqual(entry!.metadata, { state: 'given' })
})

test('vectors may be Float32Arrays, views of them, and arrays of numbers; what is loaded is a Float32Array of its own', async (t) => {
  const dir = tempDir(t)
  const block = Float32Array.from({ length: 20 }, (_, place) => place + 0.5)
  const map = new Map<string, any>([['a', { vector: block.subarray(3, 7) }], ['b', { vector: [1, 2, 3, 4] }], ['c', { vector: new Float32Array(new SharedArrayBuffer(16)).fill(2) }]])
  const path = await attach(t, map, { baseDir: dir }).save()
  const back = new Map<string, any>()
  await attach(t, back, { baseDir: join(dir, 'b') }).load({ path })
  t.deepEqual(contentOfMap(back), contentOfMap(map))
  for (const { vector } of back.values()) {
    t.true(vector instanceof Float32Array)
    t.is(vector.buffer.byteLength, 16)
  }
})

test('a Map of another realm, and a subclass of Map, are Maps too', async (t) => {
  const foreign = runInNewContext("new Map([['a', { vector: new Float32Array([1, 2]), metadata: { list: [1, { b: 2 }] } }]])")
  t.deepEqual(readState(await attach(t, foreign, { baseDir: tempDir(t) }).save()).vectors, [{ id: 'a', vector: [1, 2], metadata: { list: [1, { b: 2 }] } }])
  class Counting extends Map<string, any> {
    sets = 0
    override set(key: string, value: any): this {
      this.sets++
      return super.set(key, value)
    }
  }
  const counting = new Counting()
  const persistence = attach(t, counting, { baseDir: tempDir(t) })
  counting.set('a', { vector: [1, 2] })
  t.is(counting.sets, 1)
  t.is(readState(await persistence.save()).vectors.length, 1)
})

test('many changes between two saves end as the Map ends', async (t) => {
  const map = new Map<string, any>()
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  let seed = 3
  const random = (below: number): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) % below
  for (let round = 0; round < 6; round++) {
    for (let step = 0; step < 200; step++) {
      const id = `id-${random(40)}`
      if (random(4) === 0) map.delete(id)
      else map.set(id, { vector: vectorOf(random(1000), 4), ...(random(2) ? { metadata: { step, round } } : {}) })
      if (random(150) === 0) map.clear()
    }
    t.deepEqual(contentOf(readState(await persistence.save()).vectors), contentOfMap(map))
  }
})
