/**
 * Words and numbers for people: sizes, times, and how much memory a state needs. Pure functions.
 */
import type { DatabaseState } from '../index';
import { kindOf } from './describe';
import { wrongType, wrongValue } from './errors';

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];
const ENTRY_OVERHEAD_BYTES = 100;

export function formatFileSize(bytes: number): string {
  if (typeof bytes !== 'number') throw wrongType(`formatFileSize needs a number of bytes, got ${kindOf(bytes)}`);
  if (!(bytes >= 0) || bytes === Infinity) throw wrongValue(`formatFileSize needs a number of bytes of 0 or more, got ${bytes}`);
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size.toFixed(2)} ${UNITS[unit]}`;
}

export function formatTimestamp(timestamp: number): string {
  if (typeof timestamp !== 'number') throw wrongType(`formatTimestamp needs milliseconds since 1970, got ${kindOf(timestamp)}`);
  const date = new Date(timestamp);
  if (Number.isNaN(date.getTime())) throw wrongValue(`formatTimestamp needs milliseconds since 1970, got ${timestamp}`);
  return date.toISOString();
}

export function estimateMemoryUsage(state: DatabaseState): number {
  if (typeof state !== 'object' || state === null || typeof state.stats !== 'object' || state.stats === null) {
    throw wrongType(`estimateMemoryUsage needs a DatabaseState, got ${kindOf(state)}`);
  }
  const vectors = state.stats.count * (state.stats.dimension * 4 + ENTRY_OVERHEAD_BYTES);
  let text = jsonLength(state.metadata) + jsonLength(state.indexState);
  for (const entry of state.vectors ?? []) text += jsonLength(entry.metadata);
  return vectors + text;
}

function jsonLength(value: unknown): number {
  return value === undefined || value === null ? 0 : (JSON.stringify(value)?.length ?? 0);
}
