// The store of docs/format.md, decoded by a reader that knows nothing but the words of that page: every file of its examples,
// and every file of the golden stores in tests/golden, which version 1 of this package wrote (of runs of engine lsm, what is ours).
//
// Steps: the reader below takes each file apart with the tables of the page; magic, ids, offsets, lengths and all checksums are compared with
// what they must be, each byte belongs to something, and the content is what the page (or tests/golden/main.rs) says. Then
// single bytes are changed, and the reader must notice. A failure means that the page does not describe the files.
import test from 'ava'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { blockNamed, bytesOf, readDoc, root } from './helpers/docs'

const PAGE = 'docs/format.md'

const table = Uint32Array.from({ length: 256 }, (_, n) => Array.from({ length: 8 }).reduce<number>((c) => (c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1), n))
function crc32(...parts: Uint8Array[]): number {
  let crc = ~0
  for (const part of parts) for (const byte of part) crc = table[(crc ^ byte) & 255]! ^ (crc >>> 8)
  return ~crc >>> 0
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what)
}

const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
const u32 = (value: number): Buffer => u64(value).subarray(0, 4)

/** XXH3-64 of 1 to 3 bytes, seed 0: the ids of the examples have no more. */
function xxh3(id: Buffer): bigint {
  check(id.length >= 1 && id.length <= 3, 'an id of the examples has 1 to 3 bytes')
  const combined = (id[0]! << 16) | (id[id.length >> 1]! << 24) | id[id.length - 1]! | (id.length << 8)
  const word = (value: bigint): bigint => BigInt.asUintN(64, value)
  let hash = BigInt((combined ^ 0x87275a9b) >>> 0)
  hash = word((hash ^ (hash >> 33n)) * 0xc2b2ae3d27d4eb4fn)
  hash = word((hash ^ (hash >> 29n)) * 0x165667b19e3779f9n)
  return hash ^ (hash >> 32n)
}

/** Reads fields one after another; what is left over is an error. */
class Fields {
  at = 0
  constructor(readonly bytes: Buffer) {}
  take(length: number): Buffer {
    check(this.at + length <= this.bytes.length, 'the bytes end too early')
    return this.bytes.subarray(this.at, (this.at += length))
  }
  u8 = (): number => this.take(1).readUInt8()
  u16 = (): number => this.take(2).readUInt16LE()
  u32 = (): number => this.take(4).readUInt32LE()
  u64 = (): number => Number(this.take(8).readBigUInt64LE())
  vector = (dimension: number): string => this.take(dimension * 4).toString('hex')
  text = (length: number): string => this.take(length).toString()
  zeros(length: number): void {
    check(this.take(length).every((byte) => byte === 0), `bytes before ${this.at} are not zero`)
  }
  /** Zeros up to where the next section begins. */
  pad = (alignment: number): void => this.zeros((alignment - (this.at % alignment)) % alignment)
  end = (): void => check(this.at === this.bytes.length, `${this.bytes.length - this.at} bytes too many`)
}

interface Owner { store: string; collection: string }
interface Entry { id: string; vector: string; metadata: string | null }

function header(file: Fields, magic: string, owner: Owner, number: number): number {
  check(file.text(8) === magic && file.u16() === 1 && file.u16() === 1, 'magic and versions')
  file.zeros(4)
  check(file.take(16).toString('hex') === owner.store && file.take(16).toString('hex') === owner.collection, 'the owner')
  check(file.u64() === number, 'the number')
  const generation = file.u32()
  check(file.u32() === crc32(file.bytes.subarray(0, 60)), 'the checksum of the header')
  return generation
}

function manifest(bytes: Buffer, store: string): { owner: Owner; content: any; text: string } {
  const owner = { store, collection: bytes.toString('hex', 32, 48) }
  const text = bytes.toString('utf8', 64, bytes.length - 4)
  const content = JSON.parse(text)
  check(header(new Fields(bytes), 'RVPmanif', owner, content.generation) === content.generation, 'the generation')
  check(bytes.readUInt32LE(bytes.length - 4) === crc32(bytes.subarray(64, -4)), 'the checksum of the manifest')
  return { owner, content, text }
}

