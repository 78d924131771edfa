/** The save that nobody called for: of auto-save and of `shutdown()`. Only when something is unsaved. */
import type { Call } from '../progress';
import type { Session } from '../session';
import { defaultRequest, writeArchive, writeChanged } from './archive';

/** Runs in its turn of the queue. The path that was written, or null. */
export async function saveUnsaved(session: Session, call: Call): Promise<string | null> {
  await session.known();
  if (!session.unsaved) return null;
  // A mixture that a failed load has left must not take the place of a good file by itself.
  if (session.suspect !== null) throw session.suspect;
  await session.savable();
  const write = session.settings.incremental ? writeChanged : writeArchive;
  const report = await write(session, defaultRequest(session), call);
  return report && report.path;
}
