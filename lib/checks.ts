/**
 * Checks of option objects: known names only, own properties only, one check per value.
 *
 * Promises: an unknown name is refused with the allowed ones and, where one is near, a "did you mean"; an option that is
 * undefined counts as absent; what comes out is a fresh object that no prototype and no later change of the caller's
 * object can reach. It knows no option by itself (see `options.ts`).
 */
import { types } from 'node:util';
import { kindOf } from './describe';
import { wrongType, wrongValue } from './errors';

/** Checks one value; `name` is how the option is called in messages. Throws TypeError or RangeError. */
export type Check = (value: unknown, name: string) => void;

/** The own, known, defined options of `given`. `what` is the call they belong to. */
export function readOptions<T extends object>(given: unknown, what: string, checks: Record<keyof T & string, Check>): Partial<T> {
  const options = Object.create(null) as Record<string, unknown>;
  if (given === undefined) return options as Partial<T>;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrongType(`The options of ${what} must be an object, got ${kindOf(given)}`);
  }
  for (const name of Object.keys(given)) {
    const check = Object.hasOwn(checks, name) ? checks[name as keyof T & string] : undefined;
    if (check === undefined) throw unknownOption(name, what, Object.keys(checks));
    const value: unknown = (given as Record<string, unknown>)[name];
    if (value === undefined) continue;
    check(value, name);
    options[name] = value;
  }
  return options as Partial<T>;
}

function unknownOption(name: string, what: string, allowed: string[]): TypeError {
  const near = allowed.map((other) => ({ other, far: distance(name.toLowerCase(), other.toLowerCase()) })).sort((a, b) => a.far - b.far)[0];
  const hint = near && near.far <= Math.max(2, Math.floor(name.length / 4)) ? ` Did you mean "${near.other}"?` : '';
  return wrongType(`Unknown option "${name}" of ${what}.${hint} Allowed: ${allowed.join(', ')}`);
}

/** Letters to insert, remove or replace to get from one word to the other. */
function distance(a: string, b: string): number {
  if (a.length > 64) return a.length;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

export const isBoolean: Check = (value, name) => {
  if (typeof value !== 'boolean') throw wrongType(`Option "${name}" must be true or false, got ${kindOf(value)}`);
};

export const isString: Check = (value, name) => {
  if (typeof value !== 'string') throw wrongType(`Option "${name}" must be a string, got ${kindOf(value)}`);
};

export const isFunction: Check = (value, name) => {
  if (typeof value !== 'function') throw wrongType(`Option "${name}" must be a function, got ${kindOf(value)}`);
};

export function isInteger(low: number, high: number): Check {
  return (value, name) => {
    if (typeof value !== 'number') throw wrongType(`Option "${name}" must be a number, got ${kindOf(value)}`);
    if (!Number.isInteger(value) || value < low || value > high) {
      throw wrongValue(`Option "${name}" must be a whole number from ${low} to ${high}, got ${value}`);
    }
  };
}

export function isOneOf(allowed: readonly string[]): Check {
  return (value, name) => {
    if (typeof value !== 'string') throw wrongType(`Option "${name}" must be a string, got ${kindOf(value)}`);
    if (!allowed.includes(value)) throw wrongValue(`Option "${name}" must be one of ${allowed.join(', ')}; got ${JSON.stringify(value.slice(0, 80))}`);
  };
}

const aborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted')!.get!;

/** A real AbortSignal: its own getter must know it. An object made to look like one never fires. */
export const isSignal: Check = (value, name) => {
  try {
    if (types.isProxy(value)) throw new TypeError();
    aborted.call(value);
  } catch {
    throw wrongType(`Option "${name}" must be an AbortSignal, got ${kindOf(value)}`);
  }
};
