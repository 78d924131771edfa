/**
 * The journal: the native collection that mirrors a foreign database, and the entries that the database took but that no
 * archive can hold.
 *
 * Promises: an id is in the collection, or among the refused, or in neither; never in both. A refused id stays so until it is
 * written again, removed, or cleared. `revision` grows with every change. It does not know how changes are found
 * (see `tracker.ts`) and never asks the database.
 */
import type { DistanceMetric } from '../index';
import { type Captured, type Entry, isUnfit } from './capture';
import { showKey } from './describe';
import { isFailure, PersistenceError, toError, unwrap } from './errors';
import { native, type NativeCollection } from './native';

/** How an entry replaces one that is there; see `NativeCollection.put`. */
export type Rule = 'replace' | 'ruvector';

/** Who follows the changes. */
export interface Sink {
  /** What is recorded for this id may have changed. */
  touched(id: unknown): void;
  /** Everything was removed. */
  cleared(): void;
  /** Everything was replaced: by content that the database was brought to, or by what was found in it. */
  replaced(how: 'loaded' | 'found'): void;
}

interface Refused {
  readonly failure: PersistenceError;
  /** Kept when a collection of another dimension would take it. */
  readonly entry: Entry | null;
}

export class Journal {
  collection: NativeCollection;
  readonly rule: Rule;
  sink: Sink | null = null;
  #refused = new Map<unknown, Refused>();
  #revision = 0;
  /** The collection is the database itself. */
  #mirrored = false;
  /** What the options or the database say; null when the first vector decides. */
  #dimension: number | null;
  #metric: string | null;

  constructor(rule: Rule, dimension: number | null, metric: DistanceMetric | null) {
    this.rule = rule;
    this.#dimension = dimension;
    this.#metric = metric;
    this.collection = this.fresh();
  }

  get revision(): number {
    return this.#mirrored ? this.collection.lsn : this.#revision;
  }

  /** Entries that the database should hold. */
  get size(): number {
    return this.collection.length + this.#refused.size;
  }

  /** The dimension that is laid down, when one is. */
  get dimension(): number | null {
    return this.#dimension;
  }

  /** The metric, when it is known. */
  get metric(): string | null {
    return this.#metric;
  }

  /** Takes a database that is a native collection as the content, in the place of a copy. */
  mirror(collection: NativeCollection): void {
    this.#mirrored = true;
    this.collection = collection;
    this.#dimension = collection.dimension || null;
    this.#metric = collection.metric;
  }

