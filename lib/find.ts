/**
 * What adoption found, and how it becomes the journal.
 *
 * Promises: of an id that was written meanwhile the tracked value stands; the journal changes in one step at the end.
 * The work is done in slices, so that the event loop is not kept waiting.
 */
import { type Captured, isUnfit } from './capture';
import { unwrap } from './errors';
import { drop, putInto } from './journal';
import type { NativeCollection } from './native';
import { Pace } from './pace';
import type { Tracker, Watch } from './tracker';

/** Content that was found in a database. */
export interface Find {
  collection: NativeCollection;
  /** Found entries that no archive can hold, by id. */
  readonly refused: Map<unknown, Captured>;
}

export function addTo(find: Find, entry: Captured): void {
  if (isUnfit(entry) || putInto(find.collection, entry, 'replace') !== null) {
    if (typeof entry.id === 'string') drop(find.collection, entry.id);
    find.refused.set(entry.id, entry);
  } else {
    find.refused.delete(entry.id);
  }
}

/** Takes all entries of an enumeration, but those written meanwhile. */
export async function gather(tracker: Tracker, entries: AsyncIterable<Captured> | Iterable<Captured>, watch: Watch): Promise<Find> {
  const find: Find = { collection: tracker.journal.fresh(), refused: new Map() };
  const pace = new Pace();
  const take = (entry: Captured): void => {
    if (!watch.recorded.has(entry.id)) addTo(find, entry);
  };
  if (Symbol.iterator in entries) {
    // A plain iteration costs less than one through promises.
    for (const entry of entries) {
      take(entry);
      if (pace.due()) await pace.rest();
    }
  } else {
    for await (const entry of entries) {
      take(entry);
      if (pace.due()) await pace.rest();
    }
  }
  return find;
}

/** How many entries there would be with what was tracked meanwhile put over the find. */
export function combinedSize(tracker: Tracker, find: Find, watch: Watch): number {
  let size = find.collection.length + find.refused.size;
  for (const id of watch.recorded) {
    if (find.refused.has(id) || (typeof id === 'string' && unwrap(find.collection.has(id)))) size--;
    if (tracker.journal.value(id) !== null) size++;
  }
  return size;
}

/** Puts what was tracked meanwhile over the find, and the result in the place of the journal. */
export async function combine(tracker: Tracker, find: Find, watch: Watch): Promise<void> {
  const { journal } = tracker;
  const pace = new Pace();
  // Whoever writes while this rests adds to the set: the last slice ends, and the journal is replaced, in one go.
  while (watch.recorded.size > 0) {
    for (const id of watch.recorded) {
      watch.recorded.delete(id);
      const value = journal.value(id);
      if (value !== null) addTo(find, value);
      else {
        find.refused.delete(id);
        if (typeof id === 'string') drop(find.collection, id);
      }
      if (pace.due()) break;
    }
    if (watch.recorded.size > 0) await pace.rest();
  }
  // After a clear the journal alone knows what is there.
  if (watch.swept) return;
  journal.replace(find.collection, 'found', find.refused.values());
}
