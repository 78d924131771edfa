/**
 * The snapshots of a store: `store.snapshots`. Its contract is in index.d.ts.
 *
 * Promises: every option is checked before anything is done; nothing is decided here.
 */
import type {
  CreateStoreSnapshotOptions, DamagedSnapshot, PruneOptions, PruneReport, RestoreStoreSnapshotOptions, RestoreStoreSnapshotReport,
  SnapshotFolderOptions, StoreSnapshot, VerifyReport,
} from '../../index';
import { type Check, isBoolean, isInteger, isOneOf, isSignal, isString, readOptions } from '../checks';
import { kindOf } from '../describe';
import { wrongType, wrongValue } from '../errors';
import { metadataText } from '../metadata';
import type { Operate } from './operate';

const MB = 2 ** 20;

type NativeSnapshot = Omit<StoreSnapshot, 'sizeMB' | 'createdAtIso'>;

function snapshotOf(found: NativeSnapshot): StoreSnapshot {
  return { ...found, sizeMB: found.sizeBytes / MB, createdAtIso: new Date(found.createdAt).toISOString() };
}

const isNames: Check = (value, name) => {
  if (!Array.isArray(value)) throw wrongType(`Option "${name}" must be an array of names, got ${kindOf(value)}`);
  if (value.length === 0) throw wrongValue(`Option "${name}" must name at least one collection`);
  for (const each of value as unknown[]) isString(each, name);
};

const isCompression: Check = (value, name) => {
  if (typeof value !== 'boolean') isOneOf(['gzip', 'zstd'])(value, name);
};

const isCount = isInteger(0, 1_000_000);
const isWhole = isInteger(0, Number.MAX_SAFE_INTEGER);
const folder = { directory: isString };

/** The request that the options of `create` make. */
export function readCreate(options: unknown): { request: object; signal?: AbortSignal } {
  const { metadata, compress = false, signal, collections, ...rest } = readOptions<CreateStoreSnapshotOptions>(options, 'snapshots.create', {
    ...folder, path: isString, name: isString, metadata: () => undefined, collections: isNames, incremental: isBoolean, base: isString,
    compress: isCompression, signal: isSignal,
  });
  if (rest.path !== undefined && rest.directory !== undefined) throw wrongType('Options "path" and "directory" of snapshots.create contradict each other');
  if (rest.base !== undefined && rest.incremental === false) throw wrongType('Option "base" of snapshots.create contradicts incremental: false');
  const text = metadataText(metadata, () => 'the snapshot');
  const compression = compress === true ? 'gzip' : compress === false ? undefined : compress;
  return { request: { ...rest, metadata: text === null ? undefined : JSON.parse(text) as unknown, collections: collections && [...collections], compression }, signal };
}

export async function create(operate: Operate, { request, signal }: ReturnType<typeof readCreate>): Promise<StoreSnapshot> {
  return snapshotOf(await operate<NativeSnapshot>('snapshotCreate', request, signal));
}

/** The request that the options of `prune` make. */
export function readPrune(options: unknown): object {
  const { directory, dryRun, ...keep } = readOptions<PruneOptions>(options, 'snapshots.prune', {
    ...folder, dryRun: isBoolean, last: isCount, within: isWhole, hourly: isCount, daily: isCount, weekly: isCount, monthly: isCount, maxBytes: isWhole,
  });
  if (Object.keys(keep).length === 0) throw wrongType('snapshots.prune needs a rule: last, within, hourly, daily, weekly, monthly or maxBytes');
  return { directory, dryRun, keep };
}

export class Snapshots {
  readonly #operate: Operate;

  constructor(operate: Operate) {
    if (typeof operate !== 'function') throw wrongType('Snapshots are had as store.snapshots');
    this.#operate = operate;
  }

  async create(options?: CreateStoreSnapshotOptions): Promise<StoreSnapshot> {
    return create(this.#operate, readCreate(options));
  }

  async #list(options: unknown, what: string): Promise<{ snapshots: NativeSnapshot[]; damaged: DamagedSnapshot[] }> {
    const request = readOptions<SnapshotFolderOptions & { collection?: string }>(options, what, { ...folder, collection: isString });
    return this.#operate('snapshotList', request);
  }

  async list(options?: SnapshotFolderOptions & { collection?: string }): Promise<StoreSnapshot[]> {
    return (await this.#list(options, 'snapshots.list')).snapshots.map(snapshotOf);
  }

  async damaged(options?: SnapshotFolderOptions): Promise<DamagedSnapshot[]> {
    return (await this.#list(options, 'snapshots.damaged')).damaged;
  }

  async verify(snapshot: string, options?: SnapshotFolderOptions & { signal?: AbortSignal }): Promise<VerifyReport> {
    const { signal, ...rest } = this.#of<SnapshotFolderOptions & { signal?: AbortSignal }>(snapshot, options, 'snapshots.verify', { ...folder, signal: isSignal });
    const found = await this.#operate<Omit<VerifyReport, 'ok'>>('snapshotVerify', rest, signal);
    return { ok: found.damage.length === 0, ...found };
  }

  async restore(snapshot: string, options?: RestoreStoreSnapshotOptions): Promise<RestoreStoreSnapshotReport> {
    const checks = { ...folder, collections: isNames, target: isString, overwrite: isBoolean, verify: isBoolean, signal: isSignal };
    const { signal, ...rest } = this.#of<RestoreStoreSnapshotOptions>(snapshot, options, 'snapshots.restore', checks);
    const started = performance.now();
    const done = await this.#operate<Omit<RestoreStoreSnapshotReport, 'durationMs'>>('snapshotRestore', { verify: true, ...rest }, signal);
    return { ...done, durationMs: performance.now() - started };
  }

  async delete(snapshot: string, options?: SnapshotFolderOptions): Promise<void> {
    await this.#operate('snapshotDelete', this.#of<SnapshotFolderOptions>(snapshot, options, 'snapshots.delete', folder));
  }

  async pin(snapshot: string, options?: SnapshotFolderOptions): Promise<StoreSnapshot> {
    return this.#pin(snapshot, options, true);
  }

  async unpin(snapshot: string, options?: SnapshotFolderOptions): Promise<StoreSnapshot> {
    return this.#pin(snapshot, options, false);
  }

  async #pin(snapshot: string, options: unknown, pinned: boolean): Promise<StoreSnapshot> {
    const request = this.#of<SnapshotFolderOptions>(snapshot, options, pinned ? 'snapshots.pin' : 'snapshots.unpin', folder);
    return snapshotOf(await this.#operate<NativeSnapshot>('snapshotPin', { ...request, pinned }));
  }

  async prune(options: PruneOptions): Promise<PruneReport> {
    return this.#operate('prune', readPrune(options));
  }

  /** The word that means a snapshot, and the options of a call about it. */
  #of<T extends object>(snapshot: unknown, options: unknown, what: string, checks: Record<keyof T & string, Check>): Partial<T> & { snapshot: string } {
    if (typeof snapshot !== 'string') throw wrongType(`${what} needs the id, the name or the path of a snapshot, or 'latest'; got ${kindOf(snapshot)}`);
    return { ...readOptions<T>(options, what, checks), snapshot };
  }
}