const METRICS = [null, 'cosine', 'euclidean', 'dot', 'manhattan']

function segment(bytes: Buffer, owner: Owner, named: any): { rows: Entry[]; lsns: number[]; metric: string | null } {
  const foot = new Fields(bytes.subarray(-128))
  const offsets = Array.from({ length: 8 }, foot.u64)
  const [idBytes, metadataBytes, count, dimension, metric] = [foot.u64(), foot.u64(), foot.u64(), foot.u32(), foot.u8()]
  foot.zeros(3)
  const [first, last, length, ofChecksums, ofFooter] = [foot.u64(), foot.u64(), foot.u64(), foot.u32(), foot.u32()]
  check(length === bytes.length && length === named.length && count === named.rows, 'length and rows')
  check(ofFooter === crc32(bytes.subarray(-128, -4)) && ofFooter === named.checksum, 'the checksum of the footer')

  const file = new Fields(bytes)
  header(file, 'RVPsegmt', owner, named.number)
  const section = <T>(number: number, read: () => T): T => {
    check(file.at === offsets[number], `section ${number} begins at ${file.at}`)
    const found = read()
    file.pad(64)
    return found
  }
  const each = <T>(read: () => T): T[] => Array.from({ length: count }, read)
  const texts = (ends: number[], all: Buffer): Buffer[] => ends.map((end, row) => all.subarray(row === 0 ? 0 : ends[row - 1], end))
  const vectors = section(0, () => each(() => file.vector(dimension)))
  const lsns = section(1, () => each(file.u64))
  const idEnds = section(2, () => each(file.u64))
  const ids = section(3, () => texts(idEnds, file.take(idBytes)))
  const metadataEnds = section(4, () => each(file.u64))
  const metadata = section(5, () => texts(metadataEnds, file.take(metadataBytes)))
  check(idEnds.at(-1) === idBytes && metadataEnds.at(-1) === metadataBytes, 'bytes of ids and metadata')
  check(Math.min(...lsns) === first && Math.max(...lsns) === last, 'first and last LSN')

  let slots = 1
  while (count * 10 > slots * 7) slots *= 2
  const due = new Array<bigint>(slots).fill(0n)
  ids.forEach((id, row) => {
    let slot = Number(xxh3(id) % BigInt(slots))
    while (due[slot] !== 0n) slot = (slot + 1) % slots
    due[slot] = ((xxh3(id) >> 32n) << 32n) | BigInt(row + 1)
  })
  const index = section(6, () => Array.from({ length: slots }, () => file.take(8).readBigUInt64LE()))
  check(index.every((word, slot) => word === due[slot]), 'the id index')

  const covered = bytes.subarray(0, file.at)
  const checksums = section(7, () => file.take(Math.ceil(covered.length / 16_384) * 4))
  check(crc32(checksums) === ofChecksums, 'the checksum of the checksums')
  for (let block = 0; block * 16_384 < covered.length; block++) {
    check(checksums.readUInt32LE(block * 4) === crc32(u64(block), covered.subarray(block * 16_384, (block + 1) * 16_384)), `block ${block}`)
  }
  file.take(128)
  file.end()
  const rows = ids.map((id, row) => ({ id: id.toString(), vector: vectors[row]!, metadata: metadata[row]!.length === 0 ? null : metadata[row]!.toString() }))
  return { rows, lsns, metric: METRICS[metric]! }
}

