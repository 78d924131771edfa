/**
 * The options of the constructor and of every call: which names there are, their defaults, and what a combination means.
 *
 * Promises: whatever is returned is complete, checked and private. The format and the options that belong to the store
 * are refused by name with ERR_UNSUPPORTED. Nothing here touches the disk or a database.
 */
import { extname, join, resolve } from 'node:path';
import type {
  CompressionOptions, CompressionType, DistanceMetric, ExportOptions, ExportRuvectorOptions, ImportOptions, LoadOptions,
  PersistenceFormat, PersistenceOptions, RecoverOptions, RestoreOptions, SaveOptions, SnapshotFormat, SnapshotOptions,
} from '../index';
import { type Check, isBoolean, isFunction, isInteger, isOneOf, isSignal, isString, readOptions } from './checks';
import { kindOf } from './describe';
import { PersistenceError, wrongType, wrongValue } from './errors';
import { isNameOfWal, isWal, readWal, type StoredSettings } from './log/options';

/** How one archive is written. */
export interface ArchiveOptions {
  format: PersistenceFormat;
  compression: CompressionType;
  level?: number;
}

/** The constructor's options, complete. */
export interface Settings {
  /** As given. */
  readonly baseDir: string;
  /** Absolute, so that a later change of the working directory does not matter. */
  readonly base: string;
  readonly format: PersistenceFormat;
  readonly snapshotFormat: SnapshotFormat;
  readonly compression: CompressionType;
  readonly compressionLevel?: number;
  readonly incremental: boolean;
  readonly autoSaveInterval: number;
  readonly maxSnapshots: number;
  readonly batchSize: number;
  readonly databasePath?: string;
  readonly dimension?: number;
  readonly metric?: DistanceMetric;
  readonly onError?: (error: Error) => void;
  /** null: nothing is kept between two saves. */
  readonly wal: StoredSettings | null;
}

const FORMATS: readonly PersistenceFormat[] = ['json', 'binary', 'sqlite'];
const COMPRESSIONS = ['none', 'gzip', 'brotli', 'zstd'];
const LEVELS: Record<string, readonly [number, number]> = { gzip: [0, 9], brotli: [0, 11], zstd: [1, 22] };
const INTERVAL_MAX = 2 ** 31 - 1;

/** Options of the store, which `DatabasePersistence` does not have; those of its journal are inside `wal`. */
const STORE_OPTIONS = new Set([
  'walEnabled', 'engine', 'sync', 'syncMode', 'fsyncInterval', 'flushInterval', 'segmentSize', 'walSegmentSize', 'maxWalSize',
  'checkpoint', 'checkpointInterval', 'checkpointSize', 'compaction', 'compactionThreshold', 'retention', 'mmap', 'hotTierSize', 'encryption', 'encryptionKey', 'replication', 'backup',
]);

export const isFormat: Check = (value, name) => {
  if (value === 'native') {
    const advice = `Format 'native' is one of snapshots, not of files: give it to createSnapshot or as "snapshotFormat"; here use ${FORMATS.map((f) => `'${f}'`).join(', ')}`;
    throw new PersistenceError('ERR_UNSUPPORTED', advice);
  }
  isOneOf(FORMATS)(value, name);
};
const isSnapshotFormat = isOneOf([...FORMATS, 'native']);
export const isCompression = isOneOf(COMPRESSIONS);
export const isLevel = isInteger(0, 22);
const call = { onProgress: isFunction, signal: isSignal };
const compressing = { compress: isBoolean, compression: isCompression, compressionLevel: isLevel };

const constructorChecks: Record<keyof PersistenceOptions, Check> = {
  baseDir: isString, format: isFormat, compression: isCompression, compressionLevel: isLevel, snapshotFormat: isSnapshotFormat, incremental: isBoolean,
  autoSaveInterval: isInteger(0, INTERVAL_MAX), maxSnapshots: isInteger(0, 0xffff_ffff), batchSize: isInteger(1, 1_000_000),
  databasePath: isString, dimension: isInteger(1, 65_536), metric: isOneOf(['cosine', 'euclidean', 'dot', 'manhattan']), onError: isFunction, wal: isWal,
};

