// The budgets of the design (section 13) beside what was measured. One that is missed stays in the table and says so.
import type { Result } from './main';
import { number, ratio, shown, table } from './report';

interface Budget {
  name: string;
  target: string;
  measure(results: Result[]): number | string;
  met(value: number): boolean;
}

/** The worst of all our rows of one kind of work. */
function worst(results: Result[], work: RegExp, value: (one: Result) => number | null | undefined): number | string {
  const own = results.filter(({ name, error }) => work.test(name) && name.includes(':ours:') && error === undefined);
  const values = own.map(value).filter((found) => found !== null && found !== undefined);
  return values.length > 0 ? Math.max(...values) : 'n/a';
}

/** Against the plain way that can do the size: one string holds at most 512 MB. */
function fasterThanJson(results: Result[]): number | string {
  const whole = ratio(results, 'save:JSON:json:none', 'native-save:ours:json:none');
  return typeof whole === 'number' ? whole : ratio(results, 'save:JSON-lines:json:none', 'native-save:ours:json:none');
}

const above = ({ extraMiB, keptMiB }: Result): number | null => (extraMiB == null || keptMiB === undefined ? null : Math.max(0, extraMiB - keptMiB));

const BUDGETS: Budget[] = [
  {
    name: 'save binary, native part, in raw writes + fsync of the same bytes', target: 'at most 1.3 x',
    measure: (results) => ratio(results, 'native-save:ours:binary:none', 'raw-write:ours:binary:none'), met: (value) => value <= 1.3,
  },
  {
    name: 'save json, native part, times faster than JSON.stringify + write + fsync', target: 'at least 8 x',
    measure: fasterThanJson, met: (value) => value >= 8,
  },
  {
    name: 'load binary, native part, in raw reads + copies of the vectors', target: 'at most 1.5 x',
    measure: (results) => ratio(results, 'native-load:ours:binary:none', 'raw-read:ours:binary:none'), met: (value) => value <= 1.5,
  },
  {
    name: 'memory while saving, above what was there, worst of all formats and compressions, MiB', target: 'at most 64',
    measure: (results) => worst(results, /^(native-)?save:/, ({ extraMiB }) => extraMiB), met: (value) => value <= 64,
  },
  {
    name: 'memory while loading, above what is there afterwards, worst of all, MiB', target: 'at most 64',
    measure: (results) => worst(results, /^(native-)?load:/, above), met: (value) => value <= 64,
  },
  {
    name: 'longest stall of the event loop while saving, worst of all, ms', target: 'at most 10',
    measure: (results) => worst(results, /^(native-)?save:/, ({ stallMs }) => stallMs), met: (value) => value <= 10,
  },
  {
    name: 'longest stall while loading, native part, ms', target: 'at most 10',
    measure: (results) => worst(results, /^native-load:/, ({ stallMs }) => stallMs), met: (value) => value <= 10,
  },
  {
    name: 'longest stall while loading into a Map, worst of all, ms', target: 'at most 10',
    measure: (results) => worst(results, /^load:/, ({ stallMs }) => stallMs), met: (value) => value <= 10,
  },
  {
    name: '99th percentile of the stalls of a save, worst of all, ms', target: 'at most 5',
    measure: (results) => worst(results, /^(native-)?save:/, ({ stallP99Ms }) => stallP99Ms), met: (value) => value <= 5,
  },
  {
    name: '99th percentile of the stalls of a load into a Map, worst of all, ms', target: 'at most 5',
    measure: (results) => worst(results, /^load:/, ({ stallP99Ms }) => stallP99Ms), met: (value) => value <= 5,
  },
];

export function budgets(results: Result[], counts: number[]): string {
  const cell = (budget: Budget, count: number): string => {
    const value = budget.measure(results.filter((one) => one.count === count));
    if (typeof value !== 'number') return shown(value);
    return `${number(value, 2)}${budget.met(value) ? '' : ', **missed**'}`;
  };
  const rows = BUDGETS.map((budget) => [budget.name, budget.target, ...counts.map((count) => cell(budget, count))]);
  return table(['budget', 'target', ...counts.map((count) => count.toLocaleString('en-US'))], rows);
}
