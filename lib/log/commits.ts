/**
 * Waiting for a log: one listener on the native side settles everybody who waits, in the order of their records.
 *
 * Promises: a wait for records resolves when they are acknowledged as the sync mode says, and rejects with the one error
 * of the refusal when the log could not take them; `flush` resolves when everything written before it is durable.
 * The native listener does not keep the process alive, so while somebody waits a timer does; it also notices a log that
 * has ended without a word. It writes nothing and decides nothing about what was refused.
 */
import { isFailure, type PersistenceError, toError } from '../errors';
import type { NativeCollection } from '../native';

interface Waiter {
  readonly first: number;
  readonly last: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface Refusal {
  readonly first: number;
  readonly last: number;
  readonly error: PersistenceError;
}

/** What the native listener is told. */
type Progress = Parameters<Parameters<NativeCollection['listen']>[0]>[0];

const WATCH_MS = 250;
/** Refusals that are remembered for those who ask later, as many as on the native side. */
const REFUSALS_MAX = 1024;

export class Commits {
  readonly #collection: NativeCollection;
  #settled: number;
  #durable: number;
  /** Those who wait for an acknowledgement, and those who wait for durability: each in the order of their last record. */
  readonly #acknowledging = new Line();
  readonly #flushing = new Line();
  readonly #refusals: Refusal[] = [];
  #timer: NodeJS.Timeout | null = null;
  #silent = false;

  /** For a collection that was just opened: everything in it is settled. */
  constructor(collection: NativeCollection) {
    this.#collection = collection;
    this.#settled = this.#durable = collection.lsn;
    collection.listen((progress) => this.#heard(progress));
  }

  /** Resolves when the records from `first` to `last` are acknowledged; rejects when one of them was refused. */
  acknowledged(first: number, last: number = first): Promise<void> {
    const refused = this.#refusals.find((refusal) => first <= refusal.last && last >= refusal.first);
    if (refused) return Promise.reject(refused.error);
    return last <= this.#settled ? Promise.resolve() : this.#wait(this.#acknowledging, first, last);
  }

  /** Resolves when nothing is on its way any more that was written before; rejects when some of that is refused. */
  settled(): Promise<void> {
    const { lsn } = this.#collection;
    return lsn <= this.#settled ? Promise.resolve() : this.#wait(this.#acknowledging, this.#settled + 1, lsn);
  }

  /** Resolves when everything written before is durable, but for what was refused. */
  flush(): Promise<void> {
    const lsn = this.#collection.requestFlush();
    return lsn <= this.#durable ? Promise.resolve() : this.#wait(this.#flushing, lsn, lsn);
  }

  /** Nobody waits any more. */
  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #wait(line: Line, first: number, last: number): Promise<void> {
    this.#watch();
    return new Promise((resolve, reject) => line.join({ first, last, resolve, reject }));
  }

  #heard({ settled, durable, first, last, failure }: Progress): void {
    this.#silent = false;
    if (failure && first !== undefined && last !== undefined) {
      const refusal = { first, last, error: toError(failure) };
      if (this.#refusals.push(refusal) > REFUSALS_MAX) this.#refusals.shift();
      this.#acknowledging.refuse(refusal);
    }
    this.#settled = Math.max(this.#settled, settled);
    this.#durable = Math.max(this.#durable, durable);
    this.#acknowledging.reached(this.#settled);
    this.#flushing.reached(this.#durable);
    if (!this.#isAwaited()) this.#timer?.unref();
  }

  #isAwaited(): boolean {
    return this.#acknowledging.length + this.#flushing.length > 0;
  }

  #watch(): void {
    if (this.#timer === null) this.#timer = setInterval(() => this.#look(), WATCH_MS);
    else this.#timer.ref();
  }

  /** A log that has ended has nothing more to say: who waits for it is told its state, once all its reports are heard. */
  #look(): void {
    if (!this.#isAwaited()) {
      this.end();
      return;
    }
    const failure = this.#collection.refusal();
    if (!isFailure(failure) || (failure.code !== 'ERR_POISONED' && failure.code !== 'ERR_CLOSED')) return;
    const silent = this.#silent;
    this.#silent = true;
    if (!silent) return;
    const error = toError(failure);
    this.#acknowledging.refuse({ first: 0, last: Infinity, error });
    this.#flushing.refuse({ first: 0, last: Infinity, error });
  }
}

/** Waiters in the order of their last record. */
class Line {
  #waiters: Waiter[] = [];
  /** How many at the front have gone. */
  #gone = 0;

  get length(): number {
    return this.#waiters.length - this.#gone;
  }

  join(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  /** Everything up to this record has arrived. */
  reached(lsn: number): void {
    for (; this.#gone < this.#waiters.length && this.#waiters[this.#gone]!.last <= lsn; this.#gone++) this.#waiters[this.#gone]!.resolve();
    if (this.#gone * 2 < this.#waiters.length) return;
    this.#waiters = this.#waiters.slice(this.#gone);
    this.#gone = 0;
  }

  refuse({ first, last, error }: Refusal): void {
    const waiting = this.#waiters.slice(this.#gone);
    this.#gone = 0;
    this.#waiters = waiting.filter((waiter) => waiter.first > last || waiter.last < first);
    for (const waiter of waiting) if (waiter.first <= last && waiter.last >= first) waiter.reject(error);
  }
}
