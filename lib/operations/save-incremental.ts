/** `saveIncremental(options)`: a save when the content differs from what the file holds, else null. */
import { unwrap } from '../errors';
import { native } from '../native';
import { archiveOptions, defaultPath, readSave } from '../options';
import { Session } from '../session';
import { writeArchive } from './archive';

export async function saveIncremental(session: Session, given: unknown): Promise<string | null> {
  // Validate arguments
  const options = readSave(given, 'saveIncremental');

  // Interpret options
  const archive = archiveOptions(options, session.settings);
  const path = options.path ?? defaultPath(session.settings, archive);
  const absolute = Session.absolute(path);

  return session.run(options, async (call) => {
    await session.complete();
    const { collection, revision } = session.journal;
    const fingerprint = unwrap(await native.fingerprint(collection));
    call.check();
    if (await session.states.holds(absolute, archive, fingerprint)) {
      if (session.isDefaultFile(absolute)) session.markSaved(revision);
      call.succeed('incremental-save', collection.length, `Nothing has changed since ${path} was saved`);
      return null;
    }
    await writeArchive(session, { path, absolute, archive, operation: 'incremental-save', remember: true }, call);
    return path;
  });
}
