/**
 * A look at how many entries the database says it holds, beside how many are known.
 *
 * While writes are under way the two cannot be compared exactly; then it is waited for a quiet moment, and when there is
 * none, a difference counts only when the writes that moved meanwhile cannot explain it.
 */
import type { Tracker } from './tracker';

export interface Look {
  /** What the database says; null when it cannot tell. */
  readonly count: number | null;
  /** What is known. */
  readonly known: number;
  readonly agrees: boolean;
  /** No write moved during the look. */
  readonly exact: boolean;
}

const ATTEMPTS = 10;

export async function look(tracker: Tracker, size: () => number = () => tracker.journal.size): Promise<Look> {
  for (let attempt = 1; ; attempt++) {
    await tracker.landed();
    const before = tracker.sequence;
    const underway = tracker.underway;
    const count = await tracker.adapter.count();
    const known = size();
    const moved = tracker.sequence - before + underway + tracker.underway;
    const exact = moved === 0;
    if (exact || count === null || attempt === ATTEMPTS) {
      return { count, known, agrees: count === null || Math.abs(count - known) <= moved, exact };
    }
  }
}
