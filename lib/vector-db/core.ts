/**
 * An open collection: the native handle, whoever waits for its log, and what it takes to close, change or reopen it.
 *
 * Promises: after `close` has begun nothing is taken any more, and what was taken is settled before the files are given
 * back; changes of settings happen one after another. Errors of work that nobody waits for go to `onError`, or become a
 * process warning. It knows nothing of entries.
 */
import { closedDatabase, PersistenceError, toError, unwrap, wrongType } from '../errors';
import { Commits } from '../commits';
import { native, type NativeCollection, type NativeStore } from '../native';
import { type CollectionRequest, type CollectionSettings, type DatabaseRequest, settled, type Wanted } from './options';

/** Where a collection is. */
export interface Site {
  readonly path: string | null;
  readonly name: string;
  readonly readOnly: boolean;
}

interface Held {
  readonly collection: NativeCollection;
  readonly commits: Commits;
  /** The store, when it is this collection's own. */
  readonly store: NativeStore | null;
}

/** The store in a folder. */
export async function openStore(path: string, readOnly: boolean, create = true): Promise<NativeStore> {
  return unwrap(await native.openStore(path, { readOnly, create, amongOthers: false }));
}

export function defaultSettings(): CollectionSettings {
  return JSON.parse(unwrap(native.defaultSettings())) as CollectionSettings;
}

/** The settings that a new collection gets. */
export function newSettings({ dimension, metric, wanted }: CollectionRequest): CollectionSettings {
  return { ...settled(defaultSettings(), wanted), dimension: dimension ?? 0, metric: metric ?? 'cosine' };
}

/** Databases and how each is waited for: for those of this package that need what is inside. */
const inside = new WeakMap<object, () => Promise<Core>>();

export function expose(db: object, ready: () => Promise<Core>): void {
  inside.set(db, ready);
}

/** What is inside of a `VectorDB`, once it is open; null for anything else. */
export function coreOf(db: object): (() => Promise<Core>) | null {
  return inside.get(db) ?? null;
}

export class Core {
  readonly site: Site;
  /** What the last entry that was read had; whoever reads is told when it is another one. */
  dimension = 0;
  #held: Held;
  readonly #onError: ((error: Error) => void) | undefined;
  readonly #onClose: () => Promise<void>;
  #closing: Promise<void> | null = null;
  #changing: Promise<unknown> = Promise.resolve();
  readonly #running = new Set<Promise<unknown>>();

  constructor(site: Site, collection: NativeCollection, store: NativeStore | null, onError?: (error: Error) => void, onClose: () => Promise<void> = () => Promise.resolve()) {
    this.site = site;
    this.#onError = onError;
    this.#onClose = onClose;
    this.#held = this.#hold(collection, store);
  }

  /** A collection in memory only. */
  static inMemory({ dimension, metric, onError }: CollectionRequest): Core {
    const collection = new native.NativeCollection(dimension, metric ?? 'cosine');
    return new Core({ path: null, name: '', readOnly: false }, collection, null, onError);
  }

