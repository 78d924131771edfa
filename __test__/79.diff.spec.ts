// diff(a, b) of archives, snapshots and stores (B.1 compare): which ids only one side has, and which both have with other
// vectors or metadata.
//
// Steps: known changes are made between two contents in each form; the entries and the numbers are compared with them. A
// failure means that a difference is not seen, or one is told where there is none.
import test, { type ExecutionContext } from 'ava'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { diff, type DiffEntry, type DiffSide, VectorStore } from 'ruvector-persistence'
import { attach, rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { entriesOf, mapOf, vectorOf } from './helpers/vectors'

const FORMATS = ['json', 'binary', 'sqlite'] as const

async function entries(a: DiffSide, b: DiffSide): Promise<DiffEntry[]> {
  const found: DiffEntry[] = []
  for await (const entry of diff(a, b)) found.push(entry)
  return found.sort((one, other) => (one.id < other.id ? -1 : 1))
}

/** What the changes of `change` are to be told as. */
const DUE: DiffEntry[] = [
  { id: 'doc-1', change: 'changed', vector: true, metadata: false },
  { id: 'doc-2', change: 'changed', vector: false, metadata: true },
  { id: 'doc-3', change: 'changed', vector: true, metadata: true },
  { id: 'doc-4', change: 'removed' },
  { id: 'doc-6', change: 'changed', vector: true, metadata: false },
  { id: 'new', change: 'added' },
]

function change(map: Map<string, any>): void {
  const of = (id: string): any => map.get(id)
  map.set('doc-1', { ...of('doc-1'), vector: vectorOf('other') })
  map.set('doc-2', { ...of('doc-2'), metadata: { other: 1 } })
  map.set('doc-3', { vector: vectorOf('third') })
  map.delete('doc-4')
  const { tags, row, title } = of('doc-5').metadata
  map.set('doc-5', { ...of('doc-5'), metadata: { tags, row, title } })
  map.set('doc-6', { ...of('doc-6'), vector: of('doc-6').vector.map((value: number, place: number) => (place === 0 ? value * (1 + 2 ** -23) : value)) })
  map.set('new', { vector: vectorOf('new') })
}

async function archives(t: ExecutionContext, format: (typeof FORMATS)[number], compression: 'none' | 'zstd'): Promise<[string, string]> {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(2500)) as Map<string, any>
  const persistence = attach(t, map, { baseDir, format, compression })
  const [a, b] = [join(baseDir, 'a'), join(baseDir, 'b')]
  await persistence.save({ path: a })
  change(map)
  await persistence.save({ path: b })
  return [a, b]
}

for (const format of FORMATS) {
  for (const compression of ['none', 'zstd'] as const) {
    test(`two archives, ${format} ${compression}`, async (t) => {
      const [a, b] = await archives(t, format, compression)
      t.deepEqual(await entries({ archive: a }, { archive: b }), DUE)
      t.deepEqual(await entries({ archive: b }, { archive: b }), [])
      const back = (await entries({ archive: b }, { archive: a })).map(({ id, change: what }) => [id, what])
      t.deepEqual(back, DUE.map(({ id, change: what }) => [id, what === 'added' ? 'removed' : what === 'removed' ? 'added' : what]))
      const { a: first, b: second, ...numbers } = await diff({ archive: a }, { archive: b }).summary()
      t.deepEqual(numbers, { added: 1, removed: 1, changed: 4, changedVectors: 3, changedMetadata: 2, unchanged: 2495, equal: false, sameDimension: true, sameMetric: true })
      t.deepEqual([first, second], [{ count: 2500, dimension: 8, metric: null }, { count: 2500, dimension: 8, metric: null }])
    })
  }
}

test('archives of different formats, and a chain up to each of its deltas', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(50)) as Map<string, any>
  const persistence = attach(t, map, { baseDir })
  const base = (await persistence.saveIncremental())!
  const [binary, delta] = [join(baseDir, 'copy.bin'), `${base}.delta-000001`]
  await persistence.export({ path: binary, format: 'binary' })
  change(map)
  t.is(await persistence.saveIncremental(), delta)
  map.delete('new')
  await persistence.saveIncremental()
  t.deepEqual(await entries({ archive: binary }, { archive: delta }), DUE)
  t.deepEqual(await entries({ archive: delta }, { archive: base }), [{ id: 'new', change: 'removed' }])
  writeFileSync(delta, readFileSync(delta).fill(0x20, 900, 910))
  t.true(['ERR_CHECKSUM', 'ERR_FORMAT'].includes((await rejection(diff({ archive: binary }, { archive: base }).summary())).code!))
})

