// Deltas (CHECKLIST D6, D33, D34, D43, D46, E7, E13, E37, F19; RELIABILITY 36 to 40 where they speak of chains): an incremental
// save writes only what has changed, `load` puts it together again, and a chain that is not whole is refused by the name of
// the file that is wrong.
//
// Steps: databases are changed and saved, by one process and by several, in every format; the files are read by ordinary
// tools; then files are lost, swapped, put back and damaged. A failure means that a load gives a mixture, or less than what
// was saved.
import test, { type ExecutionContext } from 'ava'
import { copyFileSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { Unpackr } from 'msgpackr'
import { type DatabasePersistence, type SaveReport, VectorDB } from 'ruvector-persistence'
import { compiler, linux, shim, sqlite3, startProgram, testWith } from './helpers/faults'
import { attach, rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, mapOf, vectorOf } from './helpers/vectors'

const FORMATS = ['json', 'binary', 'sqlite'] as const
const COMPRESSIONS = ['none', 'gzip', 'brotli', 'zstd'] as const

interface World {
  t: ExecutionContext
  baseDir: string
  map: Map<string, any>
  persistence: DatabasePersistence
  path: string
  reports: SaveReport[]
  errors: any[]
}

/** A Map of entries that was just saved incrementally. */
async function world(t: ExecutionContext, options: object = {}, count = 40): Promise<World> {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(count)) as Map<string, any>
  const { persistence, reports, errors } = open(t, map, baseDir, options)
  const path = (await persistence.saveIncremental())!
  return { t, baseDir, map, persistence, path, reports, errors }
}

function open(t: ExecutionContext, map: Map<string, any>, baseDir: string, options: object = {}) {
  const reports: SaveReport[] = []
  const errors: any[] = []
  const persistence = attach(t, map, { baseDir, onError: (error) => errors.push(error), ...options })
  persistence.on('save', (report) => reports.push(report))
  return { persistence, reports, errors }
}

const put = (map: Map<string, any>, id: string, seed: string): unknown => map.set(id, { vector: vectorOf(seed), metadata: { seed } })
const delta = (path: string, number: number): string => `${path}.delta-${String(number).padStart(6, '0')}`
const deltas = (path: string): number => readdirSync(join(path, '..')).filter((name) => name.includes('.delta-')).length

/** What a load of the path gives, by a process that knows nothing else. */
async function loaded(t: ExecutionContext, path: string, options: object = {}): Promise<ReturnType<typeof contentOfMap>> {
  const map = new Map<string, any>()
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  await persistence.load({ path, ...options })
  await persistence.shutdown()
  return contentOfMap(map)
}

/** A chain of three deltas; the content after each file. */
async function chain(t: ExecutionContext, options: object = {}): Promise<World & { contents: ReturnType<typeof contentOfMap>[] }> {
  const made = await world(t, options)
  const { map, persistence } = made
  const contents = [contentOfMap(map)]
  for (const round of [1, 2, 3]) {
    put(map, `new-${round}`, `new ${round}`)
    put(map, 'doc-1', `changed ${round}`)
    map.delete(`doc-${10 + round}`)
    t.is(await persistence.saveIncremental(), delta(made.path, round))
    contents.push(contentOfMap(map))
  }
  return { ...made, contents }
}

for (const format of FORMATS) {
  for (const compression of COMPRESSIONS) {
    test(`D6, D34: ${format} ${compression}: deltas hold what has changed, and a load of the base gives all of it`, async (t) => {
      const { path, contents, map, persistence, reports } = await chain(t, { format, compression })
      t.deepEqual(await loaded(t, path), contents[3])
      for (const number of [1, 2, 3]) t.deepEqual(await loaded(t, delta(path, number)), contents[number], `up to delta ${number}`)
      const told = reports.map(({ type, puts, deletes, count, base }) => [type, puts, deletes, count, base])
      t.deepEqual(told, [['full', 40, 0, 40, null], ['delta', 2, 1, 40, path], ['delta', 2, 1, 40, path], ['delta', 2, 1, 40, path]])
      for (const report of reports) t.is(statSync(report.path).size, report.bytes)
      t.is(await persistence.saveIncremental(), null)
      map.delete('doc-30')
      t.is(await persistence.saveIncremental(), delta(path, 4), 'only a removal')
      put(map, 'doc-31', 'x')
      t.is(await persistence.saveIncremental(), delta(path, 5), 'only a change')
      t.deepEqual(await loaded(t, path), contentOfMap(map))
    })
  }
}

