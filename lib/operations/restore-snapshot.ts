/** `restoreSnapshot(id, options)`: the content of a snapshot in the place of what is there. */
import { native } from '../native';
import { readRestore } from '../options';
import type { Session } from '../session';
import { replaceContent } from './content';
import { checkSnapshotId } from './snapshot-id';

export async function restoreSnapshot(session: Session, id: unknown, given: unknown): Promise<void> {
  // Validate arguments
  checkSnapshotId(id, 'restoreSnapshot');
  const options = readRestore(given);

  // Interpret options
  const { verifyChecksum: verify = true } = options;
  const { base } = session.settings;

  await replaceContent(session, options, {
    operation: 'restore',
    source: `snapshot ${id}`,
    path: base,
    verify,
    merge: false,
    read: (request, job) => native.snapshotLoad(base, id, request, job),
  });
}