  /** An empty collection of what is known. */
  fresh(): NativeCollection {
    return new native.NativeCollection(this.#dimension, this.#metric);
  }

  /** Takes what the database says of itself. What is known already stays. */
  describe(dimension: number | null, metric: string | null): void {
    if (this.#dimension === null && dimension !== null) this.#dimension = dimension;
    if (this.#metric === null && metric !== null) this.#metric = metric;
    const failure = this.collection.describe(this.#dimension, this.#metric);
    if (failure === null) return;
    // The collection took its dimension from a vector that the database should not have taken: sort the entries anew.
    this.#rebuild();
    this.sink?.replaced('found');
  }

  put(entry: Captured, rule: Rule = this.rule): void {
    this.#revision++;
    this.#put(entry, rule);
    this.sink?.touched(entry.id);
  }

  #put(entry: Captured, rule: Rule): void {
    if (isUnfit(entry)) {
      this.#refuse(entry.id, { failure: entry.failure, entry: null });
      return;
    }
    const failure = putInto(this.collection, entry, rule);
    if (failure === null) this.#refused.delete(entry.id);
    else this.#refuse(entry.id, { failure, entry: failure.code === 'ERR_DIMENSION' ? entry : null });
  }

  #refuse(id: unknown, refused: Refused): void {
    const removed = typeof id === 'string' && drop(this.collection, id);
    this.#refused.set(id, refused);
    if (removed) this.#reconsider();
  }

  setMetadata(id: unknown, metadata: string | null): boolean {
    this.#revision++;
    if (typeof id !== 'string') return false;
    const result = this.collection.setMetadata(id, metadata, true);
    if (result === -1) return false;
    if (typeof result !== 'number') this.#refuse(id, { failure: toError(result), entry: null });
    this.sink?.touched(id);
    return true;
  }

  drop(id: unknown): void {
    this.#revision++;
    this.#refused.delete(id);
    const removed = typeof id === 'string' && drop(this.collection, id);
    if (removed) this.#reconsider();
    this.sink?.touched(id);
  }

  clear(): void {
    this.#revision++;
    this.#refused.clear();
    this.collection = this.fresh();
    this.sink?.cleared();
  }

  /** Why what the database holds for this id cannot be kept; null when it can. */
  failureOf(id: unknown): PersistenceError | null {
    return this.#refused.get(id)?.failure ?? null;
  }

  /** What is recorded for an id: an entry, why it is refused, or null when it is not there. */
  value(id: unknown): Captured | null {
    const refused = this.#refused.get(id);
    if (refused) return refused.entry ?? { id, failure: refused.failure };
    const found = typeof id === 'string' ? unwrap(this.collection.get(id)) : null;
    return found === null ? null : { id: id as string, vector: found.vector, metadata: found.metadata ?? null };
  }

  /**
   * Puts another content in the place of this one: one that the database was brought to, or was found to hold. Ids that
   * are refused are given with their reasons.
   */
  replace(collection: NativeCollection, how: 'loaded' | 'found', refused: Iterable<Captured> = []): void {
    this.#revision++;
    // An empty content must not lay down a dimension that only its file had.
    this.collection = collection.length === 0 && this.#dimension === null ? this.fresh() : collection;
    this.#refused.clear();
    for (const entry of refused) this.#put(entry, 'replace');
    this.sink?.replaced(how);
  }

  /** Why no archive can be written now: the first of the entries that cannot be kept. */
  refusal(): PersistenceError | null {
    for (const { failure } of this.#refused.values()) {
      const more = this.#refused.size - 1;
      const others = more === 0 ? '' : ` ${more} more cannot be kept either.`;
      const advice = `Correct or remove it; until then nothing is saved, because the saved content would not be complete.${others}`;
      return new PersistenceError(failure.code, `${failure.message}. ${advice}`, { cause: failure.cause });
    }
    return null;
  }

  /** A collection whose last entry is gone has no dimension of its own: entries refused for theirs get another chance. */
  #reconsider(): void {
    if (this.#dimension !== null || this.collection.length > 0) return;
    for (const id of this.#rebuild()) this.sink?.touched(id);
  }

  /** Sorts all entries anew; their ids. */
  #rebuild(): unknown[] {
    const entries: Entry[] = [];
    for (const [id, { entry }] of this.#refused) {
      if (entry === null) continue;
      entries.push(entry);
      this.#refused.delete(id);
    }
    const before = this.collection;
    this.collection = this.fresh();
    for (let cursor = 0; cursor >= 0 && before.length > 0; ) {
      const page = unwrap(before.page(cursor, 1000, 1 << 20));
      for (const id of page.ids) {
        const found = unwrap(before.get(id));
        if (found) entries.push({ id, vector: found.vector, metadata: found.metadata ?? null });
      }
      cursor = page.next;
    }
    for (const entry of entries) this.#put(entry, 'replace');
    return entries.map(({ id }) => id);
  }
}

/** Puts an entry into a collection; the failure as an error that names the id, the expected and the found. */
export function putInto(collection: NativeCollection, entry: Entry, rule: Rule): PersistenceError | null {
  const expected = collection.dimension;
  if (expected > 0 && entry.vector.length !== expected) {
    return new PersistenceError('ERR_DIMENSION', `Vector of id ${showKey(entry.id)} has ${entry.vector.length} numbers, the database has ${expected}`);
  }
  const result = collection.put(entry.id, entry.vector, entry.metadata, rule === 'ruvector', true);
  return isFailure(result) ? toError(result) : null;
}

/** Removes an id from a collection; whether it was there. */
export function drop(collection: NativeCollection, id: string): boolean {
  return unwrap(collection.delete(id, true)) >= 0;
}
