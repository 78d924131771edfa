/**
 * `shutdown()`: the final save, when anything is unsaved, then everything off the database, and the journal on disk closed.
 * All of it is done whatever fails; the first failure is the one that is told.
 */
import type { Session } from '../session';
import { saveUnsaved } from './save-unsaved';

export async function shutdown(session: Session): Promise<void> {
  let closing: Promise<void> | undefined;
  try {
    await session.runLast((call) => saveUnsaved(session, call));
  } finally {
    session.dispose();
    // Whatever was started in the background has ended when this resolves.
    await session.opened().catch(() => undefined);
    await session.tracker.landed();
    closing = session.durable?.log.close();
    await closing?.catch(() => undefined);
  }
  await closing;
}
