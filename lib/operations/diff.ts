/**
 * `diff(a, b)`: which ids two contents do not share, and which they hold with different entries.
 * Promises: both are only read, off the event loop, once for an iteration and the summary together; what is given out is cut
 * in pages, with a turn of the event loop between them.
 */
import { resolve } from 'node:path';
import type { Diff, DiffEntry, DiffOptions, DiffSide, DiffSideSummary, DiffSummary } from '../../index';
import { isFunction, isSignal, isString, readOptions } from '../checks';
import { unwrap, wrongType } from '../errors';
import { native, type NativeDiff } from '../native';
import { Call } from '../progress';

const PAGE = 1000;
const KINDS = ['archive', 'snapshot', 'store'] as const;

/** The paths of one side, absolute; of the three names exactly one is there. */
interface Side {
  archive?: string;
  snapshot?: string;
  store?: string;
  collection?: string;
}

function readSide(given: unknown, what: string): Side {
  if (given === undefined) throw wrongType(`diff needs two sides; the ${what} is missing`);
  const side: Side = readOptions<Side>(given, `the ${what} side of diff`, { archive: isString, snapshot: isString, store: isString, collection: isString });
  const kinds = KINDS.filter((kind) => side[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) throw wrongType(`The ${what} side of diff needs exactly one of archive, snapshot and store`);
  if (side[kind] === '') throw wrongType(`"${kind}" of the ${what} side of diff is empty`);
  if (kind === 'archive' && side.collection !== undefined) throw wrongType(`The ${what} side of diff is an archive, which has no collections`);
  return { ...side, [kind]: resolve(side[kind]!) };
}

export function diff(a: DiffSide, b: DiffSide, given?: DiffOptions): Diff {
  const [first, second] = [readSide(a, 'first'), readSide(b, 'second')];
  const options = readOptions<DiffOptions>(given, 'diff', { onProgress: isFunction, signal: isSignal });
  let found: Promise<NativeDiff> | undefined;
  const compare = (): Promise<NativeDiff> => (found ??= compared(first, second, options));
  return {
    async summary() {
      return summary(await compare());
    },
    async *[Symbol.asyncIterator]() {
      yield* entries(await compare(), options.signal);
    },
  };
}

async function compared(first: Side, second: Side, options: DiffOptions): Promise<NativeDiff> {
  const call = new Call(options);
  try {
    const found = await call.native((job) => native.diff(first, second, job));
    call.succeed('diff', 0, 'Compared');
    return found;
  } finally {
    call.end();
  }
}

async function* entries(found: NativeDiff, signal: AbortSignal | undefined): AsyncGenerator<DiffEntry> {
  for (let from = 0; ; from += PAGE) {
    signal?.throwIfAborted();
    const { ids, changes } = unwrap(found.page(from, PAGE));
    for (const [place, id] of ids.entries()) yield entry(id, changes[place]!);
    if (ids.length < PAGE) return;
    await new Promise((resume) => setImmediate(resume));
  }
}

/** As `src/node/diff.rs` codes it. */
function entry(id: string, code: number): DiffEntry {
  if (code < 2) return { id, change: code === 0 ? 'added' : 'removed' };
  return { id, change: 'changed', vector: ((code - 2) & 1) > 0, metadata: ((code - 2) & 2) > 0 };
}

function summary(found: NativeDiff): DiffSummary {
  const [added, removed, vectors, metadata, changed] = found.counts() as [number, number, number, number, number];
  const [a, b] = found.about().map(({ count, dimension, metric }): DiffSideSummary => ({ count, dimension, metric: (metric ?? null) as DiffSideSummary['metric'] })) as [DiffSideSummary, DiffSideSummary];
  const apart = <T>(one: T, other: T, unknown: T): boolean => one !== unknown && other !== unknown && one !== other;
  return {
    added, removed, changed, changedVectors: vectors, changedMetadata: metadata, unchanged: b.count - added - changed,
    equal: added + removed + changed === 0, a, b, sameDimension: !apart(a.dimension, b.dimension, 0), sameMetric: !apart(a.metric, b.metric, null),
  };
}
