/**
 * Writes down what a successful call of the user changed: in the journal, and for those who watch.
 * It follows no call and asks no database; doubts are handed to the tracker.
 */
import type { Recorder } from './adapters/adapter';
import type { Captured, Unfit } from './capture';
import type { Rule } from './journal';
import type { Tracker, Watch } from './tracker';

export class WatchedRecorder implements Recorder {
  readonly #tracker: Tracker;
  readonly #watches: ReadonlySet<Watch>;
  /** The write that is being recorded; null while a value that was read back is. */
  #serial: number | null = null;

  constructor(tracker: Tracker, watches: ReadonlySet<Watch>) {
    this.#tracker = tracker;
    this.#watches = watches;
  }

  /** Has a write recorded. */
  during(serial: number, record: (recorder: Recorder) => void): void {
    const outer = this.#serial;
    this.#serial = serial;
    try {
      record(this);
    } finally {
      this.#serial = outer;
    }
  }

  put(entry: Captured, rule: Rule = this.#tracker.journal.rule): void {
    this.#touch(entry.id);
    this.#tracker.journal.put(entry, rule);
  }

  drop(id: unknown): void {
    this.#touch(id);
    this.#tracker.journal.drop(id);
  }

  setMetadata(id: unknown, metadata: string | null | Unfit): void {
    this.#touch(id);
    const { journal } = this.#tracker;
    if (typeof metadata === 'object' && metadata !== null) journal.put(metadata);
    else if (!journal.setMetadata(id, metadata)) this.lost();
  }

  clear(): void {
    this.#tracker.swept();
    this.#tracker.journal.clear();
  }

  unsure(id: unknown): void {
    this.#touch(id);
    this.#tracker.doubt(id);
  }

  lost(): void {
    for (const watch of this.#watches) watch.swept = true;
    this.#tracker.stale = true;
    this.#tracker.acknowledgements.lost();
  }

  #touch(id: unknown): void {
    for (const watch of this.#watches) {
      // A write that began before the watch is none of its concern, nor is a value read back for such a write.
      if (this.#serial === null ? watch.since > 0 && !watch.begun.has(id) : this.#serial < watch.since) continue;
      watch.begun.add(id);
      watch.recorded.add(id);
    }
  }
}
