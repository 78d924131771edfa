/**
 * The log: the stored collection that follows the journal, change by change.
 *
 * Promises: every change of the journal is written, in the order of the changes, at once where that is possible, and else
 * (while the store is opening, or its content is being replaced) as soon as it is; what a caller gets rejects when the
 * change is not durable. An id whose change was refused is remembered, and brought up by `catchUp` and after the next write that
 * succeeds. Whether the two hold the same to begin with is found out in `settle.ts`, and until then (`standing`) nothing
 * that only the log holds is removed but what the user removes. It never asks the database.
 */
import { closedError, type PersistenceError, unwrap } from '../errors';
import type { Journal, Sink } from '../journal';
import { later, type Promised } from '../later';
import type { NativeCollection } from '../native';
import { behind, notDurable, notHeld } from './failures';
import type { StoredSettings } from './options';
import { LogStore } from './store';
import { isMisfit, writeIds } from './writes';

/**
 * unknown: not compared yet. same: what the journal holds. unrecovered: the database was empty when it was attached.
 * different: each may have what the other has not.
 */
export type Standing = 'unknown' | 'same' | 'unrecovered' | 'different';

const IDS_AT_ONCE = 1000;
const RETRY_MS = 1000;

export class Log implements Sink {
  standing: Standing = 'unknown';
  /**
   * Whose content it is that the journal gets: 'database', when that is read anew because of a call that could not be
   * followed; 'log', when the database is brought to what is stored here.
   */
  leader: 'database' | 'log' | null = null;
  /** Nothing was in it when it was opened. */
  wasEmpty = false;
  /** Ids that were written before the two were compared; null afterwards. */
  written: Set<unknown> | null = new Set();
  readonly store: LogStore;
  /** Ids whose entry here may not be the journal's, and whether everything else is to be removed. */
  readonly #due = new Set<string>();
  #clearDue = false;
  /** The whole content has to be replaced by the journal's. */
  #wholeDue = false;
  #replacing = false;
  /** Those who wait for what is due while nothing can be written. */
  #held: Promised | null = null;
  /** The changes of one call. */
  #group: { readonly ids: Set<unknown>; cleared: boolean } | null = null;
  #catching: Promise<void> | null = null;
  #refused = -Infinity;

  constructor(readonly base: string, wanted: StoredSettings, readonly journal: Journal, readonly background: (error: unknown) => void) {
    this.store = new LogStore(base, wanted, {
      opened: () => {
        this.wasEmpty = this.collection.length === 0;
        this.#drain();
      },
      refused: (error) => this.#release(error),
    });
  }

  /** What is stored. Only when open. */
  get collection(): NativeCollection {
    return this.store.collection;
  }

  /** Whether something that was written is not here. */
  get behind(): boolean {
    return this.#wholeDue || this.#clearDue || this.#due.size > 0;
  }

