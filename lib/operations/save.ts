/** `save(options)`: everything to one file. */
import { archiveOptions, defaultPath, readSave } from '../options';
import { Session } from '../session';
import { writeArchive } from './archive';

export async function save(session: Session, given: unknown): Promise<string> {
  // Validate arguments
  const options = readSave(given, 'save');

  // Interpret options
  const archive = archiveOptions(options, session.settings);
  const path = options.path ?? defaultPath(session.settings, archive);
  const absolute = Session.absolute(path);

  return session.run(options, async (call) => {
    await session.complete();
    await writeArchive(session, { path, absolute, archive, operation: 'save', remember: options.path === undefined }, call);
    return path;
  });
}
