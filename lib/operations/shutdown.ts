/** `shutdown()`: the final save, when anything is unsaved, and then everything off the database. */
import { archiveOptions } from '../options';
import { Session } from '../session';
import { writeArchive } from './archive';

export async function shutdown(session: Session): Promise<void> {
  try {
    await session.runLast(async (call) => {
      await session.known();
      if (!session.unsaved) return;
      if (session.suspect) throw session.suspect;
      const path = session.defaultFile;
      await session.complete();
      await writeArchive(session, { path, absolute: Session.absolute(path), archive: archiveOptions({}, session.settings), operation: 'save', remember: true }, call);
    });
  } finally {
    session.dispose();
  }
}
