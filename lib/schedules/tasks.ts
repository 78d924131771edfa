/** Tasks as they are written: `true` for what a call without options does, or the options of that call. */
import { type Check, readOptions } from '../checks';
import { kindOf } from '../describe';
import { wrongType } from '../errors';

const isTask: Check = (value, name) => {
  if (typeof value !== 'boolean' && (typeof value !== 'object' || value === null)) {
    throw wrongType(`Task "${name}" must be true, false or an object of options, got ${kindOf(value)}`);
  }
};

/** The options of each task that is asked for; those of the others are absent. */
export function readTasks<K extends string>(given: unknown, names: readonly K[]): { [name in K]?: object } {
  const checks = Object.fromEntries(names.map((name) => [name, isTask])) as Record<K, Check>;
  const tasks = readOptions<Record<K, object | boolean>>(given, 'schedules.add', checks);
  const wanted = names.filter((name) => tasks[name] !== undefined && tasks[name] !== false);
  return Object.fromEntries(wanted.map((name) => [name, tasks[name] === true ? {} : tasks[name]])) as { [name in K]?: object };
}
