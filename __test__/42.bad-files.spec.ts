// Files that are no archives, or bad ones, or bombs (rows 27 to 29, 37, 43 to 47 of the table of bad inputs).
//
// Each is loaded, imported with and without `clear`, and where it fits restored: refused with a code and a message that
// names file and place, in little time, with the database, the last save and the folder as they were. A failure means that
// a bad file reaches a live database or takes the process with it. Damage of every single bit is tried in Rust
// (tests/archive_damage).
import test, { type ExecutionContext } from 'ava'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { pack } from 'msgpackr'
import { startProgram } from './helpers/faults'
import { isUnharmed, keep, type Kept, refusal } from './helpers/kept'
import { attach } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOfMap, vectorOf } from './helpers/vectors'

/** Time of the processor for one refusal, which does not depend on what else the machine does. One test runs at a time. */
const CPU_MS = 1000

/** One entry as JSON text, of as many numbers as the kept database has. */
const numbers = Array.from({ length: 8 }, (_, place) => place).join()
const entry = (id: string, more = ''): string => `{"id":${JSON.stringify(id)},"vector":[${numbers}]${more}}`

/** The JSON of an archive around the text of its entries. */
const state = (vectors: string, members = ''): string => `{"version":"1.0.0",${members}"vectors":[${vectors}],"timestamp":5}`

/** The same with the checksum it needs. The text has no white space. */
const signed = (text: string): string => `${text.slice(0, -1)},"checksum":"${createHash('sha256').update(text).digest('hex')}"}`

/** Writes the bytes and sees them refused by every call that reads a file. */
async function refused(t: ExecutionContext, kept: Kept, bytes: string | Uint8Array, code: string, ...parts: (string | RegExp)[]): Promise<void> {
  const path = join(kept.dir, 'bad')
  writeFileSync(path, bytes)
  const { persistence } = kept
  for (const call of [
    () => persistence.load({ path }),
    () => persistence.import({ path }),
    () => persistence.import({ path, clear: true }),
    ...(code === 'ERR_CHECKSUM' ? [] : [() => persistence.load({ path, verifyChecksum: false })]),
  ]) {
    const began = process.cpuUsage()
    const error = await refusal(t, call, code, path, ...parts)
    t.is(error.path, path)
    const { user, system } = process.cpuUsage(began)
    t.true((user + system) / 1000 < CPU_MS, `${code} after ${(user + system) / 1000} ms`)
  }
  t.true(readFileSync(path).equals(Buffer.from(bytes)), 'the file that was refused is not touched')
}

const suite = (title: string, cases: (t: ExecutionContext, kept: Kept) => Promise<void>): void =>
  void test.serial(title, async (t) => {
    const kept = await keep(t)
    await cases(t, kept)
    await isUnharmed(t, kept)
  })

suite('row 26: an empty file, one byte, zeros', async (t, kept) => {
  await refused(t, kept, '', 'ERR_FORMAT', 'empty')
  for (const byte of ['{', '[', ' ', '\0', '\x81', '\xff']) await refused(t, kept, Buffer.from(byte, 'latin1'), 'ERR_FORMAT')
  await refused(t, kept, Buffer.alloc(100_000), 'ERR_FORMAT', '00 00')
})

suite('row 27: other kinds of files are told apart', async (t, kept) => {
  await refused(t, kept, 'just some text\n', 'ERR_FORMAT', 'neither a JSON, a MessagePack nor a SQLite archive')
  await refused(t, kept, Buffer.from('\x89PNG\r\n\x1a\n and so on', 'latin1'), 'ERR_FORMAT', '89 50 4e 47')
  await refused(t, kept, 'SQLite format 3\0 and so on', 'ERR_FORMAT', 'not a SQLite database')
  await refused(t, kept, Buffer.from('redb\x1a\x0a\xa9\x0d\x0a and so on', 'latin1'), 'ERR_FORMAT', 'ruvector.db', 'exportRuvector')
  await refused(t, kept, readFileSync(process.execPath).subarray(0, 100_000), 'ERR_FORMAT')
  await refused(t, kept, '{"name":"a","version":"1.0.0","dependencies":{}}', 'ERR_FORMAT', "'vectors'")
})

