/** The check of a snapshot id's type. Which strings are ids is decided natively, where they become file names. */
import { kindOf } from '../describe';
import { wrongType } from '../errors';

export function checkSnapshotId(id: unknown, what: string): asserts id is string {
  if (typeof id !== 'string') throw wrongType(`${what} needs the id of a snapshot, a string; got ${kindOf(id)}`);
}
