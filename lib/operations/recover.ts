/**
 * `recover(options)`: the database gets what the journal on disk holds, or the other way round.
 * Promises: writes that the user makes meanwhile win; nothing that was written and is not in the journal yet is undone. A second
 * call finds nothing to do.
 */
import type { RecoverOptions, RecoverReport } from '../../index';
import { apply, type Applied } from '../apply';
import { PersistenceError, unwrap } from '../errors';
import type { Log } from '../log/log';
import { compare } from '../log/settle';
import { native, type NativeCollection } from '../native';
import { readRecover } from '../options';
import type { Call } from '../progress';
import type { Session } from '../session';
import type { Watch } from '../tracker';

const NOTHING: Applied = { added: 0, changed: 0, removed: 0 };

/** The journal on disk; refuses where there is none. */
export function durableOf({ durable }: Session, what: string): NonNullable<Session['durable']> {
  if (durable !== null) return durable;
  throw new PersistenceError('ERR_UNSUPPORTED', `${what} needs a journal on disk: give DatabasePersistence the option "wal"`);
}

export async function recover(session: Session, given: unknown): Promise<RecoverReport> {
  // Validate arguments
  const options: RecoverOptions = readRecover(given);

  // Interpret options
  const { log, settlement } = durableOf(session, 'recover()');
  const { prefer = 'journal' } = options;

  // What the user writes from now on comes after this call, also when the call has to wait for its turn.
  const watch = session.tracker.watch('begins');
  try {
    return await session.run(options, async (call) => {
      const started = performance.now();
      await session.opened();
      await session.known();
      // What was refused is newer than what is stored: it must not be undone.
      await log.catchUp();
      watch.swept = false;
      const done = prefer === 'journal' ? await databaseFollows(session, log, call, watch) : await journalFollows(session, log);
      await settlement.settle();
      const { records, truncatedBytes } = JSON.parse(unwrap(log.collection.recovery())) as { records: number; truncatedBytes: number };
      const report = { count: session.journal.size, ...done, records, truncatedBytes, durationMs: performance.now() - started };
      call.succeed('recover', report.count, `The database and the journal hold ${report.count} entries`);
      session.emit('recover', report);
      return report;
    });
  } finally {
    session.tracker.unwatch(watch);
  }
}

async function databaseFollows(session: Session, log: Log, call: Call, watch: Watch): Promise<Applied> {
  const { tracker, settings, journal } = session;
  const { standing } = log;
  if (standing === 'same') return NOTHING;
  const target = unwrap(await native.merged(new native.NativeCollection(), log.collection));
  expect(session, target);
  log.leader = 'log';
  try {
    const done = await apply({ tracker, watch, target, batchSize: settings.batchSize, call, source: 'the journal' });
    session.suspect = null;
    return done;
  } catch (error) {
    if (error instanceof PersistenceError && error.content === 'mixed') session.suspect = error;
    throw error;
  } finally {
    log.leader = null;
    // Both got the user's writes of meanwhile; should one of them have been refused, it is found out.
    if (log.standing === 'same' && log.collection.length !== journal.collection.length) log.standing = 'unknown';
  }
}

/** What is stored must be what the database can take. */
function expect({ journal }: Session, { dimension, metric, length }: NativeCollection): void {
  const due = journal.dimension ?? journal.collection.dimension;
  if (length > 0 && due > 0 && due !== dimension) {
    throw new PersistenceError('ERR_DIMENSION', `The journal holds vectors of ${dimension} numbers, the database has ${due}; nothing was touched`);
  }
  const known = journal.metric ?? journal.collection.metric;
  if (length > 0 && known !== null && metric !== null && known !== metric) {
    throw new PersistenceError('ERR_METRIC', `The journal has the metric '${metric}', the database has '${known}'; nothing was touched`);
  }
}

async function journalFollows({ journal }: Session, log: Log): Promise<Applied> {
  if (log.standing === 'same') return NOTHING;
  const { onlyInJournal: removed, onlyInDatabase: added, changed } = await compare(log.collection, journal.collection);
  log.follow();
  await log.catchUp();
  return { added, changed, removed };
}