test('D33: a delta costs what the change costs, whatever the size of the content', async (t) => {
  const sizes = []
  for (const count of [100, 3000]) {
    const { map, persistence, path } = await world(t, { format: 'binary' }, count)
    put(map, 'doc-7', 'changed')
    await persistence.saveIncremental()
    sizes.push(statSync(delta(path, 1)).size)
  }
  t.true(Math.abs(sizes[0]! - sizes[1]!) < 20, sizes.join())
  t.true(sizes[0]! < 1000, sizes.join())
})

test('D33, E13: another process goes on with the chain', async (t) => {
  const { path, map, persistence, baseDir } = await chain(t)
  await persistence.shutdown()
  const again = new Map(map)
  const second = open(t, again, baseDir)
  t.is(await second.persistence.saveIncremental(), null)
  put(again, 'doc-5', 'by the second')
  t.is(await second.persistence.saveIncremental(), delta(path, 4))
  await second.persistence.shutdown()
  // One that never asked whether anything has changed before: the chain is read.
  again.delete('doc-6')
  const third = open(t, again, baseDir)
  t.is(await third.persistence.saveIncremental(), delta(path, 5))
  t.deepEqual([third.reports[0]!.puts, third.reports[0]!.deletes], [0, 1])
  t.deepEqual([...second.errors, ...third.errors], [])
  t.deepEqual(await loaded(t, path), contentOfMap(again))
})

test('what was loaded is what the next delta builds on', async (t) => {
  const { path, persistence, baseDir, map } = await chain(t)
  await persistence.shutdown()
  const other = new Map<string, any>()
  const second = open(t, other, baseDir, { incremental: true })
  await second.persistence.load({ path })
  t.deepEqual(contentOfMap(other), contentOfMap(map))
  t.is(await second.persistence.saveIncremental(), null)
  put(other, 'doc-2', 'after the load')
  t.is(await second.persistence.saveIncremental(), delta(path, 4))
  t.deepEqual(await loaded(t, path), contentOfMap(other))
})

test('a change that was taken back is no change, and neither are keys in another order', async (t) => {
  const { path, map, persistence } = await world(t)
  const before = map.get('doc-3')
  put(map, 'doc-3', 'other')
  t.is(await persistence.saveIncremental(), delta(path, 1))
  map.delete('doc-3')
  map.set('doc-3', { vector: vectorOf('other'), metadata: { seed: 'other' } })
  t.is(await persistence.saveIncremental(), null)
  map.set('doc-3', { vector: before.vector, metadata: { tags: before.metadata.tags, title: before.metadata.title, row: before.metadata.row } })
  t.is(await persistence.saveIncremental(), delta(path, 2))
  map.set('doc-3', before)
  t.is(await persistence.saveIncremental(), null)
  map.set('doc-3', { ...before, metadata: { ...before.metadata, nested: [[1], 2] } })
  t.is(await persistence.saveIncremental(), delta(path, 3))
  map.set('doc-3', { ...before, metadata: { ...before.metadata, nested: [[1, 2]] } })
  t.is(await persistence.saveIncremental(), delta(path, 4), 'another nesting of the same numbers')
})

test('with the journal on disk, and after it was compacted, deltas are the same', async (t) => {
  const wal = { checkpointSize: 4096, segmentSize: 4096, retention: 0 }
  const { path, map, persistence, baseDir } = await world(t, { wal, format: 'binary' }, 60)
  for (let round = 1; round <= 4; round++) {
    for (let row = 0; row < 5; row++) put(map, `doc-${row + round}`, `round ${round}`)
    t.is(await persistence.saveIncremental(), delta(path, round))
    t.deepEqual(await loaded(t, path), contentOfMap(map))
  }
  await persistence.shutdown()
  const again = new Map<string, any>()
  const second = open(t, again, baseDir, { wal, format: 'binary' })
  await second.persistence.recover()
  t.is(await second.persistence.saveIncremental(), null)
})

