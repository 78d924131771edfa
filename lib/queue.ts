/**
 * The calls of one instance, one after another, in the order they were made.
 *
 * Promises: a call that is cancelled while it waits rejects at once and is never begun; a call that fails does not
 * hinder the next; after `close` every new call is refused, and those that wait are still carried out.
 */
import { closedError } from './errors';
import type { Call } from './progress';

export class Queue {
  #tail: Promise<void> = Promise.resolve();
  #closed = false;

  close(): void {
    this.#closed = true;
  }

  /** The work gets its turn after all calls made before. */
  async run<T>(call: Call, work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw closedError();
    call.check();
    return this.runLast(call, work);
  }

  /** As `run`, also when closed. */
  runLast<T>(call: Call, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      call.whileWaiting(reject);
      this.#tail = this.#tail.then(async () => {
        call.whileWaiting(null);
        try {
          call.check();
          resolve(await work());
        } catch (error) {
          reject(error);
        } finally {
          call.end();
        }
      });
    });
  }
}
