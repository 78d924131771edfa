/**
 * Writes to a collection: what the caller gives, checked and copied at call time, then handed over as a whole.
 *
 * Promises: nothing of an entry or batch that is refused is written; what user code does while it is read (getters,
 * `toJSON`) comes before the write. It waits for nothing.
 */
import { randomUUID } from 'node:crypto';
import { types } from 'node:util';
import { type Batch, putBatch } from '../batch';
import { borrowVector, capture, checkId, type Entry, isUnfit } from '../capture';
import { kindOf, showKey } from '../describe';
import { PersistenceError, unwrap, wrongType } from '../errors';
import { metadataText } from '../metadata';
import type { NativeCollection } from '../native';

/** Entries of one batch: more is no batch but an import. */
const BATCH_MAX = 1_000_000;
/** Numbers of their vectors: what one record of the log can hold. */
const NUMBERS_MAX = 64 << 20;

/** A version 7 UUID: ids made later sort later, to the millisecond. */
export function newId(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** An entry to insert; one that came without an id gets one. `take` copies its vector. */
export function readEntry(given: unknown, take?: typeof borrowVector): Entry {
  if (typeof given !== 'object' || given === null) throw wrongType(`An entry must be an object { id, vector, metadata }, got ${kindOf(given)}`);
  let id: unknown;
  try {
    ({ id = newId() } = given as { id?: unknown });
  } catch (cause) {
    throw new PersistenceError('ERR_ID', 'The id of an entry cannot be read', { cause });
  }
  const captured = capture(id, given, take);
  if (isUnfit(captured)) throw captured.failure;
  return captured;
}

/** Entries to insert together. */
export function readBatch(given: unknown): Batch & { readonly ids: string[] } {
  if (!Array.isArray(given) || types.isProxy(given)) throw wrongType(`A batch must be an array of entries, got ${kindOf(given)}`);
  if (given.length > BATCH_MAX) throw new PersistenceError('ERR_LIMIT', `A batch of ${given.length} entries is over the limit of ${BATCH_MAX}`);
  const [ids, metadata]: [string[], string[]] = [[], []];
  let vectors = new Float32Array(0);
  let due = 0;
  const list = Array.from(given as unknown[]);
  for (let row = 0; row < list.length; row++) {
    const { id, vector, metadata: text } = readEntry(list[row], borrowVector);
    if (row === 0) {
      due = vector.length;
      if (list.length * due > NUMBERS_MAX) throw new PersistenceError('ERR_LIMIT', `A batch of ${list.length} vectors of ${due} numbers is over the limit of ${NUMBERS_MAX * 4} bytes: use smaller batches`);
      vectors = new Float32Array(list.length * due);
    }
    if (vector.length !== due) {
      throw new PersistenceError('ERR_DIMENSION', `Vector of id ${showKey(id)} has ${vector.length} numbers, the first of the batch has ${due}`);
    }
    vectors.set(vector, row * due);
    ids.push(id);
    metadata.push(text ?? '');
  }
  return { ids, vectors, metadata };
}

/** An id to look up, remove or change. */
export function readId(id: unknown): string {
  checkId(id);
  return id;
}

/** Ids to look up. */
export function readIds(given: unknown): string[] {
  if (!Array.isArray(given) || types.isProxy(given)) throw wrongType(`The ids must be an array of strings, got ${kindOf(given)}`);
  return Array.from(given as unknown[], readId);
}

/** One change, ready to be made; gives the LSN to wait for, below 1 when there was nothing to do. */
export type Change = (collection: NativeCollection, awaited: boolean) => number;

export function putting({ id, vector, metadata }: Entry): Change {
  return (collection, awaited) => unwrap(collection.put(id, vector, metadata, false, awaited));
}

export function puttingBatch(batch: Batch): Change {
  return (collection, awaited) => putBatch(collection, batch, awaited);
}

export function deleting(id: unknown): Change {
  const key = readId(id);
  return (collection, awaited) => unwrap(collection.delete(key, awaited));
}

export function settingMetadata(id: unknown, metadata: unknown): Change {
  const key = readId(id);
  const text = metadataText(metadata, () => `id ${showKey(key)}`);
  return (collection, awaited) => unwrap(collection.setMetadata(key, text, awaited));
}

export const clearing: Change = (collection, awaited) => unwrap(collection.clear(awaited));
