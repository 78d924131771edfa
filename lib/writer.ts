/**
 * Writes content to a live database, page by page.
 *
 * Promises: ids that the user has written since the watch was set are skipped; when such a write turns out to have failed,
 * or collided with one of our pages, `settle` puts it right. Between pages other work of the process gets its turn.
 * What to write, and what to do when it fails, is decided in `apply.ts`.
 */
import type { Row } from './adapters/adapter';
import { isUnfit } from './capture';
import { PersistenceError, unwrap } from './errors';
import { look } from './look';
import { Mirror } from './mirror';
import { native, type EntriesPage, type NativeCollection, type NativePlan } from './native';
import { turn } from './pace';
import type { Call } from './progress';
import type { Tracker, Watch } from './tracker';

const SETTLE_ROUNDS = 100;

/** An error that the database itself has thrown. */
class DatabaseError extends Error {
  constructor(override readonly cause: unknown) {
    super('the database failed');
  }
}

export class Writer {
  /** Ids that were skipped, and the content that would have been written for them. */
  readonly #skipped = new Map<string, NativeCollection>();
  readonly #contested = new Set<unknown>();

  readonly #mirror: Mirror;

  constructor(readonly tracker: Tracker, readonly watch: Watch, readonly batchSize: number) {
    this.#mirror = new Mirror(tracker);
    tracker.contested = this.#contested;
  }

  /** What follows goes back: what was left out on the way there is of no concern any more. */
  turnBack(): void {
    this.#skipped.clear();
  }

  /** Nothing more will be written. */
  end(): void {
    this.#mirror.end();
    this.tracker.contested = null;
    this.tracker.settleDoubts();
  }

  /** Tells the database that its new content is complete. */
  async finish(): Promise<void> {
    await this.#mirror.run(() => this.tracker.adapter.finish());
  }

  /** What the database threw, when `error` came from it; else null. */
  databaseError(error: unknown): unknown {
    return error instanceof DatabaseError ? error.cause : null;
  }

  /** Carries out a plan from `from` to `to`. What is not there already is taken as removed. */
  async follow(plan: NativePlan, from: NativeCollection, to: NativeCollection, call: Call | null): Promise<void> {
    const total = plan.removed + plan.changed + plan.added;
    let done = 0;
    for (let cursor = 0; cursor >= 0 && plan.removed > 0; ) {
      const { ids, next } = plan.removedIds(cursor, this.batchSize);
      const free = this.#free(ids, to);
      if (free.length > 0) await this.#ours(new Set(free), () => this.tracker.adapter.remove(free));
      done += ids.length;
      cursor = next;
      await this.#between(call, done, total);
    }
    for (let cursor = 0; cursor >= 0 && plan.changed + plan.added > 0; ) {
      const page = unwrap(plan.puts(cursor, this.batchSize, this.tracker.adapter.pageBytes));
      // While going back it is not known how far the way there went: whatever is there is replaced.
      await this.#writePage(page, call === null ? null : from, to);
      done += page.ids.length;
      cursor = page.next;
      await this.#between(call, done, total);
    }
  }

  /** Removes everything and writes `to`. */
  async rewrite(to: NativeCollection, call: Call | null): Promise<void> {
    await this.#ours('all', () => this.tracker.adapter.clear());
    // What the user wrote before and during the clear is gone with it.
    for (const id of this.watch.begun) this.#contested.add(id);
    const empty = new native.NativeCollection(to.dimension || null, to.metric);
    await this.follow(unwrap(await native.plan(empty, to)), empty, to, call);
  }

  async #writePage(page: EntriesPage, from: NativeCollection | null, to: NativeCollection): Promise<void> {
    const free = new Set(this.#free(page.ids, to));
    const rows = rowsOf(page).filter(({ id }) => free.has(id));
    if (rows.length === 0) return;
    const there = new Set(from === null ? page.ids : page.ids.filter((id) => unwrap(from.has(id))));
    await this.#ours(free, () => this.tracker.adapter.write(rows, there));
  }

  /** The ids that are not the user's. */
  #free(ids: readonly string[], to: NativeCollection): string[] {
    return ids.filter((id) => {
      if (!this.watch.begun.has(id)) return true;
      this.#skipped.set(id, to);
      return false;
    });
  }

  async #ours(ids: ReadonlySet<unknown> | 'all', work: () => PromiseLike<void> | void): Promise<void> {
    try {
      await this.tracker.writing(ids, () => this.#mirror.run(work));
    } catch (error) {
      throw error instanceof PersistenceError ? error : new DatabaseError(error);
    }
  }

  async #between(call: Call | null, done: number, total: number): Promise<void> {
    call?.report('apply', done, total, `Writing to the database: ${done} of ${total} entries`);
    call?.check();
    if (this.watch.swept && call) throw new PersistenceError('ERR_APPLY', 'another call cleared or reloaded it meanwhile');
    await turn();
  }

  /** Puts right what the user's writes of meanwhile have left undone. */
  async settle(): Promise<void> {
    for (let round = 0; round < SETTLE_ROUNDS && (this.#skipped.size > 0 || this.#contested.size > 0); round++) {
      await this.tracker.landed();
      const skipped = [...this.#skipped];
      const contested = [...this.#contested];
      this.#skipped.clear();
      // The user's write was refused by the database: then the id is ours after all.
      for (const [id, to] of skipped) if (!this.watch.recorded.has(id)) await this.#put(id, unwrap(to.get(id)));
      for (const id of contested) {
        // A write of the user that begins from here on makes it contested anew.
        this.#contested.delete(id);
        if (this.watch.recorded.has(id)) await this.#putUsers(id);
      }
    }
  }

  async #putUsers(id: unknown): Promise<void> {
    const value = this.tracker.journal.value(id);
    if (typeof id !== 'string' || (value !== null && isUnfit(value))) return;
    await this.#put(id, value);
  }

  async #put(id: string, value: { vector: Float32Array; metadata?: string | null } | null): Promise<void> {
    const { adapter } = this.tracker;
    await this.#ours(new Set([id]), async () => {
      if (value === null) await adapter.remove([id]);
      else await adapter.write([{ id, vector: value.vector, metadata: parse(value.metadata) }], new Set([id]));
    });
  }

  /** The database must say that it holds as many entries as it should. */
  async checkCount(expected: () => number): Promise<void> {
    const seen = await look(this.tracker, expected);
    if (!seen.agrees) throw new PersistenceError('ERR_APPLY', `the database says it holds ${seen.count} entries, where ${seen.known} are due`);
  }
}

const parse = (metadata: string | null | undefined): Row['metadata'] => (metadata ? (JSON.parse(metadata) as Row['metadata']) : null);

/** The rows of a page, each vector with a buffer of its own. */
function rowsOf({ ids, vectors, metadata }: EntriesPage): Row[] {
  const objects = JSON.parse(metadata) as Row['metadata'][];
  const dimension = ids.length === 0 ? 0 : vectors.length / ids.length;
  return ids.map((id, row) => {
    // Made here and not by `slice`, so that it is a Float32Array of the caller's realm (a Jest sandbox has its own).
    const vector = new Float32Array(vectors.subarray(row * dimension, (row + 1) * dimension));
    return { id, vector, metadata: objects[row] ?? null };
  });
}
