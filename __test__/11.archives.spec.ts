// Saving and loading in every format and compression (CHECKLIST D1-D4, D9, D32, E1, E11, E12, E14, E15): names, round trips
// over every kind of database, and reading back what was written without this library.
//
// A failure of a round trip is data loss. A failure of the reading back means that an archive is ours alone, or that its
// documented checksum is not what is documented.
import test from 'ava'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as zlib from 'node:zlib'
import { Unpackr } from 'msgpackr'
import { type CompressionType, type DatabaseState, type PersistenceFormat } from 'ruvector-persistence'
import { COMPRESSIONS, FORMATS } from './helpers/archive'
import { GenericDb } from './helpers/generic'
import { attach } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOf, contentOfMap, entriesOf, mapOf } from './helpers/vectors'

const EXTENSIONS = { json: 'json', binary: 'bin', sqlite: 'db' }
const all = FORMATS.flatMap((format) => COMPRESSIONS.map((compression) => ({ format, compression })))
const nameOf = (format: PersistenceFormat, compression: CompressionType): string =>
  `database.${EXTENSIONS[format]}${compression === 'none' ? '' : `.${compression}`}`

/** The content of an archive, decompressed by Node; zstd only where Node has it. */
function plain(path: string, compression: CompressionType): Buffer | null {
  const bytes = readFileSync(path)
  if (compression === 'gzip') return zlib.gunzipSync(bytes)
  if (compression === 'brotli') return zlib.brotliDecompressSync(bytes)
  if (compression === 'zstd') return (zlib as { zstdDecompressSync?: (data: Buffer) => Buffer }).zstdDecompressSync?.(bytes) ?? null
  return bytes
}

for (const { format, compression } of all) {
  const what = `${format} with ${compression}`

  test(`E11, E15: ${what} is saved under its documented name, and the path is returned`, async (t) => {
    const baseDir = tempDir(t)
    const path = await attach(t, mapOf(entriesOf(5)), { baseDir, format, compression }).save()
    t.is(path, join(baseDir, nameOf(format, compression)))
    t.deepEqual(readdirSync(baseDir).filter((name) => name.startsWith('database')), [nameOf(format, compression)])
    t.deepEqual(readdirSync(baseDir).filter((name) => name.includes('tmp')), [], 'no temporary file is left')
  })

  test(`D1, D9, D32: ${what} brings a real ruvector back in another one, bit for bit`, async (t) => {
    const dir = tempDir(t)
    const entries = entriesOf(30)
    const db = openRuvector(dir)
    const persistence = attach(t, db, { baseDir: dir, format, compression })
    await db.insertBatch(entries.slice(0, 20) as never)
    for (const entry of entries.slice(20)) await db.insert(entry)
    const path = await persistence.save()

    const other = openRuvector(dir, { name: 'other.db' })
    await attach(t, other, { baseDir: join(dir, 'other') }).load({ path })
    t.is(await other.len(), 30)
    t.deepEqual(await contentOfRuvector(other, entries.map(({ id }) => id)), contentOf(entries))
    t.true((await other.search({ vector: entries[7]!.vector, k: 10 })).length > 0, 'it can be searched')
  })

  test(`D1: ${what} goes from a Map to a sync database to an async database to a Map`, async (t) => {
    const dir = tempDir(t)
    const entries = entriesOf(12)
    const databases = [new GenericDb(), new GenericDb({ async: true })]
    let path = await attach(t, mapOf(entries), { baseDir: join(dir, 'map'), format, compression }).save()
    for (const [index, db] of databases.entries()) {
      const persistence = attach(t, db, { baseDir: join(dir, String(index)), format, compression })
      await persistence.load({ path })
      t.deepEqual(contentOf(db.content.values()), contentOf(entries))
      path = await persistence.save()
    }
    const map = new Map()
    await attach(t, map, { baseDir: join(dir, 'back') }).load({ path })
    t.deepEqual(contentOfMap(map), contentOf(entries))
  })
}

