/**
 * Finding out how the log and the journal stand to each other, once what the database holds is known.
 *
 * Promises: an empty log takes the whole content of the database; a log that differs is never brought to the database, nor
 * the database to it, without being asked: the difference is told, and saving is refused until it is settled.
 */
import type { Difference } from '../../index';
import { PersistenceError, unwrap } from '../errors';
import type { Journal } from '../journal';
import { native, type NativeCollection } from '../native';
import type { Log } from './log';

export class Settlement {
  difference: Difference | null = null;
  #settling: Promise<void> | null = null;

  constructor(readonly log: Log, readonly journal: Journal, readonly tell: (difference: Difference) => void) {}

  /** Resolves when `log.standing` is known, and everything that was refused before is in the log. */
  settle(): Promise<void> {
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = null;
    });
    return this.#settling;
  }

  async #settle(): Promise<void> {
    const { log, journal } = this;
    await log.store.open();
    if (log.standing !== 'same') {
      if (log.wasEmpty) this.#fill();
      else await this.#compare();
    }
    log.written = null;
    log.wasEmpty = false;
    await log.catchUp();
    if (log.standing === 'same') this.difference = null;
    // What the database tells of its metric is kept with its content.
    const { metric } = journal.collection;
    if (log.standing === 'same' && metric !== null && log.collection.metric === null) unwrap(log.collection.describe(null, metric));
  }

  /** What was in the database before goes to a log that was empty; what was written since is on its way. */
  #fill(): void {
    const { log, journal } = this;
    if (isWritten(journal.collection, log.written ?? [])) log.standing = 'same';
    else log.follow();
  }

  async #compare(): Promise<void> {
    const { log, journal } = this;
    // What is not in the log yet would count as a difference.
    await log.catchUp();
    const fresh = log.written !== null && isWritten(journal.collection, log.written);
    const found = await compare(log.collection, journal.collection);
    // A clear or a load has settled it meanwhile.
    if (log.standing === 'same') return;
    const before = log.standing;
    this.difference = found.onlyInJournal + found.onlyInDatabase + found.changed > 0 ? found : null;
    if (this.difference === null) log.standing = 'same';
    else if (before === 'unknown') log.standing = fresh ? 'unrecovered' : 'different';
    if (before === 'unknown' && log.standing === 'different') this.tell(found);
  }

  /** Why nothing can be saved or loaded now; null when it can. */
  refusal(): PersistenceError | null {
    const { log, difference } = this;
    if (difference === null || (log.standing !== 'unrecovered' && log.standing !== 'different')) return null;
    const { onlyInJournal, onlyInDatabase, changed } = difference;
    const what = log.standing === 'unrecovered' ? 'The journal holds what was not recovered yet' : 'The journal and the database differ';
    const counts = `${onlyInJournal} entries are only in the journal, ${onlyInDatabase} only in the database, ${changed} are not the same`;
    const advice = 'recover() gives the database what the journal holds, recover({ prefer: \'database\' }) the journal what the database holds';
    return new PersistenceError('ERR_INCOMPLETE', `${what}: ${counts}. Until that is settled nothing is saved or loaded. What to do: ${advice}`, { path: log.base });
  }
}

/** What is only in the log, only in the journal, and in both with different content. */
export async function compare(log: NativeCollection, journal: NativeCollection): Promise<Difference> {
  const { removed, added, changed } = unwrap(await native.plan(log, journal));
  return { onlyInJournal: removed, onlyInDatabase: added, changed };
}

/** Whether everything in the collection was written since the database was attached. */
function isWritten(collection: NativeCollection, written: Iterable<unknown>): boolean {
  let known = 0;
  for (const id of written) if (typeof id === 'string' && unwrap(collection.has(id))) known++;
  return known === collection.length;
}
