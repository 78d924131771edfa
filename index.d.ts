// The public contract of `ruvector-persistence`, written by hand. What it promises: every export, every option with its
// default and every error code a caller may act on. What it does not hold: how any of it is done. `lib/contract.ts`
// proves at compile time that the implementation fits this file.
//
// Errors, once for all: wrong use (a wrong type, an unknown option name, a value out of range) is a `TypeError` or
// `RangeError` with `code` 'ERR_OPTION'; everything else is a `PersistenceError` with a stable `code`. The constructor
// throws wrong use; methods that return a promise never throw, they reject. Where no native binary fits the machine, loading
// the package throws an Error with `code` 'ERR_NATIVE_MISSING' that names the missing platform package.

/// <reference types="node" />
import { EventEmitter } from 'node:events';

/**
 * What an archive is written in: 'json', one entry a line; 'binary', MessagePack; 'sqlite', a database with the tables
 * `vectors(id, vector, metadata)` and `meta(key, value)`. When reading it is recognised by content.
 */
export type PersistenceFormat = 'json' | 'binary' | 'sqlite';

/** Format of a snapshot. 'native': the files of the journal on disk, linked; its cost does not grow with the data. Needs the option `wal`. */
export type SnapshotFormat = PersistenceFormat | 'native';

/** How an archive is compressed. When reading it is always recognised by content, never by name. */
export type CompressionType = 'none' | 'gzip' | 'brotli' | 'zstd';

/** The distance metrics that an archive may carry. */
export type DistanceMetric = 'cosine' | 'euclidean' | 'dot' | 'manhattan';

/** One report of a long call. */
export interface Progress {
  /** Name of the step: 'save', 'incremental-save', 'export', 'snapshot', 'diff', 'load', 'import', 'restore', 'apply', 'recover' or 'adopt'. */
  operation: string;
  /** 0 to 100 over the whole call: never decreases, and is 100 exactly once, as the last report of a call that succeeds. */
  percentage: number;
  /** Items of this step that are done. */
  current: number;
  /** Items of this step in all. */
  total: number;
  /** The same for a person to read. */
  message: string;
}

/**
 * Called with the progress of one call, about 30 times a second at most. An exception thrown by it cancels that call,
 * which then rejects with that very exception; nothing else is harmed.
 */
export type ProgressCallback = (progress: Progress) => void;

/** One entry: id, vector, metadata. */
export interface VectorEntry {
  /** 1 to 1,024 bytes of UTF-8, any character but NUL. */
  id: string;
  /** Kept bit for bit as 32-bit floats. */
  vector: number[] | Float32Array;
  /** A JSON object, or absent. */
  metadata?: Record<string, any>;
}

/** The value that a plain `Map` holds for an id. */
export interface MapEntry {
  /** A Float32Array, or an array of numbers. */
  vector: Float32Array | number[];
  /** A plain JSON object, or absent. */
  metadata?: Record<string, any> | null;
}

/** Settings of a database as an archive carries them. */
export interface DbOptions {
  /** Numbers in each vector; 0 when the database was empty and nothing was known. */
  dimension?: number;
  /** The canonical name of `dimension` in newer ruvector versions; not written. */
  dimensions?: number;
  /** Distance metric; absent when it is not known. */
  metric?: DistanceMetric;
  /** Other settings that an archive of another writer may carry. */
  [name: string]: any;
}

/** Counts of a database as an archive carries them. */
export interface DbStats {
  /** Number of entries. */
  count: number;
  /** Numbers in each vector. */
  dimension: number;
  /** Distance metric; absent when it is not known. */
  metric?: string;
  /** Bytes of memory, where the writer knew. */
  memoryUsage?: number;
  /** Kind of index, where the writer knew. */
  indexType?: string;
}

/** The object that a JSON archive is (and a binary one, where a vector is one binary value). */
export interface DatabaseState {
  /** Version of the state, '1.0.0'. */
  version: string;
  /** Settings of the database. */
  options: DbOptions;
  /** Counts of the database. */
  stats: DbStats;
  /** All entries. */
  vectors: VectorEntry[];
  /** Index bytes; never written by this version. */
  indexState?: any;
  /** Never written by this version. */
  metadata?: Record<string, any>;
  /** When it was written, milliseconds since 1970. */
  timestamp: number;
  /** SHA-256, hex, of the JSON text of the state without this member. */
  checksum?: string;
}

/** What is known of one snapshot; the content of `<baseDir>/snapshots/<id>.meta.json`, where it is an archive. */
export interface SnapshotMetadata {
  /** What `restoreSnapshot` and `deleteSnapshot` take. */
  id: string;
  /** The name given to `createSnapshot`. */
  name: string;
  /** When it was made, milliseconds since 1970. */
  timestamp: number;
  /** Entries that were written. */
  vectorCount: number;
  /** Numbers in each vector; 0 when it is empty and nothing was known. */
  dimension: number;
  /** Format of its file. */
  format: SnapshotFormat;
  /** Whether its file is compressed. */
  compressed: boolean;
  /** Bytes of its file; of a native one those of its files, which take no room of their own as long as the journal has them. */
  fileSize: number;
  /** SHA-256, hex, of the bytes of its file; of a native one those of its file `SNAPSHOT`, which names every other. */
  checksum: string;
  /** The metadata given to `createSnapshot`. */
  metadata?: Record<string, any>;
}

/**
 * A database that is neither ruvector's `VectorDB` nor a `Map`, known by its methods. Each may be sync or async.
 * `insert` is required. What was in it before is found through `entries`, `keys` + `get`, iteration, or `search`; to
 * know that all was found, `stats().count`, `len()` or `size` is asked. Replacing content needs `delete` or `clear`.
 */
export interface GenericDatabase {
  /** Inserts or replaces one `{ id, vector, metadata }`; may return the id. */
  insert(entry: any): any;
  /** Inserts or replaces many. */
  insertBatch?(entries: any[]): any;
  /** The entry of an id, or null/undefined. */
  get?(id: any): any;
  /** Removes an id. */
  delete?(id: any): any;
  /** Removes everything. */
  clear?(): any;
  /** `{ count, dimension, metric }`. */
  stats?(): any;
  /** Number of entries. */
  len?(): any;
  /** Sets the metadata of an id. */
  updateMetadata?(id: any, metadata: any): any;
  /** Called once after content was loaded. */
  buildIndex?(): any;
  /** All entries: `[id, value]` pairs or `{ id, vector, metadata }` objects. */
  entries?(): any;
  /** All ids. */
  keys?(): any;
  /** Nearest entries of `{ vector, k }`. */
  search?(query: any): any;
  /** Reads content from elsewhere; afterwards everything is looked at anew. */
  load?(path: any): any;
}

/** What `DatabasePersistence` takes: ruvector's `VectorDB`, a database of the same shape, or a plain `Map`. */
export type PersistableDatabase = GenericDatabase | Map<string, MapEntry>;

/** Options of the constructor. Unknown names are refused with the allowed ones; only own properties are read. */
export interface PersistenceOptions {
  /** Required. Folder of all files; made with its parents when missing. */
  baseDir: string;
  /** Format of archives and snapshots. Default 'json'. */
  format?: PersistenceFormat;
  /** Format of snapshots, where it is another. 'native' needs `wal`. Default: `format`. */
  snapshotFormat?: SnapshotFormat;
  /** Compression of archives and snapshots. Default 'none'. */
  compression?: CompressionType;
  /** Level of the compression: gzip 0 to 9 (default 6), brotli 0 to 11 (default 4), zstd 1 to 22 (default 1). Needs a compression. */
  compressionLevel?: number;
  /** Auto-save with `saveIncremental()` in place of `save()`. Default false. */
  incremental?: boolean;
  /** Milliseconds between automatic saves, 0 to 2,147,483,647; 0 is off. Default 0. */
  autoSaveInterval?: number;
  /** Snapshots to keep; older ones are removed after a new one is complete. 0 keeps all. Default 10. */
  maxSnapshots?: number;
  /** Entries handed to the database at once while loading, 1 to 1,000,000. Default 1000. */
  batchSize?: number;
  /** Where ruvector keeps its file (its `storagePath`), when what was there before cannot be found without being told. */
  databasePath?: string;
  /** Numbers in each vector, when the database itself cannot tell. Default: asked of the database, else the first vector. */
  dimension?: number;
  /** Distance metric to write into archives, when the database itself cannot tell. Default: asked of the database. */
  metric?: DistanceMetric;
  /** Called with errors of work in the background (auto-save, damaged snapshots, writes that the journal refused), beside the event 'error'. */
  onError?: (error: Error) => void;
  /**
   * Keeps a journal on disk: every write through `db` is durable in `baseDir` when it is acknowledged, and `recover()` brings
   * it back. Default false: nothing is kept between two saves.
   */
  wal?: boolean | JournalOptions;
}

/**
 * When a write is acknowledged. 'fsync': when it is on stable storage. 'periodic': when the operating system has it, and a
 * sync follows within `fsyncInterval`. 'async': when the operating system has it; syncs come with `flush()`, `shutdown()`, and when
 * a file of the log is full. In all three it survives the end of the process; only 'fsync' survives the end of the machine.
 */
export type SyncMode = 'fsync' | 'periodic' | 'async';

/**
 * Options of the journal on disk. What is not given has its default, whatever an earlier process gave, but for `path`:
 * where the log of a journal is stays as it was made.
 */
