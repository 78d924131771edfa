/** `walStatus()`: what the log of the journal on disk consists of, and how far it is. */
import type { JournalStatus } from '../../index';
import { unwrap } from '../errors';
import type { Session } from '../session';
import { durableOf } from './recover';

const MB = 1 << 20;

export async function walStatus(session: Session): Promise<JournalStatus> {
  const { log } = durableOf(session, 'walStatus()');
  await session.opened();
  const { wal } = JSON.parse(unwrap(await log.collection.statistics())) as { wal: Omit<JournalStatus, 'status' | 'totalSizeMB' | 'behind'> };
  const status = wal.poisoned === null ? 'active' : 'poisoned';
  return { ...wal, status, totalSizeMB: wal.totalSize / MB, behind: log.behind };
}
