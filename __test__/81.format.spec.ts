// docs/format.md against the code: every example of an archive is decoded by the package, compared with what stands beside it,
// and encoded again; the recipes for checksums are run; the limits are those of src/limits.rs.
//
// Encoding again gives another timestamp and so another checksum: these two are put in from the example before the bytes are
// compared. A failure means that the page, the only full description of the files, is wrong, or that the format changed.
import test, { type ExecutionContext } from 'ava'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { type PersistenceOptions } from 'ruvector-persistence'
import { COMPRESSIONS, FORMATS } from './helpers/archive'
import { blockNamed, bytesOf, readDoc } from './helpers/docs'
import { attach } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOfMap, fromBits } from './helpers/vectors'

const PAGE = 'docs/format.md'
const text = blockNamed(PAGE, 'json', 'example').text
const binary = bytesOf(blockNamed(PAGE, 'hex', 'binary'))
const TIMESTAMP = 1_700_000_000_000
const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

type Entries = Map<string, { vector: Float32Array; metadata?: Record<string, unknown> }>

/** What the page says that its examples hold. */
const content = (): Entries => new Map([
  ['a', { vector: Float32Array.of(0.1, -0, 1.5), metadata: { title: 'one' } }],
  ['é', { vector: fromBits(0x7fc00000, 0x7f800000, 0x33d6bf95) }],
])

async function loaded(t: ExecutionContext, bytes: string | Uint8Array): Promise<Entries> {
  const dir = tempDir(t)
  const path = join(dir, 'example')
  writeFileSync(path, bytes)
  const map: Entries = new Map()
  await attach(t, map, { baseDir: join(dir, 'base'), metric: 'cosine', dimension: 3 }).load({ path })
  return map
}

async function saved(t: ExecutionContext, options: Partial<PersistenceOptions>): Promise<Buffer> {
  return readFileSync(await attach(t, content(), { baseDir: tempDir(t), metric: 'cosine', ...options }).save())
}

test('JSON archive: the example decodes, and encodes to the same bytes', async (t) => {
  t.deepEqual(contentOfMap(await loaded(t, text)), contentOfMap(content()))
  const again = (await saved(t, {})).toString().replace(/"timestamp":\d+/, `"timestamp":${TIMESTAMP}`)
  const bare = again.replaceAll('\n', '').replace(/,"checksum":"\w{64}"\}$/, '}')
  t.is(again.replace(/"checksum":"\w{64}"/, `"checksum":"${sha256(bare)}"`), text)
})

test('Binary archive: the example decodes, and encodes to the same bytes', async (t) => {
  t.deepEqual(contentOfMap(await loaded(t, binary)), contentOfMap(content()))
  const again = await saved(t, { format: 'binary' })
  again.writeDoubleBE(TIMESTAMP, again.length - 75 - 8)
  again.write(sha256(again.subarray(0, -75)), again.length - 64, 'latin1')
  t.is(again.toString('hex'), binary.toString('hex'))
})

for (const [compression, plain] of [['gzip', gunzipSync], ['brotli', brotliDecompressSync], ['zstd', null]] as const) {
  test(`Compression: the ${compression} example is the JSON example`, async (t) => {
    const bytes = bytesOf(blockNamed(PAGE, 'hex', compression))
    t.deepEqual(contentOfMap(await loaded(t, bytes)), contentOfMap(content()))
    if (plain !== null) t.is(plain(bytes).toString(), text)
    // The beginning tells the codec and its parameters; the rest may change with the version of the codec.
    const again = await saved(t, { compression })
    t.is(again.subarray(0, 4).toString('hex'), bytes.subarray(0, 4).toString('hex'))
  })
}

test('Numbers: each has the text of the page, and comes back with its bits', async (t) => {
  const { text } = blockNamed(PAGE, 'json', 'numbers')
  const rows = [...text.matchAll(/^ {2}\["([0-9a-f]{8})", (.*?)\],?$/gm)].map(([, bits, shown]) => ({ bits: Number(`0x${bits}`), shown: shown! }))
  t.is(rows.length, 13)
  const vector = fromBits(...rows.map(({ bits }) => bits))
  const map = new Map([['numbers', { vector }]])
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  const path = await persistence.save()
  t.is(/"vector":\[(.*)\]/.exec(readFileSync(path, 'utf8'))![1], rows.map(({ shown }) => shown).join(','))
  map.clear()
  await persistence.load({ path })
  t.is(bitsOf(map.get('numbers')!.vector), bitsOf(vector))
})

