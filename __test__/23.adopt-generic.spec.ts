// Adoption of databases that are neither ruvector nor a Map: every way to list entries, searching when there is none, and
// the refusal to save what cannot be known to be complete.
import test from 'ava'
import { readState } from './helpers/archive'
import { DOCUMENTED_ONLY, GenericDb } from './helpers/generic'
import { attach, rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { contentOf, entriesOf, vectorOf } from './helpers/vectors'

const entries = entriesOf(12)

test('a database that can neither list its entries nor count them is refused, with what it needs', async (t) => {
  for (const db of [{ insert() {} }, { insert() {}, get() {}, delete() {} }, { insert() {}, search: () => [] }]) {
    const error = await rejection(attach(t, db, { baseDir: tempDir(t) }).save())
    t.is(error.code, 'ERR_INCOMPLETE')
    t.regex(error.message, /entries.*(len|stats)/)
  }
})

test('a database that counts more than can be found is refused with numbers', async (t) => {
  for (const [db, due] of [
    [{ insert() {}, len: () => 7 }, /\b7\b.*\b0\b.*\b7 missing/],
    [{ insert() {}, stats: () => ({ count: 15, dimension: 8 }), entries: () => entries }, /\b15\b.*\b12\b.*\b3 missing/],
    [{ insert() {}, size: 5, entries: () => entries }, /\b5\b.*\b12\b.*\b7 too many/],
    [{ insert() {}, stats: async () => ({ count: 4, dimension: 2 }), search: async () => [{ id: 'a', vector: [1, 2] }, { id: 'b', vector: [2, 1] }] }, /\b4\b.*\b2\b.*\b2 missing/],
  ] as const) {
    const error = await rejection(attach(t, db as never, { baseDir: tempDir(t) }).save())
    t.is(error.code, 'ERR_INCOMPLETE', error.message)
    t.regex(error.message, due)
    t.regex(error.message, /entries/)
  }
})

test('an error of the database while it is counted or listed comes out with its cause, and the next call tries again', async (t) => {
  const mine = new Error('not now')
  let broken = true
  const fail = (): void => {
    if (broken) throw mine
  }
  const databases: Record<string, unknown>[] = [
    { insert() {}, len: () => (fail(), 12), entries: () => entries },
    { insert() {}, stats: async () => (fail(), { count: 12, dimension: 8 }), entries: () => entries },
    { insert() {}, len: () => 12, entries: () => (fail(), entries) },
    { insert() {}, len: () => 12, *entries() { yield* entries.slice(0, 5); fail(); yield* entries.slice(5) } },
    { insert() {}, len: () => 12, keys: () => entries.map(({ id }) => id), get: async (id: string) => (fail(), entries.find((entry) => entry.id === id)) },
  ]
  for (const [index, db] of databases.entries()) {
    broken = true
    const persistence = attach(t, db as never, { baseDir: tempDir(t) })
    const error: any = await rejection(persistence.save())
    t.true(error === mine || error.cause === mine || error.cause?.cause === mine, `${index}: ${String(error)}`)
    broken = false
    t.is(readState(await persistence.save()).vectors.length, 12, String(index))
  }
})

const pairs = entries.map(({ id, ...value }) => [id, value])
const byId = (id: string): unknown => entries.find((entry) => entry.id === id) ?? null
const ids = entries.map(({ id }) => id)

const WAYS: Record<string, Record<PropertyKey, unknown>> = {
  'entries() as objects': { entries: () => entries },
  'entries() as pairs': { entries: () => pairs },
  'entries() as a promise of pairs': { entries: async () => pairs },
  'entries() as an iterator': { entries: () => pairs.values() },
  'entries() as a Map': { entries: () => new Map(pairs as never) },
  'entries() as a generator': { *entries() { yield* entries } },
  'entries() as an async generator': { async *entries() { for (const entry of entries) yield entry } },
  'its own iteration, as objects': { *[Symbol.iterator]() { yield* entries } },
  'its own async iteration, as pairs': { async *[Symbol.asyncIterator]() { yield* pairs } },
  'keys() and get()': { keys: () => ids, get: byId },
  'async keys() and get()': { keys: async () => ids, get: async (id: string) => byId(id) },
  'keys() as an async generator': { async *keys() { yield* ids }, get: byId },
  'search, with vectors in the results': { len: () => 12, search: () => entries },
  'search and get': { len: async () => 12, search: async ({ k }: { k: number }) => ids.slice(0, k).map((id) => ({ id, score: 1 })), get: byId },
  'search and stats': { stats: () => ({ count: 12, dimension: 8 }), search: ({ k }: { k: number }) => entries.slice(0, k) },
}

for (const [what, methods] of Object.entries(WAYS)) {
  test(`what was there before is adopted through ${what}`, async (t) => {
    const db = { insert() {}, ...methods }
    const dimension = what.startsWith('search') ? { dimension: 8 } : {}
    const state = readState(await attach(t, db as never, { baseDir: tempDir(t), ...dimension }).save())
    t.deepEqual(contentOf(state.vectors), contentOf(entries))
  })
}

test('a search that finds only near ones is asked until everything is found', async (t) => {
  const db = new GenericDb({ without: DOCUMENTED_ONLY, dimension: 8 })
  for (const entry of entriesOf(60)) db.content.set(entry.id, entry)
  const search = db.search.bind(db)
  // Never more than seven at once.
  db.search = (query) => search({ ...query, k: Math.min(7, query.k) })
  const outcome = await attach(t, db, { baseDir: tempDir(t) }).save().then(readState, (error) => error)
  if (outcome instanceof Error) t.is((outcome as Error & { code: string }).code, 'ERR_INCOMPLETE', 'complete, or refused')
  else t.deepEqual(contentOf(outcome.vectors), contentOf(entriesOf(60)))
})

test('vectors as plain arrays and vectors of either kind in one database are adopted', async (t) => {
  const mixed = entries.map(({ id, vector, metadata }, row) => ({ id, vector: row % 2 ? Array.from(vector) : vector, metadata }))
  const state = readState(await attach(t, { insert() {}, entries: () => mixed } as never, { baseDir: tempDir(t) }).save())
  t.deepEqual(contentOf(state.vectors), contentOf(entries))
})

test('dimension and metric are asked of stats()', async (t) => {
  for (const [metric, due] of [['cosine', 'cosine'], ['L2', 'euclidean'], ['DotProduct', 'dot'], ['inner_product', 'dot'], ['Manhattan', 'manhattan'], ['hamming', undefined], [5, undefined]] as const) {
    const db = new GenericDb({ dimension: 6, metric: metric as never })
    const state = readState(await attach(t, db, { baseDir: tempDir(t) }).save())
    t.deepEqual(state.options, due === undefined ? { dimension: 6 } : { dimension: 6, metric: due })
  }
})

test('entries of different dimensions cannot be archived; the error names one of them', async (t) => {
  const db = { insert() {}, entries: () => [...entries, { id: 'odd', vector: [1, 2, 3] }] }
  const error = await rejection(attach(t, db as never, { baseDir: tempDir(t) }).save())
  t.is(error.code, 'ERR_DIMENSION')
  t.regex(error.message, /"odd".*3.*8/)
})

test('writes while the entries are listed are the newer ones', async (t) => {
  const db = new GenericDb({ async: true })
  for (const entry of entriesOf(30)) db.content.set(entry.id, entry)
  db.entries = async function* (): any {
    // A list that is old already when it is read.
    for (const entry of [...db.content.values()]) {
      await new Promise((resolve) => setImmediate(resolve))
      yield entry
    }
  } as never
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  const writes = [db.insert({ id: 'doc-0', vector: vectorOf('newer') }), db.delete('doc-29'), db.insert({ id: 'new', vector: vectorOf('new') })]
  await Promise.all(writes)
  const state = readState(await persistence.save())
  t.deepEqual(contentOf(state.vectors), contentOf(db.content.values()))
})
