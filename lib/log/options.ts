/**
 * The option `wal`: its names, defaults and combinations, and what they are for the native side.
 *
 * Promises: unknown names and values that mean nothing are refused; what is not given has its default each time, whatever
 * an earlier process had, but for the place of the log, which is kept. Nothing here touches the disk.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import type { SyncMode, JournalOptions } from '../../index';
import { type Check, isBoolean, isInteger, isOneOf, isString, readOptions } from '../checks';
import { kindOf } from '../describe';
import { PersistenceError, wrongType, wrongValue } from '../errors';

/** Settings of a collection as the native side has them; those that are not named here stay what they are. */
export interface StoredSettings {
  memtableSize: number;
  compactionThreshold: number;
  wal: {
    syncMode: SyncMode;
    fsyncInterval: number;
    segmentSize: number;
    preallocate: number;
    compression: boolean;
    retention: number;
    retentionSize: number;
    directory: string | null;
    archive: string | null;
  };
}

const MODES: readonly SyncMode[] = ['fsync', 'periodic', 'async'];
const INTERVAL_MAX = 2 ** 31 - 1;
const FILE_BYTES_MAX = 2 ** 40;
const STEP_BYTES_MAX = 2 ** 30;
const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

const isPath: Check = (value, name) => {
  isString(value, name);
  if (value === '' || (value as string).includes('\0')) throw wrongValue(`Option "${name}" must be the path of a folder, got ${JSON.stringify(value)}`);
};

/** Milliseconds, or text such as '24h'. */
const isDuration: Check = (value, name) => {
  if (typeof value === 'number') return isInteger(0, Number.MAX_SAFE_INTEGER)(value, name);
  if (typeof value !== 'string') throw wrongType(`Option "${name}" must be a number of milliseconds or a text such as '24h', got ${kindOf(value)}`);
  if (Number.isSafeInteger(milliseconds(value))) return;
  throw wrongValue(`Option "${name}" must be a number with one of the units ${Object.keys(UNITS).join(', ')}, such as '24h'; got ${JSON.stringify(value.slice(0, 80))}`);
};

function milliseconds(value: number | string): number {
  if (typeof value === 'number') return value;
  const [, number, unit] = /^(\d{1,15})(ms|s|m|h|d|w)$/.exec(value) ?? [];
  return Number(number ?? NaN) * (UNITS[unit ?? ''] ?? NaN);
}

const isStep: Check = (value, name) => {
  if (typeof value !== 'boolean') isInteger(0, STEP_BYTES_MAX)(value, name);
};

const isShare: Check = (value, name) => {
  if (typeof value !== 'number') throw wrongType(`Option "${name}" must be a number, got ${kindOf(value)}`);
  if (!(value >= 0 && value <= 1)) throw wrongValue(`Option "${name}" must be from 0 to 1, got ${value}`);
};

const checks: Record<keyof JournalOptions, Check> = {
  enabled: isBoolean, syncMode: isOneOf(MODES), fsyncInterval: isInteger(0, INTERVAL_MAX), segmentSize: isInteger(4096, FILE_BYTES_MAX),
  maxSegmentSize: isInteger(4096, FILE_BYTES_MAX), preallocate: isStep, compression: isBoolean, retention: isDuration,
  retentionSize: isInteger(0, Number.MAX_SAFE_INTEGER), path: isPath, archive: isPath, checkpointSize: isInteger(4096, FILE_BYTES_MAX),
  compactionThreshold: isShare,
};

export const isWal: Check = (value, name) => {
  if (typeof value === 'boolean') return;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(`Option "${name}" must be true, false or an object, got ${kindOf(value)}`);
};

/** Whether the name is one of an option of `wal`. */
export const isNameOfWal = (name: string): boolean => Object.hasOwn(checks, name);

/** What is wanted of the log; null when there is to be none. */
export function readWal(given: boolean | JournalOptions | undefined): StoredSettings | null {
  if (given === undefined || given === false) return null;
  const options = readOptions<JournalOptions>(given === true ? {} : given, 'wal', checks);
  const settings = complete(options);
  return options.enabled === false ? null : settings;
}

function complete(options: Partial<JournalOptions>): StoredSettings {
  const { segmentSize, maxSegmentSize, preallocate = true, retention = '24h', path, archive } = options;
  if (segmentSize !== undefined && maxSegmentSize !== undefined && segmentSize !== maxSegmentSize) {
    throw wrongType(`Options "segmentSize": ${segmentSize} and "maxSegmentSize": ${maxSegmentSize} of wal are the same option and contradict each other`);
  }
  return {
    memtableSize: options.checkpointSize ?? 64 << 20,
    compactionThreshold: options.compactionThreshold ?? 0.3,
    wal: {
      ...chooseSync(options),
      segmentSize: segmentSize ?? maxSegmentSize ?? 64 << 20,
      preallocate: typeof preallocate === 'number' ? preallocate : preallocate ? 1 << 20 : 0,
      compression: options.compression ?? false,
      retention: milliseconds(retention),
      retentionSize: options.retentionSize ?? 0,
      directory: path === undefined ? null : resolve(path),
      archive: archive === undefined ? null : resolve(archive),
    },
  };
}

/** An interval of 0 is a sync for every write, one above 0 is 'periodic'. */
function chooseSync({ syncMode, fsyncInterval }: Partial<JournalOptions>): { syncMode: SyncMode; fsyncInterval: number } {
  const mode = syncMode ?? (fsyncInterval ? 'periodic' : 'fsync');
  const contradicts = mode === 'periodic' ? fsyncInterval === 0 : fsyncInterval !== undefined && fsyncInterval > 0;
  if (contradicts) {
    throw wrongType(`Options "syncMode": '${mode}' and "fsyncInterval": ${fsyncInterval} of wal contradict each other: an interval above 0 is for 'periodic', and only for it`);
  }
  return { syncMode: mode, fsyncInterval: mode === 'periodic' ? (fsyncInterval ?? 1000) : 1000 };
}

/** The settings of a new collection. Several journals may have their logs in one folder: each has a folder in it. */
export function initial(defaults: StoredSettings, wanted: StoredSettings): StoredSettings {
  const { directory } = wanted.wal;
  const own = directory === null ? null : join(directory, randomBytes(8).toString('hex'));
  return { ...defaults, ...wanted, wal: { ...wanted.wal, directory: own } };
}

/** The settings that a collection has, with what is wanted put over them. Where its log is cannot be changed. */
export function adjusted(held: StoredSettings, wanted: StoredSettings, base: string): StoredSettings {
  const { directory } = held.wal;
  if (wanted.wal.directory !== null && (directory === null || dirname(directory) !== wanted.wal.directory)) {
    const where = directory === null ? 'inside "baseDir"' : `in ${dirname(directory)}`;
    throw new PersistenceError('ERR_UNSUPPORTED', `The journal of ${base} has its log ${where}, where it stays; leave the option "path" of wal out, or give that folder`, { path: base });
  }
  return { ...held, ...wanted, wal: { ...wanted.wal, directory } };
}
