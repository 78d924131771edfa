/**
 * A database that is a native collection: it is the content itself, so that there is nothing to adopt and nothing to log.
 * Promises: what is saved is the collection of the moment; one that was closed meanwhile is taken as it was last.
 */
import type { Adapter } from './adapters/adapter';
import { checkKnown } from './adopt';
import { PersistenceError } from './errors';
import type { Settings } from './options';
import type { Tracker } from './tracker';

export async function mirror(tracker: Tracker, settings: Settings): Promise<void> {
  const { adapter, journal } = tracker;
  try {
    const collection = await adapter.direct!();
    checkKnown({ dimension: collection.dimension || null, metric: collection.metric }, settings);
    journal.mirror(collection);
    tracker.adopted = true;
  } catch (error) {
    if (!tracker.adopted || (error as PersistenceError).code !== 'ERR_CLOSED') throw error;
  }
}

/** Refuses a journal on disk for such a database. */
export function refuseLog({ direct }: Adapter): void {
  if (!direct) return;
  throw new PersistenceError('ERR_UNSUPPORTED', 'Option "wal" is for databases that keep no log: a VectorDB with a "path" keeps one itself. Leave it out');
}
