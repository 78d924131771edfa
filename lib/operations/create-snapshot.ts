/** `createSnapshot(name, metadata, options)`: a named copy of everything, kept beside the saves. */
import type { SnapshotMetadata } from '../../index';
import { kindOf } from '../describe';
import { wrongType } from '../errors';
import { metadataText } from '../metadata';
import { native } from '../native';
import { archiveOptions, readSnapshot } from '../options';
import type { Session } from '../session';

export async function createSnapshot(session: Session, name: unknown, metadata: unknown, given: unknown): Promise<SnapshotMetadata> {
  // Validate arguments
  if (typeof name !== 'string') throw wrongType(`createSnapshot needs a name, a string; got ${kindOf(name)}`);
  const options = readSnapshot(given);

  // Interpret options
  const text = metadataText(metadata, () => `snapshot ${JSON.stringify(name.slice(0, 80))}`) ?? undefined;
  const { format, compression, level } = archiveOptions(options, session.settings);
  const { base: baseDir, maxSnapshots } = session.settings;

  return session.run(options, async (call) => {
    await session.complete();
    const { collection } = session.journal;
    const record = await call.native((job) =>
      native.snapshotCreate(collection, { baseDir, name, metadata: text, format, compression, level, maxSnapshots }, job));
    const snapshot = JSON.parse(record) as SnapshotMetadata;
    call.succeed('snapshot', snapshot.vectorCount, `Snapshot ${snapshot.id} holds ${snapshot.vectorCount} entries`);
    session.emit('snapshot', snapshot);
    return snapshot;
  });
}
