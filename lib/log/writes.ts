/**
 * Bringing entries of a collection to the value that they have in another one: the writes themselves.
 *
 * Promises: all entries of one call are one record, so that a crash leaves all of them or none, unless they are too many
 * for a record. It waits for nothing.
 */
import { batchOf, putBatch } from '../batch';
import type { Entry } from '../capture';
import { unwrap } from '../errors';
import type { NativeCollection } from '../native';

/** The records that a call has made; null when there was nothing to do. */
export type Records = { readonly first: number; readonly last: number } | null;

/** Bytes of vectors and metadata in one record, well under what a record may have. */
const RECORD_BYTES = 64 << 20;

/** Puts, or removes, each of the ids as `from` has it. With `clear`, everything else is removed. */
export function writeIds(ids: Iterable<string>, from: NativeCollection, to: NativeCollection, clear: boolean): Records {
  let first = 0;
  let last = 0;
  const note = (lsn: number): void => {
    if (lsn <= 0) return;
    if (first === 0) first = lsn;
    last = lsn;
  };
  if (clear) note(unwrap(to.clear(true)));
  const batch = new Gathered(to);
  for (const id of ids) {
    const found = unwrap(from.get(id));
    if (found === null) note(unwrap(to.delete(id, true)));
    else if (batch.add({ id, vector: found.vector, metadata: found.metadata ?? null })) note(batch.write());
  }
  note(batch.write());
  return first === 0 ? null : { first, last };
}

/** Whether the dimension of `from` is another one, where nothing is lost by replacing the whole content of `to`. */
export function isMisfit(from: NativeCollection, to: NativeCollection, mayReplace: boolean): boolean {
  const [due, held] = [from.dimension, to.dimension];
  return due !== held && due > 0 && held > 0 && (mayReplace || to.length === 0);
}

/** Entries that become one record. */
class Gathered {
  #entries: Entry[] = [];
  #bytes = 0;

  constructor(readonly to: NativeCollection) {}

  /** Whether it is as large as a record should be. */
  add(entry: Entry): boolean {
    this.#entries.push(entry);
    this.#bytes += entry.vector.byteLength + ((entry.metadata?.length ?? 0) + entry.id.length) * 3;
    return this.#bytes >= RECORD_BYTES;
  }

  /** The LSN; 0 when there was nothing. */
  write(): number {
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    if (entries.length !== 1) return putBatch(this.to, batchOf(entries), true);
    const { id, vector, metadata } = entries[0]!;
    return unwrap(this.to.put(id, vector, metadata, false, true));
  }
}
