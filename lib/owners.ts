/**
 * Which databases have a `DatabasePersistence` now: one at a time, because two would each apply content that the other
 * takes for the user's writes. Shared by all copies of this package in one process.
 */
import { PersistenceError } from './errors';

const KEY = Symbol.for('ruvector-persistence.owned');
const shared = globalThis as { [KEY]?: WeakSet<object> };
if (!shared[KEY]) Object.defineProperty(shared, KEY, { value: new WeakSet<object>() });

export function claim(db: object): void {
  if (shared[KEY]!.has(db)) {
    throw new PersistenceError('ERR_LOCKED', 'This database has a DatabasePersistence already; shut that one down first');
  }
  shared[KEY]!.add(db);
}

export function release(db: object): void {
  shared[KEY]!.delete(db);
}
