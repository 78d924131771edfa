/**
 * `save` and `load` of a database: archives as `DatabasePersistence` writes them.
 * Promises: a load checks the whole file first and then replaces the content in one step, also in a crash.
 */
import { resolve } from 'node:path';
import type { DatabaseLoadOptions, DatabaseSaveOptions, SaveReport } from '../../index';
import { isBoolean, isFunction, isSignal, isString, readOptions } from '../checks';
import { toError, unwrap, wrongType } from '../errors';
import { native, type NativeCollection } from '../native';
import { archiveOptions, formatOf, isCompression, isFormat, isLevel } from '../options';
import { Call } from '../progress';

const call = { onProgress: isFunction, signal: isSignal };

function readPath(path: unknown, what: string): string {
  isString(path, `path of ${what}`);
  if (path === '') throw wrongType(`${what} needs a path that is not empty`);
  return resolve(path as string);
}

export async function saveTo(collection: NativeCollection, to: unknown, given: unknown): Promise<SaveReport> {
  const options = readOptions<DatabaseSaveOptions>(given, 'save', { format: isFormat, compress: isBoolean, compression: isCompression, compressionLevel: isLevel, ...call });
  const path = readPath(to, 'save');
  const archive = archiveOptions(options, { format: formatOf(path), compression: 'none' });
  const run = new Call(options);
  try {
    const { bytes, count, dimension, checksum, timestamp, puts, deletes } = await run.native((job) => native.save(collection, path, archive, 'save', job));
    run.succeed('save', count, `Saved ${count} entries to ${path}`);
    return { path, bytes, count, dimension, checksum, timestamp, type: 'full', puts, deletes, base: null };
  } finally {
    run.end();
  }
}

export async function loadFrom(collection: NativeCollection, from: unknown, given: unknown): Promise<number> {
  const options = readOptions<DatabaseLoadOptions>(given, 'load', { format: isFormat, verifyChecksum: isBoolean, ...call });
  const path = readPath(from, 'load');
  const known = { dimension: collection.dimension || undefined, metric: collection.metric ?? undefined };
  const request = { path, format: options.format, verify: options.verifyChecksum ?? true, ...known, operation: 'load' };
  const run = new Call(options);
  try {
    run.stage(0, 90);
    const loaded = await run.native((job) => native.load(request, job));
    run.check();
    // What the file does not say of dimension and metric stays what it is.
    const refused = loaded.describe(known.dimension, known.metric);
    if (refused !== null) throw toError(refused);
    run.stage(90, 100);
    unwrap(await collection.replaceWith(loaded));
    run.succeed('load', loaded.length, `Loaded ${loaded.length} entries from ${path}`);
    return loaded.length;
  } finally {
    run.end();
  }
}
