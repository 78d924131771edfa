/**
 * Tells our own calls of a database from the user's while content is written to it.
 *
 * A generic database may carry out `insertBatch` by calling its own `insert`, which is wrapped. Whatever is called from
 * within `run`, at once or later, is ours and passes the tracking; what the user calls meanwhile does not.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Tracker } from './tracker';

export class Mirror {
  readonly #ours: AsyncLocalStorage<true> | null;

  constructor(readonly tracker: Tracker) {
    // ruvector and Map call none of their own wrapped methods; following promises would only cost time.
    this.#ours = tracker.adapter.kind === 'generic' ? new AsyncLocalStorage() : null;
    const ours = this.#ours;
    if (ours !== null) tracker.passing = () => ours.getStore() === true;
  }

  run<T>(work: () => T): T {
    return this.#ours === null ? work() : this.#ours.run(true, work);
  }

  end(): void {
    this.tracker.passing = null;
    this.#ours?.disable();
  }
}
