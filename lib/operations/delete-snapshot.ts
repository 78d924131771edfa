/** `deleteSnapshot(id)`: removes a snapshot's files. */
import { unwrap } from '../errors';
import { native } from '../native';
import type { Session } from '../session';
import { checkSnapshotId } from './snapshot-id';

export async function deleteSnapshot(session: Session, id: unknown): Promise<void> {
  // Validate arguments
  checkSnapshotId(id, 'deleteSnapshot');

  await session.run({}, async () => {
    await session.opened();
    unwrap(await native.snapshotDelete(session.settings.base, id));
  });
}