test('a VectorDB, whose rows go into segments and are compacted meanwhile, is saved by deltas', async (t) => {
  const baseDir = tempDir(t)
  const db = new VectorDB({ path: join(baseDir, 'db'), dimension: 8 })
  await db.ready()
  t.teardown(() => db.close())
  await db.insertBatch(entriesOf(200) as never)
  const persistence = attach(t, db as never, { baseDir: join(baseDir, 'saves') })
  const path = (await persistence.saveIncremental())!
  await db.optimize()
  t.is(await persistence.saveIncremental(), null, 'the same rows in other files')
  await db.insert({ id: 'doc-3', vector: vectorOf('changed') })
  await db.delete('doc-4')
  await db.optimize()
  t.is(await persistence.saveIncremental(), delta(path, 1))
  const content = await loaded(t, path)
  t.is(content.length, 199)
  const kept = entriesOf(200).filter(({ id }) => id !== 'doc-3' && id !== 'doc-4')
  t.deepEqual(content, contentOf([...kept, { id: 'doc-3', vector: vectorOf('changed') }]))
})

test('snapshots and exports leave the chain as it is', async (t) => {
  const { path, map, persistence, baseDir } = await chain(t)
  put(map, 'doc-8', 'in between')
  const snapshot = await persistence.createSnapshot('in between')
  await persistence.export({ path: join(baseDir, 'export.json') })
  t.is(await persistence.saveIncremental(), delta(path, 4))
  await persistence.deleteSnapshot(snapshot.id)
  t.deepEqual(await loaded(t, path), contentOfMap(map))
  t.deepEqual(await loaded(t, join(baseDir, 'export.json')), contentOfMap(map))
})

test('E7, E37: automatic saves and the last one of shutdown write deltas with incremental: true', async (t) => {
  const { path, map, persistence } = await world(t, { incremental: true, autoSaveInterval: 20 })
  put(map, 'doc-1', 'to be saved by itself')
  const [saved] = await new Promise<[string]>((resolve) => persistence.once('autosave', (file) => resolve([file])))
  t.is(saved, delta(path, 1))
  persistence.stopAutoSave()
  put(map, 'doc-2', 'to be saved in the end')
  await persistence.shutdown()
  t.true(existsSync(delta(path, 2)))
  t.deepEqual(await loaded(t, path), contentOfMap(map))
})

test('each delta is read by ordinary tools', async (t) => {
  const { path } = await chain(t)
  const state = JSON.parse(readFileSync(delta(path, 1), 'utf8'))
  t.deepEqual(Object.keys(state), ['version', 'options', 'stats', 'delta', 'timestamp', 'puts', 'deletes', 'checksum'])
  t.deepEqual([state.puts.map(({ id }: any) => id).sort(), state.deletes, state.stats.count], [['doc-1', 'new-1'], ['doc-11'], 40])
  t.is(state.delta.base, JSON.parse(readFileSync(path, 'utf8')).checksum)
  t.is(JSON.parse(readFileSync(delta(path, 2), 'utf8')).delta.previous, state.checksum)
  const binary = await chain(t, { format: 'binary' })
  const unpacked = new Unpackr({ useRecords: false, mapsAsObjects: true }).unpack(readFileSync(delta(binary.path, 3)))
  t.deepEqual([unpacked.puts.map(({ id }: any) => id).sort(), unpacked.deletes, unpacked.delta.number], [['doc-1', 'new-3'], ['doc-13'], 3])
})

testWith(sqlite3, 'each delta of a SQLite chain is read by the sqlite3 shell', async (t) => {
  const { path } = await chain(t, { format: 'sqlite' })
  const sql = "SELECT group_concat(id) FROM (SELECT id FROM puts ORDER BY id); SELECT id FROM deletes; SELECT json_extract(value, '$.number') FROM meta WHERE key = 'delta'"
  t.is(execFileSync('sqlite3', [delta(path, 2), sql], { encoding: 'utf8' }).trim(), 'doc-1,new-2\ndoc-12\n2')
})

