/** What scheduled work of a store can be: compaction, a snapshot, the removal of old snapshots, in this order. */
import type { CompactionReport, CompactOptions, VectorDB } from '../../index';
import { PersistenceError } from '../errors';
import type { Plan, Step } from '../schedules/schedules';
import { readTasks } from '../schedules/tasks';
import { readCompact } from '../vector-db/reports';
import type { Operate } from './operate';
import { create, readCreate, readPrune } from './snapshots';

/** What the tasks need of their store. */
export interface Site {
  readonly path: string;
  readonly readOnly: boolean;
  readonly operate: Operate;
  /** The collections that are open. */
  open(): Iterable<readonly [string, Pick<VectorDB, 'compact'>]>;
}

export function planOf(site: Site): Plan {
  return (given) => {
    const { compact, snapshot, prune } = readTasks(given, ['compact', 'snapshot', 'prune']);
    const steps: Step[] = [];
    if (compact !== undefined) steps.push(compaction(site, compact));
    if (snapshot !== undefined) {
      const request = readCreate(snapshot);
      steps.push({ name: 'snapshot', run: () => create(site.operate, request) });
    }
    if (prune !== undefined) {
      const request = readPrune(prune);
      steps.push({ name: 'prune', run: () => site.operate('prune', request) });
    }
    return steps;
  };
}

/** Those that are open: one that is closed gathers no dead rows. */
function compaction(site: Site, options: CompactOptions): Step {
  readCompact(options);
  if (site.readOnly) throw new PersistenceError('ERR_READ_ONLY', 'This store was opened for reading only', { path: site.path });
  return {
    name: 'compact',
    run: async () => {
      const reports: Record<string, CompactionReport> = {};
      for (const [name, db] of [...site.open()]) reports[name] = await db.compact(options);
      return reports;
    },
  };
}
