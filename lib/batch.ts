/**
 * Many entries, or ids, as they cross to the native side: one text and one array of numbers instead of many values, which
 * costs a tenth. It checks nothing.
 */
import type { Entry } from './capture';
import { unwrap } from './errors';
import type { NativeCollection } from './native';

/** Entries of one dimension. */
export interface Batch {
  readonly ids: readonly string[];
  /** One after another. */
  readonly vectors: Float32Array;
  /** JSON texts, empty where there is none. */
  readonly metadata: readonly string[];
}

/** Neither an id nor JSON text holds a NUL: so one text holds many of them. */
export const joined = (texts: readonly string[]): string => texts.join('\0');

export function batchOf(entries: readonly Entry[]): Batch {
  const dimension = entries[0]?.vector.length ?? 0;
  const vectors = new Float32Array(dimension * entries.length);
  entries.forEach(({ vector }, row) => vectors.set(vector, row * dimension));
  return { ids: entries.map(({ id }) => id), vectors, metadata: entries.map(({ metadata }) => metadata ?? '') };
}

/** Inserts or replaces, all or none. The LSN; 0 when there are none. */
export function putBatch(collection: NativeCollection, { ids, vectors, metadata }: Batch, awaited: boolean): number {
  return unwrap(collection.putBatch(joined(ids), vectors, joined(metadata), awaited));
}
