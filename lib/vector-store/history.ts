/** Going back in time: the methods of `VectorStore` about the moments of a collection. Nothing is decided here. */
import type { Moments, RestorePoint, RewindOptions, RewindReport, WalReplayOptions, WalReplayReport } from '../../index';
import { type Check, isBoolean, isInteger, isSignal, isString, readOptions } from '../checks';
import { kindOf } from '../describe';
import { wrongType, wrongValue } from '../errors';
import type { Operate } from './operate';

const isWhole = isInteger(0, Number.MAX_SAFE_INTEGER);

/** Milliseconds since 1970, a Date, or text that a Date is made of. */
function milliseconds(value: unknown, name: string): number {
  if (typeof value !== 'number' && typeof value !== 'string' && !(value instanceof Date)) {
    throw wrongType(`Option "${name}" must be milliseconds since 1970, a Date or its text, got ${kindOf(value)}`);
  }
  const time = typeof value === 'number' ? value : new Date(value).getTime();
  if (!Number.isFinite(time) || time < 0 || time > Number.MAX_SAFE_INTEGER) throw wrongValue(`Option "${name}" is no time since 1970: ${String(value).slice(0, 80)}`);
  return Math.floor(time);
}

const isTime: Check = (value, name) => void milliseconds(value, name);

function time(value: number | string | Date | undefined, name: string): number | undefined {
  return value === undefined ? undefined : milliseconds(value, name);
}

export async function moments(operate: Operate, collection: string, given: unknown): Promise<Moments> {
  isString(collection, 'collection');
  return operate('windows', { collection, ...readOptions<{ directory?: string }>(given, 'moments', { directory: isString }) });
}

export async function createRestorePoint(operate: Operate, collection: string, name: string): Promise<RestorePoint> {
  isString(collection, 'collection');
  isString(name, 'name');
  return operate('restorePoint', { collection, name });
}

export async function rewind(operate: Operate, collection: string, given: unknown): Promise<RewindReport> {
  isString(collection, 'collection');
  const options = readOptions<RewindOptions>(given, 'rewind', { lsn: isWhole, time: isTime, point: isString, target: isString, directory: isString, signal: isSignal });
  const { signal, ...rest } = options;
  if ([rest.lsn, rest.time, rest.point].filter((way) => way !== undefined).length !== 1) throw wrongType('rewind needs exactly one of the options lsn, time and point');
  const started = performance.now();
  const done = await operate<Omit<RewindReport, 'durationMs'>>('rewind', { ...rest, collection, time: time(rest.time, 'time') }, signal);
  return { ...done, durationMs: performance.now() - started };
}

export async function walReplay(operate: Operate, collection: string, given: unknown): Promise<WalReplayReport> {
  isString(collection, 'collection');
  const options = readOptions<WalReplayOptions>(given, 'walReplay', { from: isTime, until: isTime, fromSegment: isWhole, verify: isBoolean, signal: isSignal });
  const { signal, from, until, ...rest } = options;
  const started = performance.now();
  const request = { ...rest, collection, from: time(from, 'from'), until: time(until, 'until') };
  const done = await operate<Omit<WalReplayReport, 'durationMs'>>('walReplay', request, signal);
  return { ...done, durationMs: performance.now() - started };
}