suite('row 27: what is in one format is not loaded as the other', async (t, kept) => {
  const path = await kept.persistence.save({ path: join(kept.dir, 'x.json'), format: 'binary' })
  await refusal(t, () => kept.persistence.load({ path, format: 'json' }), 'ERR_FORMAT', path, "'binary'", "'json'")
  await refusal(t, () => kept.persistence.load({ path: kept.file, format: 'binary' }), 'ERR_FORMAT', kept.file, "'json'")
  await refusal(t, () => kept.persistence.load({ path, format: 'sqlite' }), 'ERR_FORMAT', path, "'binary'", "'sqlite'")
})

suite('row 28: a newer version, and what is no version', async (t, kept) => {
  const of = (version: string): string => state(entry('a')).replace('"1.0.0"', version)
  for (const version of ['2.0.0', '3', '10.0.0', '0.1.0']) await refused(t, kept, of(JSON.stringify(version)), 'ERR_VERSION', version, 'this build reads 1.x.y')
  for (const version of ['1', 'null', '""', '"one"', '{}']) await refused(t, kept, of(version), 'ERR_FORMAT', 'version')
  await refused(t, kept, state(entry('a')).replace('"version":"1.0.0",', ''), 'ERR_FORMAT', 'version')
  const later = join(kept.dir, 'later')
  writeFileSync(later, signed(of('"1.9.9"')))
  const loaded = new Map()
  await attach(t, loaded, { baseDir: kept.dir }).load({ path: later })
  t.deepEqual([...loaded.keys()], ['a'], 'a later version of the same format is read')
})

suite('row 29: counts and sizes that no file holds are refused before memory is taken', async (t, kept) => {
  await refused(t, kept, state(entry('a'), '"options":{"dimension":4294967295},'), 'ERR_DIMENSION', '4294967295', '65536')
  await refused(t, kept, state(entry('a'), '"options":{"dimension":1e30},'), 'ERR_FORMAT', 'options')
  const many = join(kept.dir, 'many')
  writeFileSync(many, signed(state(entry('a'), '"stats":{"count":18446744073709551615},')))
  await refusal(t, () => kept.persistence.load({ path: many }), 'ERR_CORRUPT', '18446744073709551615', many)
  for (const [bytes, code] of [
    [[0x81, 0xa7, ...Buffer.from('vectors'), 0xdd, 0xff, 0xff, 0xff, 0xff], 'ERR_FORMAT'],
    [[0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, 0x61, 0x01], 'ERR_FORMAT'],
    [[0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, 0x61], 'ERR_LIMIT'],
    [[0x81, 0xa7, ...Buffer.from('vectors'), 0x91, 0x81, 0xa6, ...Buffer.from('vector'), 0xc6, 0xff, 0xff, 0xff, 0xff], 'ERR_DIMENSION'],
  ] as const) await refused(t, kept, Uint8Array.from(bytes), code)
})

