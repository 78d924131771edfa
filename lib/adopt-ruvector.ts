/**
 * Adoption of a ruvector database from its own file, which is read natively, from a copy.
 *
 * The database does not tell where its file is. Candidates are the option `databasePath`, or else the ruvector files that
 * this process holds open; a candidate is taken when it has as many entries as the database, and a sample of them is
 * equal, bit for bit, to what the database gives for their ids.
 */
import { addTo, combinedSize, type Find } from './find';
import { look } from './look';
import { isUnfit } from './capture';
import { isFailure, PersistenceError, toError } from './errors';
import { native, type NativeCollection } from './native';
import type { Settings } from './options';
import { Pace } from './pace';
import type { Tracker, Watch } from './tracker';

/** Ids compared when there is one candidate, and when there are several to tell apart. */
const SAMPLE_ONE = 32;
const SAMPLE_MANY = 512;
const EMPTY_BYTES_MAX = 8 << 20;

/** The content of the file of this database, or null when no file is known to be its. */
export async function findRuvector(tracker: Tracker, settings: Settings, watch: Watch): Promise<Find | null> {
  const { databasePath } = settings;
  const paths = await candidates(settings);
  const sample = paths.length > 1 ? SAMPLE_MANY : SAMPLE_ONE;
  let first: Find | null = null;
  const metrics = new Set<string | null>();
  for (const path of paths) {
    const content = await native.readRuvector(path, new native.NativeJob());
    if (isFailure(content)) {
      // A file that was named must be readable; one that was found may be anybody's.
      if (databasePath !== undefined) throw toError(content);
      continue;
    }
    const find: Find = { collection: content, refused: new Map() };
    if (!(await isContentOf(tracker, find, sample, watch))) continue;
    first ??= find;
    metrics.add(find.collection.metric);
  }
  if (first === null) return null;
  // Two files of equal content and different metrics: which of them it is cannot be told.
  const [metric] = metrics;
  if (metrics.size > 1) return withoutMetric(tracker, first);
  takeMetric(tracker, settings, metric ?? null);
  return first;
}

/** An empty database has a metric all the same; its file tells it. Only small files can be an empty database's. */
export async function learnMetric(tracker: Tracker, settings: Settings): Promise<void> {
  if (tracker.adapter.kind !== 'ruvector' || tracker.journal.metric !== null) return;
  const metrics = new Set<string | null>();
  for (const path of await candidates(settings)) {
    const bytes = await native.fileSize(path);
    if (typeof bytes !== 'number' || bytes > EMPTY_BYTES_MAX) continue;
    const content = await native.readRuvector(path, new native.NativeJob());
    if (isFailure(content) || content.length > 0 || content.dimension !== tracker.journal.dimension) continue;
    metrics.add(content.metric);
  }
  const [metric] = metrics;
  if (metrics.size === 1 && metric && tracker.journal.size === 0) takeMetric(tracker, settings, metric);
}

function takeMetric(tracker: Tracker, settings: Settings, metric: string | null): void {
  if (metric === null) return;
  if (settings.metric !== undefined && settings.metric !== metric) {
    throw new PersistenceError('ERR_METRIC', `Option "metric" is '${settings.metric}', but the database has '${metric}'`);
  }
  tracker.journal.describe(null, metric);
}

/** A system that does not tell which files are open leaves the other ways of adoption. */
async function candidates({ databasePath }: Settings): Promise<string[]> {
  if (databasePath !== undefined) return [databasePath];
  const files = await native.ruvectorFiles();
  return isFailure(files) ? [] : files;
}

async function isContentOf(tracker: Tracker, find: Find, sample: number, watch: Watch): Promise<boolean> {
  const { collection } = find;
  const { dimension } = tracker.journal;
  if (dimension !== null && collection.dimension > 0 && collection.dimension !== dimension) return false;
  const seen = await look(tracker, () => combinedSize(tracker, find, watch));
  if (!seen.agrees) return false;
  const step = Math.max(1, Math.floor(collection.length / sample));
  for (let cursor = 0; cursor < collection.length; cursor += step) {
    const [id] = collection.page(cursor, 1, 1 << 20).ids;
    if (id === undefined) break;
    if (!(await isSame(tracker, collection, id)) && !watch.begun.has(id) && !watch.recorded.has(id)) return false;
  }
  return true;
}

async function isSame(tracker: Tracker, collection: NativeCollection, id: string): Promise<boolean> {
  const there = await tracker.adapter.read!(id);
  const read = collection.get(id);
  if (there === null || isUnfit(there) || read === null) return false;
  return Buffer.compare(bytesOf(there.vector), bytesOf(read.vector)) === 0;
}

const bytesOf = (vector: Float32Array): Uint8Array => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);

/** The same content in a collection that says nothing of a metric. */
async function withoutMetric(tracker: Tracker, { collection }: Find): Promise<Find> {
  const find: Find = { collection: tracker.journal.fresh(), refused: new Map() };
  const pace = new Pace();
  for (let cursor = 0; cursor >= 0; ) {
    const page = collection.page(cursor, 1000, 1 << 20);
    for (const id of page.ids) {
      const found = collection.get(id);
      if (found) addTo(find, { id, vector: found.vector, metadata: found.metadata ?? null });
      if (pace.due()) await pace.rest();
    }
    cursor = page.next;
  }
  return find;
}
