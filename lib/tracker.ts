/**
 * The tracker: follows every write of the user from its call to its end, and records in the journal what it changed.
 *
 * Promises: what is recorded is the value as at call time, and only when the database accepted it; writes of one id that
 * overlapped in time are settled by reading the id back, because the database may have carried them out in any order. Those
 * who work over a longer time (adoption, loading) set a `Watch` and learn which ids were written meanwhile.
 * It keeps no content itself and never saves.
 */
import { Acknowledgements } from './acknowledge';
import type { Adapter, Known, Recorder, Write } from './adapters/adapter';
import type { Captured } from './capture';
import { Doubts } from './doubts';
import { unwrap } from './errors';
import type { Journal } from './journal';
import { WatchedRecorder } from './recorder';
import { type Watched, wrapMethod } from './wrap';

/** What the user did while something else was under way. */
export interface Watch {
  /** The first write that counts; 0 when every write counts that ends after the watch was set. */
  readonly since: number;
  /** Ids of writes that began since (and, when every write counts, of those that were under way). */
  readonly begun: Set<unknown>;
  /** Ids whose writes were recorded since. */
  readonly recorded: Set<unknown>;
  /** Everything was removed or replaced since. */
  swept: boolean;
}

export class Tracker implements Known {
  adopted = false;
  wasAdopted = false;
  /** The database must be looked at anew: something changed that nobody could follow. */
  stale = false;
  /** Ids that the user wrote while we did; set while content is applied. Their value is the user's, whatever a read would say. */
  contested: Set<unknown> | null = null;
  /** While set, calls are our own and pass untouched. */
  passing: (() => boolean) | null = null;
  /** What the ends of calls wait for. */
  readonly acknowledgements = new Acknowledgements(() => this.#doubts);
  /** Grows with every beginning and every end of a write, by the number of ids it may change. */
  sequence = 0;
  readonly #pending = new Set<Promise<void>>();
  readonly #flights = new Map<unknown, number>();
  readonly #overlapped = new Set<unknown>();
  readonly #watches = new Set<Watch>();
  /** Ids (or everything) that we are writing right now. */
  #ours: ReadonlySet<unknown> | 'all' | null = null;
  #sweeping = 0;
  #serial = 0;
  #unwraps: (() => void)[] = [];
  readonly #doubts: Doubts;

  constructor(readonly db: object, readonly adapter: Adapter, readonly journal: Journal) {
    this.#doubts = new Doubts(adapter.read, this.#pending, {
      // While a write of the id is under way, its end comes back to the doubt; our own writing and contested ids as well.
      mustWait: (id) => this.#flights.has(id) || this.#sweeping > 0 || this.#isOurs(id) || this.contested?.has(id) === true,
      settled: (id, value, awaited) => this.#settled(id, value, awaited),
    });
  }

  wrap(): void {
    try {
      for (const method of this.adapter.methods) {
        const begin = (self: unknown, args: unknown[]): Watched | null =>
          self !== this.db || this.passing?.() ? null : this.#begin(method.understand(args, this));
        this.#unwraps.push(wrapMethod(this.db, method.name, { begin }));
      }
    } catch (error) {
      this.unwrap();
      throw error;
    }
  }

  unwrap(): void {
    for (const undo of this.#unwraps.reverse()) undo();
    this.#unwraps = [];
  }

  has(id: unknown): boolean {
    return typeof id === 'string' && unwrap(this.journal.collection.has(id));
  }

  /** Writes, and ids, whose changes have begun and not ended. */
  get underway(): number {
    return this.#pending.size + this.#flights.size;
  }

  /** Resolves when the writes that are under way now have ended, whatever their end, and doubts about them are settled. */
  async landed(): Promise<void> {
    // A doubt waits for later writes of the same id: a writer that never pauses must not keep us here for ever.
    for (let round = 0; round < 50 && this.#pending.size > 0; round++) {
      await Promise.all(this.#pending);
      if (this.#doubts.size === 0) return;
    }
  }

  /** Watches what ends from now on, or only what begins from now on. */
  watch(which: 'ends' | 'begins' = 'ends'): Watch {
    const watch: Watch =
      which === 'ends'
        ? { since: 0, begun: new Set(this.#flights.keys()), recorded: new Set(), swept: false }
        : { since: this.#serial + 1, begun: new Set(), recorded: new Set(), swept: false };
    this.#watches.add(watch);
    return watch;
  }

  /** Everything that was written before is gone. */
  swept(): void {
    for (const watch of this.#watches) {
      watch.swept = true;
      watch.recorded.clear();
      watch.begun.clear();
      for (const id of this.#flights.keys()) watch.begun.add(id);
    }
  }

  unwatch(watch: Watch): void {
    this.#watches.delete(watch);
  }

  /** Does our own writing of these ids. What is read of them meanwhile says nothing. */
  async writing(ids: ReadonlySet<unknown> | 'all', work: () => PromiseLike<void> | void): Promise<void> {
    this.#ours = ids;
    this.#doubts.renew((id) => this.#isOurs(id));
    for (const id of this.#flights.keys()) if (this.#isOurs(id)) this.contested?.add(id);
    try {
      await work();
    } finally {
      this.#ours = null;
      this.settleDoubts();
    }
  }

  settleDoubts(): void {
    this.#doubts.settleAll();
  }

  #isOurs(id: unknown): boolean {
    return this.#ours !== null && (this.#ours === 'all' || this.#ours.has(id));
  }

  /** The id must be read from the database, once nothing of it is under way. */
  doubt(id: unknown): void {
    this.acknowledgements.doubted(id);
    this.#doubts.add(id);
  }

  #begin(write: Write): Watched {
    const { ids } = write;
    const serial = ++this.#serial;
    const weight = Math.max(1, ids === 'all' ? this.journal.size : ids.length);
    this.sequence += weight;
    if (ids === 'all') this.#beginSweep();
    else for (const id of ids) this.#beginId(id);
    if (ids !== 'all') for (const id of ids) if (this.#isOurs(id)) this.contested?.add(id);

    let land: (() => void) | null = null;
    const { acknowledgements } = this;
    const call = acknowledgements.begin();
    const end = (record: (recorder: Recorder) => void): Promise<void> | null => {
      this.sequence += weight;
      const durable = acknowledgements.end(call, () => {
        this.#recorder.during(serial, record);
        if (ids === 'all') this.#endSweep();
        else for (const id of ids) this.#endId(id);
      });
      land?.();
      return durable;
    };
    return {
      args: write.args,
      run: (work) => acknowledgements.run(call, work),
      later: () => {
        const landing = new Promise<void>((resolve) => {
          land = () => {
            this.#pending.delete(landing);
            resolve();
          };
        });
        this.#pending.add(landing);
      },
      done: (result, canWait) => {
        const durable = end((recorder) => write.record(result, recorder));
        if (!canWait) acknowledgements.unawaited(durable);
        return durable;
      },
      failed: () => acknowledgements.unawaited(end((recorder) => write.failed?.(recorder))),
    };
  }

  #beginId(id: unknown): void {
    const flights = this.#flights.get(id) ?? 0;
    this.#flights.set(id, flights + 1);
    if (flights > 0 || this.#sweeping > 0) this.#overlapped.add(id);
    this.#doubts.renewOne(id);
    for (const watch of this.#watches) watch.begun.add(id);
  }

  #endId(id: unknown): void {
    const flights = (this.#flights.get(id) ?? 1) - 1;
    if (flights > 0) this.#flights.set(id, flights);
    else this.#flights.delete(id);
    if (this.#overlapped.has(id) && flights === 0 && this.#sweeping === 0) {
      this.#overlapped.delete(id);
      this.doubt(id);
    } else {
      this.#doubts.settle(id);
    }
  }

  #beginSweep(): void {
    this.#sweeping++;
    for (const id of this.#flights.keys()) this.#overlapped.add(id);
  }

  #endSweep(): void {
    this.#sweeping--;
    if (this.#sweeping > 0) return;
    for (const id of [...this.#overlapped]) {
      if (this.#flights.has(id)) continue;
      this.#overlapped.delete(id);
      this.doubt(id);
    }
  }

  /** `undefined`: the database could not be asked. */
  #settled(id: unknown, value: Captured | null | undefined, awaited: boolean): Promise<void> | null {
    this.sequence++;
    if (value === undefined) {
      this.stale = true;
      return awaited ? this.acknowledgements.reread() : null;
    }
    return this.acknowledgements.settle(() => (value === null ? this.#recorder.drop(id) : this.#recorder.put(value, 'replace')), awaited);
  }

  readonly #recorder = new WatchedRecorder(this, this.#watches);
}