suite('row 37: snapshot records that name other files, other snapshots or nothing', async (t, kept) => {
  const { persistence, baseDir, dir } = kept
  const good = await persistence.createSnapshot('good')
  const folder = join(baseDir, 'snapshots')
  const record = JSON.parse(readFileSync(join(folder, `${good.id}.meta.json`), 'utf8'))
  writeFileSync(join(dir, 'x.json'), readFileSync(kept.file))
  const before = readdirSync(dir).sort()
  const bad: Record<string, unknown> = {
    'format-up': { ...record, id: 'format-up', format: '../../x.json' },
    'format-native': { ...record, id: 'format-native', format: 'native' },
    'id-up': { ...record, id: '../x' },
    'id-other': { ...record, id: good.id },
    'no-members': { id: 'no-members' },
    'wrong-types': { ...record, id: 'wrong-types', vectorCount: 'many' },
    'negative': { ...record, id: 'negative', vectorCount: -1 },
    'array': [record],
    'null': null,
    'number': 5,
  }
  for (const [id, content] of Object.entries(bad)) writeFileSync(join(folder, `${id}.meta.json`), JSON.stringify(content))
  writeFileSync(join(folder, 'cut.meta.json'), JSON.stringify(record).slice(0, 100))
  writeFileSync(join(folder, 'empty.meta.json'), '')
  writeFileSync(join(folder, 'zeros.meta.json'), Buffer.alloc(1000))
  writeFileSync(join(folder, 'long.meta.json'), Buffer.alloc((16 << 20) + 1, ' '))
  writeFileSync(join(folder, 'utf8.meta.json'), Buffer.from('{"id":"\xff"}', 'latin1'))
  writeFileSync(join(folder, 'UPPER.meta.json'), JSON.stringify({ ...record, id: 'UPPER' }))
  writeFileSync(join(folder, '..evil.meta.json'), JSON.stringify({ ...record, id: '..evil' }))
  const damaged = [...Object.keys(bad), 'cut', 'empty', 'zeros', 'long', 'utf8', 'UPPER', '..evil']
  const errors: any[] = []
  persistence.on('error', (error) => errors.push(error))
  t.deepEqual((await persistence.listSnapshots()).map(({ id }) => id), [good.id], 'a damaged record hides no other')
  t.deepEqual(errors.map(({ path }) => path).sort(), damaged.map((id) => join(folder, `${id}.meta.json`)).sort())
  for (const error of errors) t.true(['ERR_CORRUPT', 'ERR_FORMAT', 'ERR_LIMIT', 'ERR_SNAPSHOT_ID'].includes(error.code), error.message)
  for (const id of damaged) {
    const error: any = await t.throwsAsync(persistence.restoreSnapshot(id))
    t.true(['ERR_CORRUPT', 'ERR_FORMAT', 'ERR_LIMIT', 'ERR_SNAPSHOT_ID'].includes(error.code), `${id}: ${error.code} ${error.message}`)
  }
  for (const id of Object.keys(bad)) await persistence.deleteSnapshot(id)
  t.deepEqual(readdirSync(dir).sort(), before, 'nothing outside was removed or made')
  t.true(existsSync(join(folder, `${good.id}.json`)), 'the archive of the record that was copied')
  await persistence.restoreSnapshot(good.id)
})

suite('row 37: a snapshot whose archive was lost, cut, altered or replaced by another', async (t, kept) => {
  const { persistence, baseDir } = kept
  const folder = join(baseDir, 'snapshots')
  const { id } = await persistence.createSnapshot('x')
  const file = join(folder, `${id}.json`)
  const good = readFileSync(file)
  const flipped = Buffer.from(good)
  flipped[200]! ^= 1
  kept.map.set('more', { vector: vectorOf('more') })
  const other = readFileSync(await persistence.save({ path: join(kept.dir, 'other') }))
  kept.map.delete('more')
  for (const [what, bytes] of [['cut', good.subarray(0, -1)], ['flipped', flipped], ['other', other], ['empty', Buffer.alloc(0)], ['longer', Buffer.concat([good, Buffer.from('\n')])]] as const) {
    writeFileSync(file, bytes)
    await refusal(t, () => persistence.restoreSnapshot(id), 'ERR_CHECKSUM', 'checksum', file).then(({ message }) => t.pass(`${what}: ${message}`))
  }
  writeFileSync(file, good)
  await persistence.restoreSnapshot(id)
  writeFileSync(join(folder, `${id}.json`), '')
  await refusal(t, () => persistence.restoreSnapshot(id, { verifyChecksum: false }), 'ERR_FORMAT', 'empty')
  rmSync(file)
  await refusal(t, () => persistence.restoreSnapshot(id), 'ERR_PATH', 'ENOENT', file)
})

suite('row 43 (no encryption in this version): files that look encrypted are no archives, at once and whatever cost they ask for', async (t, kept) => {
  const scrypt = 'age-encryption.org/v1\n-> scrypt bGFyZ2UgY29zdCBmYWN0b3I 62\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n--- mac\n'
  const argon = Buffer.concat([Buffer.from('RVPENC\x01$argon2id$v=19$m=67108864,t=1073741824,p=64$'), Buffer.alloc(4096, 0x5a)])
  for (const bytes of [scrypt, argon, Buffer.concat([Buffer.from('Salted__'), Buffer.alloc(64, 1)])]) await refused(t, kept, bytes, 'ERR_FORMAT', 'neither')
})

const zeros = Buffer.alloc(1 << 20)
const filled = (head: string, byte: string, mib: number): Buffer => Buffer.concat([Buffer.from(head), Buffer.alloc(mib << 20, byte)])
const brotli = (bytes: Uint8Array): Buffer => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_LGWIN]: 24 } })

