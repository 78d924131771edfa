/**
 * The class `VectorStore`: a folder of collections. Its contract is in index.d.ts.
 *
 * Promises: of a collection there is one `VectorDB` at a time while it is open, whoever asks for it; calls that open,
 * make, rename or drop happen one after another. A store that is read-only opens each collection on its own, without a lock.
 */
import type {
  CollectionOptions, DrillOptions, DrillReport, Moments, RestorePoint, RewindOptions, RewindReport, SnapshotFolderOptions, StoreWalStatus, VectorStoreOptions, WalArchiveOptions,
  WalArchiveReport, WalCheckpointOptions, WalCompactOptions, WalCompactReport, WalExportOptions, WalExportReport, WalImportOptions, WalImportReport,
  WalReplayOptions, WalReplayReport,
} from '../index';
import { isBoolean, isString, readOptions } from './checks';
import { closedDatabase, PersistenceError, unwrap, wrongType } from './errors';
import type { NativeStore } from './native';
import { endSchedules, Schedules } from './schedules/schedules';
import { Core, newSettings, openStore } from './vector-db/core';
import { readCollection, readFolder } from './vector-db/options';
import { VectorDB } from './vector-db';
import { drill, readDrill } from './vector-store/drill';
import { createRestorePoint, moments, rewind } from './vector-store/history';
import { type Operate, operateOn } from './vector-store/operate';
import { Snapshots } from './vector-store/snapshots';
import { planOf } from './vector-store/tasks';
import { walArchive, walCheckpoint, walCompact, walExport, walImport, walReplay, walStatus } from './vector-store/wal';

export class VectorStore {
  readonly path: string;
  readonly readOnly: boolean;
  readonly snapshots: Snapshots;
  readonly schedules: Schedules;
  #store: NativeStore;
  readonly #open = new Map<string, { readonly db: VectorDB; readonly core: Core }>();
  readonly #operate: Operate;
  #turn: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;

  private constructor(path: string, readOnly: boolean, store: NativeStore) {
    // Types forbid it, JavaScript does not.
    if (store === undefined) throw wrongType('A VectorStore is made by VectorStore.open(path)');
    this.path = path;
    this.readOnly = readOnly;
    this.#store = store;
    this.#operate = <T>(operation: string, request: object, signal?: AbortSignal) => this.#inTurn(() => operateOn(store)<T>(operation, request, signal));
    this.snapshots = new Snapshots(this.#operate);
    this.schedules = new Schedules(planOf({ path, readOnly, operate: this.#operate, open: () => this.#openOnes() }));
  }

  static async open(path: string, options?: VectorStoreOptions): Promise<VectorStore> {
    const folder = readFolder(path);
    const { readOnly = false, create = true } = readOptions<VectorStoreOptions>(options, 'VectorStore.open', { readOnly: isBoolean, create: isBoolean });
    return new VectorStore(folder, readOnly, await openStore(folder, readOnly, create && !readOnly));
  }

  /** One call after another. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing) return Promise.reject(closedDatabase('store'));
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async createCollection(name: string, options?: CollectionOptions): Promise<VectorDB> {
    isString(name, 'name');
    const request = readCollection(options, 'createCollection');
    return this.#inTurn(async () => {
      const text = JSON.stringify(newSettings(request));
      const collection = unwrap(await this.#store.collection(name, text, true));
      // One in memory is gone when it is closed; its name is free again.
      const isVolatile = request.wanted.engine === 'memory';
      const onClose = async (): Promise<void> => {
        this.#open.delete(name);
        if (isVolatile) unwrap(await this.#store.remove(name));
      };
      return this.#keep(new Core({ path: this.path, name, readOnly: false }, collection, null, request.onError, onClose));
    });
  }

  async collection(name: string, options?: Pick<CollectionOptions, 'onError'>): Promise<VectorDB> {
    isString(name, 'name');
    const { onError } = readCollection(options, 'collection');
    return this.#inTurn(async () => {
      const open = this.#open.get(name);
      if (open?.core.isClosed) await open.core.close();
      else if (open !== undefined) return open.db;
      const site = { path: this.path, name, readOnly: this.readOnly };
      const store = this.readOnly ? await openStore(this.path, true) : null;
      try {
        const collection = unwrap(await (store ?? this.#store).collection(name, null, false));
        return this.#keep(new Core(site, collection, store, onError, async () => void this.#open.delete(name)));
      } catch (error) {
        await store?.close();
        throw error;
      }
    });
  }

  *#openOnes(): Generator<readonly [string, VectorDB]> {
    for (const [name, { db, core }] of this.#open) if (!core.isClosed) yield [name, db];
  }

  #keep(core: Core): VectorDB {
    const db = new VectorDB(core);
    this.#open.set(core.site.name, { db, core });
    return db;
  }

  async list(): Promise<{ name: string }[]> {
    return this.#inTurn(async () => unwrap(await this.#store.list()).map((name) => ({ name })));
  }

  async drop(name: string): Promise<void> {
    isString(name, 'name');
    return this.#inTurn(async () => {
      this.#checkWritable();
      await this.#open.get(name)?.db.close();
      unwrap(await this.#store.remove(name));
    });
  }

  async rename(from: string, to: string): Promise<void> {
    isString(from, 'from');
    isString(to, 'to');
    return this.#inTurn(async () => {
      this.#checkWritable();
      await this.#open.get(from)?.db.close();
      unwrap(await this.#store.rename(from, to));
    });
  }

  async moments(collection: string, options?: SnapshotFolderOptions): Promise<Moments> {
    return moments(this.#operate, collection, options);
  }

  async createRestorePoint(collection: string, name: string): Promise<RestorePoint> {
    return createRestorePoint(this.#operate, collection, name);
  }

  async rewind(collection: string, options: RewindOptions): Promise<RewindReport> {
    return rewind(this.#operate, collection, options);
  }

  async walReplay(collection: string, options?: WalReplayOptions): Promise<WalReplayReport> {
    return walReplay(this.#operate, collection, options);
  }

  async walStatus(options: { collection: string }): Promise<StoreWalStatus> {
    return walStatus(this.#operate, options);
  }

  async walCheckpoint(options: WalCheckpointOptions): Promise<WalCompactReport> {
    return walCheckpoint(this.#operate, options);
  }

  async walCompact(options: WalCompactOptions): Promise<WalCompactReport> {
    return walCompact(this.#operate, options);
  }

  async walArchive(options: WalArchiveOptions): Promise<WalArchiveReport> {
    return walArchive(this.#operate, options);
  }

  async walExport(options: WalExportOptions): Promise<WalExportReport> {
    return walExport(this.#operate, options);
  }

  async walImport(options: WalImportOptions): Promise<WalImportReport> {
    return walImport(this.#operate, options);
  }

  async drill(options?: DrillOptions): Promise<DrillReport> {
    return drill(this.#operate, readDrill(options));
  }

  #checkWritable(): void {
    if (this.readOnly) throw new PersistenceError('ERR_READ_ONLY', 'This store was opened for reading only', { path: this.path });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await endSchedules(this.schedules);
    await this.#turn;
    const closed = await Promise.allSettled([...this.#open.values()].map(({ db }) => db.close()));
    unwrap(await this.#store.close());
    const failed = closed.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