function deadRows(bytes: Buffer, owner: Owner, named: any): number[] {
  const file = new Fields(bytes)
  check(header(file, 'RVPdeads', owner, named.number) === named.dead.version, 'the generation')
  check(file.u64() === named.rows && file.u64() === named.dead.rows && file.u64() === named.dead.version, 'rows, dead rows, n')
  const bitmap = file.take(Math.ceil(named.rows / 64) * 8)
  check(file.u32() === crc32(bytes.subarray(64, -4)) && bytes.readUInt32LE(bytes.length - 4) === named.dead.checksum, 'the checksum')
  file.end()
  check(bytes.length === named.dead.length, 'the length')
  const dead = Array.from({ length: bitmap.length * 8 }, (_, row) => row).filter((row) => (bitmap[row >> 3]! >> (row & 7)) & 1)
  check(dead.length === named.dead.rows && dead.every((row) => row < named.rows), 'the bitmap')
  return dead
}

/** A run of engine lsm: its SEAL, and that the files are those which it names. */
function run(files: Map<string, Buffer>, path: string, owner: Owner, named: any): any {
  const bytes = files.get(`${path}/SEAL`)!
  header(new Fields(bytes), 'RVPlsmrn', owner, named.number)
  const text = bytes.subarray(64, -4)
  check(bytes.readUInt32LE(bytes.length - 4) === crc32(text) && crc32(text) === named.checksum, 'the checksum of SEAL')
  const seal = JSON.parse(text.toString())
  check(JSON.stringify(seal) === text.toString() && seal.rows === named.rows, 'the text of SEAL')
  const there = [...files.keys()].filter((file) => file.startsWith(`${path}/`)).map((file) => file.slice(path.length + 1)).filter((file) => file !== 'SEAL')
  check(there.sort().join() === seal.files.map(({ name }: { name: string }) => name).join(), 'the files of the run')
  let length = bytes.length
  for (const { name, ...file } of seal.files) {
    const found = files.get(`${path}/${name}`)!
    check(found.length === file.length && crc32(found) === file.crc && crc32(found.subarray(-4096)) === file.tail, name)
    length += found.length
  }
  check(length === named.length, 'the length of the run')
  return seal
}

/** A key or value of a run: what stands behind its checksum. */
function behindChecksum(seed: number, key: Buffer, value: Buffer): Fields {
  const rest = value.subarray(4)
  check(value.readUInt32LE() === crc32(u32(seed), key, rest), 'the checksum of a value')
  return new Fields(rest)
}

interface Record { lsn: number; last: number; time: number; kind: number; packed: boolean; entries: Entry[]; ids: string[]; end: number }

const unpack = (zlib as { zstdDecompressSync?: (bytes: Buffer) => Buffer }).zstdDecompressSync

function body(bytes: Buffer, record: Record): void {
  const file = new Fields(bytes)
  if (record.kind === 1 || record.kind === 3) {
    const [count, dimension] = [file.u32(), file.u32()]
    const heads = Array.from({ length: count }, () => ({ id: file.u16(), metadata: file.u32() }))
    const ids = heads.map((head) => file.text(head.id))
    const metadata = heads.map((head) => (head.metadata === 0xffffffff ? null : file.text(head.metadata)))
    record.entries = ids.map((id, index) => ({ id, metadata: metadata[index]!, vector: file.vector(dimension) }))
  } else if (record.kind === 2) {
    const lengths = Array.from({ length: file.u32() }, file.u16)
    record.ids = lengths.map(file.text)
  } else if (record.kind === 5) {
    record.last = file.u64()
  } else if (record.kind === 6) {
    file.take(5)
  }
  file.end()
}