suite('row 44: gzip and brotli bombs of zeros, spaces, long names and long values', async (t, kept) => {
  for (const compress of [(bytes: Uint8Array) => gzipSync(bytes, { level: 9 }), brotli]) {
    await refused(t, kept, compress(Buffer.alloc(64 << 20)), 'ERR_FORMAT')
    await refused(t, kept, compress(filled('', ' ', 16)), 'ERR_FORMAT')
    await refused(t, kept, compress(filled('{"version":"1.0.0",', ' ', 16)), 'ERR_LIMIT', 'white space')
    await refused(t, kept, compress(filled('{"version":"1.0.0","options":{', '\n', 16)), 'ERR_LIMIT', 'white space')
    await refused(t, kept, compress(filled('{"', 'x', 16)), 'ERR_LIMIT')
    await refused(t, kept, compress(filled('{"version":"', '1', 16)), 'ERR_LIMIT')
    await refused(t, kept, compress(filled('{"vectors":[{"id":"', 'x', 48)), 'ERR_LIMIT')
    await refused(t, kept, compress(compress(zeros)), 'ERR_FORMAT')
  }
  await refused(t, kept, gzipSync(gzipSync(readFileSync(kept.file))), 'ERR_FORMAT', 'compressed twice')
})

suite('row 44: zstd frames with a window of 2 GiB, a dictionary, and a size that is not true', async (t, kept) => {
  const content = readFileSync(kept.file)
  const block = Buffer.alloc(3)
  block.writeUIntLE((content.length << 3) | 1, 0, 3)
  const frame = (descriptor: number, header: number[]): Buffer => Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, ...header]), block, content])
  await refused(t, kept, frame(0, [21 << 3]), 'ERR_LIMIT', 'window', '2^27')
  await refused(t, kept, frame(1, [10 << 3, 7]), 'ERR_FORMAT', 'zstd')
  await refused(t, kept, frame(0b1110_0000, [0, 0, 0, 0, 0, 1, 0, 0]), 'ERR_LIMIT', 'window')
  await refused(t, kept, frame(0b0110_0000, [1, 0]), 'ERR_FORMAT', 'zstd')
  const plain = join(kept.dir, 'plain.zst')
  writeFileSync(plain, frame(0, [10 << 3]))
  const loaded = new Map()
  await attach(t, loaded, { baseDir: kept.dir }).load({ path: plain })
  t.deepEqual(contentOfMap(loaded), kept.content, 'a frame that does not say its size is a good one')
})

test.serial('row 44: the memory of a process that is given bombs stays where it is', async (t) => {
  const dir = tempDir(t)
  const bombs = [gzipSync(Buffer.alloc(64 << 20), { level: 9 }), brotli(Buffer.alloc(64 << 20)), brotli(filled('{"vectors":[{"id":"', 'x', 64)), brotli(filled('{"version":"1.0.0",', ' ', 64)), brotli(filled('{"a":"', 'x', 64))]
  bombs.forEach((bytes, n) => writeFileSync(join(dir, `bomb-${n}`), bytes))
  t.true(bombs.every(({ length }) => length < 70_000))
  const { said, ended } = startProgram('memory.cjs', [dir, 'bombs', 'binary', String(bombs.length)], { env: { MALLOC_ARENA_MAX: '1' } })
  const { code, stderr } = await ended
  t.is(code, 0, stderr)
  const [before, peak, codes] = said[0]
  t.log(`${Math.round(before)} MiB before, ${Math.round(peak)} MiB at the peak`)
  t.deepEqual(codes, ['ERR_FORMAT', 'ERR_FORMAT', 'ERR_LIMIT', 'ERR_LIMIT', 'ERR_LIMIT'])
  // 15 refusals of 64 MiB each; the limit of one entry as text is 35 MB.
  t.true(peak - before < 192, `${before} MiB before, ${peak} MiB at the peak`)
})

