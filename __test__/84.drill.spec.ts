// The restore drill: what would be there if the living data were lost now (C4, C81, B68, B69, A105).
//
// A drill must say what a restore would give: as good as the living data, or what is missing and why. A failure means that somebody
// relies on a backup that does not work, or that trying it out has touched what it was to protect.
import test from 'ava'
import { copyFileSync, cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { VectorDB, VectorStore } from 'ruvector-persistence'
import { startChild } from './helpers/child'
import { rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { contentOfDb, openStore } from './helpers/vector-db'
import { entriesOf, vectorOf } from './helpers/vectors'

async function filled(store: VectorStore, name = 'a'): Promise<VectorDB> {
  const db = await store.createCollection(name, { dimension: 8, metric: 'euclidean' })
  await db.durable.insertBatch(entriesOf(500))
  await db.durable.delete('doc-7')
  return db
}

/** Changes a byte of a snapshot without touching the living file that it is a link of. */
function damage(place: string, file: string): void {
  const path = join(place, file)
  copyFileSync(path, `${path}.copy`)
  rmSync(path)
  renameSync(`${path}.copy`, path)
  const bytes = readFileSync(path)
  bytes[bytes.length >> 1]! ^= 1
  writeFileSync(path, bytes)
}

const SEGMENT = join('collections', 'a', 'segments', '00000001.seg')
const hidden = (path: string): string[] => [path, join(path, 'snapshots')].flatMap((folder) => readdirSync(folder)).filter((name) => name.startsWith('.'))

test('the newest snapshot and the log give what is living, bit for bit; nothing of it is touched, and nothing is left', async (t) => {
  const store = await openStore(t, tempDir(t))
  const db = await filled(store)
  const taken = await store.snapshots.create()
  await db.durable.insertBatch(entriesOf(50, 8, 'later'))
  await db.durable.updateMetadata('later-3', { changed: true })
  const [content, status] = [contentOfDb(db), await store.walStatus({ collection: 'a' })]
  const report = await store.drill()
  t.like(report, { ok: true, snapshot: taken.id, lsn: status.lastLsn, rpoMs: 0, entries: 549, problems: [], searches: { compared: 10, equal: 10 } })
  t.like(report.collections[0], { collection: 'a', lsn: status.lastLsn, liveLsn: status.lastLsn, operations: 2, entries: 549, rpoMs: 0, fingerprint: report.fingerprint })
  t.true(report.rtoMs > 0 && report.rtoMs <= report.durationMs && report.snapshotAgeMs! >= 0)
  t.true(report.steps.every(({ ms }) => ms >= 0))
  t.true(report.steps.reduce((sum, { ms }) => sum + ms, 0) <= report.durationMs + 1)
  t.deepEqual(report.steps.map(({ name }) => name), ['pin', 'find', `verify ${taken.id}`, `restore ${taken.id}`, 'replay', 'count a', 'fingerprint a', 'search a', 'clean up'])
  t.deepEqual(contentOfDb(db), content)
  t.deepEqual(await store.walStatus({ collection: 'a' }), status)
  t.deepEqual([hidden(store.path), (await store.list()).length], [[], 1])
  t.like((await store.drill({ sample: 0, collection: 'a', snapshot: taken.id })).searches, { compared: 0, equal: 0 })
  t.like((await store.drill({ sample: 700 })).searches, { compared: 700, equal: 700 })
  const scratch = tempDir(t)
  t.true((await store.drill({ scratch })).ok)
  t.deepEqual(readdirSync(scratch), [])
})

test('several collections, incremental and packed snapshots, one that no snapshot has, one in memory', async (t) => {
  const store = await openStore(t, tempDir(t))
  const [a, b] = [await filled(store), await filled(store, 'b')]
  await store.createCollection('volatile', { dimension: 3, engine: 'memory' })
  for (const options of [{}, { incremental: true }, { incremental: true, compress: 'zstd' as const }]) {
    await a.durable.insert({ id: `${JSON.stringify(options)}`, vector: vectorOf(1) })
    await store.snapshots.create(options)
    await b.durable.delete(`doc-${JSON.stringify(options).length}`)
    const report = await store.drill()
    t.like(report, { ok: true, lsn: null, fingerprint: null, entries: a.len() + b.len(), searches: { compared: 20, equal: 20 } })
    t.deepEqual(report.collections.map(({ collection }) => collection), ['a', 'b'])
  }
  await store.createCollection('new', { dimension: 3 })
  const report = await store.drill()
  t.false(report.ok)
  t.deepEqual(report.problems.map(({ code }) => code), ['ERR_NOT_FOUND'])
  t.true(report.problems[0]!.message.includes("'new'"))
  t.true((await store.drill({ collection: 'b' })).ok)
  t.is((await rejection(store.drill({ collection: 'nobody' }))).code, 'ERR_NOT_FOUND')
  t.is((await rejection(store.drill({ collection: 'volatile' }))).code, 'ERR_SNAPSHOT_NOT_FOUND')
})

test('A105: damage is named, and which older snapshot works is said', async (t) => {
  const store = await openStore(t, tempDir(t))
  t.is((await rejection(store.drill())).code, 'ERR_SNAPSHOT_NOT_FOUND')
  const db = await filled(store)
  const good = await store.snapshots.create()
  await db.durable.insert({ id: 'between', vector: vectorOf('between') })
  const [bad, packed] = [await store.snapshots.create(), await store.snapshots.create({ compress: true })]
  damage(bad.path, SEGMENT)
  const bytes = readFileSync(packed.path)
  writeFileSync(packed.path, bytes.subarray(0, bytes.length - 9))
  const report = await store.drill()
  t.like(report, { ok: false, snapshot: good.id, rpoMs: 0, entries: 500, searches: { compared: 10, equal: 10 } }, 'the log leads on from the older one')
  t.deepEqual(report.problems.map(({ snapshot }) => snapshot), [packed.id, bad.id])
  t.true(report.problems[1]!.message.includes(SEGMENT), report.problems[1]!.message)
  t.like(await store.drill({ snapshot: bad.id }), { ok: false, snapshot: good.id })
  t.like(await store.drill({ snapshot: good.id }), { ok: true, snapshot: good.id })
  writeFileSync(join(bad.path, 'SNAPSHOT'), 'nothing')
  for (const snapshot of ['latest', bad.id]) {
    const named = await store.drill({ snapshot })
    t.like(named, { ok: false, snapshot: good.id })
    t.true(named.problems.some(({ message }) => message.includes(bad.path)), JSON.stringify(named.problems))
  }
  t.is((await rejection(store.drill({ snapshot: 'nobody' }))).code, 'ERR_SNAPSHOT_NOT_FOUND')
  damage(good.path, SEGMENT)
  t.like(await store.drill(), { ok: false, snapshot: null, entries: 0, collections: [] })
  t.deepEqual(hidden(store.path), [])
})

test('what snapshot and log do not lead to is told, with how much it would be', async (t) => {
  const store = await openStore(t, tempDir(t))
  const db = await filled(store)
  const taken = await store.snapshots.create()
  await new Promise((resolve) => setTimeout(resolve, 30))
  await db.durable.insert({ id: 'lost', vector: vectorOf('lost') })
  await store.walCheckpoint({ collection: 'a', force: true })
  const gone = await store.drill()
  t.like(gone, { ok: false, snapshot: taken.id, lsn: taken.collections[0]!.lsn, entries: 499, searches: { compared: 0 } })
  t.true(gone.rpoMs >= 30 && gone.problems[0]!.message.includes('the log does not hold them any more'), JSON.stringify(gone.problems))
  // A rewind leads on, a load does not.
  await store.snapshots.create()
  await db.durable.insert({ id: 'more', vector: vectorOf('more') })
  await store.rewind('a', { lsn: (await store.walStatus({ collection: 'a' })).lastLsn - 1 })
  await db.durable.insert({ id: 'behind', vector: vectorOf('behind') })
  t.like(await store.drill(), { ok: true, rpoMs: 0, entries: db.len() })
  const archive = join(tempDir(t), 'archive.json')
  await db.save(archive)
  await db.load(archive)
  await db.durable.insert({ id: 'after the load', vector: vectorOf(2) })
  const loaded = await store.drill()
  t.false(loaded.ok)
  t.true(loaded.problems[0]!.message.includes('replaced the whole content (a load)'), loaded.problems[0]!.message)
})

test('C81: a drill beside a writer compares one moment; a process that only reads can drill, too', async (t) => {
  const store = await openStore(t, tempDir(t))
  const db = await filled(store)
  await store.snapshots.create()
  let going = true
  let written = 0
  const writer = (async () => {
    while (going) await db.durable.insert({ id: `w-${written++ % 100}`, vector: vectorOf(written) })
  })()
  for (let round = 0; round < 5; round++) t.like(await store.drill({ sample: 3 }), { ok: true, rpoMs: 0 })
  going = false
  await writer
  t.true(written > 5)
  const reader = await openStore(t, store.path, { readOnly: true })
  t.like(await reader.drill(), { ok: true, entries: db.len() })
  await db.durable.insert({ id: 'later', vector: vectorOf('later') })
  t.like(await reader.drill({ scratch: tempDir(t) }), { ok: true, entries: db.len() }, 'it sees what was written since')
})

test('a drill that fails or is killed leaves nothing but what the next opening removes', async (t) => {
  const path = tempDir(t)
  const store = await openStore(t, path)
  const db = await filled(store)
  await store.snapshots.create()
  const controller = new AbortController()
  setTimeout(() => controller.abort(new Error('enough')), 2)
  const ended = await store.drill({ sample: 10_000, signal: controller.signal }).catch((error: Error) => error.message)
  t.is(ended, 'enough')
  t.deepEqual(hidden(path), [])
  const content = contentOfDb(db)
  await store.close()
  let left = 0
  for (let round = 0; round < 5; round++) {
    const { child, ended: gone } = await startChild(`
      const { VectorStore } = load('ruvector-persistence')
      const store = await VectorStore.open(${JSON.stringify(path)})
      tell('begun')
      for (;;) await store.drill()
    `, tempDir(t), () => void setTimeout(() => child.kill('SIGKILL'), 3 + round * 5))
    await gone
    left += Number(hidden(path).length > 0)
    const again = await openStore(t, path)
    t.deepEqual(hidden(path), [], 'opening for writing removes it')
    t.deepEqual(contentOfDb(await again.collection('a')), content)
    t.true((await again.drill()).ok)
    await again.close()
  }
  t.true(left > 0, 'some were killed in the middle')
})

test('a drill on a copy of the store finds what is missing there', async (t) => {
  const store = await openStore(t, tempDir(t))
  await filled(store)
  const taken = await store.snapshots.create()
  await store.close()
  const copy = join(tempDir(t), 'copy')
  cpSync(store.path, copy, { recursive: true })
  damage(join(copy, 'snapshots', taken.id), SEGMENT)
  const other = await openStore(t, copy)
  t.like(await other.drill(), { ok: false, snapshot: null })
  t.true((await (await openStore(t, store.path)).drill()).ok)
})

test('what is restored and is not what is living is told: by number, fingerprint and searches', async (t) => {
  const store = await openStore(t, tempDir(t))
  await filled(store)
  await store.close()
  const copy = join(tempDir(t), 'copy')
  cpSync(store.path, copy, { recursive: true })
  const directory = tempDir(t)
  const [here, there] = [await openStore(t, store.path), await openStore(t, copy)]
  const [living, other] = [await here.collection('a'), await there.collection('a')]
  await other.durable.insert({ id: 'doc-3', vector: vectorOf('other') })
  await there.snapshots.create({ directory })
  await living.durable.insert({ id: 'doc-3', vector: vectorOf('living') })
  const report = await here.drill({ directory, sample: 499 })
  t.like(report, { ok: false, entries: 499, rpoMs: 0 })
  t.regex(report.problems.map(({ message }) => message).join('\n'), /fingerprint .*\n.* searches find something else/)
  t.true(report.searches.equal < report.searches.compared)
  await other.durable.delete('doc-5')
  await there.snapshots.create({ directory })
  await living.durable.insert({ id: 'new', vector: vectorOf('new') })
  const counted = await here.drill({ directory })
  t.regex(counted.problems[0]!.message, /498 entries, 500 are living/)
})

test('rows 20 and 36: options that make no sense', async (t) => {
  const store = await openStore(t, tempDir(t))
  for (const options of [{ nonsense: 1 }, { sample: -1 }, { sample: 1.5 }, { snapshot: 7 }, { directory: 7 }, 7]) {
    t.is((await rejection(store.drill(options as never))).code, 'ERR_OPTION', JSON.stringify(options))
  }
  t.is((await rejection(store.drill({ directory: '' }))).code, 'ERR_PATH')
})