  /** A collection of a store of its own. */
  static async open(request: DatabaseRequest & { readonly path: string }): Promise<Core> {
    const { path, collection: name, readOnly, onError } = request;
    const store = await openStore(path, readOnly);
    try {
      const text = readOnly ? null : JSON.stringify(newSettings(request));
      const collection = unwrap(await store.collection(name, text, false));
      const core = new Core({ path, name, readOnly }, collection, store, onError);
      await core.agree(request);
      return core;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  get collection(): NativeCollection {
    return this.#held.collection;
  }

  get commits(): Commits {
    return this.#held.commits;
  }

  get settings(): CollectionSettings {
    return JSON.parse(unwrap(this.collection.settings())) as CollectionSettings;
  }

  get isClosed(): boolean {
    return this.#closing !== null;
  }

  checkOpen(): void {
    if (this.#closing) throw closedDatabase();
  }

  #hold(collection: NativeCollection, store: NativeStore | null): Held {
    return { collection, store, commits: new Commits(collection, (error) => this.#report(error)) };
  }

  #report(error: PersistenceError): void {
    if (this.#onError === undefined) {
      process.emitWarning(`A write that nobody waited for was taken back: ${error.message}`, { code: error.code, detail: 'Give VectorDB the option "onError", or wait for db.flush() or for the methods of db.durable' });
      return;
    }
    try {
      this.#onError(error);
    } catch (thrown) {
      process.nextTick(() => {
        throw thrown;
      });
    }
  }

  /** Brings a collection that was there to what the options say, or refuses them. */
  async agree({ dimension, metric, wanted }: CollectionRequest): Promise<void> {
    const { collection, site } = this;
    const known = { dimension: collection.dimension, metric: collection.metric };
    if (dimension !== undefined && known.dimension > 0 && known.dimension !== dimension) {
      throw new PersistenceError('ERR_DIMENSION', `Collection '${site.name}' has dimension ${known.dimension}, option "dimension" is ${dimension}`, { path: site.path ?? undefined });
    }
    if (metric !== undefined && known.metric !== null && known.metric !== metric) {
      throw new PersistenceError('ERR_METRIC', `Collection '${site.name}' has metric '${known.metric}', option "metric" is '${metric}'`, { path: site.path ?? undefined });
    }
    if (site.readOnly) return;
    if ((dimension !== undefined && known.dimension === 0) || (metric !== undefined && known.metric === null)) {
      const failure = collection.describe(dimension, metric);
      if (failure !== null) throw toError(failure);
      await this.commits.flush();
    }
    await this.change(wanted);
  }

  /** Long work that writes files: `close` waits for it. */
  async run<T>(work: (collection: NativeCollection) => Promise<T>): Promise<T> {
    this.checkOpen();
    const running = work(this.collection);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Changes options of an open collection. */
  async configure(request: CollectionRequest): Promise<void> {
    const { path, readOnly } = this.site;
    if (request.onError !== undefined) throw wrongType('Option "onError" is given when the database is opened');
    if (path === null && Object.keys(request.wanted).length > 0) throw wrongType('A database in memory has no settings but whether it is read-only');
    if (readOnly) throw new PersistenceError('ERR_READ_ONLY', 'This database was opened for reading only: whoever only reads changes no settings');
    await this.agree(request);
  }

  /** Changes settings, after all changes before. */
  change(wanted: Wanted): Promise<void> {
    const done = this.#changing.then(async () => {
      this.checkOpen();
      const before = this.settings;
      const after = settled(before, wanted);
      if (after.wal.directory !== before.wal.directory) {
        throw new PersistenceError('ERR_UNSUPPORTED', `The log of collection '${this.site.name}' is in ${before.wal.directory ?? 'its own folder'}; it cannot be moved by the option "path" of "wal"`);
      }
      if (JSON.stringify(after) !== JSON.stringify(before)) unwrap(await this.collection.configure(JSON.stringify(after)));
    });
    this.#changing = done.catch(() => undefined);
    return done;
  }

  /** A read-only collection as it is on disk now. */
  async refresh(): Promise<void> {
    const { path, name, readOnly } = this.site;
    if (!readOnly || path === null) {
      throw new PersistenceError('ERR_UNSUPPORTED', 'refresh() is for a database that was opened with readOnly: true; every other one sees its own writes at once');
    }
    const done = this.#changing.then(async () => {
      this.checkOpen();
      const store = await openStore(path, true);
      const before = this.#held;
      try {
        this.#held = this.#hold(unwrap(await store.collection(name, null, false)), store);
      } catch (error) {
        await store.close();
        throw error;
      }
      unwrap(await before.store?.close());
    });
    this.#changing = done.catch(() => undefined);
    return done;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled([this.#changing, ...this.#running]);
    const { collection, commits, store } = this.#held;
    try {
      await commits.idle();
      unwrap(await collection.close());
    } finally {
      await this.#onClose();
      unwrap(await store?.close());
    }
  }
}
