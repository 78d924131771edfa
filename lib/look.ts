/**
 * A look at how many entries the database says it holds, beside how many are known.
 *
 * While writes are under way the two cannot be compared exactly; then it is waited for a quiet moment, and when there is
 * none, a difference counts only when the writes that moved meanwhile cannot explain it.
 */
import { asError, PersistenceError } from './errors';
import { pause } from './pace';
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
const POLL_MS = 10;
const STILL_MS = 100;
const STILL_GAPS = 10;
const NEVER_EXACT_MS = 5000;

export async function look(tracker: Tracker, size: () => number = () => tracker.journal.size): Promise<Look> {
  for (let attempt = 1; ; attempt++) {
    await tracker.landed();
    const before = tracker.sequence;
    const underway = tracker.underway;
    const count = await ask(tracker);
    const known = size();
    const moved = tracker.sequence - before + underway + tracker.underway;
    const exact = moved === 0;
    if (exact || count === null || attempt === ATTEMPTS) {
      return { count, known, agrees: count === null || Math.abs(count - known) <= moved, exact };
    }
  }
}

async function ask({ adapter }: Tracker): Promise<number | null> {
  try {
    return await adapter.count();
  } catch (cause) {
    throw new PersistenceError('ERR_INCOMPLETE', `The database could not say how many entries it holds: ${asError(cause).message}`, { cause });
  }
}

/**
 * Resolves when writes that were started before the tracking, and whose promises nobody holds, have landed: when the part
 * of the count that nothing explains has not moved for a while, the longer the slower it moved before. Tells whether there
 * was such a part.
 */
export async function stillness(tracker: Tracker): Promise<boolean> {
  const started = performance.now();
  let moved = started;
  let gap = 0;
  let last: number | null = null;
  let unexplained = false;
  for (;;) {
    const { count, known, agrees, exact } = await look(tracker);
    if (count === null) return true;
    unexplained ||= !agrees;
    const now = performance.now();
    if (exact && count - known !== last) {
      if (last !== null) gap = Math.max(gap, now - moved);
      last = count - known;
      moved = now;
    }
    if (exact && now - moved >= Math.max(STILL_MS, STILL_GAPS * gap)) return unexplained;
    // Someone writes without a pause: what is tracked cannot be told from what is not.
    if (!exact && now - Math.max(started, moved) > NEVER_EXACT_MS) return true;
    await pause(POLL_MS);
  }
}
