/**
 * Entries as they were at the moment of a call: id, a private copy of the vector, metadata as JSON text.
 *
 * Promises: no later change of the caller's arrays or objects shows, buffers that are shared, resizable or detached
 * included; what no archive can hold comes out as `Unfit`, with the error that a save will be refused with. Nothing here
 * throws, and nothing here knows of a database.
 */
import { types } from 'node:util';
import { kindOf, showKey } from './describe';
import { asError, PersistenceError } from './errors';
import { metadataText } from './metadata';

/** An entry that can be kept. */
export interface Entry {
  readonly id: string;
  readonly vector: Float32Array;
  /** JSON text of an object, or null. */
  readonly metadata: string | null;
}

/** An entry that a database took, but that no archive can hold. */
export interface Unfit {
  readonly id: unknown;
  readonly failure: PersistenceError;
}

export type Captured = Entry | Unfit;

const ID_BYTES_MAX = 1024;
const DIMENSION_MAX = 65_536;

/** In the place of an id: the vector is that of a search. */
export const QUERY = Symbol('query');

const whose = (key: unknown): string => (key === QUERY ? 'the search' : `id ${showKey(key)}`);

export function isUnfit(captured: Captured): captured is Unfit {
  return 'failure' in captured;
}

/** Captures `{ vector, metadata }` (an entry, or the value of a Map) under its key; `take` copies the vector, last of all. */
export function capture(key: unknown, value: unknown, take: (vector: unknown, key: unknown) => Float32Array = copyVector): Captured {
  try {
    checkId(key);
    if (typeof value !== 'object' || value === null) {
      throw new PersistenceError('ERR_VECTOR_TYPE', `Entry ${showKey(key)} is ${kindOf(value)}, where an object with a vector is due`);
    }
    const { vector, metadata } = value as { vector?: unknown; metadata?: unknown };
    const text = metadataText(metadata, () => `id ${showKey(key)}`);
    return { id: key, vector: take(vector, key), metadata: text };
  } catch (thrown) {
    return { id: key, failure: asFailure(thrown, key) };
  }
}

/** The same for a vector and metadata that are private copies already. */
export function keep(key: unknown, vector: Float32Array, metadata: string | null): Captured {
  try {
    checkId(key);
    checkLength(vector.length, key);
    return { id: key, vector, metadata };
  } catch (thrown) {
    return { id: key, failure: asFailure(thrown, key) };
  }
}

function asFailure(thrown: unknown, key: unknown): PersistenceError {
  if (thrown instanceof PersistenceError) return thrown;
  return new PersistenceError('ERR_VECTOR_TYPE', `Entry ${showKey(key)} cannot be read: ${asError(thrown).message}`, { cause: thrown });
}

export function checkId(key: unknown): asserts key is string {
  const refuse = (why: string): never => {
    throw new PersistenceError('ERR_ID', `Id ${showKey(key)} cannot be kept: ${why}`);
  };
  if (typeof key !== 'string') refuse('an id must be a string');
  const id = key as string;
  if (id === '') refuse('an id must not be empty');
  if (id.length > ID_BYTES_MAX || Buffer.byteLength(id) > ID_BYTES_MAX) refuse(`it is longer than ${ID_BYTES_MAX} bytes`);
  if (id.includes('\0')) refuse('it holds a NUL character');
  if (id !== wellFormed(id)) refuse('it holds half of a surrogate pair');
}

/** Text with U+FFFD for every half of a surrogate pair, as it is when it has gone through UTF-8. */
export function wellFormed(text: string): string {
  return /\p{Surrogate}/u.test(text) ? Buffer.from(text).toString() : text;
}

/** A copy of a Float32Array or an array of numbers, in a buffer of its own. */
export function copyVector(value: unknown, key: unknown): Float32Array {
  const copy = types.isFloat32Array(value) ? copyFloats(value, key) : copyArray(value, key);
  checkLength(copy.length, key);
  return copy;
}

/** The length of a typed array that no property of its own can hide. */
const lengthOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Float32Array.prototype), 'length')!.get! as (this: Float32Array) => number;

let lent = new Float32Array(0);

/** The same for those who hand the copy on before anything else is called: the next call uses its buffer again. */
export function borrowVector(value: unknown, key: unknown): Float32Array {
  if (!types.isFloat32Array(value)) return copyVector(value, key);
  const length = lengthOf.call(value);
  checkLength(length, key);
  if (lent.length !== length) lent = new Float32Array(length);
  lent.set(value);
  return lent;
}

function checkLength(length: number, key: unknown): void {
  if (length === 0) throw new PersistenceError('ERR_DIMENSION', `Vector of ${whose(key)} has 0 numbers: it is empty, or its buffer was detached`);
  if (length > DIMENSION_MAX) throw new PersistenceError('ERR_DIMENSION', `Vector of ${whose(key)} has ${length} numbers, the limit is ${DIMENSION_MAX}`);
}

function copyFloats(value: Float32Array, key: unknown): Float32Array {
  try {
    return new Float32Array(value);
  } catch (cause) {
    throw new PersistenceError('ERR_DIMENSION', `Vector of ${whose(key)} has 0 numbers: its buffer was detached or shrunk`, { cause });
  }
}

function copyArray(value: unknown, key: unknown): Float32Array {
  const refuse = (what: string): never => {
    throw new PersistenceError('ERR_VECTOR_TYPE', `Vector of ${whose(key)} ${what}; a Float32Array or an array of numbers is due`);
  };
  if (!Array.isArray(value) || types.isProxy(value)) return refuse(`is ${kindOf(value)}`);
  const copy = new Float32Array(Math.min(value.length, DIMENSION_MAX + 1));
  for (let index = 0; index < copy.length; index++) {
    const item: unknown = value[index];
    if (typeof item !== 'number') return refuse(`has ${kindOf(item)} at index ${index}`);
    copy[index] = item;
    if (Number.isFinite(item) && !Number.isFinite(copy[index])) return refuse(`has ${item} at index ${index}, which no 32-bit float can hold`);
  }
  return copy;
}
