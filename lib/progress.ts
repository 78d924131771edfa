/**
 * One long call: its progress and its cancellation.
 *
 * Promises: the percentage covers the whole call, never decreases, stays under 100 until the call has succeeded and is
 * then reported as 100 once; a callback that throws (or whose promise rejects) cancels the call, which rejects with that
 * very error; an aborted signal makes it reject with `signal.reason`. It does not know what the call does.
 */
import type { ProgressCallback } from '../index';
import { isFailure, toError } from './errors';
import { type Failure, native, type NativeJob } from './native';

/** About 30 reports a second, as the native side does. */
const REPORT_EVERY_MS = 33;

export class Call {
  readonly #onProgress: ProgressCallback | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #jobs = new Set<NativeJob>();
  /** The part of the whole, in percent, that the present stage covers. */
  #stage: readonly [number, number] = [0, 100];
  #highest = 0;
  #listening = false;
  #reported = -Infinity;
  #broken: { readonly error: unknown; readonly bySignal: boolean } | null = null;
  #waiting: ((error: unknown) => void) | null = null;
  readonly #onAbort = (): void => this.#break(this.#signal?.reason, true);

  constructor(options: { onProgress?: ProgressCallback; signal?: AbortSignal } = {}) {
    this.#onProgress = options.onProgress;
    this.#signal = options.signal;
    if (this.#signal?.aborted) this.#onAbort();
    else this.#listen(true);
  }

  #listen(on: boolean): void {
    if (on === this.#listening) return;
    this.#listening = on;
    if (on) this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    else this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  /** Who is to be told of a cancellation before the call has begun; null once it has. */
  whileWaiting(tell: ((error: unknown) => void) | null): void {
    this.#waiting = tell;
  }

  /** What follows covers this part of the whole. */
  stage(from: number, to: number): void {
    this.#stage = [from, to];
  }

  /** Reports `current` of `total` items of the present stage, unless the last report was just now. */
  report(operation: string, current: number, total: number, message: string): void {
    const now = performance.now();
    if (now - this.#reported < REPORT_EVERY_MS) return;
    this.#reported = now;
    this.#tell(operation, total > 0 ? (100 * current) / total : 0, current, total, message);
  }

  /** Whether a signal or the callback has cancelled the call. */
  get cancelled(): boolean {
    return this.#broken !== null;
  }

  /** Throws what cancelled the call, when it was cancelled. */
  check(): void {
    if (this.#broken) throw this.#broken.error;
  }

  /** Runs native work of the present stage; its progress is this call's, and so is its cancellation. */
  async native<T>(work: (job: NativeJob) => Promise<T>): Promise<Exclude<T, Failure>> {
    this.check();
    const report = this.#onProgress === undefined ? undefined : (p: { operation: string; percentage: number; current: number; total: number; message: string }) =>
      this.#tell(p.operation, p.percentage, p.current, p.total, p.message);
    const job = new native.NativeJob(report);
    this.#jobs.add(job);
    try {
      const result = await work(job);
      if (!isFailure(result)) return result as Exclude<T, Failure>;
      this.check();
      throw toError(result);
    } finally {
      this.#jobs.delete(job);
    }
  }

  /**
   * The work of the call is done and stays: the one report of 100. A signal that was aborted meanwhile came too late; what
   * the callback threw rejects the call all the same.
   */
  succeed(operation: string, total: number, message: string): void {
    this.#listen(false);
    if (this.#broken?.bySignal) this.#broken = null;
    this.check();
    this.#deliver(operation, 100, total, total, message);
    this.check();
  }

  /** Lets go of the signal; nothing is reported any more. */
  end(): void {
    this.#listen(false);
    this.#broken ??= { error: undefined, bySignal: false };
  }

  #tell(operation: string, percentage: number, current: number, total: number, message: string): void {
    const [from, to] = this.#stage;
    const whole = Math.floor(from + ((to - from) * Math.min(100, Math.max(0, percentage))) / 100);
    this.#highest = Math.max(this.#highest, Math.min(99, whole));
    this.#deliver(operation, this.#highest, current, total, message);
  }

  #deliver(operation: string, percentage: number, current: number, total: number, message: string): void {
    if (this.#onProgress === undefined || this.#broken) return;
    try {
      const returned: unknown = this.#onProgress({ operation, percentage, current, total, message });
      if (typeof (returned as PromiseLike<unknown> | null | undefined)?.then === 'function') {
        Promise.resolve(returned).catch((error: unknown) => this.#break(error));
      }
    } catch (error) {
      this.#break(error);
    }
  }

  #break(error: unknown, bySignal = false): void {
    if (this.#broken) return;
    this.#broken = { error, bySignal };
    for (const job of this.#jobs) job.cancel();
    this.#waiting?.(error);
  }
}