for (const [format, example] of [['json', text], ['binary', binary]] as const) {
  test(`the recipe for the checksum of a ${format} archive works, and notices a change`, async (t) => {
    const code = blockNamed(PAGE, 'js', `recipe-${format}`).text
    const outcome = (bytes: string | Uint8Array): boolean => {
      const path = join(tempDir(t), 'archive')
      writeFileSync(path, bytes)
      let said: unknown
      new Function('path', 'readFileSync', 'createHash', 'console', code)(path, readFileSync, createHash, { log: (value: unknown) => (said = value) })
      return said as boolean
    }
    t.true(outcome(example))
    t.true(outcome(await saved(t, { format })))
    const other = Buffer.from(example as string)
    other[other.indexOf('cosine')] = 0x43
    t.false(outcome(other))
  })
}

test('Snapshots: the record of the page is what is written', async (t) => {
  const example = blockNamed(PAGE, 'json', 'record').text.trimEnd()
  const record = JSON.parse(example)
  t.is(record.checksum, sha256(text))
  t.is(record.fileSize, Buffer.byteLength(text))
  t.is(record.timestamp, TIMESTAMP)

  const baseDir = tempDir(t)
  const snapshot = await attach(t, content(), { baseDir, metric: 'cosine' }).createSnapshot(record.name, record.metadata)
  const written = readFileSync(join(baseDir, 'snapshots', `${snapshot.id}.meta.json`), 'utf8')
  const { id, timestamp, checksum } = snapshot
  t.is(written.replace(id, record.id).replace(String(timestamp), String(TIMESTAMP)).replace(checksum, record.checksum), example)
  t.deepEqual(readdirSync(join(baseDir, 'snapshots')).sort(), [`${id}.json`, `${id}.meta.json`])
})

test('Snapshots: the record and the archive of the page restore', async (t) => {
  const baseDir = tempDir(t)
  const record = blockNamed(PAGE, 'json', 'record').text
  const { id } = JSON.parse(record)
  mkdirSync(join(baseDir, 'snapshots'))
  writeFileSync(join(baseDir, 'snapshots', `${id}.json`), text)
  writeFileSync(join(baseDir, 'snapshots', `${id}.meta.json`), record)
  const map: Entries = new Map()
  await attach(t, map, { baseDir }).restoreSnapshot(id)
  t.deepEqual(contentOfMap(map), contentOfMap(content()))
})

test('Deltas: the example decodes after its base, and a delta that is written has its layout', async (t) => {
  const delta = blockNamed(PAGE, 'json', 'delta').text
  const dir = tempDir(t)
  const path = join(dir, 'database.json')
  writeFileSync(path, text)
  writeFileSync(`${path}.delta-000001`, delta)
  const map: Entries = new Map()
  const persistence = attach(t, map, { baseDir: dir, metric: 'cosine', dimension: 3, incremental: true })
  await persistence.load({ path })
  t.deepEqual(contentOfMap(map), contentOfMap(new Map([['a', { vector: Float32Array.of(0.1, -0, 2), metadata: { title: 'two' } }]])))
  const bare = delta.replaceAll('\n', '')
  t.is(sha256(bare.replace(/,"checksum":"\w{64}"\}$/, '}')), JSON.parse(bare).checksum)
  // A small change of a larger content: only numbers and checksums are others.
  for (let row = 0; row < 6; row++) map.set(`row ${row}`, { vector: Float32Array.of(row, 0, 0) })
  await persistence.save()
  map.set('a', { vector: Float32Array.of(0.1, -0, 2), metadata: { title: 'one' } })
  map.delete('row 0')
  const shape = (of: string): string => of.replace(/"(?:\w{64}|\d-\w{32})"/g, '""').replace(/"(count|timestamp)":\d+/g, '"$1":0')
  const written = readFileSync((await persistence.saveIncremental())!, 'utf8')
  t.is(shape(written).replace('"one"', '"two"').replace('"row 0"', '"é"'), shape(delta))
})

