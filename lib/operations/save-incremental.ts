/** `saveIncremental(options)`: what has changed since the file was saved, as a delta beside it; null when nothing has. */
import { archiveOptions, defaultPath, readSave } from '../options';
import { Session } from '../session';
import { writeChanged } from './archive';

export async function saveIncremental(session: Session, given: unknown): Promise<string | null> {
  // Validate arguments
  const options = readSave(given, 'saveIncremental');

  // Interpret options
  const archive = archiveOptions(options, session.settings);
  const path = options.path ?? defaultPath(session.settings, archive);
  const absolute = Session.absolute(path);

  return session.run(options, async (call) => {
    await session.complete();
    const report = await writeChanged(session, { path, absolute, archive, operation: 'incremental-save', remember: true }, call);
    return report && report.path;
  });
}