/** The records of a log file; `named.length` null: up to where they end. */
function log(bytes: Buffer, owner: Owner, named: any): { records: Record[]; copied: boolean } {
  const file = new Fields(bytes)
  check(header(file, 'RVPwalog', owner, named.number) === named.number, 'the generation')
  file.take(16)
  check(file.u64() === named.firstLsn, 'the first LSN')
  const copied = file.u32()
  check(copied <= 1 && file.u32() === crc32(bytes.subarray(64, 92)), 'the preamble')
  const records: Record[] = []
  let [lsn, time] = [named.firstLsn, 0]
  while (file.at < (named.length ?? bytes.length) && bytes.readUInt32LE(file.at) !== 0) {
    const offset = file.at
    const [length, checksum] = [file.u32(), file.u32()]
    const whole = file.take(length)
    check(checksum === crc32(bytes.subarray(0, 60), bytes.subarray(64, 92), u64(offset), u32(length), whole), `the frame at ${offset}`)
    file.pad(8)
    const head = new Fields(whole)
    const record: Record = { lsn: head.u64(), last: 0, time: head.u64(), kind: 0, packed: false, entries: [], ids: [], end: file.at }
    record.last = record.lsn
    check(head.u64() < record.lsn && record.lsn === lsn && record.time >= time, 'LSN and time')
    record.kind = head.u8()
    record.packed = head.u8() === 1
    head.zeros(2)
    const [size, rest] = [head.u32(), whole.subarray(32)]
    if (!record.packed) check(rest.length === size, 'the length of the body')
    else check(rest.toString('hex', 0, 4) === '28b52ffd' && rest.length < size, 'a zstd frame')
    if (!record.packed || unpack !== undefined) body(record.packed ? unpack!(rest) : rest, record)
    records.push(record)
    ;[lsn, time] = [record.last + 1, record.time]
  }
  const end = records.at(-1)
  if (named.length === null) file.zeros(bytes.length - file.at)
  else check(file.at === named.length && end?.last === named.lastLsn && end!.time <= named.lastTime, 'the end that the manifest names')
  return { records, copied: copied === 1 }
}

/** All files of a store with one collection, and what they come to. */
function decode(files: Map<string, Buffer>, name: string) {
  const take = (path: string): Buffer => {
    const bytes = files.get(path)
    check(bytes !== undefined, `${path} is missing`)
    return bytes
  }
  const identity = new Fields(take('STORE'))
  const store = identity.bytes.toString('hex', 16, 32)
  check(header(identity, 'RVPstore', { store, collection: '0'.repeat(32) }, 0) === 0, 'the generation of STORE')
  identity.end()
  const home = `collections/${name}`
  const { owner, content, text } = manifest(take(`${home}/MANIFEST`), store)
  const place = (folder: string, number: number, digits: number): string => `${home}/${folder}/${String(number).padStart(digits, '0')}`
  const entries = new Map<string, Entry>()
  const segments = content.segments.map((named: any) => {
    const path = place('segments', named.number, 8)
    const found = segment(take(`${path}.seg`), owner, named)
    const dead = named.dead === null ? [] : deadRows(take(`${path}.dead.${named.dead.version}`), owner, named)
    found.rows.filter((_, row) => !dead.includes(row)).forEach((entry) => entries.set(entry.id, entry))
    return { ...found, dead }
  })
  const logs = content.wal.map((named: any) => log(take(`${place('wal', named.number, 20)}.wal`), owner, named))
  for (const record of logs.flatMap((log: { records: Record[] }) => log.records) as Record[]) {
    if (record.last <= content.checkpointLsn) continue
    if (record.kind === 4) entries.clear()
    for (const id of record.ids) entries.delete(id)
    for (const entry of record.entries) {
      const old = entries.get(entry.id)
      if (record.kind === 1) entries.set(entry.id, entry)
      else if (old !== undefined) entries.set(entry.id, { ...entry, vector: old.vector })
    }
  }
  return { content, text, segments, logs, entries }
}

const hex = (name: string): Buffer => bytesOf(blockNamed(PAGE, 'hex', name))

/** A file that the page shows as header, text and checksum. The line breaks and what indents the lines are the page's, not the file's. */
function ofParts(name: string): Buffer {
  const text = blockNamed(PAGE, 'json', name).text.replace(/\n */g, '')
  return Buffer.concat([hex(`${name}-header`), Buffer.from(text), hex(`${name}-checksum`)])
}

