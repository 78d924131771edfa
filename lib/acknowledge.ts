/**
 * What the end of a user's call waits for where a journal on disk has to hold what it did.
 *
 * Promises: the promise of a call resolves when all that it changed is acknowledged, values that had to be read back
 * included; a call that another call of the database makes by itself does not wait, the outer one waits for both. It
 * follows no call itself (see `tracker.ts`) and writes nothing.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Doubts } from './doubts';

/** Where changes become durable. */
export interface Durability {
  /** Does `work`, whose changes of the journal belong together. What to wait for; null when nothing was changed. */
  record(work: () => void): Promise<void> | null;
  /** Resolves when the database was read anew and what it holds is durable. */
  reread(): Promise<void>;
  /** Tells of a failure that nobody waits for. */
  background(error: unknown): void;
}

/** One call under way. */
export interface OpenCall {
  ended: boolean;
  /** What calls that it made have to wait for. */
  readonly inner: Promise<void>[];
  /** The call that makes this one. */
  readonly outer: OpenCall | null;
}

export class Acknowledgements {
  /** Which call is made by which; null where no method of the database calls another. */
  #scope: AsyncLocalStorage<OpenCall> | null = null;
  #durability: Durability | null = null;
  /** What is found out while the end of a call is recorded. */
  #ending: { readonly doubted: Set<unknown>; lost: boolean } | null = null;
  #told: unknown = null;

  constructor(readonly doubts: () => Doubts) {}

  /** From now on calls wait; `nests`: methods of the database may call each other. */
  wait(durability: Durability, nests: boolean): void {
    this.#durability = durability;
    if (nests) this.#scope = new AsyncLocalStorage();
  }

  /** null where nothing has to be durable. */
  begin(): OpenCall | null {
    if (this.#durability === null) return null;
    const outer = this.#scope?.getStore() ?? null;
    return { ended: false, inner: [], outer: outer?.ended ? null : outer };
  }

  /** Makes the call, so that calls that it makes are known. */
  run<T>(call: OpenCall | null, work: () => T): T {
    return this.#scope === null || call === null ? work() : this.#scope.run(call, work);
  }

  /** The value of this id has to be read back. */
  doubted(id: unknown): void {
    this.#ending?.doubted.add(id);
  }

  /** Anything may have changed. */
  lost(): void {
    if (this.#ending !== null) this.#ending.lost = true;
  }

  /** Records the end of a call. What it has to wait for; null when nothing. */
  end(call: OpenCall | null, record: () => void): Promise<void> | null {
    const durability = this.#durability;
    if (call === null || durability === null) {
      record();
      return null;
    }
    const before = this.#ending;
    const ending = { doubted: new Set<unknown>(), lost: false };
    this.#ending = ending;
    const waits = call.inner;
    try {
      const own = durability.record(record);
      if (own !== null) waits.push(own);
    } finally {
      this.#ending = before;
      call.ended = true;
    }
    for (const id of ending.doubted) {
      const settled = this.doubts().settlement(id);
      if (settled !== null) waits.push(settled);
    }
    if (ending.lost) waits.push(durability.reread());
    if (waits.length === 0) return null;
    const all = waits.length === 1 ? waits[0]! : Promise.all(waits).then(() => undefined);
    if (call.outer === null || call.outer.ended) return all;
    all.catch(() => undefined);
    call.outer.inner.push(all);
    return null;
  }

  /** Records a value that was read back. What those who are `awaited` wait for. */
  settle(record: () => void, awaited: boolean): Promise<void> | null {
    if (this.#durability === null) {
      record();
      return null;
    }
    const durable = this.#durability.record(record);
    if (!awaited) this.unawaited(durable);
    return durable;
  }

  /** What those wait for whose value could not be read back. */
  reread(): Promise<void> | null {
    return this.#durability?.reread() ?? null;
  }

  /** Nobody waits for this. One failure is told once, whatever it was that failed by it. */
  unawaited(commit: Promise<void> | null): void {
    commit?.catch((error: unknown) => {
      if (error === this.#told) return;
      this.#told = error;
      this.#durability?.background(error);
    });
  }
}