export interface JournalOptions {
  /** false: there is none, and the rest is only checked. Default true. */
  enabled?: boolean;
  /** When a write is acknowledged. Default 'fsync'; 'periodic' when an interval above 0 is given. */
  syncMode?: SyncMode;
  /** Milliseconds between syncs; only for 'periodic', 0 to 2,147,483,647. 0 is 'fsync'. Default 1000 with 'periodic'. */
  fsyncInterval?: number;
  /** Bytes of one file of the log, 4,096 to 2^40. Default 67,108,864. */
  segmentSize?: number;
  /** Another name of `segmentSize`. */
  maxSegmentSize?: number;
  /** Bytes that are written ahead as zeros at a time, 0 to 2^30; true is 1,048,576, false is 0. Default true. */
  preallocate?: boolean | number;
  /** Compresses records with zstd. Default false. */
  compression?: boolean;
  /** How long complete files of the log are kept that opening does not need: milliseconds, or '90s', '30m', '24h', '7d', '2w'. Default '24h'. */
  retention?: number | string;
  /** Bytes of such files at most; 0 is no maximum. Default 0. */
  retentionSize?: number;
  /** Another folder for the log, also on another file system; several journals may have the same. Default inside `baseDir`. */
  path?: string;
  /** Folder where complete files go in place of being removed. Default none. */
  archive?: string;
  /** Bytes in memory from which on they are moved to a segment, 4,096 to 2^40. Default 67,108,864. */
  checkpointSize?: number;
  /** Share of dead rows in the segments, 0 to 1, from which on they are compacted. Default 0.3. */
  compactionThreshold?: number;
}

/** What every long call takes. */
export interface CallOptions {
  /** Progress of this call. Default none. */
  onProgress?: ProgressCallback;
  /** Cancels this call, which rejects with `signal.reason`; what was there before stays. Default none. */
  signal?: AbortSignal;
}

/** How one archive is compressed, in place of what the constructor was given. */
export interface CompressionOptions {
  /** true: the given or configured compression, gzip when there is none. false: none. Default: what is configured. */
  compress?: boolean;
  /** Compression of this call. Default: what is configured. */
  compression?: CompressionType;
  /** Level of this call. Default: what is configured, when the compression is the configured one. */
  compressionLevel?: number;
}

/** Options of `save`. */
export interface SaveOptions extends CallOptions, CompressionOptions {
  /** File to write, used as it is. Default `<baseDir>/database.json`, `.bin` or `.db`, and `.gzip`, `.brotli` or `.zstd` when compressed. */
  path?: string;
  /** Format of this file. Default: what is configured. */
  format?: PersistenceFormat;
}

/** Options of `saveIncremental`. */
export interface SaveIncrementalOptions extends SaveOptions {}

/** Options of `load`. */
export interface LoadOptions extends CallOptions {
  /** File to read. Required. The deltas beside it are applied; that of a delta stands for its base and the deltas up to it. */
  path: string;
  /** When given, content in another format is refused with ERR_FORMAT. Default: recognised by content. */
  format?: PersistenceFormat;
  /** false also takes a file whose checksum is wrong or missing (one edited by hand); all else is still checked. Default true. */
  verifyChecksum?: boolean;
}

/** Options of `recover`. */
export interface RecoverOptions extends CallOptions {
  /** Whose content both hold afterwards. Default 'journal'. */
  prefer?: 'journal' | 'database';
}

/** Options of `createSnapshot`. */
export interface SnapshotOptions extends CallOptions, CompressionOptions {
  /**
   * Format of this snapshot. Default: what is configured. A native one is a folder; `compress: true` or `compression` 'gzip' or 'zstd' of this call
   * pack it into one file, and what is configured of compression does not count.
   */
  format?: SnapshotFormat;
}

/** Options of `restoreSnapshot`. */
export interface RestoreOptions extends CallOptions {
  /** false skips the checksums; all else is still checked. Default true. */
  verifyChecksum?: boolean;
}

/** Options of `export`. */
export interface ExportOptions extends CallOptions, CompressionOptions {
  /** File to write, used as it is. Required. */
  path: string;
  /** Default 'json', whatever is configured. */
  format?: PersistenceFormat;
  /** true: the given or configured compression, gzip when there is none. Default false, whatever is configured. */
  compress?: boolean;
  /** true is refused with ERR_UNSUPPORTED: no supported database hands out its index bytes. Default false. */
  includeIndex?: boolean;
}

/** Options of `import`. */
export interface ImportOptions extends LoadOptions {
  /** true replaces the content; false puts the entries of the file over it (an entry of the file wins). Default false. */
  clear?: boolean;
}

/** Options of `exportRuvector`. */
export interface ExportRuvectorOptions extends CallOptions {
  /** The `ruvector.db` to read; it may be in use by another process. Required. */
  from: string;
  /** File to write, used as it is. Required. */
  to: string;
  /** Default 'json'. */
  format?: PersistenceFormat;
  /** Default 'none'. */
  compression?: CompressionType;
  /** Level of the compression; see `PersistenceOptions.compressionLevel`. */
  compressionLevel?: number;
}

/** What was written: what the event 'save' carries. */
export interface SaveReport {
  /** The file. */
  path: string;
  /** Bytes of the file. */
  bytes: number;
  /** Entries that were saved: of a delta those of the whole content that it leads to. */
  count: number;
  /** Numbers in each vector; 0 when it is empty and nothing was known. */
  dimension: number;
  /** Checksum of the state in it: SHA-256, hex. */
  checksum: string;
  /** Timestamp in it, milliseconds since 1970. */
  timestamp: number;
  /** 'delta': the file holds only what has changed, and is beside its base. Else 'full'. */
  type: 'full' | 'delta';
  /** Entries in the file: all of them, or those that were added or changed. */
  puts: number;
  /** Ids in the file that were removed; 0 when it is full. */
  deletes: number;
  /** The base of a delta; null when the file is full. */
  base: string | null;
}

/** What `exportRuvector` wrote. */
export interface ExportRuvectorReport extends SaveReport {
  /**
   * true: the newest commit of the `ruvector.db` is not whole (its writer was killed in the middle of it, or it was
   * damaged), so the commit before it was read, as ruvector itself would do.
   */
  stale: boolean;
}

/** What the event 'load' carries. */
export interface LoadReport {
  /** The call that loaded. */
  operation: 'load' | 'import' | 'restore';
  /** The file that was read. */
  path: string;
  /** Entries in the database now. */
  count: number;
  /** Entries that were added. */
  added: number;
  /** Entries that were changed. */
  changed: number;
  /** Entries that were removed. */
  removed: number;
}

/** What `recover` did. */
export interface RecoverReport {
  /** Entries in the database now. */
  count: number;
  /** Entries that were added: to the database, or with `prefer: 'database'` to the journal. */
  added: number;
  /** Entries that were changed there. */
  changed: number;
  /** Entries that were removed there. */
  removed: number;
  /** Records of the log that were replayed when the journal was opened, the mark of a clean end included. */
  records: number;
  /** Bytes of a write that was under way when the last process ended; nobody was told that it was durable. */
  truncatedBytes: number;
  /** Milliseconds that the call took. */
  durationMs: number;
}

/** How the journal on disk and the database differ: what the event 'difference' carries. */
export interface Difference {
  /** Entries that only the journal has. */
  onlyInJournal: number;
  /** Entries that only the database has. */
  onlyInDatabase: number;
  /** Entries that both have, with different content. */
  changed: number;
}

/** The log of the journal on disk: what `walStatus` resolves to. */
export interface JournalStatus extends WalStatus {
  /** Folder of its files. */
  path: string;
  /** 'poisoned' when a sync has failed: nothing is written any more until the journal is opened again. */
  status: 'active' | 'poisoned';
  /** Whether something was refused that was not brought up since. */
  behind: boolean;
}

/** The events of `DatabasePersistence` and what their listeners get. */
export interface PersistenceEvents {
  /** An archive was written by `save`, `saveIncremental`, `export` or an automatic save. */
  save: [report: SaveReport];
  /** Content was loaded by `load`, `import` or `restoreSnapshot`. */
  load: [report: LoadReport];
  /** `recover` is done, also when there was nothing to do. */
  recover: [report: RecoverReport];
  /** The journal on disk and the database differ, and neither was touched: `recover` settles it. */
  difference: [difference: Difference];
  /** A snapshot was made. */
  snapshot: [snapshot: SnapshotMetadata];
  /** An automatic save wrote this file. */
  autosave: [path: string];
  /** Work in the background failed, or a write that nobody can be told of was refused by the journal. Without a listener (and without `onError`) it becomes a process warning, never a crash. */
  error: [error: Error];
}

/** An archive, with the deltas beside it. */
export interface DiffArchive {
  /** The file: a base, or a delta, which stands for everything up to it. */
  archive: string;
}

/** A snapshot of a store. */
export interface DiffSnapshot {
  /** Its folder, or its packed file. */
  snapshot: string;
  /** Which collection. Default: the only one. */
  collection?: string;
}

/** A collection of a store, which another process may be writing. */
export interface DiffStore {
  /** The folder of the store. */
  store: string;
  /** Which collection. Default: the only one. */
  collection?: string;
}

/** What `diff` compares. */
export type DiffSide = DiffArchive | DiffSnapshot | DiffStore;

/** Options of `diff`. */
export interface DiffOptions extends CallOptions {}

/** One id that differs. */
export interface DiffEntry {
  /** The id. */
  id: string;
  /** 'added': only the second has it. 'removed': only the first has it. 'changed': both have it, with different entries. */
  change: 'added' | 'removed' | 'changed';
  /** Only with 'changed': whether the vectors differ, in any bit. */
  vector?: boolean;
  /** Only with 'changed': whether the metadata differ, the order of keys aside. */
  metadata?: boolean;
}

/** One side as a whole. */
export interface DiffSideSummary {
  /** Entries. */
  count: number;
  /** Numbers in each vector; 0 when it is not known. */
  dimension: number;
  /** Distance metric; null when it is not known. */
  metric: DistanceMetric | null;
}

