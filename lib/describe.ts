/**
 * Words for values in error messages: short, never throwing, whatever the value is.
 * It calls no user code: no toString, no toJSON, no getter but a constructor's name behind a guard.
 */
import { types } from 'node:util';

/** What kind of value it is: "a string", "Float64Array", "null". */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'object') {
    if (types.isProxy(value)) return 'a Proxy';
    if (Array.isArray(value)) return 'an array';
    return className(value) ?? 'an object';
  }
  if (typeof value === 'undefined') return 'undefined';
  return `a ${typeof value}`;
}

function className(value: object): string | null {
  try {
    const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
    return typeof name === 'string' && name !== '' && name !== 'Object' ? name : null;
  } catch {
    return null;
  }
}

/** An id, or another key, as it is shown in a message: quoted and cut. */
export function showKey(key: unknown): string {
  if (typeof key === 'string') return key.length > 80 ? `${JSON.stringify(key.slice(0, 77))}...` : JSON.stringify(key);
  if (typeof key === 'symbol' || typeof key === 'number' || typeof key === 'bigint') return String(key);
  return kindOf(key);
}
