// The second process of the demo: opens an empty ruvector database, loads what the first one saved, and compares
// everything with the original data. Exit code 1 when anything differs.
import { basename } from 'node:path'
import { DatabasePersistence, type MapEntry } from 'ruvector-persistence'
import { VectorDB } from 'ruvector'
import { bar } from './bar'
import { type Found, difference, exactSearch, search, unreachable } from './checks'
import { type FillReport, index, readTask } from './messages'
import { type SampleEntry, dimension, readSample } from './sample'

const task = readTask()
const report = task.report as FillReport
const entries = readSample()
const byId = new Map(entries.map((entry) => [entry.id, entry]))

/** Compares every entry with the original; the count must be the same too. */
async function compareEntries(count: number, get: (id: string) => Promise<Found | null | undefined>): Promise<Map<string, SampleEntry>> {
  if (count !== entries.length) throw new Error(`${count} entries came back, ${entries.length} were saved`)
  const back = new Map<string, SampleEntry>()
  for (const entry of entries) {
    const found = await get(entry.id)
    const problem = difference(entry, found)
    if (problem !== null) throw new Error(problem)
    back.set(entry.id, { id: entry.id, vector: Float32Array.from((found as Found).vector), metadata: entry.metadata })
  }
  return back
}

/** Loads the main archive into a new, empty ruvector database and checks that it was empty. */
async function loadIntoRuvector(storagePath: string): Promise<InstanceType<typeof VectorDB>> {
  const db = new VectorDB({ dimensions: dimension, distanceMetric: 'cosine', storagePath, hnswConfig: index })
  if ((await db.len()) !== 0) throw new Error('the second database is not empty')
  const persistence = new DatabasePersistence(db, { baseDir: task.baseDir })
  const loading = bar('load into ruvector')
  await persistence.load({ path: report.archives[0] as string, onProgress: loading.onProgress })
  loading.done(`${await db.len()} entries`)
  return db
}

/**
 * Asks the same questions. Null when the ids of every answer are the same; else the entry that the new index cannot
 * reach although it is there. Any other difference is an error.
 */
async function compareSearches(db: InstanceType<typeof VectorDB>, back: Map<string, SampleEntry>): Promise<string | null> {
  for (const { id, ids } of report.searches) {
    const { vector } = back.get(id) as SampleEntry
    const exact = exactSearch([...back.values()], vector).ids
    if (exact.join('\n') !== ids.join('\n')) throw new Error(`an exact search for ${id} over what came back finds other ids`)
    const answer = await search(db, vector)
    if (answer.join('\n') === ids.join('\n')) continue
    for (const missing of ids.filter((wanted) => !answer.includes(wanted))) {
      if (await unreachable(db, byId.get(missing) as SampleEntry)) return missing
    }
    throw new Error(`the search for ${id} answers ${answer.join(', ')} in place of ${ids.join(', ')}`)
  }
  return null
}

async function main(): Promise<void> {
  let unlucky: string | null = null
  // ruvector builds its index with chance. When the new one cannot reach an entry that is there, another one is built.
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const db = await loadIntoRuvector(`${task.storagePath}-${attempt}`)
    const back = await compareEntries(await db.len(), (id) => db.get(id) as Promise<Found | null>)
    console.log(`  ${back.size} entries are the same in every bit, vectors and metadata`)
    unlucky = await compareSearches(db, back)
    if (unlucky === null) break
    console.log(`  ruvector's new index cannot reach "${unlucky}", which get() returns: building another one`)
  }
  if (unlucky !== null) throw new Error('three indexes in a row could not answer all searches')
  console.log(`  ${report.searches.length} searches answered with the same ids as before, in the same order`)

  for (const path of report.archives.slice(1)) {
    const map = new Map<string, MapEntry>()
    const loading = bar(`load ${basename(path)}`)
    await new DatabasePersistence(map, { baseDir: task.baseDir }).load({ path, onProgress: loading.onProgress })
    loading.done(`${map.size} entries into a Map`)
    await compareEntries(map.size, async (id) => map.get(id))
    console.log(`  ${map.size} entries are the same in every bit, vectors and metadata`)
  }
  process.exit(0)
}

main().catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