/** The difference in numbers. */
export interface DiffSummary {
  /** Ids that only the second has. */
  added: number;
  /** Ids that only the first has. */
  removed: number;
  /** Ids that both have with different entries. */
  changed: number;
  /** Of those, the ones whose vectors differ. */
  changedVectors: number;
  /** Of those, the ones whose metadata differ. */
  changedMetadata: number;
  /** Ids that both have with the same entry. */
  unchanged: number;
  /** Whether nothing differs. */
  equal: boolean;
  /** The first. */
  a: DiffSideSummary;
  /** The second. */
  b: DiffSideSummary;
  /** false when both are known and differ. */
  sameDimension: boolean;
  /** false when both are known and differ. */
  sameMetric: boolean;
}

/** What `diff` gives: the changes one by one, in pages inside, and their numbers. Both come from one comparison. */
export interface Diff extends AsyncIterable<DiffEntry> {
  /** The numbers alone. */
  summary(): Promise<DiffSummary>;
}

/**
 * Compares two contents: what would have to be done to the first to get the second. It begins with the first `summary()` or
 * iteration, reads both sides once, off the event loop, and locks nothing: a store is opened for reading beside its writer.
 * Memory: ids and hashes (XXH3, 64 bits) of all entries, no vectors. Added and changed ids come in the order of the second,
 * then the removed in that of the first. Different dimensions and metrics are said in the summary, and are no error. Throws
 * TypeError on wrong use; rejects as `load` does, with ERR_NOT_A_DATABASE, and with ERR_NOT_FOUND for a collection that is not
 * there, or not named where there are several.
 */
export function diff(a: DiffSide, b: DiffSide, options?: DiffOptions): Diff;

/** Every code of a `PersistenceError`; the names of the operating system (ENOSPC) are used where a caller acts on them. */
export type PersistenceErrorCode =
  | 'ERR_PATH' | 'ERR_IO' | 'ENOSPC' | 'ERR_FORMAT' | 'ERR_CHECKSUM' | 'ERR_CORRUPT' | 'ERR_VERSION' | 'ERR_DIMENSION'
  | 'ERR_METRIC' | 'ERR_ID' | 'ERR_VECTOR_TYPE' | 'ERR_METADATA' | 'ERR_LIMIT' | 'ERR_SNAPSHOT_ID'
  | 'ERR_SNAPSHOT_NOT_FOUND' | 'ERR_CHAIN' | 'ERR_PITR_RANGE' | 'ERR_INCOMPLETE' | 'ERR_APPLY' | 'ERR_LOCKED' | 'ERR_CLOSED' | 'ERR_UNSUPPORTED'
  | 'ERR_ABORTED' | 'ERR_INTERNAL' | 'ERR_POISONED' | 'ERR_READ_ONLY' | 'ERR_NOT_A_DATABASE' | 'ERR_EXISTS' | 'ERR_NOT_FOUND'
  | 'ERR_NOT_READY';

/** Options of the constructor of `PersistenceError`. */
export interface PersistenceErrorOptions {
  /** File or folder. */
  path?: string;
  /** Byte in the file. */
  offset?: number;
  /** What the database holds now, when loading failed. */
  content?: 'old' | 'new' | 'mixed';
  /** What led to it. */
  cause?: unknown;
}

/** Every error that is not wrong use. Codes are stable, messages may be improved. */
export class PersistenceError extends Error {
  constructor(code: PersistenceErrorCode, message: string, options?: PersistenceErrorOptions);
  /** Always 'PersistenceError'. */
  readonly name: 'PersistenceError';
  /** What to act on. */
  readonly code: PersistenceErrorCode;
  /** File or folder, where there is one. */
  readonly path?: string;
  /** Byte in the file, where there is one. */
  readonly offset?: number;
  /** Only with ERR_APPLY: what the database holds now. */
  readonly content?: 'old' | 'new' | 'mixed';
  /** What led to it: the error of the operating system (with its errno name as `code`) or of the database. */
  readonly cause?: unknown;
}

/**
 * Saves, loads and snapshots one database.
 *
 * From the moment of construction writes through `db` are tracked by wrapping the methods of this one instance (types,
 * `this`, return values, promises and errors stay the same; `shutdown` takes the wrapping off). With `wal` the promise of an
 * async method settles when the journal on disk has acknowledged the write too, and rejects when it could not. What was in `db` before is
 * adopted in the background. Saves read what was tracked, in Rust; they do not call the database entry by entry. Of the
 * `VectorDB` of this package nothing is wrapped and nothing is held twice: saves read it as it is.
 *
 * Calls are carried out one after another, in the order they were made. A database can have one `DatabasePersistence` at
 * a time: a second one is refused with ERR_LOCKED until the first is shut down.
 */
export class DatabasePersistence extends EventEmitter<PersistenceEvents> {
  /**
   * Throws TypeError/RangeError on wrong use, and PersistenceError ERR_UNSUPPORTED (format 'native', options of the
   * store such as `engine`) or ERR_LOCKED. All that needs time starts here, and its failure comes from `ready()`, `save()` and the rest.
   */
  constructor(db: PersistableDatabase, options: PersistenceOptions);
  /** Saves and snapshots at set times. */
  readonly schedules: Schedules<PersistenceTasks>;

  /**
   * Resolves when the folder is usable and what was in the database before is adopted, writes included that were started
   * before the construction and are still landing. Not needed before other calls: they wait for it. Rejects with ERR_PATH, ERR_IO, ERR_INCOMPLETE (how many entries could not be found, and what to do);
   * the next call tries again.
   */
  ready(): Promise<void>;

  /**
   * Writes everything to one file: temporary file, fsync, rename, fsync of the folder, so that the previous file is whole
   * until the new one is. Writes that were started before the call, awaited or not, are in it. Resolves to the path.
   * Rejects with ENOSPC, ERR_IO, ERR_PATH, ERR_INCOMPLETE, or the failure of an entry that the database took but that no
   * archive can hold (ERR_DIMENSION, ERR_VECTOR_TYPE, ERR_ID, ERR_METADATA, ERR_LIMIT).
   */
  save(options?: SaveOptions): Promise<string>;

  /**
   * Writes what has changed since the last save to that path as a delta beside it (`database.json.delta-000001`, …), and
   * resolves to the path of the file that was written; null when nothing has changed, which content decides, not ids. `load` of
   * the base applies its deltas. A full save instead, to the path itself: the first time, in another format or compression, when
   * more than half of the entries have changed, and when there are 64 deltas or together they are larger than 256 KiB and
   * half of the base; the deltas are then removed. So also when a file of the chain is gone or is not the one that was
   * written: then the event 'error' says so with ERR_CHAIN. Remembers across restarts (`.incremental.json`).
   */
  saveIncremental(options?: SaveIncrementalOptions): Promise<string | null>;

  /**
   * Replaces the content of the database by that of a file. The whole file is read and checked first (checksum,
   * dimension, metric, version, every entry); only then is the database touched, by the difference. Writes made to the
   * database meanwhile win. Rejects with ERR_CHECKSUM, ERR_FORMAT, ERR_CORRUPT, ERR_VERSION, ERR_DIMENSION, ERR_METRIC,
   * ERR_PATH, ERR_IO: nothing was touched; or ERR_APPLY: the database refused entries, and `content` says what it holds now.
   * With `wal` the journal holds the same when it resolves, and without a file it is `recover()`.
   */
  load(options: LoadOptions): Promise<void>;
  load(options?: CallOptions): Promise<void>;

  /**
   * Needs `wal`. Brings the database to what the journal on disk holds, by the difference, or the journal to what the
   * database holds. Writes made meanwhile win. To be called once after the start, with the database empty or as the last
   * process left it. Resolves to what was done, which is nothing when the two agree. Rejects as `load` does, with
   * ERR_UNSUPPORTED without `wal`, and with ERR_LOCKED when another process has the journal.
   */
  recover(options?: RecoverOptions): Promise<RecoverReport>;

  /**
   * Needs `wal`. Resolves when everything that was written to the database before is durable in the journal, whatever the
   * sync mode is. Rejects with ENOSPC, ERR_IO, ERR_POISONED when the journal refuses it, or with the failure of an entry
   * that the database took but that cannot be kept.
   */
  flush(): Promise<void>;

  /** Needs `wal`. What the log of the journal consists of, and how far it is. Changes nothing. */
  walStatus(): Promise<JournalStatus>;

  /** Writes a snapshot under `<baseDir>/snapshots`, removes the oldest above `maxSnapshots`. `metadata` must be plain JSON. */
  createSnapshot(name: string, metadata?: Record<string, any>, options?: SnapshotOptions): Promise<SnapshotMetadata>;

  /** All snapshots, newest first. Damaged ones are left out and reported to the event 'error' when somebody listens. */
  listSnapshots(): Promise<SnapshotMetadata[]>;

  /** Replaces the content of the database by that of a snapshot, as `load` does. Rejects also with ERR_SNAPSHOT_NOT_FOUND, ERR_SNAPSHOT_ID. */
  restoreSnapshot(snapshotId: string, options?: RestoreOptions): Promise<void>;

  /** Removes a snapshot. Rejects with ERR_SNAPSHOT_NOT_FOUND ("Snapshot <id> not found"), ERR_SNAPSHOT_ID. */
  deleteSnapshot(snapshotId: string): Promise<void>;

  /** As `save`, to a given path, and without being the saved state that auto-save and `saveIncremental` go by. */
  export(options: ExportOptions): Promise<void>;

  /** Reads a file as `load` does, and puts its entries over the content, or replaces it with `clear: true`. */
  import(options: ImportOptions): Promise<void>;

