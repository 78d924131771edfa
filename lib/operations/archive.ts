/**
 * Writing the journal to one archive, for `save`, `saveIncremental`, `export` and auto-save.
 * Promises: the content is that of one moment, after all writes that were started before; a failure of the
 * bookkeeping after the archive is complete is reported as work in the background, because the archive is good.
 */
import type { SaveReport } from '../../index';
import { unwrap } from '../errors';
import { native, type NativeSaveReport } from '../native';
import { type ArchiveOptions, archiveOptions } from '../options';
import type { Call } from '../progress';
import { Session } from '../session';

export interface ArchiveRequest {
  /** As it was given, and as it is returned. */
  readonly path: string;
  /** The same, independent of the working directory. */
  readonly absolute: string;
  readonly archive: ArchiveOptions;
  /** How progress calls it. */
  readonly operation: string;
  /** Whether this file is one that `saveIncremental` may be asked about. */
  readonly remember: boolean;
}

/** The archive that automatic saves and the final save write. */
export function defaultRequest(session: Session): ArchiveRequest {
  const { settings, defaultFile: path } = session;
  const operation = settings.incremental ? 'incremental-save' : 'save';
  return { path, absolute: Session.absolute(path), archive: archiveOptions({}, settings), operation, remember: true };
}

/** Writes the archive when its file holds another content, or none; null when it holds this one. */
export async function writeChanged(session: Session, request: ArchiveRequest, call: Call): Promise<SaveReport | null> {
  const { collection, revision } = session.journal;
  const fingerprint = unwrap(await native.fingerprint(collection));
  call.check();
  if (!(await session.states.holds(request.absolute, request.archive, fingerprint))) return writeArchive(session, request, call);
  if (session.isDefaultFile(request.absolute)) session.markSaved(revision);
  call.succeed(request.operation, collection.length, `Nothing has changed since ${request.path} was saved`);
  return null;
}

/** The journal must be complete (`Session.complete`) when this is called. */
export async function writeArchive(session: Session, request: ArchiveRequest, call: Call): Promise<SaveReport> {
  const { path, absolute, archive, operation } = request;
  const { collection, revision } = session.journal;
  const written = await call.native((job) => native.save(collection, absolute, archive, operation, job));
  await remember(session, request, written, revision);
  const { bytes, count, dimension, checksum, timestamp } = written;
  const report = { path, bytes, count, dimension, checksum, timestamp };
  call.succeed(operation, count, `Saved ${count} entries to ${path}`);
  session.emit('save', report);
  return report;
}

async function remember(session: Session, { absolute, archive, remember: known }: ArchiveRequest, written: NativeSaveReport, revision: number): Promise<void> {
  const isDefault = session.isDefaultFile(absolute);
  try {
    await session.states.record(absolute, archive, written, !known && !isDefault);
  } catch (error) {
    session.background(error);
  }
  if (!isDefault) return;
  session.markSaved(revision);
  session.suspect = null;
}