/** The files of the page, as the store that they make up. */
function ofPage(): Map<string, Buffer> {
  const home = 'collections/default'
  return new Map([
    ['STORE', hex('store')],
    [`${home}/MANIFEST`, ofParts('manifest')],
    [`${home}/segments/00000001.seg`, hex('segment')],
    [`${home}/segments/00000001.dead.4`, hex('dead')],
    [`${home}/wal/00000000000000000002.wal`, hex('log')],
  ])
}

function ofFolder(folder: string): Map<string, Buffer> {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(paths.map((entry) => {
    const path = join(entry.parentPath, entry.name)
    return [path.slice(folder.length + 1).replaceAll('\\', '/'), readFileSync(path)]
  }))
}

const bits = (...values: number[]): string => Buffer.from(Float32Array.from(values).buffer).toString('hex')
const byId = (entries: Map<string, Entry>): Entry[] => [...entries.values()].sort((a, b) => (a.id < b.id ? -1 : 1))

test('the checksums and hashes of this reader are the usual ones', (t) => {
  t.is(crc32(Buffer.from('123456789')), 0xcbf43926)
  t.is(xxh3(Buffer.from('a')), 0xe6c632b61e964e1fn)
})

test('the example is the store that the page tells of', (t) => {
  const { content, segments, logs, entries } = decode(ofPage(), 'default')
  const [a, b] = [
    { id: 'a', vector: bits(0.1, -0), metadata: '{"title":"one"}' },
    { id: 'b', vector: bits(0.5, -2), metadata: null },
  ]
  t.deepEqual(segments, [{ rows: [a, b], lsns: [1, 1], metric: 'cosine', dead: [0] }])
  t.deepEqual(byId(entries), [b])
  const [{ records, copied }] = logs
  t.false(copied)
  t.deepEqual(records.map(({ lsn, kind, ids, entries }: Record) => ({ lsn, kind, ids, entries })), [
    { lsn: 1, kind: 1, ids: [], entries: [a, b] },
    { lsn: 2, kind: 2, ids: ['a'], entries: [] },
    { lsn: 3, kind: 7, ids: [], entries: [] },
  ])
  t.is(content.checkpointLsn, 2)
  t.is(content.checkpointTime, records[1].time)
})

/** The text of a file SNAPSHOT. */
function snapshot(bytes: Buffer, store: string): any {
  check(header(new Fields(bytes), 'RVPsnaps', { store, collection: '0'.repeat(32) }, 0) === 0, 'the generation')
  check(bytes.readUInt32LE(bytes.length - 4) === crc32(bytes.subarray(64, -4)), 'the checksum of the snapshot')
  return JSON.parse(bytes.toString('utf8', 64, bytes.length - 4))
}

test('the SNAPSHOT of the page names the files of the page, and those of the golden snapshots their own', (t) => {
  const page = ofPage()
  const store = page.get('STORE')!.toString('hex', 16, 32)
  const shown = snapshot(ofParts('snapshot'), store)
  t.like(shown, { id: 'snap-2023-11-14-221320', name: 'daily', base: null, metadata: '{"by":"clock"}' })
  const [{ files, entries, lsn }] = shown.collections
  t.like({ entries, lsn }, { entries: 1, lsn: 2 })
  for (const { name, length, checksum } of files.slice(0, 2)) {
    const bytes = page.get(`collections/default/${name}`)!
    t.deepEqual([bytes.length, bytes.readUInt32LE(bytes.length - 4)], [length, checksum], name)
  }
  const golden = join(root, 'tests/golden/v1-snapshots')
  const folders = readdirSync(golden, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => ofFolder(join(golden, name)))
  t.is(folders.length, 2)
  const [full, incremental] = folders.map((files) => ({ files, ...snapshot(files.get('SNAPSHOT')!, files.get('STORE')!.toString('hex', 16, 32)) })).sort((a, b) => a.created - b.created)
  t.is(full!.base, null)
  t.deepEqual(incremental!.base, { id: full!.id, checksum: createHash('sha256').update(full!.files.get('SNAPSHOT')!).digest('hex') })
  for (const { files, collections } of [full!, incremental!]) {
    const named = ['STORE', 'SNAPSHOT']
    for (const { name: collection, files: its, manifest: hash } of collections) {
      for (const { name, length } of its) {
        const place = `collections/${collection}/${name}`
        named.push(place)
        t.is(files.get(place)?.length, length, place)
      }
      t.is(createHash('sha256').update(files.get(`collections/${collection}/MANIFEST`)!).digest('hex'), hash)
    }
    t.deepEqual([...files.keys()].sort(), named.sort())
  }
})

