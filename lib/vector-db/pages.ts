/**
 * Reading a collection from end to end, as it was when the reading began, in pages of bounded size.
 *
 * Promises: writes made meanwhile do not show; memory is bounded by a page; whoever stops early holds nothing back. It
 * ends with ERR_CLOSED when the database is closed on the way.
 */
import type { StoredEntry } from '../../index';
import { unwrap } from '../errors';
import type { EntriesPage, NativeView } from '../native';

const ROWS_MAX = 1000;
const BYTES_MAX = 1 << 20;

/** The entries of a page, each with buffers of its own. */
function* entriesOf({ ids, vectors, metadata }: EntriesPage): Generator<StoredEntry> {
  const dimension = vectors.length / Math.max(1, ids.length);
  const parsed = JSON.parse(metadata) as (Record<string, any> | null)[];
  for (let row = 0; row < ids.length; row++) {
    yield entryOf(ids[row]!, vectors.slice(row * dimension, (row + 1) * dimension), parsed[row] ?? null);
  }
}

/** An entry as it is given out; one without metadata has no such member. */
export function entryOf(id: string, vector: Float32Array, metadata: Record<string, any> | null): StoredEntry {
  return metadata === null ? { id, vector } : { id, vector, metadata };
}

export function* eachEntry(view: NativeView, checkOpen: () => void): Generator<StoredEntry> {
  try {
    for (let cursor = 0; cursor >= 0; ) {
      checkOpen();
      const page = unwrap(view.page(cursor, ROWS_MAX, BYTES_MAX));
      yield* entriesOf(page);
      cursor = page.next;
    }
  } finally {
    view.release();
  }
}

export function* eachId(view: NativeView, checkOpen: () => void): Generator<string> {
  try {
    for (let cursor = 0; cursor >= 0; ) {
      checkOpen();
      const page = unwrap(view.ids(cursor, ROWS_MAX));
      yield* page.ids;
      cursor = page.next;
    }
  } finally {
    view.release();
  }
}

/** The same with pages read by another thread. */
export async function* eachEntryLater(take: () => Promise<NativeView>, checkOpen: () => void): AsyncGenerator<StoredEntry> {
  const view = await take();
  try {
    for (let cursor = 0; cursor >= 0; ) {
      checkOpen();
      const page = unwrap(await view.pageLater(cursor, ROWS_MAX, BYTES_MAX));
      yield* entriesOf(page);
      cursor = page.next;
    }
  } finally {
    view.release();
  }
}
