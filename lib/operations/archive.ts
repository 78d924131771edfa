/**
 * Writing the journal to one archive, for `save`, `saveIncremental`, `export` and auto-save.
 * Promises: the content is that of one moment, after all writes that were started before; a failure of the
 * bookkeeping after the archive is complete is reported as work in the background, because the archive is good.
 */
import type { SaveReport } from '../../index';
import { toError } from '../errors';
import { native, type NativeChain, type NativeSaveReport } from '../native';
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

/** Writes what has changed since the chain of that file was written, if anything has; null when nothing has. */
export async function writeChanged(session: Session, request: ArchiveRequest, call: Call): Promise<SaveReport | null> {
  const { absolute, archive, operation } = request;
  const { states } = session;
  const known = await states.known(absolute);
  call.check();
  const { collection, revision } = session.journal;
  const asked = { path: absolute, options: archive, operation, known };
  const chain = await call.native((job) => native.saveIncremental(collection, asked, states.held(absolute), job));
  if (chain.broken !== null) session.report(toError(chain.broken));
  states.hold(absolute, chain);
  if (chain.report !== null || known === undefined) await record(session, absolute, chain, false);
  if (session.isDefaultFile(absolute)) session.markSaved(revision);
  if (chain.report !== null) return succeed(session, request, chain.report, call);
  call.succeed(operation, collection.length, `Nothing has changed since ${request.path} was saved`);
  return null;
}

/** The journal must be complete (`Session.complete`) when this is called. */
export async function writeArchive(session: Session, request: ArchiveRequest, call: Call): Promise<SaveReport> {
  const { absolute, archive, operation, remember } = request;
  const { states } = session;
  const { collection, revision } = session.journal;
  const asked = { path: absolute, options: archive, operation };
  const chain = await call.native((job) => native.saveBase(collection, asked, job));
  const isDefault = session.isDefaultFile(absolute);
  if (states.wants(absolute)) states.hold(absolute, chain);
  await record(session, absolute, chain, !remember && !isDefault);
  if (isDefault) {
    session.markSaved(revision);
    session.suspect = null;
  }
  return succeed(session, request, chain.report!, call);
}

async function record(session: Session, path: string, chain: NativeChain, onlyKnown: boolean): Promise<void> {
  try {
    await session.states.record(path, chain.known, onlyKnown);
  } catch (error) {
    session.background(error);
  }
}

function succeed(session: Session, { path: base, operation }: ArchiveRequest, written: NativeSaveReport, call: Call): SaveReport {
  const { bytes, count, dimension, checksum, timestamp, puts, deletes } = written;
  const isDelta = written.base !== undefined;
  // Beside the base, under the name that the caller knows it by.
  const path = isDelta ? `${base}${written.path.slice(written.path.lastIndexOf('.delta-'))}` : base;
  const report: SaveReport = { path, bytes, count, dimension, checksum, timestamp, type: isDelta ? 'delta' : 'full', puts, deletes, base: isDelta ? base : null };
  call.succeed(operation, count, isDelta ? `Saved ${puts} changed and ${deletes} removed entries to ${path}` : `Saved ${count} entries to ${path}`);
  session.emit('save', report);
  return report;
}