// A SQLite archive is read back by sqlite3 in 32.sqlite.spec.ts.
for (const { format, compression } of all.filter(({ format }) => format !== 'sqlite')) {
  const what = `${format} with ${compression}`

  test(`D3, D4: ${what} is read back without this library`, async (t) => {
    const dir = tempDir(t)
    const entries = entriesOf(20)
    const before = Date.now()
    const path = await attach(t, mapOf(entries), { baseDir: dir, format, compression, metric: 'cosine' }).save()
    const bytes = plain(path, compression)
    if (bytes === null) {
      t.is(readFileSync(path).readUInt32LE(0), 0xfd2fb528, 'the magic number of zstd')
      return
    }
    const state: DatabaseState = format === 'json' ? JSON.parse(bytes.toString()) : new Unpackr({ useRecords: false }).unpack(bytes)
    t.deepEqual(Object.keys(state), ['version', 'options', 'stats', 'vectors', 'timestamp', 'checksum'])
    t.is(state.version, '1.0.0')
    t.deepEqual(state.options, { dimension: 8, metric: 'cosine' })
    t.deepEqual(state.stats, { count: 20, dimension: 8, metric: 'cosine' })
    t.true(state.timestamp >= before && state.timestamp <= Date.now())
    t.deepEqual(Object.keys(state.vectors[0]!), ['id', 'vector', 'metadata'])
    const read = state.vectors.map(({ id, vector, metadata }) => {
      if (format === 'json') {
        t.true(Array.isArray(vector), 'a vector of JSON is a plain array')
        return { id, vector, metadata }
      }
      // A vector is one binary value of 32-bit floats, metadata are their JSON text.
      const floats = vector as unknown as Uint8Array
      t.true(floats instanceof Uint8Array && floats.byteLength === 32)
      return { id, vector: new Float32Array(Uint8Array.from(floats).buffer), metadata: JSON.parse(metadata as unknown as string) }
    })
    t.deepEqual(contentOf(read), contentOf(entries))
  })
}

test('D12: the checksum of a JSON archive is SHA-256 of the JSON text of the state without it, as documented', async (t) => {
  const entries = entriesOf(40)
  entries[3]!.metadata = { text: 'ünïcode \u2028 "quoted" \\ / \n\t 💾', nested: { a: [1.5, null, true, { b: {} }] }, '': 0 }
  delete entries[4]!.metadata
  for (const compression of ['none', 'gzip', 'brotli'] as const) {
    const path = await attach(t, mapOf(entries), { baseDir: tempDir(t), compression }).save()
    const { checksum, ...state } = JSON.parse(plain(path, compression)!.toString())
    t.is(checksum, createHash('sha256').update(JSON.stringify(state)).digest('hex'), compression)
  }
})

test('D12: numbers are spelled as JavaScript spells them, so that the checksum can be made again from what JSON.parse gives', async (t) => {
  const numbers = [1, 0, 0.1, 1 / 3, 1e-6, 1e-7, -1.5e-7, 1e20, 1e21, 3.4028234663852886e38, 1.401298464324817e-45, 16777216, 123456789, -0.000012345]
  const path = await attach(t, new Map([['numbers', { vector: numbers }]]), { baseDir: tempDir(t) }).save()
  const { checksum, ...state } = JSON.parse(readFileSync(path, 'utf8'))
  t.is(checksum, createHash('sha256').update(JSON.stringify(state)).digest('hex'))
  t.is(bitsOf(state.vectors[0].vector), bitsOf(numbers))
})

test('the event "save" tells what is in the file', async (t) => {
  const persistence = attach(t, mapOf(entriesOf(6)), { baseDir: tempDir(t) })
  const reports: any[] = []
  persistence.on('save', (report) => reports.push(report))
  const path = await persistence.save()
  const state = JSON.parse(readFileSync(path, 'utf8'))
  t.deepEqual(reports, [{ path, bytes: statSync(path).size, count: 6, dimension: 8, checksum: state.checksum, timestamp: state.timestamp, type: 'full', puts: 6, deletes: 0, base: null }])
})

