/**
 * Ids whose value is in doubt, because writes of them overlapped or brought no metadata: it is read back from the database.
 *
 * Promises: a value is handed on only when nothing of its id was under way from the beginning of the read to its end. When
 * that is, is the tracker's knowledge; here the reads are kept and repeated.
 */
import type { Adapter } from './adapters/adapter';
import type { Captured } from './capture';
import { later, type Promised } from './later';
import { isThenable } from './wrap';

interface Doubt {
  reading: boolean;
  /** What is being read says nothing: read again. */
  again: boolean;
  /** For those who wait until it is settled. */
  later: Promised | null;
}

export interface DoubtsOwner {
  /** Something of the id is under way; `settle` is called when it has ended. */
  mustWait(id: unknown): boolean;
  /**
   * The value of the id; null when there is none, undefined when the database could not be asked. What is still to be
   * waited for, by those who are `awaited`.
   */
  settled(id: unknown, value: Captured | null | undefined, awaited: boolean): Promise<void> | null;
}

export class Doubts {
  readonly #doubts = new Map<unknown, Doubt>();

  constructor(readonly read: Adapter['read'], readonly pending: Set<Promise<void>>, readonly owner: DoubtsOwner) {}

  get size(): number {
    return this.#doubts.size;
  }

  /** A database that cannot be read leaves what was recorded. */
  add(id: unknown): void {
    if (!this.read) return;
    const doubt = this.#doubts.get(id);
    if (doubt) doubt.again = true;
    else this.#doubts.set(id, { reading: false, again: false, later: null });
    this.settle(id);
  }

  /** Resolves when the value of the id is known and durable; null when there is no doubt about it. */
  settlement(id: unknown): Promise<void> | null {
    const doubt = this.#doubts.get(id);
    if (!doubt) return null;
    doubt.later ??= later();
    return doubt.later.promise;
  }

  renewOne(id: unknown): void {
    const doubt = this.#doubts.get(id);
    if (doubt) doubt.again = true;
  }

  renew(which: (id: unknown) => boolean): void {
    for (const [id, doubt] of this.#doubts) if (which(id)) doubt.again = true;
  }

  settleAll(): void {
    for (const id of [...this.#doubts.keys()]) this.settle(id);
  }

  settle(id: unknown): void {
    const doubt = this.#doubts.get(id);
    if (!doubt || doubt.reading || this.owner.mustWait(id)) return;
    doubt.again = false;
    doubt.reading = true;
    let found: ReturnType<NonNullable<Adapter['read']>>;
    try {
      found = this.read!(id);
    } catch {
      this.#end(id, doubt, undefined);
      return;
    }
    if (!isThenable(found)) {
      this.#end(id, doubt, found);
      return;
    }
    const reading: Promise<void> = Promise.resolve(found)
      .then((value) => this.#end(id, doubt, value), () => this.#end(id, doubt, undefined))
      .finally(() => this.pending.delete(reading));
    this.pending.add(reading);
  }

  #end(id: unknown, doubt: Doubt, value: Captured | null | undefined): void {
    doubt.reading = false;
    if (doubt.again) {
      this.settle(id);
      return;
    }
    this.#doubts.delete(id);
    const durable = this.owner.settled(id, value, doubt.later !== null);
    doubt.later?.resolve(durable ?? Promise.resolve());
  }
}
