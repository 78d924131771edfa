// What the demo calls "the same": every bit of a vector, metadata deep equal, and the ids of a search in their order.
//
// ruvector's index (HNSW) is approximate and built with chance: now and then it cannot reach an entry that is there. So
// the searches are compared with an exact search over all entries as well, and `unreachable` tells an entry that the
// index misses from one that is lost.
import { isDeepStrictEqual } from 'node:util'
import type { SampleEntry } from './sample'

/** How many answers each search asks for. */
export const k = 10

/** What the demo needs of an entry that came back from somewhere. */
export interface Found {
  vector: Float32Array | number[]
  metadata?: Record<string, unknown> | null
}

/** What the demo needs of ruvector's search. */
export interface Searchable {
  search(query: { vector: Float32Array; k: number }): Promise<{ id: string }[]>
}

/** Why an entry differs from the original, or null when it is the same in every bit. */
export function difference(wanted: SampleEntry, found: Found | null | undefined): string | null {
  if (!found) return `${wanted.id} is missing`
  const vector = Float32Array.from(found.vector)
  if (vector.length !== wanted.vector.length) return `${wanted.id} has ${vector.length} numbers`
  const bits = new Uint32Array(vector.buffer)
  const wantedBits = new Uint32Array(wanted.vector.buffer, wanted.vector.byteOffset, wanted.vector.length)
  const at = bits.findIndex((value, position) => value !== wantedBits[position])
  if (at >= 0) return `${wanted.id} differs in number ${at} of its vector`
  if (!isDeepStrictEqual(found.metadata, wanted.metadata)) return `${wanted.id} differs in its metadata`
  return null
}

/** The ids nearest to `vector`, by comparing with every entry; and by how much each is nearer than the next. */
export function exactSearch(entries: SampleEntry[], vector: Float32Array): { ids: string[]; gap: number } {
  const scored = entries.map((entry) => {
    const dot = entry.vector.reduce((sum, value, position) => sum + value * (vector[position] ?? 0), 0)
    return { id: entry.id, distance: 1 - dot }
  })
  const nearest = scored.sort((a, b) => a.distance - b.distance).slice(0, k + 1)
  const gaps = nearest.slice(1).map((item, position) => item.distance - (nearest[position]?.distance ?? 0))
  return { ids: nearest.slice(0, k).map((item) => item.id), gap: Math.min(...gaps) }
}

/** Entries to search for whose exact answer has no ties, so that its order is a fact and not a matter of rounding. */
export function chooseQueries(entries: SampleEntry[], count: number): { id: string; ids: string[] }[] {
  const chosen: { id: string; ids: string[] }[] = []
  for (let row = 0; row < entries.length && chosen.length < count; row += 31) {
    const entry = entries[row] as SampleEntry
    const { ids, gap } = exactSearch(entries, entry.vector)
    if (gap > 1e-5) chosen.push({ id: entry.id, ids })
  }
  return chosen
}

/** The ids that ruvector finds nearest. */
export async function search(db: Searchable, vector: Float32Array): Promise<string[]> {
  return (await db.search({ vector, k })).map((result) => result.id)
}

/** Whether the index cannot even find an entry by its own vector. */
export async function unreachable(db: Searchable, entry: SampleEntry): Promise<boolean> {
  return !(await search(db, entry.vector)).includes(entry.id)
}