test('this reader notices a change of any byte of the SNAPSHOT of the page', (t) => {
  const bytes = ofParts('snapshot')
  const store = hex('store').toString('hex', 16, 32)
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 1
    t.throws(() => snapshot(changed, store), undefined, `byte ${at}`)
  }
})

test('this reader notices a change of any byte of the example', (t) => {
  const files = ofPage()
  const passes: string[] = []
  for (const [path, bytes] of files) {
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 1 << (at % 8)
      try {
        decode(new Map(files).set(path, damaged), 'default')
        passes.push(`${path}, byte ${at}`)
      } catch {}
    }
  }
  t.deepEqual(passes, [])
})

test('the golden store has the bytes that the page says, and its content', (t) => {
  const files = ofFolder(join(root, 'tests/golden/v1'))
  const { content, logs, segments, entries } = decode(files, 'things')
  t.deepEqual(segments.map(({ rows, dead }: { rows: Entry[]; dead: number[] }) => [rows.map(({ id }) => id), dead]), [[['a', 'b'], [1]], [['c', 'é', 'xyz'], []]])
  const records: Record[] = logs.flatMap((log: { records: Record[] }) => log.records)
  t.deepEqual(records.map(({ lsn, kind }) => [lsn, kind]), [[1, 1], [2, 6], [3, 4], [4, 8], [5, 1], [6, 2], [7, 3], [8, 5], [9, 1], [10, 1], [11, 1], [12, 2]])
  t.deepEqual(records.filter(({ packed }) => packed).map(({ lsn }) => lsn), [5])
  t.deepEqual(logs.map(({ copied }: { copied: boolean }) => copied), [false, false, true, false])
  t.is(content.checkpointLsn, 6)
  t.deepEqual(byId(entries), [
    { id: 'a', vector: bits(1, -0), metadata: '{"title":"two"}' },
    { id: 'c', vector: '0000807f01000000', metadata: '{}' },
    { id: 'e', vector: bits(4, 5), metadata: '{"n":123456789012345678901}' },
    { id: 'f', vector: bits(2, 3), metadata: null },
    { id: 'xyz', vector: bits(0.1, -5), metadata: `{"text":"${'all work and no play '.repeat(20)}"}` },
    { id: 'é', vector: '0000c07f0100c0ff', metadata: null },
  ])
})

