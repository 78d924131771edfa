/** `flush()`: everything that was written to the database so far, durable in the journal on disk. */
import type { Session } from '../session';
import { durableOf } from './recover';

export async function flush(session: Session): Promise<void> {
  const { log, settlement } = durableOf(session, 'flush()');
  await session.opened();
  await session.adopted();
  await session.tracker.landed();
  if (log.written !== null) await settlement.settle();
  await log.flush();
  const refusal = session.journal.refusal();
  if (refusal !== null) throw refusal;
}