suite('row 45: gzip that is followed by other bytes or cut; codec and name that do not fit', async (t, kept) => {
  const plain = readFileSync(kept.file)
  const gzip = gzipSync(plain)
  for (const behind of ['x', '\0', '\0'.repeat(100), '{}', gzip.subarray(0, 20)]) await refused(t, kept, Buffer.concat([gzip, Buffer.from(behind)]), 'ERR_FORMAT')
  for (const length of [1, 2, 9, 10, 11, gzip.length >> 1, gzip.length - 9, gzip.length - 8, gzip.length - 1]) await refused(t, kept, gzip.subarray(0, length), 'ERR_FORMAT')
  for (const [behind, code] of [['x', 'ERR_FORMAT'], ['{}', 'ERR_FORMAT'], ['\0', 'ERR_FORMAT']] as const) await refused(t, kept, Buffer.concat([plain, Buffer.from(behind)]), code, 'follows')
  const compressed = brotli(plain)
  await refused(t, kept, Buffer.concat([compressed, Buffer.from('x')]), 'ERR_FORMAT', 'brotli')
  await refused(t, kept, compressed.subarray(0, -1), 'ERR_FORMAT')
  const half = plain.length >> 1
  const good: [string, Buffer][] = [
    ['named.brotli', gzip], ['named.gzip', compressed], ['named.json.zstd', plain], ['members.gz', Buffer.concat([gzipSync(plain.subarray(0, half)), gzipSync(plain.subarray(half))])],
  ]
  for (const [name, bytes] of good) {
    writeFileSync(join(kept.dir, name), bytes)
    const loaded = new Map()
    await attach(t, loaded, { baseDir: kept.dir }).load({ path: join(kept.dir, name) })
    t.deepEqual(contentOfMap(loaded), kept.content, name)
  }
})

suite('row 46: JSON that is none, with line and column', async (t, kept) => {
  const one = state(entry('a'))
  for (const [text, ...parts] of [
    [`\ufeff${one}`, 'line 1, column 1', 'byte order mark'],
    [state(`${entry('a')},`), 'line 1, column'],
    [one.replace(/\}$/, ',}'), 'line 1, column'],
    [one.replace('[0,', '[NaN,'), 'line 1, column', 'NaN'],
    [one.replace('[0,', '[1e999,'), 'line 1, column', '1e999'],
    [one.replace('[0,', '[01,'), 'line 1, column', '01'],
    [one.replace('[0,', '[+1,'), 'line 1, column', '+1'],
    [one.replace('[0,', "['0',"), 'line 1, column'],
    [one.replace('"a"', '"\\ud800"'), 'line 1, column'],
    [one.replace('"a"', '"a\nb"'), 'line 1, column'],
    [one.replace('"a"', 'a'), 'line 1, column'],
    [one.slice(0, -20), 'cut'],
    [one.replace('"version"', '"version":"1.0.0","version"'), 'line 1, column', "two members 'version'"],
    [one.replace('"id"', '"id":"b","id"'), 'line 1, column', "two members 'id'"],
    [`[${entry('a')}]`, 'line 1, column 1'],
    ['"a string"', 'line 1, column 1'],
    [`// comment\n${one}`, 'line 1, column 1'],
    [JSON.stringify(JSON.parse(one), null, 2).replace('"id": "a"', '"id": "a" "b"'), /line [4-9], column/],
    [one.replace('[0,', '[[0],'), 'line 1, column'],
    [one.replace(`[${numbers}]`, '"AAAA"'), 'line 1, column'],
    [`{"version":"1.0.0","vectors":{"a":[${numbers}]}}`, 'line 1, column', 'array of entries'],
  ] as [string, ...(string | RegExp)[]][]) await refused(t, kept, text, 'ERR_FORMAT', ...parts)
})

suite('row 46: JSON that is nested 100,000 deep, or one string of 64 MiB', async (t, kept) => {
  const deep = (open: string, close: string): string => `${open.repeat(100_000)}1${close.repeat(100_000)}`
  await refused(t, kept, state(entry('a', `,"metadata":{"a":${deep('[', ']')}}`)), 'ERR_LIMIT', 'nested', 'line 1, column')
  await refused(t, kept, state(entry('a', `,"metadata":${deep('{"a":', '}')}`)), 'ERR_LIMIT', 'nested')
  await refused(t, kept, state('', `"more":${deep('[', ']')},`), 'ERR_LIMIT', 'nested')
  await refused(t, kept, deep('[', ']'), 'ERR_FORMAT')
  await refused(t, kept, state(entry('x'.repeat(64 << 20))), 'ERR_LIMIT', 'bytes')
  await refused(t, kept, state(entry('a'), `"more":"${'x'.repeat(64 << 20)}",`), 'ERR_LIMIT', 'bytes')
  await refused(t, kept, state(entry('a', `,"metadata":{"text":"${'x'.repeat((16 << 20) + 1)}"}`)), 'ERR_LIMIT', '16777216')
})

