/**
 * Replacing the content of the database, for `load`, `import` and `restoreSnapshot`: read and check everything first,
 * then bring the database there by the difference.
 * Promises: until the file has passed every check the database is not touched; writes that the user makes meanwhile win.
 */
import type { CallOptions, LoadReport, PersistenceFormat } from '../../index';
import { apply, type Applied } from '../apply';
import { PersistenceError, toError, unwrap } from '../errors';
import { native, type LoadRequest, type NativeCollection, type NativeJob } from '../native';
import type { Call } from '../progress';
import type { Session } from '../session';
import type { Watch } from '../tracker';

export interface ContentRequest {
  readonly operation: LoadReport['operation'];
  /** The file, or the snapshot, for messages and the report. */
  readonly source: string;
  readonly path: string;
  readonly format?: PersistenceFormat;
  readonly verify: boolean;
  /** Entries of the file are put over the content; otherwise they replace it. */
  readonly merge: boolean;
  /** Reads and checks the file. */
  read(request: LoadRequest, job: NativeJob): ReturnType<typeof native.load>;
}

/** Share of the whole call, in percent, that reading the file is. */
const READING = 50;

export async function replaceContent(session: Session, options: CallOptions, request: ContentRequest): Promise<void> {
  const { tracker } = session;
  // What the user writes from now on comes after this call, also when the call has to wait for its turn.
  const watch = tracker.watch('begins');
  try {
    await session.run(options, async (call) => {
      await session.complete();
      watch.swept = false;
      await replace(session, request, call, watch);
    });
  } finally {
    tracker.unwatch(watch);
  }
}

async function replace(session: Session, request: ContentRequest, call: Call, watch: Watch): Promise<void> {
  const { tracker, journal, settings } = session;
  const { operation, source } = request;
  try {
    call.stage(0, READING);
    const expected = { ...expectations(session, request), known: await session.states.known(request.path), keep: session.states.wants(request.path) };
    const staged = await call.native((job) => request.read(expected, job));
    const chain = staged.chain();
    if (chain !== null) session.states.hold(request.path, chain);
    const path = staged.source?.path ?? request.path;
    const target: NativeCollection = request.merge ? unwrap(await native.merged(journal.collection, staged)) : staged;
    call.check();
    call.stage(READING, 100);
    const { revision, ...applied } = await (session.adapter.direct ? applyDirectly(session, target) : apply({ tracker, watch, target, batchSize: settings.batchSize, call, source }));
    session.suspect = null;
    await follow(session);
    if (!request.merge && watch.recorded.size === 0 && session.isDefaultFile(path)) session.markSaved(revision ?? journal.revision);
    call.succeed(operation, staged.length, `Loaded ${staged.length} entries from ${source}`);
    session.emit('load', { operation, path, count: journal.size, ...applied });
  } catch (error) {
    if (error instanceof PersistenceError && error.content === 'mixed') session.suspect = error;
    throw error;
  }
}

/** A database that is a native collection gets the content in one step. */
async function applyDirectly({ journal: { collection } }: Session, target: NativeCollection): Promise<Applied> {
  const { added, changed, removed } = unwrap(await native.plan(collection, target));
  // What the file does not say of dimension and metric stays what it is.
  const refused = target.describe(collection.dimension || undefined, collection.metric ?? undefined);
  if (refused !== null) throw toError(refused);
  return { added, changed, removed, revision: unwrap(await collection.replaceWith(target)) };
}

/** The journal on disk gets the new content as a whole; until then it holds the one before. */
async function follow({ durable }: Session): Promise<void> {
  try {
    await durable?.log.catchUp();
  } catch (error) {
    if (!(error instanceof PersistenceError)) throw error;
    const { code, message, path, offset, cause } = error;
    throw new PersistenceError(code, `The new content is in the database. ${message}`, { path, offset, cause, content: 'new' });
  }
}

/** What the content of the file must agree with. */
function expectations({ journal }: Session, { operation, path, format, verify, merge }: ContentRequest): LoadRequest {
  const held = merge && journal.collection.length > 0 ? journal.collection : null;
  const dimension = journal.dimension ?? held?.dimension ?? undefined;
  const metric = journal.metric ?? held?.metric ?? undefined;
  return { path, format, verify, dimension, metric, operation };
}
