/**
 * Those who wait for records of a log, in the order of the last record that each waits for.
 * Promises: whoever waits is settled once, and the cost of that does not grow with how many wait.
 */

/** Who waits for the records from `first` to `last`, and is given `value`. */
export interface Waiter<T = unknown> {
  readonly first: number;
  readonly last: number;
  readonly value: T;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Places of those who have gone that are kept, so that the list is not cut for each. */
const GONE_MAX = 1024;

export class Line {
  #list: Waiter[] = [];
  #gone = 0;

  get size(): number {
    return this.#list.length - this.#gone;
  }

  join<T>(waiter: Waiter<T>): void {
    let place = this.#list.length;
    while (place > this.#gone && this.#list[place - 1]!.last > waiter.last) place--;
    if (place === this.#list.length) this.#list.push(waiter as Waiter);
    else this.#list.splice(place, 0, waiter as Waiter);
  }

  /** Settles everybody up to a record; `errorOf` says why records were refused, or null. */
  settle(upTo: number, errorOf: (first: number, last: number) => unknown = () => null): void {
    const list = this.#list;
    while (this.#gone < list.length && list[this.#gone]!.last <= upTo) {
      const { first, last, value, resolve, reject } = list[this.#gone++]!;
      const error = errorOf(first, last);
      if (error === null) resolve(value);
      else reject(error);
    }
    if (this.#gone < list.length && this.#gone < GONE_MAX) return;
    this.#list = list.slice(this.#gone);
    this.#gone = 0;
  }
}
