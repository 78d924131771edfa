/** `listSnapshots()`: all whole snapshots, newest first; damaged ones are reported, not thrown. */
import type { SnapshotMetadata } from '../../index';
import { toError, unwrap } from '../errors';
import { native } from '../native';
import type { Session } from '../session';

export async function listSnapshots(session: Session): Promise<SnapshotMetadata[]> {
  return session.run({}, async () => {
    await session.opened();
    const { records, damaged } = unwrap(await native.snapshotList(session.settings.base));
    for (const failure of damaged) session.report(toError(failure));
    return records.map((text) => JSON.parse(text) as SnapshotMetadata);
  });
}
