/**
 * Waiting for the log of a collection: one native listener settles everybody who waits, in the order of the LSNs.
 *
 * Promises: a promise of `wait` settles when its write is acknowledged as the sync mode says, and rejects with the error
 * of the log when it was refused (it was taken back then); a promise of `flush` settles when everything written before
 * is durable. While somebody waits the process stays alive; otherwise nothing here keeps it, nor the collection. It must
 * be made before the first write, one for each collection. It writes nothing itself.
 */
import { setInterval } from 'node:timers';
import { type PersistenceError, toError, unwrap } from './errors';
import type { CommitProgress, NativeCollection } from './native';

interface Waiter {
  readonly lsn: number;
  resolve(): void;
  reject(error: unknown): void;
}

interface Refused {
  readonly first: number;
  readonly last: number;
  readonly error: PersistenceError;
}

/** Refusals that are remembered for those who ask later. */
const REFUSED_MAX = 1024;

/** Those whom somebody waits for; only they are kept by this module. */
const busy = new Set<Commits>();
let keepAlive: NodeJS.Timeout | null = null;

function hold(commits: Commits): void {
  busy.add(commits);
  keepAlive ??= setInterval(() => undefined, 2 ** 31 - 1);
  keepAlive.ref();
}

function letGo(commits: Commits): void {
  if (busy.delete(commits) && busy.size === 0) keepAlive?.unref();
}

/** Waiters in the order of their LSNs. */
class Waiters {
  #list: Waiter[] = [];
  #head = 0;

  get size(): number {
    return this.#list.length - this.#head;
  }

  add(lsn: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let place = this.#list.length;
      while (place > this.#head && this.#list[place - 1]!.lsn > lsn) place--;
      this.#list.splice(place, 0, { lsn, resolve, reject });
    });
  }

  /** Settles everybody up to an LSN; `errorOf` says whose write was refused. */
  settle(upTo: number, errorOf: (lsn: number) => unknown): void {
    while (this.#head < this.#list.length && this.#list[this.#head]!.lsn <= upTo) {
      const waiter = this.#list[this.#head++]!;
      const error = errorOf(waiter.lsn);
      if (error === null) waiter.resolve();
      else waiter.reject(error);
    }
    if (this.#head > 1024 || this.#head === this.#list.length) {
      this.#list = this.#list.slice(this.#head);
      this.#head = 0;
    }
  }
}

export class Commits {
  readonly #collection: NativeCollection;
  readonly #onUntold: (error: PersistenceError) => void;
  readonly #inMemory: boolean;
  readonly #writes = new Waiters();
  readonly #flushes = new Waiters();
  readonly #refused: Refused[] = [];
  #settled: number;
  #durable: number;
  #untold: PersistenceError | null = null;
  #idle: (() => void)[] = [];

  /** `onUntold` hears of refused writes that nobody waits for; the next `flush` rejects with the same. */
  constructor(collection: NativeCollection, onUntold: (error: PersistenceError) => void = () => undefined) {
    this.#collection = collection;
    this.#onUntold = onUntold;
    this.#inMemory = (JSON.parse(unwrap(collection.settings())) as { engine: string }).engine === 'memory';
    this.#settled = this.#durable = collection.durableLsn;
    // The native side holds the listener: a strong reference would keep a collection that everybody else has forgotten.
    const self = new WeakRef(this);
    collection.listen((progress) => {
      const commits = self.deref();
      if (commits !== undefined) commits.#hear(progress);
    });
  }

  /** Settles when the write with this LSN is acknowledged. To be called in the turn of the write. */
  wait(lsn: number): Promise<void> {
    if (this.#inMemory || lsn <= 0) return Promise.resolve();
    if (lsn > this.#settled) return this.#waitIn(this.#writes, lsn);
    const error = this.#errorOf(lsn);
    return error === null ? Promise.resolve() : Promise.reject(error);
  }

  /** Settles when everything written so far is durable; rejects with a refusal that nobody was told of, too. */
  async flush(): Promise<void> {
    const lsn = this.#collection.requestFlush();
    const ended = this.#ended();
    if (ended !== null) throw ended;
    if (!this.#inMemory && lsn > this.#durable) await this.#waitIn(this.#flushes, lsn);
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

  #waitIn(waiters: Waiters, lsn: number): Promise<void> {
    const waiting = waiters.add(lsn);
    hold(this);
    return waiting;
  }

  #hear({ settled, durable, first, last, failure }: CommitProgress): void {
    if (failure != null && first != null && last != null) this.#remember({ first, last, error: toError(failure) });
    this.#settled = settled;
    this.#durable = durable;
    this.#writes.settle(settled, (lsn) => this.#errorOf(lsn));
    this.#flushes.settle(durable, () => null);
    if (this.#flushes.size > 0) {
      const ended = this.#ended();
      if (ended !== null) this.#flushes.settle(Infinity, () => ended);
    }
    if (this.#isBusy) return;
    letGo(this);
    for (const resolve of this.#idle.splice(0)) resolve();
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

  #errorOf(lsn: number): PersistenceError | null {
    if (this.#refused.length === 0) return null;
    return this.#refused.find(({ first, last }) => first <= lsn && lsn <= last)?.error ?? null;
  }

  /** Why nothing will become durable any more, when that is so. */
  #ended(): PersistenceError | null {
    const refusal = this.#collection.refusal();
    return refusal !== null && (refusal.code === 'ERR_POISONED' || refusal.code === 'ERR_CLOSED') ? toError(refusal) : null;
  }
}