  #release(error: PersistenceError): void {
    this.#held?.reject(error);
    this.#held = null;
  }

  /** Does `work`, whose changes belong together. What to wait for; null when nothing was changed. */
  record(work: () => void): Promise<void> | null {
    const group = { ids: new Set<unknown>(), cleared: false };
    const within = this.#group;
    this.#group = within ?? group;
    try {
      work();
    } finally {
      this.#group = within;
    }
    return group.cleared || group.ids.size > 0 ? this.#acknowledge(group.ids, group.cleared) : null;
  }

  touched(id: unknown): void {
    this.written?.add(id);
    if (this.#group !== null) this.#group.ids.add(id);
    else this.#unheard(this.#acknowledge(new Set([id]), false));
  }

  cleared(): void {
    this.standing = 'same';
    this.#wholeDue = false;
    if (this.#group === null) this.#unheard(this.#acknowledge(new Set(), true));
    else {
      this.#group.cleared = true;
      this.#group.ids.clear();
    }
  }

  replaced(how: 'loaded' | 'found'): void {
    if (this.leader === 'log') this.standing = 'same';
    else if (how === 'loaded' || (this.leader === 'database' && this.standing === 'same')) this.follow();
    else this.standing = 'unknown';
  }

  #unheard(commit: Promise<void>): void {
    commit.catch((error: unknown) => this.background(error));
  }

  async #acknowledge(ids: Set<unknown>, cleared: boolean): Promise<void> {
    const unheld = notHeld(ids, this.journal);
    try {
      await this.#forward([...ids].filter((id) => typeof id === 'string'), cleared);
    } catch (error) {
      throw notDurable(error as PersistenceError);
    }
    if (unheld !== null) throw unheld;
    if (this.behind) this.#catchUpSoon();
  }

  #forward(ids: readonly string[], cleared: boolean): Promise<void> {
    const { phase } = this.store;
    const misfit = phase === 'open' && !this.#replacing && isMisfit(this.journal.collection, this.collection, this.standing === 'same');
    if (phase === 'open' && !this.#replacing && !misfit) return this.#write(ids, cleared);
    if (cleared) {
      this.#due.clear();
      this.#clearDue = true;
    }
    for (const id of ids) this.#due.add(id);
    if (phase === 'failed' || phase === 'ended') return Promise.reject(this.store.failure);
    this.#held ??= later();
    const { promise } = this.#held;
    if (misfit) {
      this.#wholeDue = true;
      this.catchUp().catch(() => undefined);
    }
    return promise;
  }

  /** Brings these ids to what the journal holds. */
  async #write(ids: readonly string[], clear: boolean): Promise<void> {
    for (const id of ids) this.#due.delete(id);
    if (clear) this.#due.clear();
    try {
      const { commits } = this.store;
      const records = writeIds(ids, this.journal.collection, this.collection, clear);
      // An id that was gone already may have been removed by a record that is still on its way.
      await (records === null ? commits.settled() : commits.wait(records.last, undefined, records.first));
    } catch (error) {
      for (const id of ids) this.#due.add(id);
      this.#wholeDue ||= clear;
      throw error;
    }
  }

  /** Writes what gathered while nothing could be written. */
  #drain(): void {
    const held = this.#held;
    const [ids, clear] = [[...this.#due], this.#clearDue];
    this.#held = null;
    this.#clearDue = false;
    if (held === null && ids.length === 0 && !clear) return;
    const written = this.#write(ids, clear);
    written.catch(() => undefined);
    held?.resolve(written);
  }

  /** The whole content is to be the journal's, from the next `catchUp` on. */
  follow(): void {
    this.standing = 'same';
    this.#wholeDue = true;
  }

  /** Resolves when everything that was refused so far is here; rejects when it is refused again. */
  catchUp(): Promise<void> {
    // What came too late for the one that runs is brought up by another.
    if (this.#catching !== null) return this.#catching.then(() => (this.behind ? this.catchUp() : undefined));
    this.#catching = this.#catchUp().finally(() => {
      this.#catching = null;
    });
    return this.#catching;
  }

  async #catchUp(): Promise<void> {
    await this.store.open();
    try {
      while (this.behind) {
        if (this.#wholeDue) await this.#replace();
        else await this.#write([...this.#due].slice(0, IDS_AT_ONCE), false);
      }
    } catch (error) {
      this.#refused = performance.now();
      throw behind(error as PersistenceError);
    }
  }

  /** In the background, and not more often than a disk that stays full can bear. */
  #catchUpSoon(): void {
    if (this.#catching !== null || this.store.phase !== 'open' || performance.now() - this.#refused < RETRY_MS) return;
    // Whoever needs it tries again and is told.
    this.catchUp().catch(() => undefined);
  }

  async #replace(): Promise<void> {
    const due = [...this.#due];
    this.#replacing = true;
    this.#wholeDue = false;
    this.#due.clear();
    try {
      unwrap(await this.collection.replaceWith(this.journal.collection));
    } catch (error) {
      this.#wholeDue = true;
      for (const id of due) this.#due.add(id);
      throw error;
    } finally {
      this.#replacing = false;
      this.#drain();
    }
  }

  /** Resolves when everything that was written before is durable. */
  async flush(): Promise<void> {
    do {
      await this.catchUp();
      await this.store.commits.flush();
    } while (this.behind);
  }

  /** Writes what is left and gives the store back, also when that fails. */
  async close(): Promise<void> {
    await this.store.attempted();
    try {
      if (this.store.phase === 'open') await this.flush();
    } finally {
      await this.store.close();
      this.#release(closedError());
    }
  }
}