  /** Starts saving every `autoSaveInterval` (done by the constructor already when it is over 0). Harmless when started. RangeError when it is 0. */
  startAutoSave(): void;

  /** Stops automatic saves; one that runs is finished. Harmless when stopped. */
  stopAutoSave(): void;

  /**
   * Stops auto-save, waits for running calls, saves once more when anything is unsaved (whatever `autoSaveInterval` is;
   * an empty database that nobody wrote to is nothing to save), takes the wrapping off the database, and closes the journal. A second call
   * returns the same promise; other methods then reject with ERR_CLOSED. Rejects with the error of the final save; all is
   * cleaned up all the same.
   */
  shutdown(): Promise<void>;

  /** The same as `shutdown()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** An entry to insert. */
export interface NewVectorEntry {
  /** 1 to 1,024 bytes of UTF-8, any character but NUL. Default: a version 7 UUID. */
  id?: string;
  /** Copied at the time of the call, and kept bit for bit as 32-bit floats. */
  vector: Float32Array | readonly number[];
  /** A plain JSON object, or absent. */
  metadata?: Record<string, any> | null;
}

/** An entry as a `VectorDB` gives it out: copies that belong to the caller. */
export interface StoredEntry {
  /** Id. */
  id: string;
  /** In a buffer of its own. */
  vector: Float32Array;
  /** Absent when there is none. */
  metadata?: Record<string, any>;
}

/** Vectors of many ids. */
export interface ManyVectors {
  /** One after another, in the order of the ids; zeros where there is no such entry. */
  vectors: Float32Array;
  /** Places in the list of ids, from 0, of those that are not there. */
  missing: number[];
}

/** What to search for. */
export interface SearchQuery {
  /** As many numbers as the vectors of the database have. */
  vector: Float32Array | readonly number[];
  /** Hits wanted, 1 to 1,000,000; fewer come when fewer match. Default 10. */
  k?: number;
  /** Conditions on metadata: `{ key: value }`, and operators such as `{ key: { $gt: 1 } }`. Decides before `k` does. Default none. */
  filter?: Record<string, any> | null;
  /** The least similarity of a hit: the cosine, the inner product, or 1 / (1 + distance). Default none. */
  threshold?: number;
  /** Whether hits carry their vectors. Default false. */
  includeVectors?: boolean;
  /** Whether hits carry their metadata. Default true. */
  includeMetadata?: boolean;
}

/** A hit. */
export interface SearchResult {
  /** Id. */
  id: string;
  /** The distance, as ruvector gives it: smaller is nearer. Infinity where the vectors have none (NaN in them). */
  score: number;
  /** With `includeVectors`. */
  vector?: Float32Array;
  /** With `includeMetadata`, where there is any. */
  metadata?: Record<string, any>;
}

/**
 * Where the rows of a collection live: 'memory' (the heap; no file is written), 'mmap' (mapped files), 'hybrid' (mapped
 * files, the parts that are read most on the heap up to `hotTierSize`), 'lsm' (compressed sorted runs of a log-structured
 * merge tree: less disk, slower reads). The engine 'rocksdb' is known by name and refused with ERR_UNSUPPORTED.
 */
export type StorageEngine = 'memory' | 'mmap' | 'hybrid' | 'lsm';

/**
 * The knobs of engine 'lsm', under the names of RocksDB. Sizes are bytes or a text such as '64MB' (powers of 1024). Kept
 * with the collection; they survive reopening. All but `blockCache` and `writeBufferSize` count for what is written from
 * then on. Other knobs of RocksDB are refused with ERR_UNSUPPORTED, with a sentence that says what there is instead.
 */
export interface LsmOptions {
  /** Bytes of new entries in memory at which they are written as a run: another name of `memtableSize`. Default 64 MiB. */
  writeBufferSize?: number | string;
  /** Bytes of blocks on the heap, those that are read most. Default 64 MiB. */
  blockCache?: number | string;
  /** The same under its other name. */
  blockCacheSize?: number | string;
  /** Bytes of a block of rows before compression, 1 KiB to 4 MiB. Default 8 KiB. */
  blockSize?: number | string;
  /** How blocks are compressed; 'no' is 'none'. Default 'lz4'. */
  compression?: 'lz4' | 'none' | 'no';
  /** Bits of filter for each key, 0 to 64; 0: none. 10 err in about one of a hundred. Default 10. */
  bloomFilterBitsPerKey?: number;
  /** Up to how many bytes compaction merges runs, 1 MiB to 1 TiB. Default 1 GiB. */
  targetFileSizeBase?: number | string;
  /** The same under its other name. */
  targetFileSize?: number | string;
}

/** Options of the log of a collection. They are kept with it and survive reopening. */
export interface WalOptions {
  /** 'fsync': acknowledged when durable. 'periodic': a sync every `fsyncInterval`. 'async': syncs with checkpoint, flush and close. Default 'fsync'. */
  syncMode?: SyncMode;
  /** Milliseconds between syncs, for 'periodic'; alone, 0 means 'fsync' and any other 'periodic'. Default 1000. */
  fsyncInterval?: number;
  /** Bytes at which a file of the log is complete, 4 KiB to 1 TiB. Default 64 MiB. */
  segmentSize?: number;
  /** Zeros are written ahead of records in steps of this many bytes; 0: none. Default 1 MiB. */
  preallocate?: number;
  /** Compress records (zstd). Default false. */
  compression?: boolean;
  /** Milliseconds that complete files are kept that opening does not need any more. Default 24 hours. */
  retention?: number;
  /** Bytes of such files at most; 0: no maximum. Default 0. */
  retentionSize?: number;
  /** Another folder for the log, also on another file system. Fixed when the collection is made. Default: in the store. */
  path?: string;
  /** Folder that files go to in place of being removed. Default none. */
  archive?: string;
}

/** How files of a collection are mapped. Kept with it and survives reopening. */
export interface MmapOptions {
  /** false: files are read to the heap. Default true. */
  enabled?: boolean;
  /** How they will be read: 'random' reads nothing ahead. Default 'random'. */
  advice?: 'normal' | 'random' | 'sequential';
  /** Read files whole when they are opened. Default false. */
  populate?: boolean;
  /** Ask for huge pages, where the kernel has them. Default false. */
  hugePages?: boolean;
}

/** When space of removed entries is taken back by itself. Kept with the collection and survives reopening. */
export interface CompactionOptions {
  /** Default true. */
  enabled?: boolean;
  /** The share of dead rows from which on a file is rewritten: 0.3, 30 or '30%'. Default 0.3. */
  threshold?: number | string;
  /** The same under its other name. */
  minFragmentation?: number | string;
  /** Milliseconds between looks; 0: only with checkpoints. Default 0. */
  interval?: number;
}

/** Options of a collection. Unknown names are refused with the allowed ones. */
export interface CollectionOptions {
  /** Numbers in each vector, 1 to 65,536. Default: the first vector decides. */
  dimension?: number;
  /** The same under its other name. */
  dimensions?: number;
  /** How vectors are compared. Default 'cosine'. */
  metric?: DistanceMetric;
  /** The same under its other name. */
  distanceMetric?: DistanceMetric;
  /** Where rows live; 'embedded' is another name of 'lsm'. Default 'mmap'. */
  engine?: StorageEngine | 'embedded';
  /** Bytes on the heap, for engine 'hybrid'. Default 256 MiB. */
  hotTierSize?: number;
  /** Bytes of new entries in memory at which they are moved into a file. Default 64 MiB. */
  memtableSize?: number;
  /** The knobs of engine 'lsm'; refused for another one. */
  lsm?: LsmOptions;
  /** How files are mapped; true and false are short for `{ enabled }`. Refused for engine 'lsm', which maps none. */
  mmap?: MmapOptions | boolean;
  /** The log; true takes the defaults. */
  wal?: WalOptions | true;
  /** Compaction by itself; true and false are short for `{ enabled }`. */
  compaction?: CompactionOptions | boolean;
  /** Called with the errors of writes that nobody waited for. Default: a process warning. */
  onError?: (error: Error) => void;
}

/** Options of `VectorDB`. With a path, options that differ from what the collection keeps change it. */
export interface VectorDBOptions extends CollectionOptions {
  /** Folder of the store; made with its parents when missing. Default none: everything is in memory only. */
  path?: string;
  /** The same under its other name. */
  storagePath?: string;
  /** Name of the collection in the store. Default 'default'. */
  collection?: string;
  /** Open for reading only, also while another process writes. Default false. */
  readOnly?: boolean;
}

/** Options of `VectorDB.save`. */
export interface DatabaseSaveOptions extends CallOptions, CompressionOptions {
  /** Default 'binary' for `.bin`, `.msgpack` and `.mpk`, 'sqlite' for `.db`, `.sqlite` and `.sqlite3`, else 'json'. */
  format?: PersistenceFormat;
}

/** Options of `VectorDB.load`. */
export interface DatabaseLoadOptions extends CallOptions {
  /** When given, content in another format is refused with ERR_FORMAT. Default: recognised by content. */
  format?: PersistenceFormat;
  /** false also takes a file whose checksum is wrong or missing. Default true. */
  verifyChecksum?: boolean;
}

/** Options of `VectorDB.compact`. */
export interface CompactOptions {
  /** Rewrite files whose share of dead rows is above this: 0.3, 30 or '30%'. Default 20 %. */
  threshold?: number | string;
  /** Rewrite every file with a dead row, and put small ones together. Default false. */
  aggressive?: boolean;
  /** Rewrite every file with a dead row. Default false. */
  vacuum?: boolean;
}

/** What `VectorDB.checkpoint` did. */
export interface CheckpointReport {
  /** Every change up to this number is in files that opening does not replay. */
  lsn: number;
  /** Entries that were written. */
  entries: number;
  /** Files of entries afterwards. */
  segments: number;
}

/** What a compaction did. Sizes are those of the files of entries; the log is not among them. */
export interface CompactionReport extends CheckpointReport {
  /** Before, in MB. */
  sizeBefore: number;
  /** Afterwards, in MB. */
  sizeAfter: number;
  /** `sizeBefore - sizeAfter`. */
  reclaimedMB: number;
  /** Milliseconds. */
  durationMs: number;
  /** Before, in bytes. */
  sizeBeforeBytes: number;
  /** Afterwards, in bytes. */
  sizeAfterBytes: number;
  /** The difference in bytes. */
  reclaimedBytes: number;
  /** Dead rows that are gone. */
  removed: number;
}

/** Counts of a `VectorDB`, known without touching the disk. */
export interface VectorStats extends DbStats {
  /** Bytes of entries on the heap, about; what is in mapped files does not count, the cache of engine 'lsm' does. */
  memoryUsage: number;
  /** Always 'flat': search compares with every vector. */
  indexType: 'flat';
  /** Where rows live. */
  engine: StorageEngine;
  /** Whether writes are refused. */
  readOnly: boolean;
}

/** Counts and sizes of a collection. */
export interface VectorStatistics {
  /** Name of the collection; '' in memory. */
  name: string;
  /** Entries. */
  vectorCount: number;
  /** Numbers in each vector; 0 while unknown. */
  dimension: number;
  /** Distance metric; null while unknown. */
  metric: DistanceMetric | null;
  /** Where rows live. */
  engine: StorageEngine;
  /** Whether `setReadOnly(true)` holds. */
  readOnly: boolean;
  /** Bytes of all files. */
  diskUsage: number;
  /** The same in MB. */
  diskUsageMB: number;
  /** Bytes of files of entries. */
  segmentBytes: number;
  /** Files of entries. */
  segments: number;
  /** Entries that are in memory and the log only. */
  memtableEntries: number;
  /** Bytes of memory that they take, about. */
  memtableBytes: number;
  /** Share of dead rows in the files, 0 to 1. */
  fragmentation: number;
  /** The same in percent. */
  fragmentationPercent: number;
  /** Number of the newest change. */
  lsn: number;
  /** Number of the newest change that is in files of entries. */
  checkpointLsn: number;
  /** Grows by one with each list of files. */
  generation: number;
  /** When compaction last ran, milliseconds since 1970; null when it never did. */
  lastCompaction: number | null;
  /** The log. */
  wal: WalStatus;
}

/** The log of a collection. */
export interface WalStatus {
  /** Whether changes are logged: not in memory, nor where the database was opened for reading only. */
  enabled: boolean;
  /** Folder of its files; null in memory. */
  path: string | null;
  /** When writes are acknowledged. */
  syncMode: SyncMode;
  /** Milliseconds between syncs, for 'periodic'. */
  fsyncInterval: number;
  /** Bytes at which a file is complete. */
  segmentSize: number;
  /** Whether records are compressed. */
  compression: boolean;
  /** Milliseconds that complete files are kept. */
  retention: number;
  /** Files. */
  segmentCount: number;
  /** Files that opening has to replay. */
  unreplayedSegments: number;
  /** Number of the last file that opening does not replay; null when there is none. */
  lastReplayedSegment: number | null;
  /** Bytes of the files. */
  totalSize: number;
  /** The same in MB. */
  totalSizeMB: number;
  /** Number of the newest change that is known to be durable. */
  durableLsn: number;
  /** Why nothing is written any more, when that is so. */
  poisoned: string | null;
}

/** A part of a mapped file. */
export interface MmapRegion {
  /** Number of the file. */
  segment: number;
  /** Where it begins, in bytes. */
  offset: number;
  /** Its bytes. */
  length: number;
}

/** A part of a file that was read. */
export interface HotRegion extends MmapRegion {
  /** Reads. */
  hits: number;
}

/** The mapped files of a collection. */
export interface MmapStats {
  /** Whether files are mapped. */
  enabled: boolean;
  /** How they are read. */
  advice: string;
  /** Whether they are read whole when they are opened. */
  populate: boolean;
  /** Whether huge pages were asked for and the operating system has them. */
  hugePages: boolean;
  /** Bytes mapped. */
  mappedSize: number;
  /** The same in GB. */
  mappedSizeGB: number;
  /** Bytes of them in memory; null where the operating system does not tell. */
  residentSize: number | null;
  /** The same in GB. */
  residentSizeGB: number | null;
  /** Bytes of them that are on the heap as well, because they are read most: engine 'hybrid'. */
  hotSize: number;
  /** Page faults of this process since the collection was opened; null where nobody counts. */
  pageFaults: number | null;
  /** Of them, those that had to read. */
  majorPageFaults: number | null;
  /** Reads of rows. */
  reads: number;
  /** Share of reads whose blocks had been read before, 0 to 1; 1 when there was none. */
  cacheHitRate: number;
  /** The same in percent. */
  cacheHitRatePercent: number;
  /** The regions that are read most; `mmapPrefetch` takes them. */
  hotRegions: HotRegion[];
}

/** What opening found. */
export interface RecoveryReport {
  /** Records of the log that were replayed. */
  records: number;
  /** Entries that they put or removed. */
  entries: number;
  /** Files of the log that were read for that. */
  files: number;
  /** Bytes of a write that was under way when the last writer ended; nobody was told that it was durable. */
  truncatedBytes: number;
  /** Whether the last writer closed the collection. */
  closed: boolean;
  /** Microseconds that it took. */
  micros: number;
  /** Files of ours that nothing names and that were removed. */
  swept: string[];
  /** Names of files that are not ours and were left alone. */
  ignored: string[];
}

/**
 * The writes of a `VectorDB` as promises, which resolve when the log has acknowledged the write as `wal.syncMode` says and
 * reject when it was refused; it is taken back then. Entries are copied at the time of the call, writes happen in the
 * order of the calls, and those that wait at the same time share one sync.
 */
export interface DurableWrites {
  /** As `VectorDB.insert`. */
  insert(entry: NewVectorEntry): Promise<string>;
  /** As `VectorDB.insertBatch`. */
  insertBatch(entries: readonly NewVectorEntry[]): Promise<string[]>;
  /** As `VectorDB.delete`. */
  delete(id: string): Promise<boolean>;
  /** As `VectorDB.updateMetadata`. */
  updateMetadata(id: string, metadata: Record<string, any> | null): Promise<boolean>;
  /** As `VectorDB.clear`. */
  clear(): Promise<void>;
}

/**
 * A vector database: the interface that ruvector documents, native and real. In memory when no path is given; with a path
 * every change goes to a log, and `db.durable` or `flush()` tell when it is safe.
 *
 * Reads and writes of single entries are synchronous and see each other at once. A database with a path is opened in the
 * background: synchronous calls before `ready()` throw ERR_NOT_READY, asynchronous ones wait. After `close()` every call
 * throws or rejects with ERR_CLOSED. Writes throw ERR_DIMENSION, ERR_VECTOR_TYPE, ERR_ID, ERR_METADATA, ERR_LIMIT,
 * ERR_READ_ONLY, ERR_POISONED, and then nothing has changed; reads throw ERR_CORRUPT where a file is damaged.
 */
export class VectorDB implements AsyncDisposable {
  /** Throws TypeError/RangeError on wrong use, and ERR_UNSUPPORTED. What the disk has to say comes from `ready()`. */
  constructor(options?: VectorDBOptions);

