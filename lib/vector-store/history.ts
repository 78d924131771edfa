/** Going back in time: the methods of `VectorStore` about the moments of a collection. Nothing is decided here. */
import type { Moments, RestorePoint, RewindOptions, RewindReport } from '../../index';
import { isSignal, isString, readOptions } from '../checks';
import { wrongType } from '../errors';
import { isTime, isWhole, time } from './moment';
import type { Operate } from './operate';
import { timed } from './wal';

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
  return timed(() => operate('rewind', { ...rest, collection, time: time(rest.time, 'time') }, signal));
}
