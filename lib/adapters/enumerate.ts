/**
 * Enumeration of a generic database: through `entries()`, its own iteration, or `keys()` and `get`.
 * Items are `[id, value]` pairs or `{ id, vector, metadata }` objects. How fast it goes is up to who asks for the next.
 */
import { type Captured, capture } from '../capture';
import { kindOf } from '../describe';
import { PersistenceError } from '../errors';
import type { Method } from './adapter';

type Methods = Record<string, Method | undefined>;
type Items = Iterable<unknown> | AsyncIterable<unknown>;

/** All entries, or null when the database offers no way. */
export function entriesOf(db: object, call: Methods, seen: { arrays: boolean }): AsyncIterable<Captured> | null {
  const { entries, keys, get } = call;
  if (entries) return eachEntry(() => entries(), 'entries()', seen);
  if (isItems(db)) return eachEntry(() => db, 'iteration', seen);
  if (keys && get) return eachKey(keys, get, seen);
  return null;
}

function isItems(value: unknown): value is Items {
  if (typeof value !== 'object' || value === null) return false;
  const items = value as { [Symbol.iterator]?: unknown; [Symbol.asyncIterator]?: unknown };
  return typeof items[Symbol.iterator] === 'function' || typeof items[Symbol.asyncIterator] === 'function';
}

async function listOf(start: () => unknown, what: string): Promise<Items> {
  const items: unknown = await start();
  if (!isItems(items)) throw new PersistenceError('ERR_INCOMPLETE', `The database cannot be enumerated: ${what} gave ${kindOf(items)}, where something to iterate is due`);
  return items;
}

async function* eachEntry(start: () => unknown, what: string, seen: { arrays: boolean }): AsyncIterable<Captured> {
  for await (const item of await listOf(start, what)) {
    const [id, value] = Array.isArray(item) ? (item as unknown[]) : [(item as { id?: unknown } | null)?.id, item];
    yield captureHeld(id, value, seen);
  }
}

async function* eachKey(keys: Method, get: Method, seen: { arrays: boolean }): AsyncIterable<Captured> {
  for await (const id of await listOf(keys, 'keys()')) {
    const value: unknown = await get(id);
    // An id may have been removed since the keys were listed.
    if (value !== null && value !== undefined) yield captureHeld(id, value, seen);
  }
}

/** Captures what the database holds for an id, and notes how its vectors look. */
export function captureHeld(id: unknown, value: unknown, seen: { arrays: boolean }): Captured {
  seen.arrays = Array.isArray((value as { vector?: unknown } | null)?.vector);
  return capture(id, value);
}