test('a full save takes the place of the chain: to the same path, in another format, when most has changed', async (t) => {
  const { path, map, persistence, baseDir } = await chain(t)
  await persistence.save()
  t.is(deltas(path), 0)
  t.is(await persistence.saveIncremental(), null)
  put(map, 'doc-1', 'again')
  t.is(await persistence.saveIncremental(), delta(path, 1))
  t.is(await persistence.saveIncremental({ path, format: 'binary' }), path)
  t.is(deltas(path), 0)
  for (let row = 0; row < 30; row++) put(map, `doc-${row}`, 'most of it')
  t.is(await persistence.saveIncremental({ path, format: 'binary' }), path)
  map.clear()
  t.is(await persistence.saveIncremental({ path, format: 'binary' }), path)
  t.deepEqual(await loaded(t, path), [])
  const elsewhere = join(baseDir, 'other.json')
  t.is(await persistence.saveIncremental({ path: elsewhere }), elsewhere)
})

test('D34: deltas are folded into a new base when there are 64 of them', async (t) => {
  const { path, map, persistence } = await world(t)
  for (let round = 1; round <= 64; round++) {
    put(map, 'doc-1', `round ${round}`)
    t.is(await persistence.saveIncremental(), delta(path, round))
  }
  put(map, 'doc-1', 'one more')
  t.is(await persistence.saveIncremental(), path)
  t.is(deltas(path), 0)
  put(map, 'doc-1', 'and on')
  t.is(await persistence.saveIncremental(), delta(path, 1))
  t.deepEqual(await loaded(t, path), contentOfMap(map))
})

test('D34: deltas are folded when together they are larger than half of the base', async (t) => {
  const { path, map, persistence } = await world(t, { format: 'binary' }, 6000)
  const half = statSync(path).size / 2
  t.true(half > 256 * 1024)
  let written = 0
  for (let round = 1; written <= half; round++) {
    for (let row = 0; row < 800; row++) put(map, `doc-${(round * 800 + row) % 6000}`, `round ${round}`)
    t.is(await persistence.saveIncremental(), delta(path, round), `${written} of ${half}`)
    written += statSync(delta(path, round)).size
  }
  put(map, 'doc-1', 'one more')
  t.is(await persistence.saveIncremental(), path)
  t.is(deltas(path), 0)
})

test('a link that is missing in the middle is named', async (t) => {
  const { path } = await chain(t)
  rmSync(delta(path, 2))
  const error = await rejection(loaded(t, path))
  t.is(error.code, 'ERR_CHAIN')
  t.is(error.path, delta(path, 2))
  rmSync(delta(path, 1))
  t.is((await rejection(loaded(t, path))).path, delta(path, 1))
})

test('a link that is missing at the end is known to be missing where it was written', async (t) => {
  const { path, baseDir, map, persistence } = await chain(t)
  await persistence.shutdown()
  rmSync(delta(path, 3))
  const second = open(t, new Map<string, any>(), baseDir)
  const error = await rejection(second.persistence.load({ path }))
  t.deepEqual([error.code, error.path], ['ERR_CHAIN', delta(path, 3)])
  t.is((await rejection(second.persistence.load({ path: delta(path, 3) }))).code, 'ERR_PATH')
  await second.persistence.load({ path: delta(path, 2) })
  const third = open(t, new Map(map), baseDir)
  t.is(await third.persistence.saveIncremental(), path, 'never built on: a new base')
  t.deepEqual(third.errors.map(({ code, path: file }) => [code, file]), [['ERR_CHAIN', delta(path, 3)]])
  t.is(deltas(path), 0)
})

test('RELIABILITY 39: links that were swapped, put back or taken from elsewhere are named', async (t) => {
  const { path, persistence, map } = await chain(t)
  const aside = (file: string): string => `${file}.aside`
  const swap = (a: string, b: string): void => {
    renameSync(a, aside(a))
    renameSync(b, a)
    renameSync(aside(a), b)
  }
  swap(delta(path, 1), delta(path, 2))
  let error = await rejection(loaded(t, path))
  t.deepEqual([error.code, error.path], ['ERR_CHAIN', delta(path, 1)])
  swap(delta(path, 1), delta(path, 2))
  // The same number of the same base, written at another time.
  const before = readFileSync(delta(path, 3))
  const older = JSON.parse(before.toString())
  rmSync(delta(path, 3))
  put(map, 'doc-20', 'another third')
  const errors: any[] = []
  persistence.on('error', (error) => errors.push(error))
  t.is(await persistence.saveIncremental(), path)
  t.is(errors[0].code, 'ERR_CHAIN')
  writeFileSync(delta(path, 3), before)
  t.is((await loaded(t, path)).length, map.size, 'left over from the base before')
  t.true(older.timestamp < JSON.parse(readFileSync(path, 'utf8')).timestamp)
  put(map, 'doc-20', 'goes on')
  t.is(await persistence.saveIncremental(), delta(path, 1))
  t.is(deltas(path), 1, 'what was left over is removed')
  for (const seed of ['a', 'b']) {
    put(map, 'doc-20', seed)
    await persistence.saveIncremental()
  }
  const other = await chain(t)
  copyFileSync(delta(other.path, 2), delta(path, 2))
  error = await rejection(loaded(t, path))
  t.deepEqual([error.code, error.path], ['ERR_CHAIN', delta(path, 2)], error.message)
})

