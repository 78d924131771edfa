/**
 * The distance metric of a ruvector database, which it does not tell.
 *
 * From the score of one search, compared with what each metric would give for the found vector; for an empty database, which
 * finds nothing, from its file. What cannot be told stays unknown; nothing is guessed.
 */
import { isFailure, PersistenceError, unwrap } from './errors';
import { native, type NativeCollection } from './native';
import type { Settings } from './options';
import { ruvectorFiles } from './ruvector-files';
import type { Tracker } from './tracker';

const EMPTY_BYTES_MAX = 8 << 20;
const TOLERANCE = 1e-3;
const QUERIES_MAX = 4;

/** Learns the metric, when it is not known and can be known. */
export async function learnMetric(tracker: Tracker, settings: Settings): Promise<void> {
  const { journal, adapter } = tracker;
  if (adapter.kind !== 'ruvector' || journal.metric !== null) return;
  const empty = journal.size === 0;
  const metric = empty ? await metricOfEmpty(tracker, settings) : await inferMetric(tracker, journal.collection);
  // What was inserted since is looked at next time.
  if (!empty || journal.size === 0) takeMetric(tracker, settings, metric);
}

export function takeMetric(tracker: Tracker, settings: Settings, metric: string | null): void {
  if (metric === null) return;
  if (settings.metric !== undefined && settings.metric !== metric) {
    throw new PersistenceError('ERR_METRIC', `Option "metric" is '${settings.metric}', but the database has '${metric}'`);
  }
  tracker.journal.describe(null, metric);
}

/** All small ruvector files that are empty and of this dimension, when they have one metric. */
async function metricOfEmpty(tracker: Tracker, settings: Settings): Promise<string | null> {
  const metrics = new Set<string | null>();
  for (const path of await ruvectorFiles(settings)) {
    const bytes = await native.fileSize(path);
    if (typeof bytes !== 'number' || bytes > EMPTY_BYTES_MAX) continue;
    const content = await native.readRuvector(path, new native.NativeJob());
    if (isFailure(content) || content.length > 0 || content.dimension !== tracker.journal.dimension) continue;
    metrics.add(content.metric);
  }
  const [metric] = metrics;
  return metrics.size === 1 ? (metric ?? null) : null;
}

/** The metric that explains the score of a search; null when none does, or more than one. */
export async function inferMetric({ adapter }: Tracker, content: NativeCollection): Promise<string | null> {
  if (!adapter.nearest) return null;
  for (const query of queriesNear(content)) {
    // A database that cannot be searched now leaves the metric unknown; that is no reason to refuse a save.
    const nearest = await adapter.nearest(query).catch(() => null);
    if (nearest === null || nearest.vector.length !== query.length) return null;
    const due = Object.entries(distances(query, nearest.vector));
    const explained = due.filter(([, distance]) => Math.abs(distance - nearest.score) <= TOLERANCE * Math.max(1, Math.abs(distance)));
    if (explained.length === 1) return explained[0]![0];
  }
  return null;
}

/** Queries for which the metrics give clearly different scores: near ordinary vectors, but not these. */
function* queriesNear(content: NativeCollection): Iterable<Float32Array> {
  let left = QUERIES_MAX;
  for (const id of unwrap(content.page(0, 16, 1 << 20)).ids) {
    const vector = unwrap(content.get(id))?.vector;
    if (vector === undefined || vector.length < 2) continue;
    const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    if (!(norm > 1e-6 && norm < 1e6)) continue;
    if (left-- === 0) return;
    yield vector.map((value, index) => (value / norm) * 3 + (index < 2 ? index + 0.5 : 0));
  }
}

/** Scores as ruvector gives them: distances, and for the dot product nothing under 0. */
function distances(query: Float32Array, vector: Float32Array): Record<string, number> {
  let [dot, squares, sum, queryNorm, norm] = [0, 0, 0, 0, 0];
  for (let index = 0; index < query.length; index++) {
    const [q, v] = [query[index]!, vector[index]!];
    dot += q * v;
    squares += (q - v) ** 2;
    sum += Math.abs(q - v);
    queryNorm += q * q;
    norm += v * v;
  }
  return { cosine: 1 - dot / Math.sqrt(queryNorm * norm), euclidean: Math.sqrt(squares), dot: Math.max(0, -dot), manhattan: sum };
}
