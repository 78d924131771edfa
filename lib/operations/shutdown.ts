/** `shutdown()`: the final save, when anything is unsaved, and then everything off the database. */
import type { Session } from '../session';
import { saveUnsaved } from './save-unsaved';

export async function shutdown(session: Session): Promise<void> {
  try {
    await session.runLast((call) => saveUnsaved(session, call));
  } finally {
    session.dispose();
    // Whatever was started in the background has ended when this resolves.
    await session.opened().catch(() => undefined);
  }
}