test('the golden store of engine lsm: SEAL, the files that it names, dead rows; the examples of the page are its first run', (t) => {
  const files = ofFolder(join(root, 'tests/golden/v1-lsm'))
  const store = files.get('STORE')!.toString('hex', 16, 32)
  const home = 'collections/things'
  const { owner, content } = manifest(files.get(`${home}/MANIFEST`)!, store)
  t.like(content.settings, { engine: 'lsm' })
  const seals = content.segments.map((named: any) => {
    t.is(named.kind, 'lsm')
    return run(files, `${home}/lsm/${String(named.number).padStart(8, '0')}`, owner, named)
  })
  t.deepEqual(seals.map(({ rows, dimension, metric, firstLsn, lastLsn }: any) => [rows, dimension, metric, firstLsn, lastLsn]), [[3, 2, 'euclidean', 2, 2], [2, 2, 'euclidean', 4, 4]])
  const [first] = content.segments
  t.deepEqual(deadRows(files.get(`${home}/segments/00000001.dead.${first.dead.version}`)!, owner, first), [1])

  const text = blockNamed(PAGE, 'json', 'seal').text.replace(/\n */g, '')
  t.deepEqual(Buffer.concat([hex('seal-header'), Buffer.from(text), hex('seal-checksum')]), files.get(`${home}/lsm/00000001/SEAL`))
  // That run is not compressed: its values stand in the table as they are.
  const table = files.get(`${home}/lsm/00000001/tables/0`)!
  const [row, id] = [hex('run-row'), hex('run-id')]
  const [rowKey, rowValue, idKey, idValue] = [row.subarray(0, 5), row.subarray(5), id.subarray(0, 9), id.subarray(9)]
  t.true(table.includes(rowValue) && table.includes(idValue))
  t.is(rowKey.toString('hex'), '0100000000')
  const hash = Buffer.alloc(8)
  hash.writeBigUInt64BE(xxh3(Buffer.from('a')))
  t.deepEqual(idKey, Buffer.concat([Buffer.of(2), hash]))
  const fields = behindChecksum(seals[0].seed, rowKey, rowValue)
  const [idBytes, lsn, metadataBytes] = [fields.u32(), fields.u64(), fields.u32()]
  t.deepEqual([lsn, fields.vector(2), fields.text(idBytes), fields.text(metadataBytes)], [2, bits(1, -0), 'a', '{"title":"one"}'])
  fields.end()
  const rows = behindChecksum(seals[0].seed, idKey, idValue)
  t.is(rows.u32(), 0)
  rows.end()
  const damaged = Buffer.from(rowValue)
  damaged[9]! ^= 1
  t.throws(() => behindChecksum(seals[0].seed, rowKey, damaged))
})

test('behind the end of a complete file stands what the page allows: a close record, records written again, zeros', (t) => {
  const files = ofFolder(join(root, 'tests/golden/v1'))
  const { content } = decode(files, 'things')
  const path = (number: number): string => `collections/things/wal/${String(number).padStart(20, '0')}.wal`
  const owner = { store: files.get('STORE')!.toString('hex', 16, 32), collection: files.get(path(2))!.toString('hex', 32, 48) }
  const behind = content.wal.map((named: any) => {
    const { records } = log(files.get(path(named.number))!, owner, { ...named, length: null })
    return records.filter(({ end }) => named.length !== null && end > named.length).map(({ lsn, kind }) => [lsn, kind])
  })
  t.deepEqual(behind, [[[10, 7]], [[11, 1]], [], []])
})

test('MANIFEST: the table has each member of the example and no other, and its defaults are those that were written', (t) => {
  const section = readDoc(PAGE).split('### MANIFEST\n')[1]!.split('\n### ')[0]!
  const rows = [...section.matchAll(/^\| (`.*?`) \| (?:`(.*?)`)? ?\| /gm)].flatMap(([, names, preset]) => {
    return [...names!.matchAll(/`([^`]+)`/g)].map((match) => [match[1]!, preset] as const)
  })
  const paths = (value: unknown, path: string): [string, unknown][] => {
    if (Array.isArray(value)) return paths(value[0], `${path}[]`)
    if (value === null || typeof value !== 'object') return [[path, value]]
    const inner = Object.entries(value).flatMap(([key, part]) => paths(part, path === '' ? key : `${path}.${key}`))
    return path.endsWith('.dead') ? [[path, value], ...inner] : inner
  }
  const { content, text } = decode(ofPage(), 'default')
  const found = paths(content, '')
  t.deepEqual(rows.map(([name]) => name), found.map(([name]) => name))
  t.is(text, JSON.stringify(content), 'no white space')
  const presets = new Map(rows.filter(([, preset]) => preset !== undefined))
  const given = ['settings.dimension', 'settings.metric']
  for (const [name, value] of found) {
    t.is(presets.has(name), name.startsWith('settings.'), name)
    if (presets.has(name) && !given.includes(name)) t.is(JSON.stringify(value), presets.get(name)!, name)
  }
})
