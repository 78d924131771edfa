/**
 * Adoption by searching: for a database that cannot list its entries, but finds the nearest ones of a vector.
 *
 * Asks with random vectors, basis vectors, and the found vectors and their opposites, each time for as many entries as
 * the database holds, until all are found or nothing new has come up for a while. It costs a read of every entry.
 */
import { isUnfit } from './capture';
import { unwrap } from './errors';
import { addTo, combinedSize, type Find } from './find';
import { look } from './look';
import type { Tracker, Watch } from './tracker';

const IDLE_MAX = 24;
const BASIS_MAX = 8;

export interface Probed {
  readonly find: Find;
  readonly known: number;
  readonly agrees: boolean;
}

/** Null when the database cannot be searched, or nothing tells how long a query must be. */
export async function probe(tracker: Tracker, count: number, watch: Watch): Promise<Probed | null> {
  const { adapter, journal } = tracker;
  const dimension = journal.dimension ?? (journal.collection.dimension || null);
  if (!adapter.search || dimension === null) return null;
  const find: Find = { collection: journal.fresh(), refused: new Map() };
  const known = { has: (id: unknown) => find.refused.has(id) || watch.recorded.has(id) || (typeof id === 'string' && unwrap(find.collection.has(id))) };
  const found: Float32Array[] = [];
  let idle = 0;
  for (const query of queries(dimension, found)) {
    const entries = await adapter.search(query, count, known);
    for (const entry of entries) {
      if (known.has(entry.id)) continue;
      addTo(find, entry);
      if (!isUnfit(entry) && found.length < 4 * IDLE_MAX) found.push(entry.vector);
    }
    idle = entries.length > 0 ? 0 : idle + 1;
    if (combinedSize(tracker, find, watch) >= count || idle >= IDLE_MAX) break;
  }
  const seen = await look(tracker, () => combinedSize(tracker, find, watch));
  return { find, known: seen.known, agrees: seen.agrees };
}

function* queries(dimension: number, found: readonly Float32Array[]): Iterable<Float32Array> {
  yield random(dimension);
  for (let axis = 0; axis < Math.min(dimension, BASIS_MAX); axis++) {
    const basis = new Float32Array(dimension);
    basis[axis] = 1;
    yield basis;
  }
  for (let index = 0; ; index++) {
    const vector = found[index];
    if (vector === undefined || vector.every((value) => value === 0) || !vector.every(Number.isFinite)) {
      yield random(dimension);
      continue;
    }
    yield vector;
    yield vector.map((value) => -value);
  }
}

const random = (dimension: number): Float32Array => Float32Array.from({ length: dimension }, () => Math.random() * 2 - 1);
