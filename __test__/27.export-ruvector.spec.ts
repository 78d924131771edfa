// exportRuvector: any ruvector.db to an archive, without opening it in ruvector, also while another process writes it.
import test from 'ava'
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { exportRuvector, PersistenceError } from 'ruvector-persistence'
import { COMPRESSIONS, FORMATS, readState } from './helpers/archive'
import { runChild, startChild } from './helpers/child'
import { attach, rejection } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, vectorOf } from './helpers/vectors'

test('options that are missing, unknown or wrong are refused', async (t) => {
  for (const options of [undefined, {}, { from: 'x' }, { to: 'x' }, { from: 'x', to: 'y', path: 'z' }, { from: 5, to: 'y' }, { from: 'x', to: 'y', compress: true }]) {
    await t.throwsAsync(exportRuvector(options as never), { instanceOf: TypeError, code: 'ERR_OPTION' }, JSON.stringify(options))
  }
  await t.throwsAsync(exportRuvector({ from: 'x', to: 'y', compressionLevel: 5 }), { instanceOf: TypeError, code: 'ERR_OPTION' })
  await t.throwsAsync(exportRuvector({ from: 'x', to: 'y', format: 'native' as never }), { code: 'ERR_UNSUPPORTED' } as object)
})

test('what is no ruvector file is refused with its path, and nothing is written', async (t) => {
  const dir = tempDir(t)
  mkdirSync(join(dir, 'folder'))
  writeFileSync(join(dir, 'empty'), '')
  writeFileSync(join(dir, 'text'), 'hello '.repeat(1000))
  writeFileSync(join(dir, 'zeros'), Buffer.alloc(8192))
  const to = join(dir, 'to')
  for (const [name, codes] of [['missing', ['ERR_PATH']], ['folder', ['ERR_PATH']], ['empty', ['ERR_FORMAT']], ['text', ['ERR_FORMAT']], ['zeros', ['ERR_FORMAT']]] as const) {
    const error = await rejection(exportRuvector({ from: join(dir, name), to }))
    t.true(error instanceof PersistenceError)
    t.true((codes as readonly string[]).includes(error.code!), `${name}: ${error.code} ${error.message}`)
    t.is(error.path, join(dir, name))
    t.false(existsSync(to))
  }
})

test('a ruvector file that is cut off or damaged is refused, or gives exactly what it held', async (t) => {
  const dir = tempDir(t)
  const from = join(dir, 'ruvector.db')
  await openRuvector(dir).insertBatch(entriesOf(30) as never)
  const bytes = readFileSync(from)
  const damaged = join(dir, 'damaged')
  const due = contentOf(entriesOf(30))
  const variants = [0.1, 0.3, 0.5, 0.9].map((share) => bytes.subarray(0, Math.floor(bytes.length * share)))
  for (let place = 5; place < bytes.length; place += Math.floor(bytes.length / 40)) {
    const variant = Buffer.from(bytes)
    variant[place]! ^= 0x10
    variants.push(variant)
  }
  for (const [index, variant] of variants.entries()) {
    writeFileSync(damaged, variant)
    const outcome = await exportRuvector({ from: damaged, to: join(dir, 'to') }).catch((error) => error)
    if (outcome instanceof Error) t.true(['ERR_FORMAT', 'ERR_CORRUPT', 'ERR_CHECKSUM', 'ERR_LIMIT', 'ERR_VERSION'].includes((outcome as PersistenceError).code), `${index}: ${outcome.message}`)
    else {
      const found = contentOf(readState(join(dir, 'to')).vectors)
      t.true(found.length === 0 || isDeepStrictEqual(found, due), `variant ${index} gives ${found.length} entries`)
    }
  }
})

for (const format of FORMATS) {
  for (const compression of COMPRESSIONS) {
    test(`a ruvector.db becomes a ${format} archive with ${compression}, which loads`, async (t) => {
      const dir = tempDir(t)
      const db = openRuvector(dir)
      await db.insertBatch(entriesOf(25) as never)
      await db.insert({ id: 'bare', vector: vectorOf('bare') })
      await db.delete('doc-9')
      const to = join(dir, 'deep', 'exported')
      const report = await exportRuvector({ from: join(dir, 'ruvector.db'), to, format, compression })
      t.like(report, { path: to, bytes: statSync(to).size, count: 25, dimension: 8 })
      t.regex(report.checksum, /^[0-9a-f]{64}$/)
      t.true(Math.abs(Date.now() - report.timestamp) < 60_000)
      const map = new Map()
      await attach(t, map, { baseDir: dir }).load({ path: to })
      t.deepEqual(contentOfMap(map), await contentOfRuvector(db, [...entriesOf(25).map(({ id }) => id), 'bare']))
      t.is(map.size, await db.len())
    })
  }
}

