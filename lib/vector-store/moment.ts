/** Moments as callers name them: the number of a change, or a time. */
import type { LogMoment, LogStart } from '../../index';
import { type Check, isInteger, isString, readOptions } from '../checks';
import { kindOf } from '../describe';
import { wrongType, wrongValue } from '../errors';

export const isWhole = isInteger(0, Number.MAX_SAFE_INTEGER);

/** Milliseconds since 1970, a Date, or text that a Date is made of. */
function milliseconds(value: unknown, name: string): number {
  if (typeof value !== 'number' && typeof value !== 'string' && !(value instanceof Date)) {
    throw wrongType(`Option "${name}" must be milliseconds since 1970, a Date or its text, got ${kindOf(value)}`);
  }
  const time = typeof value === 'number' ? value : new Date(value).getTime();
  if (!Number.isFinite(time) || time < 0 || time > Number.MAX_SAFE_INTEGER) throw wrongValue(`Option "${name}" is no time since 1970: ${String(value).slice(0, 80)}`);
  return Math.floor(time);
}

export const isTime: Check = (value, name) => void milliseconds(value, name);

export function time(value: number | string | Date | undefined, name: string): number | undefined {
  return value === undefined ? undefined : milliseconds(value, name);
}

type Named = { lsn: number } | { time: number } | { snapshot: string };

const ways = { lsn: isWhole, time: isTime, snapshot: isString };

/** The one way in which an object names a moment, or a time as it is. */
function named(value: unknown, name: string, allowed: readonly (keyof typeof ways)[]): Named {
  if (typeof value !== 'object' || value === null || value instanceof Date) return { time: milliseconds(value, name) };
  const checks = Object.fromEntries(allowed.map((way) => [way, ways[way]])) as typeof ways;
  const found = readOptions<{ lsn: number; time: number; snapshot: string }>(value, `"${name}"`, checks);
  const [way, ...more] = Object.keys(found) as (keyof typeof ways)[];
  if (way === undefined || more.length > 0) throw wrongType(`Option "${name}" needs exactly one of ${allowed.join(', ')}`);
  return way === 'time' ? { time: milliseconds(found.time, name) } : { [way]: found[way] } as Named;
}

export const isMoment: Check = (value, name) => void named(value, name, ['lsn', 'time']);
export const isStart: Check = (value, name) => void named(value, name, ['lsn', 'time', 'snapshot']);

/** As the native side takes it. */
export const moment = (value: LogMoment | undefined, name: string): Named | undefined => (value === undefined ? undefined : named(value, name, ['lsn', 'time']));
export const start = (value: LogStart | undefined, name: string): Named | undefined => (value === undefined ? undefined : named(value, name, ['lsn', 'time', 'snapshot']));
