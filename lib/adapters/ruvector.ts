/**
 * The real `VectorDB` of the npm package `ruvector` (0.1 to 0.3): async, without enumeration, `stats` or `clear`.
 *
 * What must be known of it: it reads a vector's buffer after the call has returned, so it is handed a private copy; an
 * insert over an id that is there keeps the old metadata unless it brings an object, so loading deletes first; ids with
 * half of a surrogate pair are kept with U+FFFD. Values are coerced exactly as it does itself.
 */
import { types } from 'node:util';
import { type Captured, type Entry, keep, wellFormed } from '../capture';
import { PersistenceError } from '../errors';
import type { Adapter, Known, Method, Recorder, Row, Tracked, Write } from './adapter';

const METHODS = ['insert', 'insertBatch', 'get', 'delete', 'search', 'len', 'isEmpty'] as const;

export type RuvectorDatabase = Record<(typeof METHODS)[number], Method>;

/** Whether it is a `VectorDB` of ruvector: its methods, around a native handle with the same ones. */
export function isRuvector(db: object): db is RuvectorDatabase {
  const hasMethods = (value: unknown): boolean => typeof value === 'object' && value !== null && METHODS.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
  return hasMethods(db) && Object.hasOwn(db, 'db') && hasMethods((db as { db?: unknown }).db);
}

/** Whether it is ruvector's native handle itself, whose metadata are JSON text. */
export function isNativeRuvector(db: object): boolean {
  return METHODS.every((name) => {
    const method = (db as Record<string, unknown>)[name];
    return typeof method === 'function' && /\[native code\]\s*\}$/.test(Function.prototype.toString.call(method));
  });
}

interface Insert extends Omit<Entry, 'id'> {
  readonly id: unknown;
  /** What the database is handed: the caller's entry, its vector and metadata as at call time. */
  readonly entry: unknown;
}

/** Reads the caller's entry once; throws where ruvector itself would throw, or for what it would refuse. */
function takeInsert(given: unknown): Insert {
  const { id, vector: floats, metadata } = given as { id: unknown; vector: ArrayLike<number>; metadata: unknown };
  // A typed array made of an ArrayBuffer looks into it; everything else is copied.
  const vector = new Float32Array(types.isAnyArrayBuffer(floats) ? new Float32Array(floats) : floats);
  const text = metadata ? JSON.stringify(metadata) : undefined;
  const plain: unknown = text === undefined ? metadata : JSON.parse(text);
  const own = Object.keys(given as object);
  const entry: Record<string, unknown> = { id, vector, metadata: plain };
  // A subclass may read more of an entry than ruvector does.
  if (own.some((name) => !Object.hasOwn(entry, name))) {
    for (const name of own) if (!Object.hasOwn(entry, name)) Object.defineProperty(entry, name, Object.getOwnPropertyDescriptor(given, name)!);
  }
  return { id, vector, metadata: text ?? null, entry };
}

const idOf = (id: unknown): unknown => (typeof id === 'string' ? wellFormed(id) : id);

/** Metadata that surely replaces what is there: an object that every JSON reader takes. */
const replaces = (text: string | null): boolean => text !== null && text.startsWith('{') && !/\\ud[89a-f]/i.test(text);

function recordInsert(insert: Insert, result: unknown, known: Known, recorder: Recorder): void {
  const id = typeof result === 'string' ? result : idOf(insert.id);
  // Metadata that are kept from an entry not adopted yet can only be learned from the database.
  if (!known.adopted && !replaces(insert.metadata)) recorder.unsure(id);
  else recorder.put(keep(id, insert.vector, insert.metadata));
}

/** A call that could not be understood: if the database takes it nevertheless, its ids are read back. */
function notUnderstood(args: unknown[]): Write {
  return {
    args,
    ids: [],
    record(result, recorder) {
      const ids = Array.isArray(result) ? result : [result];
      if (ids.every((id) => typeof id === 'string')) for (const id of ids) recorder.unsure(id);
      else recorder.lost();
    },
  };
}

const insert: Tracked = {
  name: 'insert',
  understand(args, known) {
    let taken: Insert;
    try {
      taken = takeInsert(args[0]);
    } catch {
      return notUnderstood(args);
    }
    const ids = typeof taken.id === 'string' ? [idOf(taken.id)] : [];
    return { args: [taken.entry, ...args.slice(1)], ids, record: (result, recorder) => recordInsert(taken, result, known, recorder) };
  },
};

