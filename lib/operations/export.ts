/** `export(options)`: everything to a given file, which is not the saved state that auto-save goes by. */
import { archiveOptions, readExport } from '../options';
import { Session } from '../session';
import { writeArchive } from './archive';

export async function exportTo(session: Session, given: unknown): Promise<void> {
  // Validate arguments
  const options = readExport(given);

  // Interpret options
  const { compression, compressionLevel } = session.settings;
  const compressed = options.compress === true || options.compression !== undefined;
  const archive = archiveOptions(options, { format: 'json', compression, compressionLevel }, compressed);
  const { path } = options;
  const absolute = Session.absolute(path);

  await session.run(options, async (call) => {
    await session.complete();
    await writeArchive(session, { path, absolute, archive, operation: 'export', remember: false }, call);
  });
}
