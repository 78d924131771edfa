/** What scheduled work of a `DatabasePersistence` can be: a save, an incremental one, a snapshot, in this order. */
import type { SnapshotOptions } from '../../index';
import { isString } from '../checks';
import { metadataText } from '../metadata';
import { readSave, readSnapshot } from '../options';
import type { Plan, Step } from '../schedules/schedules';
import { readTasks } from '../schedules/tasks';
import type { Session } from '../session';
import { createSnapshot } from './create-snapshot';
import { saveIncremental } from './save-incremental';
import { save } from './save';

/** The name of snapshots that were given none. */
const SNAPSHOT_NAME = 'scheduled';

export function planOf(session: Session): Plan {
  return (given) => {
    const tasks = readTasks(given, ['save', 'saveIncremental', 'snapshot']);
    const steps: Step[] = [];
    if (tasks.save !== undefined) {
      const options = readSave(tasks.save, 'save');
      steps.push({ name: 'save', run: () => save(session, options) });
    }
    if (tasks.saveIncremental !== undefined) {
      const options = readSave(tasks.saveIncremental, 'saveIncremental');
      steps.push({ name: 'saveIncremental', run: () => saveIncremental(session, options) });
    }
    if (tasks.snapshot !== undefined) steps.push(snapshotStep(session, tasks.snapshot));
    return steps;
  };
}

function snapshotStep(session: Session, given: object): Step {
  const { name = SNAPSHOT_NAME, metadata, ...rest } = given as SnapshotOptions & { name?: string; metadata?: unknown };
  isString(name, 'name');
  metadataText(metadata, () => 'the snapshot');
  const options = readSnapshot(rest);
  return { name: 'snapshot', run: () => createSnapshot(session, name, metadata, options) };
}
