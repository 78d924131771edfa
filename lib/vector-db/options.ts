/**
 * Options of `VectorDB` and of collections: checked by name and value, and turned into the settings that a collection
 * keeps. Options of other databases that mean nothing here are refused by name. Nothing here touches the disk.
 */
import { resolve } from 'node:path';
import type { CollectionOptions, CompactionOptions, DistanceMetric, MmapOptions, StorageEngine, SyncMode, VectorDBOptions, WalOptions } from '../../index';
import { type Check, isBoolean, isFunction, isInteger, isOneOf, isString, readOptions } from '../checks';
import { kindOf } from '../describe';
import { PersistenceError, wrongType, wrongValue } from '../errors';
import { type LsmGiven, type LsmSettings, putOver, readLsm } from './lsm';

/** Settings of a collection as the native side keeps them; see `src/manifest/content.rs`. */
export interface CollectionSettings {
  dimension: number;
  metric: string | null;
  engine: StorageEngine;
  readOnly: boolean;
  memtableSize: number;
  hotTierSize: number;
  compactionThreshold: number;
  compactionInterval: number;
  wal: { syncMode: SyncMode; fsyncInterval: number; segmentSize: number; preallocate: number; compression: boolean; retention: number; retentionSize: number; directory: string | null; archive: string | null };
  mmap: { enabled: boolean; advice: string; populate: boolean; hugePages: boolean };
  /** Absent where all of it is as it is by default. */
  lsm?: LsmSettings;
}

/** What the options say of the settings; what they do not say is absent. */
export type Wanted = Partial<Omit<CollectionSettings, 'wal' | 'mmap' | 'lsm'>> & { wal?: Partial<CollectionSettings['wal']>; mmap?: Partial<CollectionSettings['mmap']>; lsm?: LsmGiven };

/** Options of a collection, checked. */
export interface CollectionRequest {
  readonly dimension?: number;
  readonly metric?: DistanceMetric;
  readonly wanted: Wanted;
  readonly onError?: (error: Error) => void;
}

/** Options of a database, checked. */
export interface DatabaseRequest extends CollectionRequest {
  /** Absolute; absent for one in memory. */
  readonly path?: string;
  readonly collection: string;
  readonly readOnly: boolean;
}

const BYTES_MAX = 2 ** 50;
const MILLISECONDS_MAX = 2 ** 50;

function unsupported(why: string): Check {
  return (_value, name) => {
    throw new PersistenceError('ERR_UNSUPPORTED', `Option "${name}" is not supported: ${why}`);
  };
}

const anything: Check = () => undefined;

const isEngine: Check = (value, name) => {
  if (typeof value === 'string' && ['rocksdb', 'leveldb', 'lmdb', 'sled'].includes(value)) {
    throw new PersistenceError('ERR_UNSUPPORTED', `Engine '${value}' is not supported: use 'lsm', an embedded log-structured merge tree`);
  }
  isOneOf(['memory', 'mmap', 'hybrid', 'lsm', 'embedded'])(value, name);
};

const isPath: Check = (value, name) => {
  isString(value, name);
  if (value === '') throw new PersistenceError('ERR_PATH', `Option "${name}" is an empty path`);
  if ((value as string).includes('\0')) throw new PersistenceError('ERR_PATH', `Option "${name}" holds a NUL character`);
};

/** A share: 0.3, 30 or '30%' are the same. */
export const isShare: Check = (value, name) => void share(value, name);

export function share(value: unknown, name: string): number {
  const percent = typeof value === 'string' ? /^(\d{1,3}(?:\.\d+)?)%$/.exec(value) : null;
  if (typeof value !== 'number' && percent === null) {
    throw wrongType(`Option "${name}" must be a share such as 0.3, 30 or '30%', got ${typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : kindOf(value)}`);
  }
  const number = percent === null ? (value as number) : Number(percent[1]) / 100;
  const found = percent === null && number > 1 ? number / 100 : number;
  if (!(found >= 0 && found <= 1)) throw wrongValue(`Option "${name}" must be a share from 0 to 1, or from 0 to 100 percent, got ${String(value)}`);
  return found;
}

