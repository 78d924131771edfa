/**
 * Adoption: finding out what a database held before it was tracked, or after something changed it behind our back.
 *
 * Promises: what was tracked meanwhile is never overwritten; when it resolves, the journal has as many entries as the
 * database says it holds; when that cannot be reached it rejects with ERR_INCOMPLETE, with numbers and advice: then the
 * journal is no ground for a save. It reads the database and changes nothing in it.
 */
import { findRuvector } from './adopt-ruvector';
import { combine, type Find, gather } from './find';
import { type Look, look, stillness } from './look';
import { learnMetric } from './metric';
import { asError, PersistenceError } from './errors';
import type { Settings } from './options';
import { pause } from './pace';
import { probe } from './probe';
import type { Tracker, Watch } from './tracker';

const ROUNDS = 6;
/** Doubled before every further round. */
const PAUSE_MS = 4;

export async function adopt(tracker: Tracker, settings: Settings): Promise<void> {
  try {
    await findAll(tracker, settings);
  } catch (cause) {
    if (cause instanceof PersistenceError) throw cause;
    throw new PersistenceError('ERR_INCOMPLETE', `What the database holds could not be read: ${asError(cause).message}`, { cause });
  }
}

async function findAll(tracker: Tracker, settings: Settings): Promise<void> {
  await landEarlier(tracker);
  await describe(tracker, settings);
  let missed: PersistenceError | null = null;
  for (let round = 0; round < ROUNDS; round++) {
    if (round > 0) await pause(PAUSE_MS * 2 ** round);
    const seen = await look(tracker);
    // As many as are known: since all that is known is there, that is all.
    const nothingMore = !tracker.stale && seen.count !== null && seen.agrees && (seen.exact || round > 0);
    if (nothingMore) await learnMetric(tracker, settings);
    missed = nothingMore ? null : await attempt(tracker, settings, seen);
    if (missed === null) {
      tracker.adopted = tracker.wasAdopted = true;
      return;
    }
  }
  throw missed!;
}

/** Waits for writes that were started before the tracking and that nobody awaits. */
async function landEarlier(tracker: Tracker): Promise<void> {
  const { adapter } = tracker;
  const watch = tracker.watch();
  try {
    // The first look also shows whether the database answers with promises.
    const { agrees } = await look(tracker);
    // Once adopted, only ruvector is waited for again: its content cannot be seen while it moves, an enumeration can.
    if (!adapter.late || (tracker.wasAdopted && adapter.kind !== 'ruvector')) return;
    const unexplained = await stillness(tracker);
    // Such a write may have landed after a tracked one of the same id.
    if (unexplained || !agrees) for (const id of watch.recorded) tracker.doubt(id);
  } finally {
    tracker.unwatch(watch);
  }
}

/** What the database knows of itself must not contradict what the options say. */
export function checkKnown(own: { dimension: number | null; metric: string | null }, settings: Settings): void {
  if (settings.dimension !== undefined && own.dimension !== null && own.dimension !== settings.dimension) {
    throw new PersistenceError('ERR_DIMENSION', `Option "dimension" is ${settings.dimension}, but the database has ${own.dimension}`);
  }
  if (settings.metric !== undefined && own.metric !== null && own.metric !== settings.metric) {
    throw new PersistenceError('ERR_METRIC', `Option "metric" is '${settings.metric}', but the database has '${own.metric}'`);
  }
}

async function describe(tracker: Tracker, settings: Settings): Promise<void> {
  const own = await tracker.adapter.describe();
  checkKnown(own, settings);
  tracker.journal.describe(own.dimension, own.metric);
}

/** One try: null when everything was found, else what is missing. */
async function attempt(tracker: Tracker, settings: Settings, seen: Look): Promise<PersistenceError | null> {
  const watch = tracker.watch();
  const wasStale = tracker.stale;
  tracker.stale = false;
  try {
    const found = await find(tracker, settings, seen, watch);
    if (found instanceof PersistenceError) {
      tracker.stale ||= wasStale;
      return found;
    }
    await combine(tracker, found, watch);
  } catch (error) {
    tracker.stale ||= wasStale;
    throw error;
  } finally {
    tracker.unwatch(watch);
  }
  if (watch.swept || tracker.stale) return incomplete(seen, 'everything was replaced while it was read; try again');
  const after = await look(tracker);
  return after.agrees ? null : incomplete(after, 'it changes too fast to be read; pause the writes and try again');
}

async function find(tracker: Tracker, settings: Settings, seen: Look, watch: Watch): Promise<Find | PersistenceError> {
  const { adapter } = tracker;
  const entries = adapter.enumerate();
  if (entries !== null) return gather(tracker, entries, watch);
  if (seen.count === null) {
    const why = 'The database can neither list its entries nor say how many it holds, so it cannot be known that a save is complete';
    return new PersistenceError('ERR_INCOMPLETE', `${why}. Give it a method "entries", or "len" or "stats"`);
  }
  if (adapter.kind === 'ruvector') {
    const found = await findRuvector(tracker, settings, watch);
    if (found !== null) return found;
  }
  const probed = await probe(tracker, seen.count, watch);
  if (probed !== null && probed.agrees) return probed.find;
  const known = probed?.known ?? seen.known;
  return incomplete({ count: seen.count, known }, adviceFor(tracker));
}

function adviceFor(tracker: Tracker): string {
  if (tracker.adapter.kind === 'ruvector') {
    return 'give the option "databasePath" (the storagePath of the VectorDB), or make the DatabasePersistence before the first insert';
  }
  return 'give the database a method "entries" (or "keys" and "get"), or make the DatabasePersistence before the first insert';
}

export function incomplete({ count, known }: Pick<Look, 'count' | 'known'>, advice: string): PersistenceError {
  const missing = count === null ? '' : count > known ? ` (${count - known} missing)` : ` (${known - count} too many)`;
  const numbers = `The database holds ${count ?? 'an unknown number of'} entries, but ${known} of them are known${missing}`;
  return new PersistenceError('ERR_INCOMPLETE', `${numbers}: nothing is saved, because it would not be complete. What to do: ${advice}`);
}