export function readSettings(given: unknown): Settings {
  if (typeof given !== 'object' || given === null) throw wrongType(`DatabasePersistence needs options with "baseDir", got ${kindOf(given)}`);
  for (const name of Object.keys(given)) {
    if (STORE_OPTIONS.has(name)) {
      const advice = isNameOfWal(name) ? `give it inside "wal": { wal: { ${name}: … } }` : 'leave it out';
      throw new PersistenceError('ERR_UNSUPPORTED', `Option "${name}" belongs to the store, and is no option of DatabasePersistence; ${advice}`);
    }
  }
  const options = readOptions<PersistenceOptions>(given, 'DatabasePersistence', constructorChecks);
  if (options.baseDir === undefined || options.baseDir === '') throw wrongType('Option "baseDir" is required: the folder of all files, a string that is not empty');
  const compression = options.compression ?? 'none';
  checkLevel(compression, options.compressionLevel);
  const wal = readWal(options.wal);
  if (options.snapshotFormat === 'native' && wal === null) throw needsJournal('Option "snapshotFormat"');
  return {
    baseDir: options.baseDir,
    base: resolve(options.baseDir),
    format: options.format ?? 'json',
    snapshotFormat: options.snapshotFormat ?? options.format ?? 'json',
    compression,
    compressionLevel: options.compressionLevel,
    incremental: options.incremental ?? false,
    autoSaveInterval: options.autoSaveInterval ?? 0,
    maxSnapshots: options.maxSnapshots ?? 10,
    batchSize: options.batchSize ?? 1000,
    databasePath: options.databasePath === undefined ? undefined : resolve(options.databasePath),
    dimension: options.dimension,
    metric: options.metric,
    onError: options.onError,
    wal,
  };
}

export const readSave = (given: unknown, what: string): Partial<SaveOptions> =>
  readOptions<SaveOptions>(given, what, { path: isString, format: isFormat, ...compressing, ...call });

export const readSnapshot = (given: unknown): Partial<SnapshotOptions> =>
  readOptions<SnapshotOptions>(given, 'createSnapshot', { format: isSnapshotFormat, ...compressing, ...call });

export const readRestore = (given: unknown): Partial<RestoreOptions> =>
  readOptions<RestoreOptions>(given, 'restoreSnapshot', { verifyChecksum: isBoolean, ...call });

export function readLoad(given: unknown): LoadOptions {
  const options = readOptions<LoadOptions>(given, 'load', { path: isString, format: isFormat, verifyChecksum: isBoolean, ...call });
  return required(options, 'path', 'load');
}

export const readRecover = (given: unknown): Partial<RecoverOptions> =>
  readOptions<RecoverOptions>(given, 'recover', { prefer: isOneOf(['journal', 'database']), ...call });

/** The options of a `load` that names no file: those of `recover`; null when there is one, or none may be missing. */
export function readLoadWithout(given: unknown): Partial<RecoverOptions> | null {
  if (given === undefined) return {};
  const options = readOptions<LoadOptions>(given, 'load', { path: isString, format: isFormat, verifyChecksum: isBoolean, ...call });
  if (options.path !== undefined || options.format !== undefined || options.verifyChecksum !== undefined) return null;
  return { onProgress: options.onProgress, signal: options.signal };
}

export function readImport(given: unknown): ImportOptions {
  const checks = { path: isString, format: isFormat, clear: isBoolean, verifyChecksum: isBoolean, ...call };
  return required(readOptions<ImportOptions>(given, 'import', checks), 'path', 'import');
}

export function readExport(given: unknown): ExportOptions {
  const checks = { path: isString, format: isFormat, ...compressing, includeIndex: isBoolean, ...call };
  const options = required<ExportOptions, 'path'>(readOptions<ExportOptions>(given, 'export', checks), 'path', 'export');
  if (options.includeIndex) {
    throw new PersistenceError('ERR_UNSUPPORTED', 'Option "includeIndex" cannot be true: no supported database hands out the bytes of its index; it is rebuilt on load');
  }
  return options;
}

export function readExportRuvector(given: unknown): ExportRuvectorOptions {
  const checks = { from: isString, to: isString, format: isFormat, compression: isCompression, compressionLevel: isLevel, ...call };
  const options = required<ExportRuvectorOptions, 'from'>(readOptions<ExportRuvectorOptions>(given, 'exportRuvector', checks), 'from', 'exportRuvector');
  return required<ExportRuvectorOptions, 'to'>(options, 'to', 'exportRuvector');
}

