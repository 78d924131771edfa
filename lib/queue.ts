/**
 * The calls of one instance, one after another, in the order they were made.
 *
 * Promises: a call that was cancelled while it waits rejects at once and is never begun; a call that fails does not
 * hinder the next; after `close` every new call is refused, and those that wait are still carried out.
 */
import { closedError } from './errors';
import type { Call } from './progress';

export class Queue {
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
  }

  async run<T>(call: Call, work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw closedError();
    return this.runLast(call, work);
  }

  /** As `run`, also when closed. */
  runLast<T>(call: Call, work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(async () => {
      try {
        call.check();
        return await work();
      } finally {
        call.end();
      }
    });
    this.#tail = done.catch(() => undefined);
    return Promise.race([done, call.whenCancelledWhileWaiting()]);
  }
}
