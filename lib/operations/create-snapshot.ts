/** `createSnapshot(name, metadata, options)`: a named copy of everything, kept beside the saves. */
import type { SnapshotMetadata } from '../../index';
import { kindOf } from '../describe';
import { wrongType } from '../errors';
import { metadataText } from '../metadata';
import { native } from '../native';
import { type ArchiveOptions, readSnapshot, snapshotAs } from '../options';
import type { Call } from '../progress';
import type { Session } from '../session';
import { durableOf } from './recover';

/** What a snapshot is given. */
interface Given {
  readonly name: string;
  /** JSON text. */
  readonly metadata: string | undefined;
}

export async function createSnapshot(session: Session, name: unknown, metadata: unknown, given: unknown): Promise<SnapshotMetadata> {
  // Validate arguments
  if (typeof name !== 'string') throw wrongType(`createSnapshot needs a name, a string; got ${kindOf(name)}`);
  const options = readSnapshot(given);

  // Interpret options
  const text = metadataText(metadata, () => `snapshot ${JSON.stringify(name.slice(0, 80))}`) ?? undefined;
  const as = snapshotAs(options, session.settings);

  return session.run(options, async (call) => {
    await session.complete();
    const what = { name, metadata: text };
    const record = await (as.format === 'native' ? ofJournal(session, what, as.compression, call) : asArchive(session, what, as, call));
    const snapshot = JSON.parse(record) as SnapshotMetadata;
    call.succeed('snapshot', snapshot.vectorCount, `Snapshot ${snapshot.id} holds ${snapshot.vectorCount} entries`);
    session.emit('snapshot', snapshot);
    return snapshot;
  });
}

/** The record, as JSON text. */
function asArchive({ journal: { collection }, settings }: Session, given: Given, { format, compression, level }: ArchiveOptions, call: Call): Promise<string> {
  const { base: baseDir, maxSnapshots } = settings;
  return call.native((job) => native.snapshotCreate(collection, { baseDir, ...given, format, compression, level, maxSnapshots }, job));
}

/** The files of the journal on disk, which holds everything that was written before. */
async function ofJournal(session: Session, { name, metadata }: Given, compression: string | undefined, call: Call): Promise<string> {
  const { log } = durableOf(session, 'A native snapshot');
  await log.flush();
  call.check();
  const request = { name, metadata: metadata && (JSON.parse(metadata) as unknown), compression, keep: session.settings.maxSnapshots };
  return call.native((job) => log.store.native.operate('journalSnapshot', JSON.stringify(request), job));
}
