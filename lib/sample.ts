/**
 * A look at a few entries, chosen at random: whether the database still has what is known of them.
 *
 * Promises: what was written meanwhile is no difference. Of ruvector and a Map the whole entry is compared; another
 * database may keep entries in a form of its own, so there it counts only that the id is there. It changes nothing.
 */
import { isUnfit } from './capture';
import { unwrap } from './errors';
import { isSameEntry } from './tell-apart';
import type { Tracker } from './tracker';

const ENTRIES = 8;

/** Whether nothing was found that differs. A database that cannot be asked is taken at its word. */
export async function sample(tracker: Tracker): Promise<boolean> {
  const { adapter, journal } = tracker;
  if (!adapter.read) return true;
  const watch = tracker.watch();
  try {
    for (const id of choose(tracker)) {
      const known = unwrap(journal.collection.get(id));
      const held = await adapter.read(id);
      if (known === null || watch.swept || watch.begun.has(id) || watch.recorded.has(id)) continue;
      if (held === null) return false;
      if (adapter.kind !== 'generic' && (isUnfit(held) || !isSameEntry(held, known))) return false;
    }
    return true;
  } catch {
    return true;
  } finally {
    tracker.unwatch(watch);
  }
}

function choose({ journal: { collection } }: Tracker): Set<string> {
  const { length } = collection;
  const ids = new Set(unwrap(collection.page(0, length > ENTRIES ? 1 : ENTRIES, 1 << 20)).ids);
  for (let tries = 2 * ENTRIES; ids.size < Math.min(ENTRIES, length) && tries > 0; tries--) {
    const [id] = unwrap(collection.page(1 + Math.floor(Math.random() * length), 1, 1)).ids;
    if (id !== undefined) ids.add(id);
  }
  // Behind the last page the collection lets go of the version that pages are cut from.
  unwrap(collection.page(Number.MAX_SAFE_INTEGER, 1, 1));
  return ids;
}