test('E11: path, format, compress, compression and level of one call go before what is configured', async (t) => {
  const dir = tempDir(t)
  const map = mapOf(entriesOf(30))
  const persistence = attach(t, map, { baseDir: dir, format: 'json', compression: 'gzip', compressionLevel: 9 })
  const wanted = join(dir, 'deep', 'er', 'my.backup')
  t.is(await persistence.save({ path: wanted, format: 'binary', compress: false }), wanted)
  t.is(readFileSync(wanted)[0], 0x86, 'MessagePack, a map of six members')
  t.is(await persistence.save({ format: 'binary' }), join(dir, 'database.bin.gzip'))
  t.is(await persistence.save({ compression: 'zstd', compressionLevel: 19 }), join(dir, 'database.json.zstd'))
  t.is(await persistence.save({ compress: false }), join(dir, 'database.json'))
  t.true(statSync(join(dir, 'database.json.zstd')).size < statSync(join(dir, 'database.json')).size / 1.5)
})

test('E11: options of a call that contradict each other or are unknown are refused', async (t) => {
  const persistence = attach(t, mapOf(entriesOf(2)), { baseDir: tempDir(t) })
  await t.throwsAsync(persistence.save({ compress: false, compression: 'gzip' }), { instanceOf: TypeError, code: 'ERR_OPTION', message: /contradict/ })
  await t.throwsAsync(persistence.save({ compresion: 'gzip' } as never), { instanceOf: TypeError, code: 'ERR_OPTION', message: /Did you mean "compression"/ })
  await t.throwsAsync(persistence.save({ onprogress: () => undefined } as never), { instanceOf: TypeError, message: /onProgress/ })
  await t.throwsAsync(persistence.save('backup.json' as never), { instanceOf: TypeError, code: 'ERR_OPTION' })
  await t.throwsAsync(persistence.save({ format: 'native' as never }), { code: 'ERR_UNSUPPORTED', message: /native/ } as object)
})

test('E12: compress without a configured compression really compresses', async (t) => {
  const dir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(30)), { baseDir: dir })
  const path = await persistence.save({ compress: true })
  t.is(path, join(dir, 'database.json.gzip'))
  t.is(JSON.parse(zlib.gunzipSync(readFileSync(path)).toString()).vectors.length, 30)
  t.false(existsSync(join(dir, 'database.json.none')))
})

test('E11: a second save replaces the first one whole', async (t) => {
  const dir = tempDir(t)
  const map = mapOf(entriesOf(50))
  const persistence = attach(t, map, { baseDir: dir })
  await persistence.save()
  for (let row = 1; row < 50; row++) map.delete(`doc-${row}`)
  const state = JSON.parse(readFileSync(await persistence.save(), 'utf8'))
  t.deepEqual(state.vectors.map(({ id }: { id: string }) => id), ['doc-0'])
})

test('an empty database is saved and loaded as an empty database', async (t) => {
  for (const { format, compression } of all) {
    const dir = tempDir(t)
    const path = await attach(t, new Map(), { baseDir: dir, format, compression }).save()
    const map = mapOf(entriesOf(3))
    await attach(t, map, { baseDir: join(dir, 'b') }).load({ path })
    t.is(map.size, 0)
  }
})

test('more entries than one unit of work holds come back in every format and compression', async (t) => {
  const entries = entriesOf(1200, 384, 'row')
  const map = mapOf(entries)
  const due = contentOf(entries)
  for (const { format, compression } of all.filter(({ compression }) => compression !== 'brotli')) {
    const dir = tempDir(t)
    const persistence = attach(t, map, { baseDir: dir, format, compression })
    const path = await persistence.save()
    await persistence.shutdown()
    const back = new Map()
    await attach(t, back, { baseDir: join(dir, 'b') }).load({ path })
    t.true(contentOfMap(back).every(([id, bits], row) => due[row]![0] === id && due[row]![1] === bits), `${format} ${compression}`)
    t.is(back.size, due.length)
  }
})