  /** A database that is open. Rejects with ERR_LOCKED, ERR_PATH, ERR_NOT_A_DATABASE, ERR_CORRUPT, ERR_DIMENSION, ERR_METRIC, ERR_IO, ENOSPC. */
  static open(options?: VectorDBOptions): Promise<VectorDB>;

  /** Folder of the store, absolute; null in memory. */
  readonly path: string | null;

  /** The writes as promises that resolve when they are acknowledged. */
  readonly durable: DurableWrites;

  /** What opening found. */
  get recovery(): RecoveryReport;

  /** Resolves when it is open; rejects with what `open` rejects with. */
  ready(): Promise<void>;

  /** Inserts an entry, or replaces the one with its id whole. The id. */
  insert(entry: NewVectorEntry): string;
  /** Inserts entries, all or none, also in a crash. Of entries with one id the last wins. The ids. */
  insertBatch(entries: readonly NewVectorEntry[]): string[];
  /** The entry of an id, or null. */
  get(id: string): StoredEntry | null;
  /** The vectors of many ids in one buffer. */
  getMany(ids: readonly string[]): ManyVectors;
  /** Whether there is such an entry. */
  has(id: string): boolean;
  /** Removes an entry; whether it was there. */
  delete(id: string): boolean;
  /** Replaces the metadata of an entry, null removes them; whether the entry is there. */
  updateMetadata(id: string, metadata: Record<string, any> | null): boolean;
  /** Removes everything; dimension and metric stay. */
  clear(): void;
  /** Number of entries. */
  len(): number;
  /** Whether there are none. */
  isEmpty(): boolean;
  /** Counts. */
  stats(): VectorStats;

  /** All entries as they are at the time of the call, in pages of at most about 1 MiB, whatever is written meanwhile. */
  entries(): IterableIterator<StoredEntry>;
  /** All ids, in the same way. */
  keys(): IterableIterator<string>;
  /** As `entries()`. */
  [Symbol.iterator](): IterableIterator<StoredEntry>;
  /** As `entries()`, with the pages read off the JavaScript thread. */
  [Symbol.asyncIterator](): AsyncIterableIterator<StoredEntry>;

