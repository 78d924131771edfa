/**
 * Telling files of equal size and similar content apart: which of them is the file of this database.
 *
 * Where two candidates differ in an entry, the database is asked for it. Metadata count as equal when they mean the same:
 * ruvector keeps their keys in no order.
 */
import { isDeepStrictEqual } from 'node:util';
import { isUnfit } from './capture';
import { unwrap } from './errors';
import { native, type NativeCollection } from './native';
import { Pace } from './pace';
import type { Tracker, Watch } from './tracker';

interface Held {
  readonly vector: Float32Array;
  readonly metadata?: string | null;
}

/** Equal vectors, bit for bit, and metadata that mean the same. */
export function isSameEntry(one: Held | null, other: Held | null): boolean {
  if (one === null || other === null) return one === other;
  if (Buffer.compare(bytesOf(one.vector), bytesOf(other.vector)) !== 0) return false;
  const [a, b] = [one.metadata ?? null, other.metadata ?? null];
  return a === b || (a !== null && b !== null && isDeepStrictEqual(JSON.parse(a), JSON.parse(b)));
}

const bytesOf = (vector: Float32Array): Uint8Array => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);

/** The one of the candidates that the database agrees with wherever they differ; null when there is none. */
export async function tellApart(tracker: Tracker, candidates: readonly NativeCollection[], watch: Watch): Promise<NativeCollection | null> {
  let best: NativeCollection | null = candidates[0] ?? null;
  for (const other of candidates.slice(1)) {
    if (best === null) best = other;
    else best = await better(tracker, best, other, watch);
  }
  return best;
}

async function better(tracker: Tracker, one: NativeCollection, other: NativeCollection, watch: Watch): Promise<NativeCollection | null> {
  const pace = new Pace();
  for await (const id of differing(one, other)) {
    if (pace.due()) await pace.rest();
    const [first, second] = [unwrap(one.get(id)), unwrap(other.get(id))];
    if (isSameEntry(first, second) || watch.begun.has(id) || watch.recorded.has(id)) continue;
    const held = await tracker.adapter.read!(id);
    if (held !== null && isUnfit(held)) continue;
    if (isSameEntry(held, first)) return one;
    return isSameEntry(held, second) ? other : null;
  }
  return one;
}

/** Ids whose entries are not the same, byte for byte. */
async function* differing(one: NativeCollection, other: NativeCollection): AsyncIterable<string> {
  const plan = unwrap(await native.plan(one, other));
  for (let cursor = 0; cursor >= 0; ) {
    const page = plan.removedIds(cursor, 1000);
    yield* page.ids;
    cursor = page.next;
  }
  for (let cursor = 0; cursor >= 0; ) {
    const page = plan.changedIds(cursor, 1000);
    yield* page.ids;
    cursor = page.next;
  }
}