const exact = unsupported('search is exact and has no index to tune');
const collectionChecks: Record<string, Check> = {
  dimension: isInteger(1, 65_536), dimensions: isInteger(1, 65_536),
  metric: isOneOf(['cosine', 'euclidean', 'dot', 'manhattan']), distanceMetric: isOneOf(['cosine', 'euclidean', 'dot', 'manhattan']),
  engine: isEngine, hotTierSize: isInteger(0, BYTES_MAX), memtableSize: isInteger(4096, BYTES_MAX),
  mmap: anything, wal: anything, lsm: anything, compaction: anything, onError: isFunction,
  hnsw: exact, hnswConfig: exact, quantization: unsupported('vectors are kept bit for bit'),
};
const databaseChecks: Record<string, Check> = {
  ...collectionChecks, path: isPath, storagePath: isPath, collection: isString, readOnly: isBoolean,
};
const readahead = unsupported("the operating system takes no size; use advice 'sequential' to read ahead, 'random' not to");

function one<T>(options: Record<string, unknown>, name: string, alias: string): T | undefined {
  if (options[name] !== undefined && options[alias] !== undefined && options[name] !== options[alias]) {
    throw wrongType(`Options "${name}" and "${alias}" are two names of one thing and contradict each other`);
  }
  return (options[name] ?? options[alias]) as T | undefined;
}

function readMmap(given: unknown): Wanted['mmap'] {
  const checks = { enabled: isBoolean, advice: isOneOf(['normal', 'random', 'sequential']), populate: isBoolean, hugePages: isBoolean, readahead };
  if (typeof given === 'boolean') return { enabled: given };
  return { ...readOptions<MmapOptions>(given, 'mmap', checks as never) } as Wanted['mmap'];
}

/** The options of `mmapEnable`: mapping is switched on unless they say otherwise. */
export const readMmapEnable = (given: unknown): Wanted => ({ mmap: { enabled: true, ...readMmap(given ?? {}) } });

function readWal(given: unknown): Wanted['wal'] {
  if (given === false) throw new PersistenceError('ERR_UNSUPPORTED', 'Option "wal" cannot be false: every change goes through the log. For no files at all use engine \'memory\'');
  const { path, archive, ...plain } = readOptions<WalOptions>(given === true ? {} : given, 'wal', {
    syncMode: isOneOf(['fsync', 'periodic', 'async']), fsyncInterval: isInteger(0, 2 ** 31 - 1), segmentSize: isInteger(4096, 2 ** 40), preallocate: isInteger(0, 2 ** 30),
    compression: isBoolean, retention: isInteger(0, MILLISECONDS_MAX), retentionSize: isInteger(0, BYTES_MAX), path: isPath, archive: isPath,
  });
  const { syncMode, fsyncInterval } = plain;
  const wanted: Wanted['wal'] = { ...plain };
  if (syncMode !== undefined && fsyncInterval !== undefined && (syncMode === 'periodic') !== (fsyncInterval > 0)) {
    throw wrongType(`Options "syncMode": '${syncMode}' and "fsyncInterval": ${fsyncInterval} contradict each other: an interval above 0 belongs to 'periodic'`);
  }
  if (syncMode === undefined && fsyncInterval !== undefined) wanted.syncMode = fsyncInterval === 0 ? 'fsync' : 'periodic';
  if (fsyncInterval === 0) delete wanted.fsyncInterval;
  if (path !== undefined) wanted.directory = resolve(path);
  if (archive !== undefined) wanted.archive = resolve(archive);
  return wanted;
}

/** A threshold that no share reaches: never. */
const NEVER = 2;
const SHARE_DEFAULT = 0.3;

