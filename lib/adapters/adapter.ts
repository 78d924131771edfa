/**
 * What the rest of `lib/` needs of a database: one adapter per kind of database implements it.
 *
 * An adapter says which methods to wrap and what a call of each means, reads what is there, and writes content. It keeps
 * no content of its own, and calls the database's own methods as they were before the wrapping.
 */
import type { Captured, Unfit } from '../capture';
import type { Rule } from '../journal';
import type { NativeCollection } from '../native';

/** Where an adapter writes down what a successful call of the user changed. */
export interface Recorder {
  put(entry: Captured): void;
  drop(id: unknown): void;
  clear(): void;
  /** JSON text, null for none, or why it cannot be kept. */
  setMetadata(id: unknown, metadata: string | null | Unfit): void;
  /** What the id holds now must be read from the database. */
  unsure(id: unknown): void;
  /** Anything may have changed: the database must be looked at anew. */
  lost(): void;
}

/** One call of a wrapped method, as understood before the database sees it. */
export interface Write {
  /** What the database is called with. */
  readonly args: unknown[];
  /** The ids that it may change, as far as they are known; 'all' when that is anything. */
  readonly ids: readonly unknown[] | 'all';
  /** Called once, when the database has accepted the call. */
  record(result: unknown, recorder: Recorder): void;
  /** Called once, when the database has refused it; absent when a refused call changes nothing. */
  failed?(recorder: Recorder): void;
}

/** A method to wrap. */
export interface Tracked {
  readonly name: string;
  /** Never throws. */
  understand(args: unknown[], known: Known): Write;
}

/** What an adapter may ask while it understands a call. */
export interface Known {
  /** Whether everything that was in the database before is in the journal. */
  readonly adopted: boolean;
  /** Whether the journal has this id. */
  has(id: unknown): boolean;
}

/** One entry to be written: a vector in a buffer that the database may keep, and metadata as an object of its own. */
export interface Row {
  readonly id: string;
  readonly vector: Float32Array;
  readonly metadata: Record<string, unknown> | null;
}

export type Awaitable<T> = T | PromiseLike<T>;

export interface Adapter {
  readonly kind: 'ruvector' | 'generic' | 'map' | 'native';
  readonly rule: Rule;
  readonly methods: readonly Tracked[];
  /** Whether ids can be removed one by one, and whether everything can be removed at once. */
  readonly canRemove: boolean;
  readonly canClear: boolean;
  /** Most bytes of vectors in one call of `write`. */
  readonly pageBytes: number;
  /** Whether writes that were started before the tracking may still be landing. */
  readonly late: boolean;
  /** The native collection that the database is, when it is one; it is then saved and replaced as it is. */
  readonly direct?: () => Promise<NativeCollection>;
  /** How many entries the database says it holds; null when it cannot tell. */
  count(): Awaitable<number | null>;
  /** What the database knows of itself. */
  describe(): Promise<{ dimension: number | null; metric: string | null }>;
  /** The entry of an id as the database holds it, null when it holds none; absent when it cannot be asked. */
  readonly read?: (id: unknown) => Awaitable<Captured | null>;
  /** All entries, when the database can be enumerated; else null. */
  enumerate(): AsyncIterable<Captured> | Iterable<Captured> | null;
  /** The nearest entries whose ids are not in `known`, when the database can be searched. */
  readonly search?: (vector: Float32Array, k: number, known: { has(id: unknown): boolean }) => Promise<Captured[]>;
  /** The nearest entry and its score, when the database is one whose scores are known. */
  readonly nearest?: (vector: Float32Array) => Promise<{ vector: Float32Array; score: number } | null>;
  /** Puts rows in. `there` are the ids that may be there already, which are replaced whole. */
  write(rows: readonly Row[], there: ReadonlySet<string>): Awaitable<void>;
  remove(ids: readonly string[]): Awaitable<void>;
  clear(): Awaitable<void>;
  /** Called once after content was loaded. */
  finish(): Awaitable<void>;
}

/** A method of the database as it was before the wrapping, bound to it. */
export type Method = (...args: unknown[]) => unknown;
