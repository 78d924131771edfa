/**
 * Any other database, known by its methods (see `GenericDatabase` in index.d.ts); each may be sync or async.
 *
 * Vectors are handed over as Float32Array, or as plain arrays when the database was last seen with plain arrays. An
 * insert is taken to replace an entry of the same id; where there is `delete`, the old entry is removed first, so that
 * nothing of it stays.
 */
import { types } from 'node:util';
import type { Captured } from '../capture';
import { PersistenceError } from '../errors';
import { isThenable } from '../wrap';
import type { Adapter, Method, Row } from './adapter';
import { captureHeld, entriesOf } from './enumerate';
import { genericMethods } from './generic-methods';

type Methods = Record<string, Method | undefined>;

const NAMES = ['insert', 'insertBatch', 'get', 'delete', 'clear', 'stats', 'len', 'isEmpty', 'buildIndex', 'entries', 'keys', 'search', 'updateMetadata', 'load'];

/** The methods that the database has, as they are now, bound to it. */
function methodsOf(db: object): Methods {
  const methods: Methods = Object.create(null) as Methods;
  for (const name of NAMES) {
    const method = (db as Record<string, unknown>)[name];
    if (typeof method === 'function') methods[name] = method.bind(db) as Method;
  }
  return methods;
}

export function genericAdapter(db: object): Adapter {
  const call = methodsOf(db);
  // How the database was last seen with vectors, and whether it answers with promises.
  const seen = { arrays: false, promises: NAMES.some((name) => types.isAsyncFunction((db as Record<string, unknown>)[name])) };
  const { get, delete: remove, clear, search } = call;

  return {
    kind: 'generic',
    rule: 'replace',
    methods: genericMethods(Object.keys(call), seen),
    canRemove: remove !== undefined,
    canClear: clear !== undefined,
    pageBytes: 1 << 20,
    get late() {
      return seen.promises;
    },
    count: () => count(db, call, seen),
    describe: () => describe(call),
    read: get && (async (id) => readEntry(id, await get(id), seen)),
    enumerate: () => entriesOf(db, call, seen),
    search: search && ((vector, k, known) => searchEntries(call, vector, k, known, seen)),
    async write(rows, there) {
      if (remove) for (const { id } of rows) if (there.has(id)) await remove(id);
      const entries = rows.map((row) => toEntry(row, seen.arrays));
      if (call.insertBatch) await call.insertBatch(entries);
      else for (const entry of entries) await call.insert!(entry);
    },
    async remove(ids) {
      if (!remove) throw new PersistenceError('ERR_UNSUPPORTED', 'The database has no method "delete"');
      for (const id of ids) await remove(id);
    },
    async clear() {
      await clear?.();
    },
    async finish() {
      await call.buildIndex?.();
    },
  };
}

function toEntry({ id, vector, metadata }: Row, arrays: boolean): object {
  const given = arrays ? Array.from(vector) : vector;
  return metadata === null ? { id, vector: given } : { id, vector: given, metadata };
}

function readEntry(id: unknown, found: unknown, seen: { arrays: boolean }): Captured | null {
  return found === null || found === undefined ? null : captureHeld(id, found, seen);
}

async function count(db: object, call: Methods, seen: { promises: boolean }): Promise<number | null> {
  const ask = (method: Method): unknown => {
    const answer = method();
    seen.promises ||= isThenable(answer);
    return answer;
  };
  let found: unknown;
  if (call.stats) found = ((await ask(call.stats)) as { count?: unknown } | null)?.count;
  if (typeof found !== 'number' && call.len) found = await ask(call.len);
  if (typeof found !== 'number') found = await sizeOf(db);
  if (typeof found !== 'number' && call.isEmpty && (await call.isEmpty()) === true) found = 0;
  return typeof found === 'number' && Number.isInteger(found) && found >= 0 ? found : null;
}

function sizeOf(db: object): unknown {
  const { size } = db as { size?: unknown };
  return typeof size === 'function' ? (size.call(db) as unknown) : size;
}

const METRICS: Record<string, string> = {
  cosine: 'cosine', euclidean: 'euclidean', l2: 'euclidean', dot: 'dot', dotproduct: 'dot', innerproduct: 'dot', ip: 'dot', manhattan: 'manhattan', l1: 'manhattan',
};

async function describe(call: Methods): Promise<{ dimension: number | null; metric: string | null }> {
  const nothing = { dimension: null, metric: null };
  if (!call.stats) return nothing;
  try {
    const { dimension, metric } = (await call.stats()) as { dimension?: unknown; metric?: unknown };
    const known = typeof dimension === 'number' && Number.isInteger(dimension) && dimension > 0 && dimension <= 65_536;
    const name = typeof metric === 'string' ? metric.toLowerCase().replace(/[_\s-]/g, '') : '';
    return { dimension: known ? dimension : null, metric: METRICS[name] ?? null };
  } catch {
    // A database that cannot tell now is asked again by `count`, whose failure is reported.
    return nothing;
  }
}

async function searchEntries(call: Methods, query: Float32Array, k: number, known: { has(id: unknown): boolean }, seen: { arrays: boolean }): Promise<Captured[]> {
  const found: unknown = await call.search!({ vector: seen.arrays ? Array.from(query) : query, k });
  const entries: Captured[] = [];
  const ids = new Set<unknown>();
  for (const item of Array.isArray(found) ? (found as { id?: unknown; vector?: unknown }[]) : []) {
    if (ids.has(item?.id) || known.has(item?.id)) continue;
    ids.add(item?.id);
    const entry: unknown = call.get ? await call.get(item?.id) : item;
    const held = readEntry(item?.id, entry, seen);
    if (held !== null) entries.push(held);
  }
  return entries;
}