function readCompaction(given: unknown): Wanted {
  if (typeof given === 'boolean') return readCompaction({ enabled: given });
  const options = readOptions<CompactionOptions>(given, 'compaction', { enabled: isBoolean, threshold: isShare, minFragmentation: isShare, interval: isInteger(0, MILLISECONDS_MAX) });
  const threshold = one<number | string>(options as Record<string, unknown>, 'threshold', 'minFragmentation');
  if (options.enabled === false) return { compactionThreshold: NEVER, compactionInterval: 0 };
  const wanted: Wanted = {};
  if (threshold !== undefined || options.enabled === true) wanted.compactionThreshold = threshold === undefined ? SHARE_DEFAULT : share(threshold, 'threshold');
  if (options.interval !== undefined) wanted.compactionInterval = options.interval;
  return wanted;
}

function toRequest(options: Record<string, unknown>): CollectionRequest {
  const { engine, hotTierSize, memtableSize, mmap, wal, lsm, compaction, onError } = options as CollectionOptions;
  const wanted: Wanted = compaction === undefined ? {} : readCompaction(compaction);
  if (engine !== undefined) wanted.engine = engine === 'embedded' ? 'lsm' : engine;
  if (lsm !== undefined) Object.assign(wanted, readLsm(lsm));
  if (hotTierSize !== undefined) wanted.hotTierSize = hotTierSize;
  if (memtableSize !== undefined) {
    if (wanted.memtableSize !== undefined && wanted.memtableSize !== memtableSize) throw wrongType('Options "memtableSize" and "writeBufferSize" of "lsm" are two names of one thing and contradict each other');
    wanted.memtableSize = memtableSize;
  }
  if (mmap !== undefined) wanted.mmap = readMmap(mmap);
  if (wal !== undefined) wanted.wal = readWal(wal);
  const dimension = one<number>(options, 'dimension', 'dimensions');
  const metric = one<DistanceMetric>(options, 'metric', 'distanceMetric');
  return { dimension, metric, wanted, onError };
}

/** Options of `createCollection` and of `configure`. */
export function readCollection(given: unknown, what: string): CollectionRequest {
  return toRequest(readOptions(given, what, collectionChecks) as Record<string, unknown>);
}

/** Options of the constructor of `VectorDB`. */
export function readDatabase(given: unknown): DatabaseRequest {
  const options = readOptions(given, 'VectorDB', databaseChecks) as Record<string, unknown>;
  const { readOnly = false, collection = 'default' } = options as VectorDBOptions;
  const path = one<string>(options, 'path', 'storagePath');
  const request = toRequest(options);
  const settings = Object.keys(request.wanted);
  if (path === undefined) {
    const { engine = 'memory', ...rest } = request.wanted;
    const [first] = engine === 'memory' ? [...Object.keys(rest), ...['collection', 'readOnly'].filter((name) => options[name] !== undefined)] : ['engine'];
    if (first !== undefined) throw wrongType(`Option "${first.replace(/^compaction.*/, 'compaction')}" needs a "path": without one everything is in memory only`);
  } else if (request.wanted.engine === 'memory') {
    throw wrongType('Options "engine": \'memory\' and "path" contradict each other: that engine keeps nothing on disk');
  } else if (readOnly && settings.length > 0) {
    throw wrongType(`Option "${settings[0]!.replace(/^compaction.*/, 'compaction')}" cannot be given with "readOnly": whoever only reads changes no settings`);
  }
  return { ...request, path: path === undefined ? undefined : resolve(path), collection, readOnly };
}

/** The settings with what is wanted put over them. What the engine would ignore is refused. */
export function settled(settings: CollectionSettings, { wal, mmap, lsm, ...plain }: Wanted): CollectionSettings {
  const after: CollectionSettings = { ...settings, ...plain, wal: { ...settings.wal, ...wal }, mmap: { ...settings.mmap, ...mmap } };
  const strange = after.engine === 'lsm' ? (mmap ? 'mmap' : plain.hotTierSize === undefined ? undefined : 'hotTierSize') : lsm ? 'lsm' : undefined;
  if (strange !== undefined) throw new PersistenceError('ERR_UNSUPPORTED', `Option "${strange}" means nothing to engine '${after.engine}', which this collection has`);
  if (lsm !== undefined) after.lsm = putOver(settings.lsm, lsm);
  return after;
}

/** The folder of a store, absolute. */
export function readFolder(path: unknown): string {
  isPath(path, 'path');
  return resolve(path as string);
}