test('a store beside its writer, its snapshots as folders and packed, and an archive', async (t) => {
  const directory = tempDir(t)
  const store = await VectorStore.open(directory)
  t.teardown(() => store.close())
  const docs = await store.createCollection('docs', { dimension: 8 })
  await store.createCollection('others', { dimension: 8 })
  docs.insertBatch(entriesOf(300) as never)
  await docs.flush()
  const whole = await store.snapshots.create({ name: 'whole' })
  const map = mapOf(entriesOf(300)) as Map<string, any>
  change(map)
  for (const id of ['doc-1', 'doc-2', 'doc-3', 'doc-6', 'new']) docs.insert({ id, ...map.get(id) })
  docs.delete('doc-4')
  await docs.flush()
  await docs.checkpoint()
  const packed = await store.snapshots.create({ name: 'packed', compress: 'zstd' } as never)
  const sides: DiffSide[] = [
    { store: directory, collection: 'docs' },
    { snapshot: (packed as any).path, collection: 'docs' },
  ]
  for (const side of sides) t.deepEqual(await entries({ snapshot: (whole as any).path, collection: 'docs' }, side), DUE)
  t.deepEqual(await entries(sides[0]!, sides[1]!), [])
  const archive = join(tempDir(t), 'all.json')
  await docs.save(archive)
  t.deepEqual(await entries({ archive }, sides[0]!), [])
  docs.insert({ id: 'while it is open', vector: vectorOf('x') })
  await docs.flush()
  t.deepEqual(await entries({ archive }, sides[0]!), [{ id: 'while it is open', change: 'added' }])
  const several = await rejection(diff({ archive }, { store: directory }).summary())
  t.is(several.code, 'ERR_NOT_FOUND')
  t.true(several.message.includes('docs') && several.message.includes('others'))
  t.is((await rejection(diff({ archive }, { store: directory, collection: 'none' }).summary())).code, 'ERR_NOT_FOUND')
  t.is((await rejection(diff({ archive }, { store: tempDir(t) }).summary())).code, 'ERR_NOT_A_DATABASE')
  t.deepEqual(readdirSync(join(directory, 'snapshots')).filter((name) => name.startsWith('.')), [], 'nothing is left of reading')
})

test('different dimensions and metrics are said, and are no error', async (t) => {
  const baseDir = tempDir(t)
  const paths = [join(baseDir, 'a'), join(baseDir, 'b')]
  for (const [place, [dimension, metric]] of ([[8, 'cosine'], [4, 'dot']] as const).entries()) {
    await attach(t, mapOf(entriesOf(3, dimension)), { baseDir: tempDir(t), metric }).save({ path: paths[place] })
  }
  const found = await diff({ archive: paths[0]! }, { archive: paths[1]! }).summary()
  t.deepEqual([found.sameDimension, found.sameMetric, found.changedVectors, found.changedMetadata], [false, false, 3, 0])
  t.deepEqual([found.a.metric, found.b.dimension], ['cosine', 4])
})

test('wrong use is a TypeError at once; an aborted comparison rejects with the reason', async (t) => {
  const wrong: unknown[][] = [[], [{ archive: 'x' }], [{}, { archive: 'x' }], [{ archive: 'x', store: 'y' }, { archive: 'x' }], [{ archive: '' }, { archive: 'x' }], [{ archive: 'x', collection: 'c' }, { archive: 'x' }], [{ archiv: 'x' }, { archive: 'x' }], [{ archive: 5 }, { archive: 'x' }], [{ archive: 'x' }, { archive: 'y' }, { signal: {} }]]
  for (const given of wrong) t.is((t.throws(() => (diff as any)(...given), { instanceOf: TypeError }) as any).code, 'ERR_OPTION', JSON.stringify(given))
  const [a, b] = await archives(t, 'json', 'none')
  const reason = new Error('enough')
  t.is(await rejection(diff({ archive: a }, { archive: b }, { signal: AbortSignal.abort(reason) }).summary()), reason)
  const abort = new AbortController()
  const found = diff({ archive: a }, { archive: b }, { signal: abort.signal })
  const seen: string[] = []
  const thrown = await rejection((async () => {
    for await (const { id } of found) {
      seen.push(id)
      abort.abort(reason)
    }
  })().then(() => { throw reason }))
  t.is(thrown, reason)
  t.is((await rejection(diff({ archive: join(a, '..', 'none') }, { archive: b }).summary())).code, 'ERR_PATH')
})
