/**
 * What is said when the log could not take a change.
 *
 * Promises: the code, the path and the cause of the failure stay; one failure gives one error, however many wait for it.
 */
import { PersistenceError } from '../errors';
import type { Journal } from '../journal';

type Told = WeakMap<PersistenceError, PersistenceError>;

const ofWrites: Told = new WeakMap();
const ofCatchingUp: Told = new WeakMap();

function said(error: PersistenceError, more: string, told: Told): PersistenceError {
  if (!(error instanceof PersistenceError)) return error;
  const known = told.get(error);
  if (known) return known;
  const { code, message, path, offset, cause } = error;
  const made = new PersistenceError(code, `${message}. ${more}`, { path, offset, cause });
  told.set(error, made);
  told.set(made, made);
  return made;
}

/** The database did a write that the log refused. */
export function notDurable(error: PersistenceError): PersistenceError {
  return said(error, 'The database did the write, but it is not durable in the journal', ofWrites);
}

/** What was refused before was refused again. */
export function behind(error: PersistenceError): PersistenceError {
  return said(error, 'The journal on disk does not hold everything that was written to the database', ofCatchingUp);
}

/** The failure of the first of these ids whose entry the database took and the journal cannot hold; else null. */
export function notHeld(ids: Iterable<unknown>, journal: Journal): PersistenceError | null {
  for (const id of ids) {
    const failure = journal.failureOf(id);
    if (failure !== null) return notDurable(failure);
  }
  return null;
}
