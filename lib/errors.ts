/**
 * Errors: the class `PersistenceError`, the two kinds of wrong use, and `unwrap`, the one function that turns a failure
 * of the native side into an exception.
 *
 * Promises: a stable `code` on every error, the path and offset where there is one, and the name of the operating
 * system's error as `cause.code`. It does not decide when something is an error.
 */
import type { PersistenceErrorCode, PersistenceErrorOptions } from '../index';
import type { Failure } from './native';

export class PersistenceError extends Error {
  declare readonly name: 'PersistenceError';
  declare readonly code: PersistenceErrorCode;
  declare readonly path?: string;
  declare readonly offset?: number;
  declare readonly content?: 'old' | 'new' | 'mixed';

  constructor(code: PersistenceErrorCode, message: string, options: PersistenceErrorOptions = {}) {
    super(message, options.cause !== undefined ? { cause: options.cause } : undefined);
    this.code = code;
    // Members that say nothing are left out, so that printed errors stay short.
    if (options.path !== undefined) this.path = options.path;
    if (options.offset !== undefined) this.offset = options.offset;
    if (options.content !== undefined) this.content = options.content;
  }
}
Object.defineProperty(PersistenceError.prototype, 'name', { value: 'PersistenceError', configurable: true, writable: true });

/** Wrong use by type. */
export function wrongType(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_OPTION' });
}

/** Wrong use by value. */
export function wrongValue(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_OPTION' });
}

/** The failure of the native side as an exception. */
export function toError(failure: Failure): PersistenceError {
  const { code, message, path, offset, causeCode, causeMessage } = failure;
  const options: PersistenceErrorOptions = { path: path ?? undefined, offset: offset ?? undefined };
  if (causeCode || causeMessage) {
    options.cause = Object.assign(new Error(causeMessage ?? causeCode ?? ''), causeCode ? { code: causeCode } : {});
  }
  return new PersistenceError(code as PersistenceErrorCode, message, options);
}

export function isFailure(value: unknown): value is Failure {
  return typeof value === 'object' && value !== null && (value as { isFailure?: unknown }).isFailure === true;
}

/** The value, or the failure thrown as `PersistenceError`. */
export function unwrap<T>(value: T): Exclude<T, Failure> {
  if (isFailure(value)) throw toError(value);
  return value as Exclude<T, Failure>;
}

/** Any thrown thing as an Error, for those who only take errors. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new PersistenceError('ERR_INTERNAL', `Not an error was thrown: ${String(thrown)}`, { cause: thrown });
}

/** The refusal of every call after `shutdown()`. */
export function closedError(): PersistenceError {
  return new PersistenceError('ERR_CLOSED', 'This DatabasePersistence was shut down; make a new one for the database');
}

/** The refusal of every call after `close()` of a database or a store. */
export function closedDatabase(what = 'database'): PersistenceError {
  return new PersistenceError('ERR_CLOSED', `This ${what} was closed; open it again`);
}