test('a delta in the middle that is an older one of the same number is noticed', async (t) => {
  const { path, map, persistence } = await world(t, { format: 'binary' })
  put(map, 'doc-1', 'first')
  await persistence.saveIncremental()
  const first = readFileSync(delta(path, 1))
  const base = readFileSync(path)
  // The same base again, and another first delta.
  const twin = await world(t, { format: 'binary' })
  writeFileSync(twin.path, base)
  const again = open(t, new Map<string, any>(), twin.baseDir, { format: 'binary', incremental: true })
  await twin.persistence.shutdown()
  await again.persistence.load({ path: twin.path })
  await again.persistence.shutdown()
  const content = mapOf(entriesOf(40)) as Map<string, any>
  rmSync(join(twin.baseDir, '.incremental.json'))
  const third = open(t, content, twin.baseDir, { format: 'binary', incremental: true })
  await third.persistence.load({ path: twin.path })
  for (const seed of ['another first', 'second']) {
    put(content, 'doc-1', seed)
    t.not(await third.persistence.saveIncremental(), twin.path)
  }
  t.is(deltas(twin.path), 2)
  writeFileSync(delta(twin.path, 1), first)
  const error = await rejection(loaded(t, twin.path))
  t.deepEqual([error.code, error.path], ['ERR_CHAIN', delta(twin.path, 1)], error.message)
})

test('a base that an older one took the place of is refused, and a newer one takes no delta of the other', async (t) => {
  const { path, map, persistence } = await world(t)
  const old = readFileSync(path)
  put(map, 'doc-1', 'changed')
  await persistence.save()
  put(map, 'doc-2', 'changed')
  t.is(await persistence.saveIncremental(), delta(path, 1))
  const [base, first] = [readFileSync(path), readFileSync(delta(path, 1))]
  writeFileSync(path, old)
  const error = await rejection(loaded(t, path))
  t.deepEqual([error.code, error.path], ['ERR_CHAIN', delta(path, 1)])
  writeFileSync(path, base)
  t.deepEqual(await loaded(t, path), contentOfMap(map))
  put(map, 'doc-3', 'changed')
  await persistence.save()
  // As a crash leaves it between the new base and the removal of the deltas.
  writeFileSync(delta(path, 1), first)
  t.deepEqual(await loaded(t, path), contentOfMap(map))
  const alone = await rejection(loaded(t, delta(path, 1)))
  t.deepEqual([alone.code, alone.path], ['ERR_CHAIN', delta(path, 1)])
})

test('a delta alone is refused, by load and by import, and by name', async (t) => {
  for (const format of FORMATS) {
    const { path, baseDir } = await chain(t, { format })
    const alone = join(baseDir, 'alone')
    copyFileSync(delta(path, 1), alone)
    const { persistence } = open(t, new Map<string, any>([['kept', { vector: vectorOf('kept') }]]), join(baseDir, 'other'))
    for (const call of [persistence.load({ path: alone }), persistence.import({ path: alone }), persistence.import({ path: alone, verifyChecksum: false })]) {
      const error = await rejection(call)
      t.deepEqual([error.code, error.path], ['ERR_CHAIN', alone], error.message)
    }
    rmSync(path)
    const error = await rejection(persistence.load({ path: delta(path, 2) }))
    t.deepEqual([error.code, error.path], ['ERR_CHAIN', path], error.message)
    t.is((await rejection(persistence.save({ path: delta(path, 9) }))).code, 'ERR_PATH')
  }
})

test('import takes the chain as a whole', async (t) => {
  const { path, contents } = await chain(t)
  const map = new Map<string, any>([['kept', { vector: vectorOf('kept') }]])
  await attach(t, map, { baseDir: tempDir(t) }).import({ path })
  t.is(map.size, contents[3]!.length + 1)
})

