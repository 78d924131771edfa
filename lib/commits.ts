/**
 * Waiting for the log of a collection: one native listener settles everybody who waits, in the order of the LSNs.
 *
 * Promises: a promise of `wait` settles when its writes are acknowledged as the sync mode says, and rejects with the error
 * of the log when one of them was refused (it was taken back then); a promise of `flush` settles when everything written
 * before is durable. A log that has ended without a word is noticed. While somebody waits the process stays alive;
 * otherwise nothing here keeps it, nor the collection. It must be made before the first write, one for each collection.
 * It writes nothing itself, and decides nothing about what was refused.
 */
import { setInterval } from 'node:timers';
import { type PersistenceError, toError, unwrap } from './errors';
import { Line, type Waiter } from './line';
import type { CommitRefusal, NativeCollection } from './native';

interface Refused {
  readonly first: number;
  readonly last: number;
  readonly error: PersistenceError;
}

/** Refusals that are remembered for those who ask later, as many as on the native side. */
const REFUSED_MAX = 1024;
const WATCH_MS = 250;

/** Those whom somebody waits for; only they are kept by this module. */
const busy = new Set<Commits>();
/** Keeps the process alive while somebody waits. */
let watch: NodeJS.Timeout | null = null;

function look(): void {
  for (const commits of busy) commits.look();
  if (busy.size > 0 || watch === null) return;
  clearInterval(watch);
  watch = null;
}

function hold(commits: Commits): void {
  busy.add(commits);
  if (watch === null) watch = setInterval(look, WATCH_MS);
  else watch.ref();
}

function letGo(commits: Commits): void {
  if (busy.delete(commits) && busy.size === 0) watch?.unref();
}

export class Commits {
  readonly #collection: NativeCollection;
  readonly #onUntold: (error: PersistenceError) => void;
  readonly #inMemory: boolean;
  readonly #writes = new Line();
  readonly #flushes = new Line();
  readonly #refused: Refused[] = [];
  readonly #errorOf = (first: number, last: number): PersistenceError | null =>
    this.#refused.length === 0 ? null : (this.#refused.find((refused) => refused.first <= last && first <= refused.last)?.error ?? null);
  #settled: number;
  #durable: number;
  #untold: PersistenceError | null = null;
  /** It had ended when it was looked at last, and has said nothing since. */
  #silent = false;
  #idle: (() => void)[] = [];

  /** `onUntold` hears of refused writes that nobody waits for; the next `flush` rejects with the same. */
  constructor(collection: NativeCollection, onUntold: (error: PersistenceError) => void = () => undefined) {
    this.#collection = collection;
    this.#onUntold = onUntold;
    this.#inMemory = (JSON.parse(unwrap(collection.settings())) as { engine: string }).engine === 'memory';
    this.#settled = this.#durable = collection.durableLsn;
    // The native side holds the listener: a strong reference would keep a collection that everybody else has forgotten.
    const self = new WeakRef(this);
    collection.listen((settled, durable, refusal) => {
      const commits = self.deref();
      if (commits !== undefined) commits.#hear(settled, durable, refusal);
    });
  }

  /** Gives `value` when the writes from `first` to `last` are acknowledged. To be called in the turn of the last of them. */
  wait<T = void>(last: number, value?: T, first = last): Promise<T> {
    return new Promise((resolve, reject) => this.tell({ first, last, value: value as T, resolve, reject }));
  }

  /** The same for whoever has a promise already: those who wait are told in the order of their writes. */
  tell<T>(waiter: Waiter<T>): void {
    const { first, last, value, resolve, reject } = waiter;
    if (!this.#inMemory && last > this.#settled) {
      this.#join(this.#writes, waiter);
      return;
    }
    const error = this.#errorOf(first, last);
    if (error === null) resolve(value);
    else reject(error);
  }

  /** Settles when nothing is on its way any more that was written before; rejects when some of that is refused. */
  settled(): Promise<void> {
    const { lsn } = this.#collection;
    return lsn <= this.#settled ? Promise.resolve() : this.wait(lsn, undefined, this.#settled + 1);
  }

  /** Settles when everything written so far is durable; rejects with a refusal that nobody was told of, too. */
  async flush(): Promise<void> {
    const lsn = this.#collection.requestFlush();
    const ended = this.#ended();
    if (ended !== null) throw ended;
    if (!this.#inMemory && lsn > this.#durable) await new Promise<void>((resolve, reject) => this.#join(this.#flushes, { first: lsn, last: lsn, value: undefined, resolve, reject }));
    const untold = this.#untold ?? this.#takeUntold();
    this.#untold = null;
    if (untold !== null) throw untold;
  }

  /** Settles when nobody waits any more. */
  idle(): Promise<void> {
    if (!this.#isBusy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  get #isBusy(): boolean {
    return this.#writes.size + this.#flushes.size > 0;
  }

  #join<T>(line: Line, waiter: Waiter<T>): void {
    if (!this.#isBusy) hold(this);
    line.join(waiter);
  }

  #hear(settled: number, durable: number, refusal: CommitRefusal | undefined | null): void {
    this.#silent = false;
    if (refusal != null) this.#remember({ ...refusal, error: toError(refusal.failure) });
    this.#settled = settled;
    this.#durable = durable;
    this.#writes.settle(settled, this.#errorOf);
    this.#flushes.settle(durable);
    if (this.#flushes.size > 0) {
      const ended = this.#ended();
      if (ended !== null) this.#flushes.settle(Infinity, () => ended);
    }
    this.#rest();
  }

  #rest(): void {
    if (this.#isBusy) return;
    letGo(this);
    if (this.#idle.length > 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** A log that has ended has nothing more to say: who waits for it is told so, once all its reports are heard. */
  look(): void {
    const ended = this.#ended();
    if (ended !== null && this.#silent) {
      this.#writes.settle(Infinity, () => ended);
      this.#flushes.settle(Infinity, () => ended);
      this.#rest();
    }
    this.#silent = ended !== null;
  }

  #remember(refused: Refused): void {
    this.#refused.push(refused);
    if (this.#refused.length > REFUSED_MAX) this.#refused.shift();
    const untold = this.#takeUntold();
    if (untold === null) return;
    this.#untold ??= untold;
    this.#onUntold(untold);
  }

  #takeUntold(): PersistenceError | null {
    const failure = this.#collection.takeUntold();
    return failure === null ? null : toError(failure);
  }

  /** Why nothing will become durable any more, when that is so. */
  #ended(): PersistenceError | null {
    const refusal = this.#collection.refusal();
    return refusal !== null && (refusal.code === 'ERR_POISONED' || refusal.code === 'ERR_CLOSED') ? toError(refusal) : null;
  }
}