test('.incremental.json: the example is what is written, and is believed', async (t) => {
  const example = blockNamed(PAGE, 'json', 'incremental').text
  const baseDir = tempDir(t)
  const first = attach(t, content(), { baseDir, metric: 'cosine' })
  await first.saveIncremental()
  await first.shutdown()
  const written = readFileSync(join(baseDir, '.incremental.json'), 'utf8')
  t.is(written.replace(/"(timestamp|modified)": \d+/g, `"$1": ${TIMESTAMP}`).replace(/"checksum": "\w{64}"/, /"checksum": "\w{64}"/.exec(example)![0]), example)
  // Its base is that of the page, at that moment.
  writeFileSync(join(baseDir, 'database.json'), text)
  utimesSync(join(baseDir, 'database.json'), TIMESTAMP / 1000, TIMESTAMP / 1000)
  writeFileSync(join(baseDir, '.incremental.json'), example)
  t.is(await attach(t, content(), { baseDir, metric: 'cosine' }).saveIncremental(), null)
})

test('Files of a base folder: the names are those of the page', async (t) => {
  const table = readDoc(PAGE).split('## Files of a base folder')[1]!.split('\n## ')[0]!
  const baseDir = tempDir(t)
  const persistence = attach(t, content(), { baseDir })
  for (const format of FORMATS) {
    for (const compression of COMPRESSIONS) await persistence.save({ format, compression })
    const { id } = await persistence.createSnapshot('x', {}, { format })
    t.true(table.includes(`snapshots/<id>.${format}`))
    t.true(readdirSync(join(baseDir, 'snapshots')).includes(`${id}.${format}`))
  }
  const suffixes = [...table.matchAll(/`(\.(?:gzip|brotli|zstd))`/g)].map((match) => match[1])
  const names = ['database.json', 'database.bin', 'database.db'].flatMap((name) => [name, `${name}.gzip`, ...suffixes.map((suffix) => `${name}${suffix}`)])
  t.deepEqual(readdirSync(baseDir).sort(), ['.incremental.json', ...new Set(names), 'snapshots'].sort())
})

test('ruvector.db: the file of a real ruvector begins and holds what the page says', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir, { dimension: 3 })
  await db.insert({ id: 'a', vector: Float32Array.of(0.1, -0, 1.5), metadata: { title: 'one' } })
  const file = readFileSync(join(dir, 'ruvector.db'))
  const magic = /\| 0 \| 9 \| `([0-9a-f ]+)` \|/.exec(readDoc(PAGE))![1]!
  t.is(file.subarray(0, 9).toString('hex'), magic.replaceAll(' ', ''))
  t.is(file.readUInt32LE(12), 4096)
  for (const part of [bytesOf(blockNamed(PAGE, 'hex', 'bincode')), 'vectors', 'metadata', 'config', '__ruvector_db_config__', '"dimensions":3', '{"title":"one"}']) {
    t.true(file.includes(part), String(part))
  }
})

test('Limits: the table is that of src/limits.rs', (t) => {
  const known: Record<string, number> = {}
  for (const [, name, value] of readDoc('src/limits.rs').matchAll(/^pub const (\w+): \w+ = (.+);$/gm)) {
    // As JavaScript: numbers without underscores and casts, shifts beyond 32 bits.
    const script = value!.replace(/(?<=\d)_(?=\d)/g, '').replace(/ as u64/g, '').replace(/(\d+) << (\d+)/g, '($1 * 2 ** $2)')
    known[name!] = new Function(...Object.keys(known), `return ${script}`)(...Object.values(known)) as number
  }
  const table = readDoc(PAGE).split('## Limits')[1]!.split('\n## ')[0]!
  const shown = [...table.matchAll(/^\| .* \| (?:1 to )?([\d,]+).* \| `(\w+)` \|$/gm)].map(([, value, name]) => [name!, Number(value!.replaceAll(',', ''))])
  // The size of a piece of work bounds no input.
  delete known['WORK_BYTES']
  t.deepEqual(Object.fromEntries(shown), known)
})