  /** The entries nearest to a vector, nearest first: exact, on all cores. Rejects with ERR_DIMENSION, ERR_METRIC, ERR_METADATA (a filter that means nothing). */
  search(query: SearchQuery): Promise<SearchResult[]>;
  /** Resolves at once: an exact search needs no index. It is there for programs that call it. */
  buildIndex(): Promise<void>;

  /** Resolves when everything written so far is durable. Rejects with a refusal of a write that nobody waited for, once. */
  flush(): Promise<void>;
  /** Moves what is in memory into files, so that opening replays less. */
  checkpoint(): Promise<CheckpointReport>;
  /** Takes back the space of removed entries. Reads and writes go on meanwhile. */
  compact(options?: CompactOptions): Promise<CompactionReport>;
  /** As `compact({ aggressive: true })`. */
  optimize(): Promise<CompactionReport>;
  /** Writes an archive; without a path, `flush()` and null. */
  save(path?: string, options?: DatabaseSaveOptions): Promise<SaveReport | null>;
  /** Puts the content of an archive in the place of this one, checked first and then in one step, also in a crash. The number of entries. */
  load(path: string, options?: DatabaseLoadOptions): Promise<number>;

  /** Refuses writes with ERR_READ_ONLY from now on, or takes them again. Survives reopening. */
  setReadOnly(readOnly: boolean): Promise<void>;
  /** Changes options of the open database; they survive reopening. */
  configure(options: CollectionOptions): Promise<void>;
  /** As `configure({ mmap: { enabled: true, ...options } })`. */
  mmapEnable(options?: MmapOptions): Promise<void>;
  /** Counts and sizes. */
  statistics(): Promise<VectorStatistics>;
  /** The log. */
  walStatus(): Promise<WalStatus>;
  /** The mapped files. */
  mmapStats(): Promise<MmapStats>;
  /** Asks for regions of files to be read soon; false where the operating system cannot be asked. */
  mmapPrefetch(regions: readonly MmapRegion[]): Promise<boolean>;
  /** Of a database opened with `readOnly`: sees what was written since. */
  refresh(): Promise<void>;