suite('row 46: duplicate ids in a file: the last wins, as in a batch; duplicate keys of metadata stay text', async (t, kept) => {
  const path = join(kept.dir, 'twice')
  writeFileSync(path, signed(state(`${entry('a', ',"metadata":{"n":1}')},${entry('b')},{"id":"a","vector":[8,7,6,5,4,3,2,1],"metadata":{"n":2,"n":3}}`)))
  const loaded = new Map()
  await attach(t, loaded, { baseDir: kept.dir }).load({ path })
  t.is(loaded.size, 2)
  t.is(bitsOf(loaded.get('a').vector), bitsOf([8, 7, 6, 5, 4, 3, 2, 1]))
  t.deepEqual(loaded.get('a').metadata, { n: 3 })
})

suite('row 47: MessagePack that is none', async (t, kept) => {
  const vector = Buffer.alloc(32)
  const of = (value: unknown): Buffer => pack(value)
  const good = { version: '1.0.0', vectors: [{ id: 'a', vector }] }
  for (const [bytes, code, ...parts] of [
    [of(good).subarray(0, -5), 'ERR_FORMAT', 'cut'],
    [Buffer.concat([of(good), Buffer.from([0xc0])]), 'ERR_FORMAT', 'follow'],
    [of(new Map<unknown, unknown>([['version', '1.0.0'], [5, 6], ['vectors', []]])), 'ERR_FORMAT', /byte \d+/],
    [of({ ...good, vectors: [new Date(1e12)] }), 'ERR_FORMAT', 'extension'],
    [of({ ...good, vectors: [{ id: 'a', vector: new Date(1e12) }] }), 'ERR_FORMAT', 'extension'],
    [of({ ...good, vectors: { a: 1 } }), 'ERR_FORMAT', 'not an array'],
    [of({ ...good, vectors: [{ id: 5, vector }] }), 'ERR_FORMAT', 'id'],
    [of({ ...good, vectors: [{ id: 'a', vector: vector.subarray(1) }] }), 'ERR_FORMAT', '31 bytes'],
    [of({ ...good, vectors: [{ id: 'a', vector: 'text' }] }), 'ERR_FORMAT', 'vector'],
    [of({ ...good, vectors: [{ id: '', vector }] }), 'ERR_ID', 'empty'],
    [of({ ...good, vectors: [{ id: 'a', vector, metadata: '[1]' }] }), 'ERR_METADATA', "'a'"],
    [of({ ...good, vectors: [{ id: 'a', vector, metadata: '{"a":' }] }), 'ERR_METADATA', "'a'"],
    [of({ ...good, version: '7.0.0' }), 'ERR_VERSION', '7.0.0'],
    [Buffer.concat([Buffer.from('82a776657273696f6ea5312e302e30a46d6f7265', 'hex'), Buffer.alloc(1_000_000, 0x91), Buffer.from([0xc0])]), 'ERR_LIMIT', 'nested'],
    [Buffer.concat([Buffer.from('df00030d40', 'hex'), ...Array.from({ length: 200_000 }, (_, n) => of(`k${n}`)).flatMap((key) => [key, Buffer.from([0xc0])])]), 'ERR_FORMAT', 'members'],
  ] as [Buffer, string, ...(string | RegExp)[]][]) await refused(t, kept, bytes, code, ...parts)
})

suite('rows 26 to 47: the folder of the persistence holds the saves and nothing else', async (t, kept) => {
  mkdirSync(join(kept.baseDir, 'sub'))
  await refused(t, kept, 'x', 'ERR_FORMAT')
  t.deepEqual(readdirSync(kept.baseDir).sort(), ['.incremental.json', 'database.json', 'sub'])
  t.true(statSync(kept.file).size > 0)
})
