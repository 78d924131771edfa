/** `exportRuvector(options)`: a `ruvector.db` to an archive, without a database and without ruvector. */
import type { ExportRuvectorReport } from '../../index';
import { native } from '../native';
import { archiveOptions, readExportRuvector } from '../options';
import { Call } from '../progress';
import { Session } from '../session';

export async function exportRuvector(given: unknown): Promise<ExportRuvectorReport> {
  // Validate arguments
  const options = readExportRuvector(given);

  // Interpret options
  const archive = archiveOptions({ ...options }, { format: 'json', compression: 'none' });
  const from = Session.absolute(options.from);
  const to = Session.absolute(options.to);

  const call = new Call(options);
  try {
    const { bytes, count, dimension, checksum, timestamp, puts, deletes, stale = false } = await call.native((job) => native.exportRuvector(from, to, archive, job));
    call.succeed('export', count, `Exported ${count} entries to ${options.to}`);
    return { path: options.to, bytes, count, dimension, checksum, timestamp, type: 'full', puts, deletes, base: null, stale };
  } finally {
    call.end();
  }
}