  /** Writes what is left and gives the files back; waits for running calls. A second call returns the same promise. */
  close(): Promise<void>;
  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Options of `VectorStore.open`. */
export interface VectorStoreOptions {
  /** Open for reading only, also while another process writes. Default false. */
  readOnly?: boolean;
  /** Make the store when there is none. Default true. */
  create?: boolean;
}

/** The folder of snapshots that a call is about. */
export interface SnapshotFolderOptions {
  /** The folder. Default: `snapshots` in the folder of the store. */
  directory?: string;
}

/** A collection in a snapshot. */
export interface SnapshotCollection {
  name: string;
  /** Entries. */
  vectorCount: number;
  /** Numbers in each vector; 0 while unknown. */
  dimension: number;
  metric: DistanceMetric | null;
  /** The last change that is in it. */
  lsn: number;
  /** Time of that change, milliseconds since 1970. */
  time: number;
  /** Bytes of its files, those that a base holds included. */
  sizeBytes: number;
}

/** A snapshot of a store. */
export interface StoreSnapshot {
  /** `snap-YYYY-MM-DD-HHMMSS` (UTC), from the second of one second on with `-2`, `-3`, … */
  id: string;
  name: string | null;
  /** Whether it holds everything, or lacks what its base holds. */
  type: 'full' | 'incremental';
  /** Milliseconds since 1970. */
  createdAt: number;
  /** The same as ISO 8601 text. */
  createdAtIso: string;
  /** Entries of all its collections. */
  vectorCount: number;
  /** Bytes of the files that it holds itself. On the file system of the store they are links, and take no room of their own as long as the store has them. */
  sizeBytes: number;
  /** The same in MB (1024 based). */
  sizeMB: number;
  /** Whether it is one compressed file. */
  compressed: boolean;
  compression: 'gzip' | 'zstd' | null;
  /** Id of the snapshot that holds what this one does not. */
  base: string | null;
  /** Whether it may not be removed. */
  pinned: boolean;
  /** Its folder or file. A folder is a store: it can be opened read-only. */
  path: string;
  /** SHA-256 of its file `SNAPSHOT`, which names everything in it. */
  checksum: string;
  /** Id of the store that it was taken of. */
  store: string;
  collections: SnapshotCollection[];
  metadata: Record<string, any> | null;
}

/** Options of `store.snapshots.create`. */
export interface CreateStoreSnapshotOptions extends SnapshotFolderOptions {
  /** The place of the snapshot itself, in the stead of one in `directory`. Must be new; a compressed one ends in `.tar.gz` or `.tar.zst`. */
  path?: string;
  /** A name for people; any text. */
  name?: string;
  /** Any JSON object; comes back as it was given. */
  metadata?: Record<string, any>;
  /** The collections. Default: all. */
  collections?: readonly string[];
  /** Leave out what the newest snapshot of this store in the folder holds. Where there is none, the snapshot is full. Default false. */
  incremental?: boolean;
  /** Leave out what this snapshot of the folder holds, by id. */
  base?: string;
  /** Pack it into one file: true or 'gzip' (`.tar.gz`), 'zstd' (`.tar.zst`). Default false: a folder. */
  compress?: boolean | 'gzip' | 'zstd';
  signal?: AbortSignal;
}

/** Something in a folder of snapshots that looks like one and cannot be read. */
export interface DamagedSnapshot {
  path: string;
  code: string;
  message: string;
}

/** A damaged place. */
export interface DamageReport {
  path: string;
  /** Bytes from the beginning of the file. */
  offset: number;
  /** Bytes that are concerned; 0 when that is not known. */
  length: number;
  what: string;
  /** Entries that are concerned, as far as that is known. */
  entries: number;
  /** The first 1,000 of their ids that can still be read. */
  ids: string[];
}

/** What was read, and what is wrong with it. */
export interface VerifyReport {
  /** Whether nothing is damaged. */
  ok: boolean;
  files: number;
  bytes: number;
  /** Rows of segments. */
  rows: number;
  /** Records of logs. */
  records: number;
  /** Bytes behind the end of a log that a crash left; no damage. */
  torn: number;
  damage: DamageReport[];
}

/** Options of `store.snapshots.restore`. */
export interface RestoreStoreSnapshotOptions extends SnapshotFolderOptions {
  /** The collections. Default: all of the snapshot. */
  collections?: readonly string[];
  /** Another name for the one collection that is restored. */
  target?: string;
  /** Replace the content of collections that are there and not empty. Default false: ERR_EXISTS. */
  overwrite?: boolean;
  /** Read and check every byte before anything is written. Default true. Without it, damage is found on the way, and nothing is replaced either. */
  verify?: boolean;
  signal?: AbortSignal;
}

/** What was restored. */
export interface RestoreStoreSnapshotReport {
  /** Id of the snapshot. */
  snapshot: string;
  /** Name now, name in the snapshot, the change as of which the content is, entries. */
  collections: { name: string; from: string; lsn: number; entries: number }[];
  vectorsRestored: number;
  durationMs: number;
}

/** Which snapshots `store.snapshots.prune` keeps: those that any rule keeps, pinned ones, and the bases of those. At least one rule is needed. */
export interface PruneOptions extends SnapshotFolderOptions {
  /** Only tell what would go. Default false. */
  dryRun?: boolean;
  /** Keep the newest so many. */
  last?: number;
  /** Keep those that are not older than so many milliseconds. */
  within?: number;
  /** Keep the newest of each of the last so many hours that have one. */
  hourly?: number;
  /** The same of days (UTC). */
  daily?: number;
  /** The same of weeks, which begin on Monday. */
  weekly?: number;
  /** The same of months of 30 days. */
  monthly?: number;
  /** Bytes of those that are kept at most; the oldest go. The newest stays in any case. */
  maxBytes?: number;
}

/** What went, what stayed and why, and which moments are left. */
export interface PruneReport {
  removed: { id: string; path: string; sizeBytes: number }[];
  kept: { id: string; reasons: string[] }[];
  windows: { collection: string; windows: MomentWindow[] }[];
}

/** When scheduled work is due: at the times of a cron expression, or at an interval. */
export type ScheduleTime =
  | {
      /** Five fields (minute, hour, day of the month, month, day of the week) or six (second first), as croner reads them: `'0 2 * * *'`. */
      cron: string;
      /** Time zone of the expression, such as 'Europe/Berlin'. Default: that of the process. */
      timeZone?: string;
      every?: undefined;
    }
  | {
      /** Milliseconds from one time to the next, 1 to 2147483647. */
      every: number;
      cron?: undefined;
      timeZone?: undefined;
    };

/** What a run did. */
export interface ScheduleReport {
  /** The schedule. */
  name: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  durationMs: number;
  /** What each task resolved to, by its name: those that are done. */
  results: Record<string, unknown>;
  /** What ended the run; the tasks behind it were not begun. */
  error?: Error;
}

/** A schedule as it is now. */
export interface Schedule {
  name: string;
  cron?: string;
  timeZone?: string;
  every?: number;
  /** When it is due next; null when never again. */
  next: Date | null;
  /** Whether it is at work. */
  running: boolean;
  /** Its last run. */
  last: ScheduleReport | null;
  /** Times that came while the run of the time before had not ended. */
  skipped: number;
}

/** Events of schedules. */
export interface ScheduleEvents {
  /** A run is done. */
  done: [report: ScheduleReport];
  /** A run has failed; `report.error` says how. Without a listener it becomes a process warning. */
  failed: [report: ScheduleReport];
  /** A time came while the run of the time before had not ended. */
  skipped: [schedule: Schedule];
}

/** What scheduled work of a store can be. The order of a run is: compact, snapshot, prune, drill. */
export interface StoreTasks {
  /** Compacts the collections that are open. The report holds a `CompactionReport` for each, by name. */
  compact?: boolean | CompactOptions;
  /** Takes a snapshot. */
  snapshot?: boolean | CreateStoreSnapshotOptions;
  /** Removes old snapshots; it needs a rule. */
  prune?: PruneOptions;
  /** A restore drill. One that finds a problem is a run that failed, with that problem. */
  drill?: boolean | DrillOptions;
}

/** What scheduled work of a `DatabasePersistence` can be. The order of a run is: save, saveIncremental, snapshot. */
export interface PersistenceTasks {
  save?: boolean | SaveOptions;
  saveIncremental?: boolean | SaveIncrementalOptions;
  /** Name of the snapshots: 'scheduled', unless another one is given. `maxSnapshots` says how many are kept. */
  snapshot?: boolean | (SnapshotOptions & { name?: string; metadata?: Record<string, any> });
}

/**
 * Work at set times, as long as the process runs: `store.schedules` and `persistence.schedules`. One run at a time; timers keep
 * no process alive. Closing what they belong to ends them, after the task that is being done.
 */
export interface Schedules<Tasks extends object> extends EventEmitter<ScheduleEvents> {
  /** Begins a schedule. Wrong times and tasks are thrown at once: TypeError or RangeError, ERR_EXISTS, ERR_READ_ONLY, ERR_CLOSED. */
  add(name: string, when: ScheduleTime, tasks: Tasks): Schedule;
  /** All of them. */
  list(): Schedule[];
  /** Ends a schedule; a run that is under way goes on. Whether there was one. */
  remove(name: string): boolean;
  /** Does its work now, in its turn. Rejects with what failed, and with ERR_NOT_FOUND. */
  run(name: string): Promise<ScheduleReport>;
}

/** The snapshots of a store: `store.snapshots`. `snapshot` is an id, a name (the newest of that name), `'latest'`, or an absolute path. */
export interface Snapshots {
  /**
   * Takes a snapshot while writes go on: all collections that are open here at one moment, each at one LSN. Its cost does not
   * grow with the data where the folder is on the file system of the store. A store that was opened read-only can be taken,
   * too, while another process writes it. Rejects with ERR_EXISTS, ERR_CHAIN (no such base), ERR_PATH, ENOSPC, ERR_IO.
   */
  create(options?: CreateStoreSnapshotOptions): Promise<StoreSnapshot>;
  /** All snapshots of the folder that can be read, oldest first; with `collection`, only those that hold it. */
  list(options?: SnapshotFolderOptions & { collection?: string }): Promise<StoreSnapshot[]>;
  /** What looks like a snapshot and cannot be read. */
  damaged(options?: SnapshotFolderOptions): Promise<DamagedSnapshot[]>;
  /** Reads every byte of a snapshot and of those that it builds on. Rejects with ERR_SNAPSHOT_NOT_FOUND. */
  verify(snapshot: string, options?: SnapshotFolderOptions & { signal?: AbortSignal }): Promise<VerifyReport>;
  /**
   * Brings collections back, one after another, each as a whole: after an error or a crash it has its old content or the new.
   * Databases that are open see the new content. Rejects with ERR_EXISTS, ERR_SNAPSHOT_NOT_FOUND, ERR_CORRUPT, ERR_CHAIN,
   * ERR_READ_ONLY, ENOSPC.
   */
  restore(snapshot: string, options?: RestoreStoreSnapshotOptions): Promise<RestoreStoreSnapshotReport>;
  /** Removes a snapshot. Rejects with ERR_CHAIN when another builds on it, ERR_EXISTS when it is pinned. */
  delete(snapshot: string, options?: SnapshotFolderOptions): Promise<void>;
  /** Keeps a snapshot from being removed. */
  pin(snapshot: string, options?: SnapshotFolderOptions): Promise<StoreSnapshot>;
  /** Lets a pinned snapshot go again. */
  unpin(snapshot: string, options?: SnapshotFolderOptions): Promise<StoreSnapshot>;
  /** Removes the snapshots of this store that no rule keeps. */
  prune(options: PruneOptions): Promise<PruneReport>;
}

/** Moments of a collection, by the number (LSN) of the last change before each: all from one to the other. */
export interface MomentWindow {
  fromLsn: number;
  toLsn: number;
}

/** A moment with a name. */
export interface RestorePoint {
  name: string;
  /** The last change before it. */
  lsn: number;
  /** Milliseconds since 1970. */
  time: number;
}

/** Where a collection can go back to. */
export interface Moments {
  windows: MomentWindow[];
  points: RestorePoint[];
}

/** Options of `store.rewind`: exactly one of `lsn`, `time` and `point`. */
export interface RewindOptions extends SnapshotFolderOptions {
  /** Behind the change of that number. */
  lsn?: number;
  /** Behind the last change of that millisecond: milliseconds since 1970, a Date, or its text. */
  time?: number | Date | string;
  /** The moment of that name. */
  point?: string;
  /** A new collection that gets the content, in the stead of this one. */
  target?: string;
  signal?: AbortSignal;
}

/** Where a collection is now. */
export interface RewindReport {
  collection: string;
  /** The last change before the moment. */
  lsn: number;
  /** The snapshot that was begun with; null: the last checkpoint, or nothing at all. */
  snapshot: string | null;
  /** Records of the log that were replayed. */
  operations: number;
  /** Entries. */
  vectors: number;
  durationMs: number;
}

/** Options of `store.walReplay`. The range of times is half open: `from` is not in it, `until` is. */
export interface WalReplayOptions {
  /** Only changes after this. */
  from?: number | Date | string;
  /** Only changes up to this. */
  until?: number | Date | string;
  /** Only changes in this file of the log and later ones, by number (`stats().wal`). */
  fromSegment?: number;
  /** Read and check the whole log first. Default false. */
  verify?: boolean;
  signal?: AbortSignal;
}

/** What was replayed. */
export interface WalReplayReport {
  /** Records. */
  operations: number;
  /** Files of the log they were in. */
  segments: number;
  /** The change as of which the content is. */
  lsn: number;
  durationMs: number;
}

/** A moment of a log: a time (milliseconds since 1970, a Date or its text), or the number of a change. */
export type LogMoment = number | Date | string | { time: number | Date | string } | { lsn: number };

/** Where a part of a log begins: with the first change of that millisecond or later; behind that change; behind what is in that snapshot. */
export type LogStart = LogMoment | { snapshot: string };

/** A file of a log. */
export interface LogFileStatus {
  number: number;
  path: string;
  /** Bytes on disk. */
  bytes: number;
  /** The change that it begins with. */
  firstLsn: number;
  /** The last change in it; null: it holds none yet. */
  lastLsn: number | null;
  /** A time that no change in it is newer than, milliseconds since 1970; null while it is written. */
  lastTime: number | null;
  /** Whether nothing more is written to it. */
  complete: boolean;
  /** Whether opening the collection reads it. */
  needed: boolean;
}

/** The log of a collection: what `store.walStatus` resolves to. */
export interface StoreWalStatus extends WalStatus {
  collection: string;
  /** 'poisoned' after a failed sync. */
  status: 'active' | 'poisoned';
  /** Its files, oldest first. */
  files: LogFileStatus[];
  /** The first change that the log holds; null: it holds none. */
  firstLsn: number | null;
  /** Time of that change, milliseconds since 1970. */
  firstTime: number | null;
  /** The newest change of the collection. */
  lastLsn: number;
  /** Time of that change; null: there was none. */
  lastTime: number | null;
  /** Everything up to this change is in segments. */
  checkpointLsn: number;
  /** The first change that opening would read from the log; null: it would read none. */
  oldestNeededLsn: number | null;
}

/** Options of `store.walCheckpoint`. */
export interface WalCheckpointOptions {
  collection: string;
  /** Make the log as short as opening allows, whatever `wal.retention` keeps: moments that only the log leads to are gone. Default false. */
  force?: boolean;
  signal?: AbortSignal;
}

/** Options of `store.walCompact`. */
export interface WalCompactOptions {
  collection: string;
  /** Files that end before this go as well, though `wal.retention` would keep them. */
  before?: LogMoment;
  signal?: AbortSignal;
}

/** What went of a log. */
export interface WalCompactReport {
  /** Everything up to this change is in segments. */
  lsn: number;
  /** Entries that the checkpoint wrote. */
  entries: number;
  /** Numbers of the files that went. With `wal.archive` they are there now. */
  removed: number[];
  /** Their bytes on disk. */
  freedBytes: number;
  /** The same in MB. */
  freedMB: number;
  /** Files that are left. */
  segmentCount: number;
  durationMs: number;
}

/** Options of `store.walArchive`. */
export interface WalArchiveOptions {
  collection: string;
  /** The folder. Default: `wal.archive` of the collection. */
  directory?: string;
  /** Only files that end before this. Default: all. */
  before?: LogMoment;
  /** Files that were copied and that opening does not need go from the log. Default false. */
  move?: boolean;
  signal?: AbortSignal;
}

/** What was copied. */
export interface WalArchiveReport {
  /** The folder of the collection in the archive. */
  path: string;
  /** Numbers of the files that were copied. */
  copied: number[];
  /** Numbers of those that were there already. */
  present: number[];
  /** Numbers of those that went from the log. */
  removed: number[];
  /** Bytes that were copied. */
  bytes: number;
  durationMs: number;
}

/** Options of `store.walExport`. */
export interface WalExportOptions {
  collection: string;
  /** Where to begin. Default: with the first change of the log that leads to the present. */
  since?: LogStart;
  /** Where to end: with that change, or with the last one of that millisecond. Default: with the last durable one. */
  until?: LogMoment;
  /** The file, which must be new. */
  path: string;
  /** How it is packed. Default: what the name of the file says, else 'tar.gz'. */
  format?: 'tar.gz' | 'tar.zst';
  /** The folder of snapshots that `since` speaks of. Default: `snapshots` in the folder of the store. */
  directory?: string;
  signal?: AbortSignal;
}

/** What was written. */
export interface WalExportReport {
  path: string;
  format: 'tar.gz' | 'tar.zst';
  collection: string;
  /** The first change in it; null: there was none to be written. */
  fromLsn: number | null;
  /** The last change up to which it leads. */
  toLsn: number;
  /** Times of these two, milliseconds since 1970; null where there is none. */
  fromTime: number | null;
  toTime: number | null;
  /** Records. */
  operations: number;
  /** Bytes of the file. */
  sizeBytes: number;
  /** The same in MB. */
  sizeMB: number;
  /** SHA-256 of its member `EXPORT`, which names everything in it. */
  checksum: string;
  durationMs: number;
}

/** Options of `store.walImport`. */
export interface WalImportOptions {
  /** The file that `walExport` wrote. */
  path: string;
  /** The collection that follows. */
  collection: string;
  /** Read and check every record before the first is done. Default true. Without it, what stands before a damaged place is done. */
  verify?: boolean;
  signal?: AbortSignal;
}

/** What was done. */
export interface WalImportReport {
  collection: string;
  /** Records that were done. */
  operations: number;
  /** Records that were there already. */
  skipped: number;
  /** The last change of the collection now. */
  lsn: number;
  /** The last change of the file, and its time in milliseconds since 1970. */
  toLsn: number;
  toTime: number | null;
  durationMs: number;
}

/** Options of `store.drill`. */
export interface DrillOptions extends SnapshotFolderOptions {
  /** Id, name, absolute path, or 'latest'. Default 'latest'. */
  snapshot?: string;
  /** One collection. Default: all that are on disk. */
  collection?: string;
  /** Folder in which the store beside is made, and removed again. Default: the folder of snapshots of the store. */
  scratch?: string;
  /** Exact searches in each collection that are compared, 0 to 10,000. Default 10. */
  sample?: number;
  signal?: AbortSignal;
}

/** Searches whose results were compared, and those that were the same. None where the metric is unknown. */
export interface DrillSearches {
  compared: number;
  equal: number;
}

/** A collection in a drill. */
export interface DrillCollection {
  collection: string;
  /** The change up to which snapshot and log lead. */
  lsn: number;
  /** The change that the living collection was at when the drill began. */
  liveLsn: number;
  /** Records of the log that were done. */
  operations: number;
  /** Milliseconds of changes that would be lost. */
  rpoMs: number;
  entries: number;
  fingerprint: string;
  searches: DrillSearches;
}

/** What a drill found. */
export interface DrillReport {
  /** Whether the snapshot that was meant is good, and leads, with the log, to the present. */
  ok: boolean;
  /** Id of the snapshot that was restored: the one that was meant, or the newest older one that works; null: none does. */
  snapshot: string | null;
  /** The change up to which it came, where it is one collection; else null. */
  lsn: number | null;
  /** Milliseconds from looking for the snapshot until the data could be used: attempts that failed, verifying, restoring, replaying. */
  rtoMs: number;
  /** Milliseconds of changes that would be lost: 0 where snapshot and log lead to the present. */
  rpoMs: number;
  /** Age of the snapshot: what would be lost without the log. */
  snapshotAgeMs: number | null;
  /** Entries that were restored. */
  entries: number;
  /** Of the content, where it is one collection; else null. */
  fingerprint: string | null;
  searches: DrillSearches;
  collections: DrillCollection[];
  steps: { name: string; ms: number }[];
  problems: { code: string; message: string; snapshot: string | null }[];
  durationMs: number;
}

/** A folder of collections. One process writes it at a time; any number may read. */
export class VectorStore implements AsyncDisposable {
  /** There is none for callers: `VectorStore.open` makes one. */
  private constructor(...internal: never);
  /** Opens or makes a store. Rejects with ERR_LOCKED (with the pid of who has it), ERR_PATH, ERR_NOT_A_DATABASE, ERR_VERSION, ERR_IO. */
  static open(path: string, options?: VectorStoreOptions): Promise<VectorStore>;
  /** The folder, absolute. */
  readonly path: string;
  /** Whether it was opened for reading only. */
  readonly readOnly: boolean;
  /** Makes a collection. Names: 1 to 64 of letters, digits, '.', '_' and '-'. Rejects with ERR_EXISTS, ERR_PATH, ERR_READ_ONLY. */
  createCollection(name: string, options?: CollectionOptions): Promise<VectorDB>;
  /** A collection that is there; the same object as long as it is open. Rejects with ERR_NOT_FOUND, ERR_CORRUPT. */
  collection(name: string, options?: Pick<CollectionOptions, 'onError'>): Promise<VectorDB>;
  /** All collections, by name. */
  list(): Promise<{ name: string }[]>;
  /** Closes and removes a collection with everything in it. Rejects with ERR_NOT_FOUND. */
  drop(name: string): Promise<void>;
  /** Gives a collection another name; it is closed by that. Rejects with ERR_NOT_FOUND, ERR_EXISTS. */
  rename(from: string, to: string): Promise<void>;
  /** Its snapshots. */
  readonly snapshots: Snapshots;
  /** Compaction, snapshots and their removal at set times. */
  readonly schedules: Schedules<StoreTasks>;
  /** The moments that a collection can go back to: snapshots, and every change that the log still holds behind one. */
  moments(collection: string, options?: SnapshotFolderOptions): Promise<Moments>;
  /** Gives the present moment of a collection a name. Rejects with ERR_EXISTS. */
  createRestorePoint(collection: string, name: string): Promise<RestorePoint>;
  /**
   * A collection as it was at a moment, in the place of what it is, or beside it as `target`. The present stays a moment that
   * one can go back to. Rejects with ERR_PITR_RANGE (with the moments that are possible), ERR_EXISTS, ERR_READ_ONLY.
   */
  rewind(collection: string, options: RewindOptions): Promise<RewindReport>;
  /**
   * After a restore: does the changes again that the log has behind the moment that was restored, up to `until`. Without a
   * restore, after writes of one's own, and a second time there is nothing to do. Rejects with ERR_PITR_RANGE, ERR_CORRUPT.
   */
  walReplay(collection: string, options?: WalReplayOptions): Promise<WalReplayReport>;
  /** What the log of a collection consists of. Changes nothing. Rejects with ERR_NOT_FOUND. */
  walStatus(options: { collection: string }): Promise<StoreWalStatus>;
  /** A checkpoint: opening needs nothing older than it. Rejects with ERR_NOT_FOUND, ERR_READ_ONLY, ENOSPC, ERR_IO. */
  walCheckpoint(options: WalCheckpointOptions): Promise<WalCompactReport>;
  /** A checkpoint, and then the files of the log go that nothing keeps. Rejects as `walCheckpoint` does. */
  walCompact(options: WalCompactOptions): Promise<WalCompactReport>;
  /** Copies the complete files of the log to a folder, each read and checked. Rejects with ERR_UNSUPPORTED (no folder), ERR_CORRUPT, ENOSPC, ERR_IO. */
  walArchive(options: WalArchiveOptions): Promise<WalArchiveReport>;
  /**
   * Writes a part of the log to one file while writes go on, also from a store that was opened read-only: for a collection on
   * another machine that was restored from a snapshot. Rejects with ERR_PITR_RANGE (with the changes that are possible), ERR_EXISTS, ENOSPC, ERR_IO.
   */
  walExport(options: WalExportOptions): Promise<WalExportReport>;
  /**
   * Does what such a file says, in a collection that stands where it begins, or within it; changes keep their numbers and times.
   * What is there already is skipped. Rejects with ERR_CHAIN (a gap, another collection, one that went its own way), ERR_CORRUPT,
   * ERR_FORMAT, ERR_NOT_FOUND, ERR_READ_ONLY, ENOSPC.
   */
  walImport(options: WalImportOptions): Promise<WalImportReport>;
  /**
   * Tries what would be there if the living data were lost now: restores the newest good snapshot and the log into a store beside, which
   * is removed again, verifies it, and compares it with the collections as they were at the beginning. Touches no living data, and goes on
   * beside writers. What is not good is in `problems`, not thrown. Rejects with ERR_SNAPSHOT_NOT_FOUND, ERR_NOT_FOUND, ENOSPC, ERR_IO.
   */
  drill(options?: DrillOptions): Promise<DrillReport>;
  /** Closes every collection and the store. */
  close(): Promise<void>;
  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Turns a `ruvector.db` into an archive without opening it in ruvector; works on a copy, also while another process
 * writes it. Rejects with ERR_PATH, ERR_FORMAT (not a ruvector file), ERR_CORRUPT, ENOSPC, ERR_IO.
 */
export function exportRuvector(options: ExportRuvectorOptions): Promise<ExportRuvectorReport>;

/** Bytes for a person: two decimals, base 1024, B KB MB GB TB. `formatFileSize(1536000)` is '1.46 MB'. RangeError when not a number of 0 or more. */
export function formatFileSize(bytes: number): string;

/** Milliseconds since 1970 as ISO 8601 text, as `Date.prototype.toISOString`. RangeError when it is no time. */
export function formatTimestamp(timestamp: number): string;

/** Bytes of memory that a state needs, about: `count * (dimension * 4 + 100)` plus the JSON text of its metadata and index. */
export function estimateMemoryUsage(state: DatabaseState): number;