const insertBatch: Tracked = {
  name: 'insertBatch',
  understand(args, known) {
    const taken: Insert[] = [];
    try {
      if (!Array.isArray(args[0]) || types.isProxy(args[0])) return notUnderstood(args);
      for (const entry of args[0] as unknown[]) taken.push(takeInsert(entry));
    } catch {
      return notUnderstood(args);
    }
    const ids = taken.filter(({ id }) => typeof id === 'string').map(({ id }) => idOf(id));
    return {
      args: [taken.map(({ entry }) => entry), ...args.slice(1)],
      ids,
      record(result, recorder) {
        const given = Array.isArray(result) && result.length === taken.length ? (result as unknown[]) : [];
        taken.forEach((one, index) => recordInsert(one, given[index], known, recorder));
      },
    };
  },
};

const remove: Tracked = {
  name: 'delete',
  understand: (args) => ({ args, ids: [idOf(args[0])], record: (_result, recorder) => recorder.drop(idOf(args[0])) }),
};

/** Calls at once; more would only wait inside the database. */
const AT_ONCE = 64;

export function ruvectorAdapter(db: RuvectorDatabase): Adapter {
  const call = Object.fromEntries(METHODS.map((name) => [name, db[name].bind(db)])) as Record<(typeof METHODS)[number], Method>;

  // The handle gives metadata as JSON text, in which no number has changed.
  const handle = (db as unknown as { db: RuvectorDatabase }).db;

  const read = async (id: unknown): Promise<Captured | null> => {
    const found = (await handle.get(id)) as { vector: Float32Array; metadata?: string | null } | null;
    return found ? keep(id, new Float32Array(found.vector), found.metadata ?? null) : null;
  };

  const removeAll = async (ids: readonly string[]): Promise<void> => {
    for (let start = 0; start < ids.length; start += AT_ONCE) {
      await Promise.all(ids.slice(start, start + AT_ONCE).map((id) => call.delete(id)));
    }
  };

  return {
    kind: 'ruvector',
    rule: 'ruvector',
    methods: [insert, insertBatch, remove],
    canRemove: true,
    canClear: false,
    pageBytes: 4 << 20,
    late: true,
    count: async () => Number(await call.len()),
    describe: async () => ({ dimension: await askDimension(call.search), metric: null }),
    read,
    enumerate: () => null,
    async search(vector, k, known) {
      const found = (await call.search({ vector, k })) as { id: string }[];
      const ids = [...new Set(found.map(({ id }) => id))].filter((id) => !known.has(id));
      const entries: Captured[] = [];
      for (let start = 0; start < ids.length; start += AT_ONCE) {
        const some = await Promise.all(ids.slice(start, start + AT_ONCE).map(read));
        entries.push(...some.filter((entry) => entry !== null));
      }
      return entries;
    },
    async nearest(vector) {
      const [found] = (await call.search({ vector, k: 1 })) as { id: string; score: number }[];
      const held = found && (await handle.get(found.id));
      return held ? { vector: (held as { vector: Float32Array }).vector, score: found.score } : null;
    },
    async write(rows, there) {
      const present = rows.filter(({ id }) => there.has(id)).map(({ id }) => id);
      if (present.length > 0) await removeAll(present);
      const ids = await call.insertBatch(rows.map(toRuvector));
      if (!Array.isArray(ids) || ids.length !== rows.length) {
        throw new PersistenceError('ERR_APPLY', `ruvector took ${Array.isArray(ids) ? ids.length : 'an unknown number'} of ${rows.length} entries`);
      }
    },
    remove: removeAll,
    clear: () => Promise.reject(new PersistenceError('ERR_UNSUPPORTED', 'ruvector cannot be cleared')),
    finish: () => undefined,
  };
}

const toRuvector = ({ id, vector, metadata }: Row): object => (metadata === null ? { id, vector } : { id, vector, metadata });

/** A search with a vector of the wrong length is refused with the right one in its message, and changes nothing. */
async function askDimension(search: Method): Promise<number | null> {
  try {
    await search({ vector: Float32Array.of(1, 0), k: 1 });
    return 2;
  } catch (error) {
    const found = /expected (\d+), got 2\b/.exec(error instanceof Error ? error.message : '');
    return found ? Number(found[1]) : null;
  }
}
