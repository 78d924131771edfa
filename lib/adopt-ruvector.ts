/**
 * Adoption of a ruvector database from its own file, which is read natively, from a copy.
 *
 * The database does not tell where its file is. Candidates are the option `databasePath`, or else the ruvector files that
 * this process holds open; a candidate is taken when it has as many entries as the database and a sample of them is equal to
 * what the database gives for their ids; of several, the one that is right where they differ.
 */
import { isUnfit } from './capture';
import { isFailure, toError, unwrap } from './errors';
import { addTo, combinedSize, type Find } from './find';
import { look } from './look';
import { inferMetric, takeMetric } from './metric';
import { native, type NativeCollection } from './native';
import type { Settings } from './options';
import { Pace } from './pace';
import { ruvectorFiles } from './ruvector-files';
import { isSameEntry, tellApart } from './tell-apart';
import type { Tracker, Watch } from './tracker';

/** Ids compared before a file is taken for the database's. */
const SAMPLE = 64;

/** The content of the file of this database, or null when no file is known to be its. */
export async function findRuvector(tracker: Tracker, settings: Settings, watch: Watch): Promise<Find | null> {
  const matches: NativeCollection[] = [];
  for (const path of await ruvectorFiles(settings)) {
    const content = await native.readRuvector(path, new native.NativeJob());
    if (isFailure(content)) {
      // A file that was named must be readable; one that was found may be anybody's.
      if (settings.databasePath !== undefined) throw toError(content);
      continue;
    }
    if (await isContentOf(tracker, content, watch)) matches.push(content);
  }
  const collection = await tellApart(tracker, matches, watch);
  if (collection === null) return null;
  const find: Find = { collection, refused: new Map() };
  // Files of equal content may differ in their metric: the database itself has the last word.
  const metric = (await inferMetric(tracker, collection)) ?? (matches.length === 1 ? collection.metric : null);
  takeMetric(tracker, settings, metric);
  return metric === collection.metric ? find : withMetricOf(tracker, find);
}

async function isContentOf(tracker: Tracker, collection: NativeCollection, watch: Watch): Promise<boolean> {
  const { dimension } = tracker.journal;
  if (dimension !== null && collection.dimension > 0 && collection.dimension !== dimension) return false;
  const seen = await look(tracker, () => combinedSize(tracker, { collection, refused: new Map() }, watch));
  if (!seen.agrees) return false;
  const step = Math.max(1, Math.floor(collection.length / SAMPLE));
  for (let cursor = 0; cursor < collection.length; cursor += step) {
    const [id] = unwrap(collection.page(cursor, 1, 1)).ids;
    if (id === undefined) break;
    const held = await tracker.adapter.read!(id);
    const same = held !== null && !isUnfit(held) && isSameEntry(held, unwrap(collection.get(id)));
    if (!same && !watch.begun.has(id) && !watch.recorded.has(id)) return false;
  }
  return true;
}

/** The same content in a collection that has the metric of the journal. */
async function withMetricOf(tracker: Tracker, { collection }: Find): Promise<Find> {
  const find: Find = { collection: tracker.journal.fresh(), refused: new Map() };
  const pace = new Pace();
  for (let cursor = 0; cursor >= 0; ) {
    const page = unwrap(collection.page(cursor, 1000, 1 << 20));
    for (const id of page.ids) {
      const found = unwrap(collection.get(id));
      if (found) addTo(find, { id, vector: found.vector, metadata: found.metadata ?? null });
      if (pace.due()) await pace.rest();
    }
    cursor = page.next;
  }
  return find;
}
