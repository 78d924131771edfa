/**
 * The store in the base folder, and the collection in it that is the log of a journal: opening and closing.
 *
 * Promises: one process has it at a time (ERR_LOCKED); the settings are those that are wanted now; what was opened in vain
 * is closed again, and a later call may try anew. It writes no entry.
 */
import { Commits } from '../commits';
import { closedError, type PersistenceError, unwrap } from '../errors';
import { native, type NativeCollection, type NativeStore } from '../native';
import { adjusted, initial, type StoredSettings } from './options';

interface Open {
  readonly store: NativeStore;
  readonly collection: NativeCollection;
  readonly commits: Commits;
}

const NAME = 'journal';

export class LogStore {
  phase: 'opening' | 'open' | 'failed' | 'ended' = 'opening';
  #opening: Promise<void> | null = null;
  #failure: PersistenceError | null = null;
  #open: Open | null = null;

  constructor(readonly base: string, readonly wanted: StoredSettings, readonly told: { opened(): void; refused(error: PersistenceError): void }) {}

  /** Why it is not open. */
  get failure(): PersistenceError {
    return this.#failure ?? closedError();
  }

  /** What is stored. Only when open. */
  get collection(): NativeCollection {
    return this.#opened.collection;
  }

  /** The store that it is in. Only when open. */
  get native(): NativeStore {
    return this.#opened.store;
  }

  /** Who waits for it. Only when open. */
  get commits(): Commits {
    return this.#opened.commits;
  }

  get #opened(): Open {
    if (this.#open === null || this.phase !== 'open') throw this.failure;
    return this.#open;
  }

  open(): Promise<void> {
    this.#opening ??= this.#tryOpen().catch((error: PersistenceError) => {
      this.#opening = null;
      this.refuse(error);
      throw error;
    });
    return this.#opening;
  }

  async #tryOpen(): Promise<void> {
    if (this.phase === 'ended') throw closedError();
    this.phase = 'opening';
    this.#open = await openLog(this.base, this.wanted);
    this.phase = 'open';
    this.told.opened();
  }

  /** It cannot be opened now. */
  refuse(error: PersistenceError): void {
    if (this.phase === 'ended') return;
    this.phase = 'failed';
    this.#failure = error;
    this.told.refused(error);
  }

  /** Resolves when an attempt to open it that is under way has ended. */
  async attempted(): Promise<void> {
    await this.#opening?.catch(() => undefined);
  }

  async close(): Promise<void> {
    this.phase = 'ended';
    this.#failure = null;
    unwrap(await this.#open?.store.close());
  }
}

async function openLog(base: string, wanted: StoredSettings): Promise<Open> {
  // The folders beside the store are made with their parents, and refused when they cannot be written to.
  for (const folder of [wanted.wal.directory, wanted.wal.archive]) if (folder !== null) unwrap(await native.openBase(folder));
  const store = unwrap(await native.openStore(base, { readOnly: false, create: true, amongOthers: true }));
  try {
    const settings = initial(parsed(unwrap(native.defaultSettings())), wanted);
    const collection = unwrap(await store.collection(NAME, JSON.stringify(settings), false));
    const held = unwrap(collection.settings());
    const due = JSON.stringify(adjusted(parsed(held), wanted, base));
    if (due !== held) unwrap(await collection.configure(due));
    return { store, collection, commits: new Commits(collection) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

const parsed = (text: string): StoredSettings => JSON.parse(text) as StoredSettings;
