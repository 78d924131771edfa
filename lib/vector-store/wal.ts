/** The log of a collection: the methods of `VectorStore` whose names begin with `wal`. Nothing is decided here. */
import type {
  StoreWalStatus, WalArchiveOptions, WalArchiveReport, WalCheckpointOptions, WalCompactOptions, WalCompactReport, WalExportOptions, WalExportReport,
  WalImportOptions, WalImportReport, WalReplayOptions, WalReplayReport,
} from '../../index';
import { type Check, isBoolean, isOneOf, isSignal, isString, readOptions } from '../checks';
import { wrongType } from '../errors';
import { isMoment, isStart, isTime, isWhole, moment, start, time } from './moment';
import type { Operate } from './operate';

const MB = 2 ** 20;

interface Call {
  collection: string;
  signal?: AbortSignal;
}

/** The options of a call, which name the collection. */
function read<T extends Call>(given: unknown, what: string, checks: Record<Exclude<keyof T & string, keyof Call>, Check>): T {
  const options = readOptions<T>(given, what, { ...checks, collection: isString, signal: isSignal } as unknown as Record<keyof T & string, Check>);
  if (options.collection === undefined) throw wrongType(`Option "collection" of ${what} is required: the name of a collection`);
  return options as T;
}

/** Does it, and says how long it took. */
export async function timed<T>(work: () => Promise<object>): Promise<T> {
  const started = performance.now();
  return { ...(await work()), durationMs: performance.now() - started } as T;
}

export async function walStatus(operate: Operate, given: unknown): Promise<StoreWalStatus> {
  const { collection } = read<{ collection: string }>(given, 'walStatus', {});
  const found = await operate<Omit<StoreWalStatus, 'status' | 'totalSizeMB'>>('walStatus', { collection });
  return { ...found, status: found.poisoned === null ? 'active' : 'poisoned', totalSizeMB: found.totalSize / MB };
}

export async function walCheckpoint(operate: Operate, given: unknown): Promise<WalCompactReport> {
  const { signal, ...request } = read<WalCheckpointOptions>(given, 'walCheckpoint', { force: isBoolean });
  return shortened(operate, 'walCheckpoint', request, signal);
}

export async function walCompact(operate: Operate, given: unknown): Promise<WalCompactReport> {
  const { signal, before, ...request } = read<WalCompactOptions>(given, 'walCompact', { before: isMoment });
  return shortened(operate, 'walCompact', { ...request, before: moment(before, 'before') }, signal);
}

function shortened(operate: Operate, operation: string, request: object, signal?: AbortSignal): Promise<WalCompactReport> {
  return timed(async () => {
    const done = await operate<{ freedBytes: number }>(operation, request, signal);
    return { ...done, freedMB: done.freedBytes / MB };
  });
}

export async function walArchive(operate: Operate, given: unknown): Promise<WalArchiveReport> {
  const checks = { directory: isString, before: isMoment, move: isBoolean };
  const { signal, before, ...request } = read<WalArchiveOptions>(given, 'walArchive', checks);
  return timed(() => operate('walArchive', { ...request, before: moment(before, 'before') }, signal));
}

export async function walExport(operate: Operate, given: unknown): Promise<WalExportReport> {
  const checks = { since: isStart, until: isMoment, path: isString, format: isOneOf(['tar.gz', 'tar.zst']), directory: isString };
  const { signal, since, until, ...request } = read<WalExportOptions>(given, 'walExport', checks);
  if (request.path === undefined) throw wrongType('Option "path" of walExport is required: the file to write');
  return timed(async () => {
    const done = await operate<{ sizeBytes: number }>('walExport', { ...request, since: start(since, 'since'), until: moment(until, 'until') }, signal);
    return { ...done, sizeMB: done.sizeBytes / MB };
  });
}

export async function walImport(operate: Operate, given: unknown): Promise<WalImportReport> {
  const { signal, ...request } = read<WalImportOptions>(given, 'walImport', { path: isString, verify: isBoolean });
  if (request.path === undefined) throw wrongType('Option "path" of walImport is required: the file that walExport wrote');
  return timed(() => operate('walImport', { verify: true, ...request }, signal));
}

export async function walReplay(operate: Operate, collection: unknown, given: unknown): Promise<WalReplayReport> {
  isString(collection, 'collection');
  const options = readOptions<WalReplayOptions>(given, 'walReplay', { from: isTime, until: isTime, fromSegment: isWhole, verify: isBoolean, signal: isSignal });
  const { signal, from, until, ...rest } = options;
  return timed(() => operate('walReplay', { ...rest, collection, from: time(from, 'from'), until: time(until, 'until') }, signal));
}