test('format and compression default to json and none; dimension and metric are in the archive', async (t) => {
  for (const [metric, due] of [['cosine', 'cosine'], ['euclidean', 'euclidean'], ['dot', 'dot'], ['manhattan', 'manhattan']] as const) {
    const dir = tempDir(t)
    await openRuvector(dir, { dimension: 5, metric }).insert({ id: 'a', vector: [1, 2, 3, 4, 5], metadata: { a: 1 } })
    await exportRuvector({ from: join(dir, 'ruvector.db'), to: join(dir, 'to') })
    const state = readState(join(dir, 'to'))
    t.deepEqual(state.options, { dimension: 5, metric: due })
    t.deepEqual(state.vectors, [{ id: 'a', vector: [1, 2, 3, 4, 5], metadata: { a: 1 } }])
  }
})

test('the level of the compression has an effect', async (t) => {
  const dir = tempDir(t)
  await openRuvector(dir).insertBatch(entriesOf(100) as never)
  const sizes = []
  for (const compressionLevel of [1, 9]) sizes.push((await exportRuvector({ from: join(dir, 'ruvector.db'), to: join(dir, 'to'), compression: 'gzip', compressionLevel })).bytes)
  t.true(sizes[1]! < sizes[0]!)
  t.is(JSON.parse(gunzipSync(readFileSync(join(dir, 'to'))).toString()).vectors.length, 100)
})

test('an empty ruvector.db becomes an empty archive', async (t) => {
  const dir = tempDir(t)
  openRuvector(dir)
  const { count, dimension } = await exportRuvector({ from: join(dir, 'ruvector.db'), to: join(dir, 'to') })
  t.is(count, 0)
  t.is(dimension, 8)
})

test('the file stays as it is, and nothing is left beside it', async (t) => {
  const dir = tempDir(t)
  mkdirSync(join(dir, 'to'))
  await openRuvector(dir).insertBatch(entriesOf(10) as never)
  const before = readFileSync(join(dir, 'ruvector.db'))
  await exportRuvector({ from: join(dir, 'ruvector.db'), to: join(dir, 'to', 'x') })
  t.true(readFileSync(join(dir, 'ruvector.db')).equals(before))
  t.deepEqual(readdirSync(dir).sort(), ['ruvector.db', 'to'])
  t.deepEqual(readdirSync(join(dir, 'to')), ['x'])
})

test('what cannot be written is an error, and the file that was there stays', async (t) => {
  const dir = tempDir(t)
  await openRuvector(dir).insertBatch(entriesOf(3) as never)
  writeFileSync(join(dir, 'file'), 'mine')
  for (const to of [join(dir, 'file', 'x'), dir, '']) t.true(['ERR_PATH', 'ERR_IO'].includes((await rejection(exportRuvector({ from: join(dir, 'ruvector.db'), to }))).code!), to)
  t.is(readFileSync(join(dir, 'file'), 'utf8'), 'mine')
})

test('a file that another process wrote and was killed over is exported, and then opens in ruvector as before', async (t) => {
  const dir = tempDir(t)
  const { child, ended } = await startChild(`
    const db = new VectorDB({ dimensions: 8, storagePath: 'x.db' })
    for (let row = 0; row < 50; row++) await db.insert({ id: 'doc-' + row, vector: vectorOf(row), metadata: { row } })
    tell('filled')
    setInterval(() => {}, 1000)
  `, dir, () => child.kill('SIGKILL'))
  t.is((await ended).signal, 'SIGKILL')
  const copy = join(dir, 'copy.db')
  copyFileSync(join(dir, 'x.db'), copy)
  t.is((await exportRuvector({ from: copy, to: join(dir, 'to') })).count, 50)
  const { told } = await runChild(`tell(await new VectorDB({ dimensions: 8, storagePath: 'copy.db' }).len())`, dir)
  t.deepEqual(told, [50])
})

test('a file that another process is writing is exported as it was at one moment', async (t) => {
  const dir = tempDir(t)
  let started!: () => void
  const filled = new Promise<void>((resolve) => (started = resolve))
  const { child, ended } = await startChild(`
    const db = new VectorDB({ dimensions: 8, storagePath: 'x.db' })
    for (let row = 0; ; row++) {
      await db.insert({ id: 'doc-' + String(row).padStart(6, '0'), vector: vectorOf(row), metadata: { row } })
      if (row === 50) tell('filled')
    }
  `, dir, started)
  await filled
  let most = 0
  for (let round = 0; round < 8; round++) {
    const to = join(dir, `to-${round}`)
    const { count } = await exportRuvector({ from: join(dir, 'x.db'), to, format: 'json' })
    const state = readState(to)
    t.true(count >= most, 'no entry gets lost again')
    most = count
    t.is(state.vectors.length, count)
    const rows = state.vectors.map(({ metadata }) => metadata!['row'] as number).sort((a, b) => a - b)
    t.true(rows.every((row, place) => row === place), 'the first n entries, without a hole')
    const { id, vector, metadata } = state.vectors[count >> 1]!
    t.is(id, `doc-${String(metadata!['row']).padStart(6, '0')}`)
    t.deepEqual(Float32Array.from(vector), vectorOf(metadata!['row']))
  }
  child.kill('SIGKILL')
  t.is((await ended).signal, 'SIGKILL')
  t.true(most > 50)
})
