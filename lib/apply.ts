/**
 * Bringing a live database from the content of the journal to another content, or back.
 *
 * Promises: when `apply` resolves the database holds the target, with the user's writes of meanwhile over it, and so does
 * the journal; when it rejects the old content has been put back, and the error says so, or says that it could not be
 * (ERR_APPLY, `content`). What cancelled the call (a signal, a callback) comes out as it is. Ids that the user writes
 * meanwhile are left to the user. It reads no file and checks no archive.
 */
import { asError, PersistenceError, unwrap } from './errors';
import { native, type NativeCollection, type NativePlan } from './native';
import type { Call } from './progress';
import type { Tracker, Watch } from './tracker';
import { Writer } from './writer';

/** Tries to put the old content back while another call goes on clearing the database. */
const BACK_ATTEMPTS = 5;

export interface Applied {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  /** The revision of the journal that holds just this; absent when it is the present one. */
  readonly revision?: number;
}

export interface ApplyRequest {
  readonly tracker: Tracker;
  /** Set before the target was made: what the user wrote since is the user's. Taken off by the caller. */
  readonly watch: Watch;
  readonly target: NativeCollection;
  readonly batchSize: number;
  readonly call: Call;
  /** Where the target came from, for messages. */
  readonly source: string;
}

export async function apply(request: ApplyRequest): Promise<Applied> {
  const { tracker, target, call, watch } = request;
  const writer = new Writer(tracker, watch, request.batchSize);
  try {
    const plan = unwrap(await native.plan(tracker.journal.collection, target));
    const rewrite = chooseRewrite(tracker, plan, tracker.journal.collection.length);
    call.check();
    await forwards(request, plan, rewrite, writer);
    return { added: plan.added, changed: plan.changed, removed: plan.removed };
  } finally {
    writer.end();
  }
}

/** Whether everything is removed and written anew, in place of the difference. */
function chooseRewrite({ adapter }: Tracker, plan: NativePlan, held: number): boolean {
  const shared = held - plan.removed - plan.changed;
  if (plan.removed > 0 && !adapter.canRemove && !adapter.canClear) {
    const why = `The database has neither "delete" nor "clear", so ${plan.removed} of its entries cannot be replaced`;
    throw new PersistenceError('ERR_UNSUPPORTED', `${why}; nothing was touched`);
  }
  if (!adapter.canClear || held === 0) return false;
  return !adapter.canRemove ? plan.removed + plan.changed > 0 : shared === 0;
}

async function forwards(request: ApplyRequest, plan: NativePlan, rewrite: boolean, writer: Writer): Promise<void> {
  const { tracker, target, call, source, watch } = request;
  const before = tracker.journal;
  try {
    if (rewrite) await writer.rewrite(target, call);
    else await writer.follow(plan, before.collection, target, call);
    await writer.settle();
    await writer.checkCount(() => sizeAfter(tracker, target, watch));
    if (watch.swept) throw new PersistenceError('ERR_APPLY', 'another call cleared or reloaded it meanwhile');
    call.check();
  } catch (error) {
    await backwards(request, error, rewrite, writer);
  }
  commit(tracker, target, watch);
  try {
    await writer.finish();
  } catch (cause) {
    const what = `The content of ${source} is in place, but "buildIndex" of the database failed: ${asError(cause).message}`;
    throw new PersistenceError('ERR_APPLY', what, { content: 'new', cause });
  }
}

/** Puts the old content back; always throws. */
async function backwards(request: ApplyRequest, error: unknown, rewrite: boolean, writer: Writer): Promise<never> {
  const { tracker, call, source, watch } = request;
  const cause = writer.databaseError(error);
  const reason = watch.swept ? 'another call cleared or reloaded it meanwhile' : asError(cause ?? error).message;
  const what = `The database could not be brought to the content of ${source}: ${reason}.`;
  try {
    await goBack(request, rewrite, writer);
  } catch (second) {
    tracker.stale = true;
    const then = `Putting the old content back failed as well: ${asError(writer.databaseError(second) ?? second).message}`;
    const now = 'The database now holds a mixture; load again';
    throw new PersistenceError('ERR_APPLY', `${what} ${then}. ${now}`, { content: 'mixed', cause: cause ?? error });
  }
  // Cancelled from outside: the database is at its old content, and whoever cancelled gets the own reason.
  if (call.cancelled) throw error;
  throw new PersistenceError('ERR_APPLY', `${what} The old content is in place`, { content: 'old', cause: cause ?? error });
}

/** Brings the database to what the journal holds: the old content, with the user's writes of meanwhile. */
async function goBack({ tracker, target, watch }: ApplyRequest, rewrite: boolean, writer: Writer): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    writer.turnBack();
    watch.swept = false;
    try {
      const old = tracker.journal.collection;
      if (rewrite) await writer.rewrite(old, null);
      else await writer.follow(unwrap(await native.plan(target, old)), target, old, null);
      await writer.settle();
      await writer.checkCount(() => tracker.journal.size);
      if (!watch.swept) break;
    } catch (error) {
      if (!watch.swept || attempt === BACK_ATTEMPTS) throw error;
    }
    // Somebody cleared the database while the old content went in: what is there now is anybody's guess.
    rewrite = tracker.adapter.canClear;
  }
  if (tracker.stale) throw new PersistenceError('ERR_APPLY', 'another call reloaded it');
}

/** How many entries there must be, with the user's writes of meanwhile. */
function sizeAfter(tracker: Tracker, target: NativeCollection, watch: Watch): number {
  let size = target.length;
  for (const id of watch.recorded) {
    if (typeof id === 'string' && unwrap(target.has(id))) size--;
    if (tracker.journal.value(id) !== null) size++;
  }
  return size;
}

/** The journal takes the target, with the user's writes of meanwhile over it. */
function commit(tracker: Tracker, target: NativeCollection, watch: Watch): void {
  const { journal } = tracker;
  const written = [...watch.recorded].map((id) => ({ id, value: journal.value(id) }));
  journal.replace(target, 'loaded');
  for (const { id, value } of written) {
    if (value === null) journal.drop(id);
    else journal.put(value, 'replace');
    // An insert without metadata may have kept those of the content that was just loaded.
    tracker.doubt(id);
  }
}