for (const format of FORMATS) {
  test(`${format}: a delta with any byte changed, or cut anywhere, is refused, or gives the same content`, async (t) => {
    t.timeout(300_000)
    const { path, contents } = await chain(t, { format })
    const file = delta(path, 2)
    const good = readFileSync(file)
    const map = new Map<string, any>()
    const persistence = attach(t, map, { baseDir: tempDir(t) })
    const outcome = async (): Promise<string> => {
      try {
        await persistence.load({ path })
      } catch (error: any) {
        return error.code
      }
      t.deepEqual(contentOfMap(map), contents[3])
      return 'same'
    }
    const seen = new Map<string, number>()
    const step = format === 'sqlite' ? 23 : 1
    for (let at = 0; at < good.length; at += step) {
      const bad = Buffer.from(good)
      bad[at]! ^= 1 << (at % 8)
      writeFileSync(file, bad)
      const code = await outcome()
      seen.set(code, (seen.get(code) ?? 0) + 1)
      if (format !== 'sqlite') t.true(code !== 'same' || good[at] === 0x0a, `byte ${at} (${good[at]}) changes nothing`)
    }
    writeFileSync(file, good)
    for (let length = good.length - 1; length >= 0; length -= format === 'sqlite' ? 211 : 3) {
      truncateSync(file, length)
      const code = await outcome()
      t.true(code !== 'same' || length === good.length - 1, `cut to ${length} bytes`)
      writeFileSync(file, good)
    }
    t.is(await outcome(), 'same')
    t.log([...seen].join(' '))
    for (const code of seen.keys()) t.true(['same', 'ERR_FORMAT', 'ERR_CHECKSUM', 'ERR_CORRUPT', 'ERR_CHAIN', 'ERR_VERSION', 'ERR_DIMENSION', 'ERR_METRIC', 'ERR_ID', 'ERR_LIMIT', 'ERR_METADATA'].includes(code), code)
  })
}

test('a save that finds its chain damaged, gone or in doubt writes a new base and says so', async (t) => {
  const cases: [string, (path: string) => void, boolean][] = [
    ['a delta has another size', (path) => truncateSync(delta(path, 2), 10), true],
    ['a delta is gone', (path) => rmSync(delta(path, 2)), true],
    ['the base is gone', (path) => rmSync(path), true],
    ['the base has another size', (path) => truncateSync(path, 10), true],
    ['a delta was rewritten in the same size', (path) => {
      const bytes = readFileSync(delta(path, 2))
      bytes[bytes.length - 20]! ^= 1
      writeFileSync(delta(path, 2), bytes)
      utimesSync(delta(path, 2), 1, 1)
    }, true],
    ['a file was touched and is the same', (path) => utimesSync(delta(path, 2), 1, 1), false],
  ]
  for (const [what, harm, due] of cases) {
    const { path, map, persistence, errors } = await chain(t)
    harm(path)
    put(map, 'doc-9', what)
    t.is(await persistence.saveIncremental(), due ? path : delta(path, 4), what)
    t.deepEqual(errors.map(({ code }) => code), due ? [errors[0]?.code] : [], what)
    if (due) t.true(['ERR_CHAIN', 'ERR_CHECKSUM', 'ERR_FORMAT'].includes(errors[0].code), `${what}: ${errors[0].code}`)
    t.deepEqual(await loaded(t, path), contentOfMap(map), what)
  }
})

test('a state file that is lost costs a full save at most', async (t) => {
  const { path, map, persistence, baseDir } = await chain(t)
  await persistence.shutdown()
  rmSync(join(baseDir, '.incremental.json'))
  const again = new Map(map)
  const second = open(t, again, baseDir)
  t.is(await second.persistence.saveIncremental(), path)
  t.is(deltas(path), 0)
  t.deepEqual(await loaded(t, path), contentOfMap(map))
})

