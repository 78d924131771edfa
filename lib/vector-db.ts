/**
 * The class `VectorDB`: the documented interface over the native collection. Its contract is in index.d.ts.
 *
 * Here is only which call does what, and when: synchronous calls need an open database, asynchronous ones wait for it,
 * and after `close` all are refused. What a call does is in `vector-db/`.
 */
import type {
  CheckpointReport, CollectionOptions, CompactionReport, CompactOptions, DatabaseLoadOptions, DatabaseSaveOptions, DurableWrites, ManyVectors, MmapOptions,
  MmapRegion, MmapStats, NewVectorEntry, RecoveryReport, SaveReport, SearchQuery, SearchResult, StoredEntry, VectorDBOptions, VectorStatistics, VectorStats, WalStatus,
} from '../index';
import { borrowVector } from './capture';
import { isBoolean } from './checks';
import { closedDatabase, PersistenceError, unwrap, wrongType } from './errors';
import { loadFrom, saveTo } from './vector-db/archives';
import { Core, expose } from './vector-db/core';
import { Durable } from './vector-db/durable';
import { readCollection, readDatabase, readMmapEnable } from './vector-db/options';
import { eachEntry, eachEntryLater, eachId } from './vector-db/pages';
import { readMany, readOne } from './vector-db/reads';
import { checkpoint, compact, mmapStats, readCompact, readRegions, recoveryOf, statistics } from './vector-db/reports';
import { readQuery, search } from './vector-db/search';
import { type Change, clearing, deleting, putting, puttingBatch, readBatch, readEntry, readId, readIds, settingMetadata } from './vector-db/writes';