function required<T, K extends keyof T & string>(options: Partial<T>, name: K, what: string): T & Record<K, string> {
  if (options[name] === undefined) throw wrongType(`Option "${name}" of ${what} is required: a string`);
  return options as T & Record<K, string>;
}

function needsJournal(what: string): PersistenceError {
  const message = `${what} cannot be 'native' without a journal on disk, of which such a snapshot is made: give DatabasePersistence the option "wal"`;
  return new PersistenceError('ERR_UNSUPPORTED', message);
}

/** How a snapshot is made: as an archive, or of the journal on disk, where only what the call itself says of compression counts. */
export type SnapshotAs = { format: 'native'; compression?: 'gzip' | 'zstd' } | ArchiveOptions;

export function snapshotAs(given: Partial<SnapshotOptions>, settings: Settings): SnapshotAs {
  const { format = settings.snapshotFormat, compress, compression, compressionLevel } = given;
  if (format !== 'native') return archiveOptions({ ...given, format }, settings);
  if (settings.wal === null) throw needsJournal('Option "format" of createSnapshot');
  const chosen = chooseCompression({ compress, compression }, 'none', false);
  if (chosen === 'brotli' || compressionLevel !== undefined) {
    const what = chosen === 'brotli' ? 'compression: \'brotli\'' : 'a compressionLevel';
    throw new PersistenceError('ERR_UNSUPPORTED', `A native snapshot is not made with ${what}: 'gzip' and 'zstd' pack it into one file, each at its own level`);
  }
  return chosen === 'none' ? { format } : { format, compression: chosen };
}

/** Format and compression of one archive. `byDefault` is what holds when the call says nothing of compression. */
export function archiveOptions(
  given: CompressionOptions & { format?: PersistenceFormat },
  configured: Pick<Settings, 'format' | 'compression' | 'compressionLevel'>,
  compressByDefault = true,
): ArchiveOptions {
  const compression = chooseCompression(given, configured.compression, compressByDefault);
  const level = given.compressionLevel ?? (compression === configured.compression ? configured.compressionLevel : undefined);
  checkLevel(compression, level);
  const format = given.format ?? configured.format;
  return level === undefined ? { format, compression } : { format, compression, level };
}

function chooseCompression(given: CompressionOptions, configured: CompressionType, compressByDefault: boolean): CompressionType {
  const { compress, compression } = given;
  if (compression !== undefined && compress !== undefined && compress === (compression === 'none')) {
    throw wrongType(`Options "compress": ${compress} and "compression": '${compression}' contradict each other`);
  }
  if (compression !== undefined) return compression;
  if (compress === false || (compress === undefined && !compressByDefault)) return 'none';
  return compress && configured === 'none' ? 'gzip' : configured;
}

function checkLevel(compression: CompressionType, level: number | undefined): void {
  if (level === undefined) return;
  const range = LEVELS[compression];
  if (range === undefined) throw wrongType('Option "compressionLevel" needs a compression: gzip, brotli or zstd');
  if (level < range[0] || level > range[1]) {
    throw wrongValue(`Option "compressionLevel" of ${compression} must be from ${range[0]} to ${range[1]}, got ${level}`);
  }
}

const EXTENSIONS: Record<PersistenceFormat, readonly [string, ...string[]]> = {
  json: ['.json'], binary: ['.bin', '.msgpack', '.mpk'], sqlite: ['.db', '.sqlite', '.sqlite3'],
};

/** The format that the name of a file asks for; without one that is known, JSON. */
export function formatOf(path: string): PersistenceFormat {
  const extension = extname(path).toLowerCase();
  return FORMATS.find((format) => EXTENSIONS[format].includes(extension)) ?? 'json';
}

/** Where `save()` writes when it is given no path. */
export function defaultPath(settings: Settings, archive: ArchiveOptions): string {
  const name = `database${EXTENSIONS[archive.format][0]}${archive.compression === 'none' ? '' : `.${archive.compression}`}`;
  const asGiven = join(settings.baseDir, name);
  const absolute = join(settings.base, name);
  // The base folder stays where it was at construction, also when the working directory has changed since.
  return resolve(asGiven) === absolute ? asGiven : absolute;
}