test('two processes that save to one chain in turn hear of each other', async (t) => {
  const { path, map, persistence, baseDir } = await world(t)
  const other = new Map(map)
  const second = open(t, other, baseDir)
  t.is(await second.persistence.saveIncremental(), null)
  put(map, 'doc-1', 'by the first')
  t.is(await persistence.saveIncremental(), delta(path, 1))
  put(other, 'doc-2', 'by the second')
  t.is(await second.persistence.saveIncremental(), delta(path, 2), 'after what the first has written')
  t.deepEqual(await loaded(t, path), contentOfMap(other), 'the last one wins')
  t.is(await persistence.saveIncremental(), delta(path, 3))
  t.deepEqual(await loaded(t, path), contentOfMap(map))
})

test('a delta is aborted as any call, and nothing is left of it', async (t) => {
  const { path, map, persistence, baseDir } = await world(t, {}, 2000)
  for (let row = 0; row < 900; row++) put(map, `doc-${row}`, 'changed')
  const before = await loaded(t, path)
  const abort = new AbortController()
  const saving = persistence.saveIncremental({ signal: abort.signal })
  setImmediate(() => abort.abort(new Error('enough')))
  const error: any = await saving.then(() => null, (thrown) => thrown)
  t.true(error === null || error.message === 'enough')
  t.deepEqual(await loaded(t, path), error === null ? contentOfMap(map) : before)
  t.deepEqual(readdirSync(baseDir).filter((name) => name.endsWith('.tmp')), [])
  await persistence.saveIncremental()
  t.is(deltas(path), 1)
})

const FILES = { json: 'database.json', binary: 'database.bin', sqlite: 'database.db' }
const both = { there: linux.there && compiler.there, what: compiler.what }

for (const format of ['json', 'sqlite'] as const) {
  for (const act of ['delta', 'fold'] as const) {
    const make = (t: ExecutionContext) => {
      const dir = tempDir(t)
      const control = join(dir, 'control')
      return { baseDir: join(dir, 'base'), control, env: { LD_PRELOAD: shim(), SHIM_PREFIX: join(dir, 'base'), SHIM_CONTROL: control, ACT: act, FORMAT: format } }
    }

    testWith(both, `${format}: every call of a ${act} fails, once and from then on: the old or the new content, never mixed`, async (t) => {
      t.timeout(300_000)
      const { baseDir, control, env } = make(t)
      const cases = [['open', '5'], ['write', '28'], ['fsync', '5'], ['rename', '5'], ['unlink', '5']]
      const { said, ended } = startProgram('chain-sweeper.cjs', [baseDir, control], { env: { ...env, CASES: JSON.stringify(cases) } })
      const { code, stderr } = await ended
      t.is(code, 0, stderr)
      const survey: Record<string, { rejected: number; went: number }> = said[0]?.survey ?? {}
      t.log(Object.entries(survey).map(([key, { rejected, went }]) => `${key}: ${rejected} rejected, ${went} went on`).join('\n'))
      for (const [call, errno] of cases.slice(0, 4)) t.true(survey[`${call} ${errno}`]!.rejected > 0, call)
    })

    testWith(both, `${format}: killed at every call of a ${act}: the old or the new content, and the chain goes on`, async (t) => {
      t.timeout(300_000)
      let kills = 0
      for (const call of ['open', 'write', 'fsync', 'rename', 'unlink']) {
        for (let at = 1; ; at++) {
          const { baseDir, control, env } = make(t)
          const { said, ended } = startProgram('chain-sweeper.cjs', [baseDir, control], { env: { ...env, KILL: `${call} ${at}` } })
          const { signal, stderr } = await ended
          if (said.some(({ alive }) => alive)) break
          t.is(signal, 'SIGKILL', stderr)
          kills++
          const path = join(baseDir, FILES[format])
          const map = new Map<string, any>()
          const errors: any[] = []
          const persistence = attach(t, map, { baseDir, format, onError: (error) => errors.push(error) })
          await persistence.load({ path })
          const n = map.get('id-0').metadata.n
          t.true(n === 3 || n === 4, `${call} ${at}: holds ${n}`)
          t.deepEqual([map.size, map.get(`extra-${n}`)?.metadata.n, map.get('id-3').metadata.n, map.get('id-39').metadata.n], [41, n, n, 39])
          map.set('afterwards', { vector: vectorOf(`${call} ${at}`, 16) })
          await persistence.saveIncremental()
          t.deepEqual(await loaded(t, path), contentOfMap(map))
          await persistence.shutdown()
        }
      }
      t.log(`${kills} kills`)
      t.true(kills > 8)
    })
  }
}
