/** What scheduled work of a store can be: compaction, a snapshot, the removal of old snapshots, a drill, in this order. */
import type { CompactionReport, CompactOptions, DrillReport, PersistenceErrorCode, VectorDB } from '../../index';
import { PersistenceError } from '../errors';
import type { Plan, Step } from '../schedules/schedules';
import { readTasks } from '../schedules/tasks';
import { readCompact } from '../vector-db/reports';
import { drill, readDrill } from './drill';
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
    const { compact, snapshot, prune, drill: drilled } = readTasks(given, ['compact', 'snapshot', 'prune', 'drill']);
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
    if (drilled !== undefined) steps.push(rehearsal(site, drilled));
    return steps;
  };
}

/** A drill that finds a problem is a failure of its run: nobody reads the reports of those that went well. */
function rehearsal({ operate }: Site, options: object): Step {
  const request = readDrill(options);
  return {
    name: 'drill',
    run: async (): Promise<DrillReport> => {
      const report = await drill(operate, request);
      const [problem] = report.problems;
      if (report.ok || problem === undefined) return report;
      throw new PersistenceError(problem.code as PersistenceErrorCode, `The drill found a problem: ${problem.message}`);
    },
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