export class VectorDB {
  #core: Core | null = null;
  readonly #opening: Promise<Core>;
  #failure: unknown = null;
  #closing: Promise<void> | null = null;
  readonly path: string | null;
  readonly durable: DurableWrites = new Durable({ now: () => (this.#core === null && this.#closing === null ? null : this.#open()), later: () => this.#ready() });

  /** A `Core` in the place of options: a collection that is open already. */
  constructor(options: VectorDBOptions | Core = {}) {
    const request = options instanceof Core ? null : readDatabase(options);
    const path = request?.path;
    if (request === null || path === undefined) {
      this.#core = options instanceof Core ? options : Core.inMemory(request!);
      this.#opening = Promise.resolve(this.#core);
    } else {
      this.#opening = Core.open({ ...request, path });
      // Whoever calls something hears of a failure; until then it is nobody's.
      this.#opening.then((core) => (this.#core = core), (error: unknown) => (this.#failure = error));
    }
    expose(this, () => this.#ready());
    this.path = path ?? this.#core?.site.path ?? null;
  }

  static async open(options?: VectorDBOptions): Promise<VectorDB> {
    const db = new VectorDB(options);
    await db.ready();
    return db;
  }

  /** For synchronous calls. */
  #open(): Core {
    if (this.#closing) throw closedDatabase();
    if (this.#core === null) {
      if (this.#failure !== null) throw this.#failure;
      throw new PersistenceError('ERR_NOT_READY', 'This database is still being opened: wait for db.ready() (or VectorDB.open) before the first synchronous call');
    }
    this.#core.checkOpen();
    return this.#core;
  }

  /** For asynchronous calls. */
  async #ready(): Promise<Core> {
    if (this.#closing) throw closedDatabase();
    const core = await this.#opening;
    core.checkOpen();
    return core;
  }

  readonly #checkOpen = (): void => void this.#open();

  /** The change is asked for between two looks: reading what the caller gave may run code of the caller. */
  #make(read: () => Change): number {
    this.#open();
    const change = read();
    return change(this.#open().collection, false);
  }

  get recovery(): RecoveryReport {
    return recoveryOf(this.#open().collection);
  }

  async ready(): Promise<void> {
    await this.#ready();
  }

  insert(entry: NewVectorEntry): string {
    this.#open();
    const read = readEntry(entry, borrowVector);
    putting(read)(this.#open().collection, false);
    return read.id;
  }

  insertBatch(entries: readonly NewVectorEntry[]): string[] {
    this.#open();
    const read = readBatch(entries);
    puttingBatch(read)(this.#open().collection, false);
    return read.ids;
  }

  get(id: string): StoredEntry | null {
    return readOne(this.#open(), readId(id));
  }

  getMany(ids: readonly string[]): ManyVectors {
    return readMany(this.#open(), readIds(ids));
  }

  has(id: string): boolean {
    return unwrap(this.#open().collection.has(readId(id)));
  }

  delete(id: string): boolean {
    return this.#make(() => deleting(id)) > 0;
  }

  updateMetadata(id: string, metadata: Record<string, any> | null): boolean {
    return this.#make(() => settingMetadata(id, metadata)) > 0;
  }

  clear(): void {
    this.#make(() => clearing);
  }

  len(): number {
    return this.#open().collection.length;
  }

  isEmpty(): boolean {
    return this.len() === 0;
  }

  stats(): VectorStats {
    const { collection, settings, site } = this.#open();
    const { length: count, dimension, metric, memoryUsage } = collection;
    return { count, dimension, ...(metric === null ? {} : { metric }), memoryUsage, indexType: 'flat', engine: settings.engine, readOnly: site.readOnly || settings.readOnly };
  }

  entries(): IterableIterator<StoredEntry> {
    return eachEntry(this.#open().collection.view(), this.#checkOpen);
  }

  keys(): IterableIterator<string> {
    return eachId(this.#open().collection.view(), this.#checkOpen);
  }

  [Symbol.iterator](): IterableIterator<StoredEntry> {
    return this.entries();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<StoredEntry> {
    // Of the moment of the call where that is possible.
    const view = this.#core === null ? null : this.#open().collection.view();
    return eachEntryLater(async () => view ?? (await this.#ready()).collection.view(), this.#checkOpen);
  }

  async search(query: SearchQuery): Promise<SearchResult[]> {
    const read = readQuery(query);
    return search((await this.#ready()).collection, read);
  }

  async buildIndex(): Promise<void> {
    await this.#ready();
  }

  async flush(): Promise<void> {
    await (await this.#ready()).commits.flush();
  }

  async checkpoint(): Promise<CheckpointReport> {
    return (await this.#ready()).run(checkpoint);
  }

  async compact(options?: CompactOptions): Promise<CompactionReport> {
    const above = readCompact(options);
    return (await this.#ready()).run((collection) => compact(collection, above));
  }

  async optimize(): Promise<CompactionReport> {
    return (await this.#ready()).run((collection) => compact(collection, undefined));
  }

  async save(path?: string, options?: DatabaseSaveOptions): Promise<SaveReport | null> {
    const core = await this.#ready();
    if (path !== undefined) return core.run((collection) => saveTo(collection, path, options));
    if (core.site.path === null) throw wrongType('save of a database in memory needs a path');
    await core.commits.flush();
    return null;
  }

  async load(path: string, options?: DatabaseLoadOptions): Promise<number> {
    return (await this.#ready()).run((collection) => loadFrom(collection, path, options));
  }

  async setReadOnly(readOnly: boolean): Promise<void> {
    isBoolean(readOnly, 'readOnly');
    await (await this.#ready()).change({ readOnly });
  }

  async configure(options: CollectionOptions): Promise<void> {
    const request = readCollection(options, 'configure');
    await (await this.#ready()).configure(request);
  }

  async mmapEnable(options?: MmapOptions): Promise<void> {
    const wanted = readMmapEnable(options);
    await (await this.#ready()).configure({ wanted });
  }

  async statistics(): Promise<VectorStatistics> {
    return statistics((await this.#ready()).collection);
  }

  async walStatus(): Promise<WalStatus> {
    return (await this.statistics()).wal;
  }

  async mmapStats(): Promise<MmapStats> {
    return mmapStats((await this.#ready()).collection);
  }

  async mmapPrefetch(regions: readonly MmapRegion[]): Promise<boolean> {
    const numbers = readRegions(regions);
    return unwrap(await (await this.#ready()).collection.prefetch(numbers));
  }

  async refresh(): Promise<void> {
    await (await this.#ready()).refresh();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const wasOpen = this.#core !== null;
    const core = this.#core ?? (await this.#opening.catch(() => null));
    // Calls that were made before this one and waited for the opening go first.
    if (core !== null && !wasOpen) await new Promise(setImmediate);
    await core?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
