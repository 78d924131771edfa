// `npm run bench:store`: the store beside others, and beside what the machine itself can do, as ratios of one run.
//
// Every measurement is a process of its own in a folder of its own; the subjects of a group take turns, round after round,
// and a ratio is of two measurements of the same round. Options: `--n 10000,100000`, `--rounds 3`, `--only <groups>`,
// `--folder <where>` (the disk that is measured; default: the temporary folder), `--write` (into docs/benchmarks.md).
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { median, table } from '../report';
import { works } from './work';

interface Result {
  name: string;
  count: number;
  round: number;
  operations?: number;
  ms?: number;
  error?: string;
}

/** What each group is compared with, and the budget of DESIGN section 13 for ours, where there is one. */
const GROUPS: Record<string, { title: string; base: string; budget?: [target: string, met: (ours: number) => boolean] }> = {
  single: { title: 'durable inserts, one at a time', base: 'raw', budget: ['at least 0.8', (x) => x >= 0.8] },
  many: { title: 'durable inserts, 64 at once', base: 'ours' },
  batch: { title: 'durable batches of 1,000', base: 'raw', budget: ['at least 0.7', (x) => x >= 0.7] },
  journal: { title: "ruvector's own insert, awaited, and the same with a journal (`wal: true`)", base: 'ruvector' },
  unsynced: { title: 'inserts without waiting for the disk', base: 'ours' },
  get: { title: 'get by id, vector and metadata', base: 'ours' },
  getMany: { title: 'vectors of 1,000 ids at a time', base: 'ours' },
  scan: { title: 'all entries, one by one', base: 'ours' },
  search: { title: 'nearest 10, exact', base: 'loop' },
  open: { title: 'open to the first get', base: 'ours' },
  snapshot: { title: 'a snapshot while it is in use (of the peers: their backup)', base: 'ours' },
  restore: { title: 'a snapshot brought back as another collection', base: 'ours' },
  replay: { title: 'log replay, against reading the same files', base: 'raw', budget: ['at least 0.5', (x) => x >= 0.5] },
  compact: { title: 'compaction of half dead segments, against writing the live bytes once', base: 'raw' },
};

/** What should not grow with the number of entries: the time, as times that with the fewest. */
const GROWTH: [group: string, title: string, budget?: number][] = [
  ['open', 'time from open to the first get, against the first column'],
  ['snapshot', 'time of a snapshot, against the first column', 1.5],
];

const run = promisify(execFile);
const worker = join(__dirname, 'worker.ts');
const page = join(__dirname, '..', '..', 'docs', 'benchmarks.md');
const MARKS = ['<!-- store -->', '<!-- end of store -->'] as const;

async function once(name: string, count: number, where: string): Promise<Omit<Result, 'name' | 'count' | 'round'>> {
  const folder = mkdtempSync(join(where, 'ruvector-persistence-bench-'));
  try {
    const args = ['--expose-gc', '--max-old-space-size=8192', '--import=tsx', worker, name, String(count), folder];
    const { stdout } = await run(process.execPath, args, { maxBuffer: 1 << 24, timeout: 900_000 });
    return JSON.parse(stdout) as Result;
  } catch (error) {
    return { error: error instanceof Error ? error.message.split('\n')[0]! : String(error) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const rate = ({ operations, ms }: Result): number => operations! / ms!;

/** How many times as fast as the base of its group, as the median of the rounds; or why not. */
function speed(results: Result[], group: string, subject: string): number | string {
  const ratios: number[] = [];
  for (const one of results.filter(({ name }) => name === `${group}:${subject}`)) {
    const base = results.find(({ name, round }) => name === `${group}:${GROUPS[group]!.base}` && round === one.round);
    if (one.error !== undefined) return one.error.startsWith('Cannot find module') ? 'not installed' : `fails: ${one.error}`;
    if (base?.ms !== undefined) ratios.push(rate(one) / rate(base));
  }
  return ratios.length > 0 ? median(ratios) : 'n/a';
}

function report(results: Result[], counts: number[]): string {
  const shown = (value: number | string): string => (typeof value === 'number' ? `${value >= 100 ? value.toFixed(0) : value.toFixed(2)} x` : value);
  const rows: string[][] = [];
  for (const [group, { title, base, budget }] of Object.entries(GROUPS)) {
    const subjects = Object.keys(works).filter((name) => name.startsWith(`${group}:`) && results.some((one) => one.name === name));
    for (const subject of subjects.map((name) => name.slice(group.length + 1))) {
      const cells = counts.map((count) => {
        const value = speed(results.filter((one) => one.count === count), group, subject);
        const missed = subject === 'ours' && budget && typeof value === 'number' && !budget[1](value);
        return shown(value) + (missed ? ', **missed**' : '');
      });
      rows.push([title, subject === base ? `${subject} (= 1)` : subject, subject === 'ours' ? (budget?.[0] ?? '') : '', ...cells]);
    }
  }
  const many = counts.map((count) => {
    const ours = (group: string): number => median(results.filter((one) => one.count === count && one.name === `${group}:ours` && one.ms).map(rate));
    const value = ours('many') / ours('single');
    return Number.isNaN(value) ? 'n/a' : shown(value) + (value < 15 ? ', **missed**' : '');
  });
  rows.push(['64 at once against one at a time', 'ours', 'at least 15', ...many]);
  for (const [group, title, budget] of GROWTH) {
    const took = counts.map((count) => median(results.filter((one) => one.count === count && one.name === `${group}:ours` && one.ms).map(({ ms }) => ms!)));
    const value = (ms: number): string => (Number.isNaN(ms / took[0]!) ? 'n/a' : shown(ms / took[0]!) + (budget !== undefined && ms / took[0]! > budget ? ', **missed**' : ''));
    rows.push([title, 'ours', budget === undefined ? '' : `at most ${budget}`, ...took.map(value)]);
  }
  return table(['work, as times as fast', 'who', 'budget', ...counts.map((count) => count.toLocaleString('en-US'))], rows);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      n: { type: 'string', default: '10000,100000' }, rounds: { type: 'string', default: '3' }, only: { type: 'string', default: '' },
      folder: { type: 'string', default: tmpdir() }, write: { type: 'boolean', default: false },
    },
  });
  const counts = values.n.split(',').map(Number).sort((a, b) => a - b);
  const only = values.only.split(',').filter((part) => part !== '');
  const wanted = Object.keys(works).filter((name) => only.length === 0 || only.includes(name.split(':')[0]!));
  const results: Result[] = [];
  for (const count of counts) {
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const name of wanted) {
        const result = { name, count, round, ...(await once(name, count, values.folder)) };
        results.push(result);
        const what = result.error ?? `${result.ms!.toFixed(1)} ms, ${(rate(result) * 1000).toFixed(0)} a second`;
        process.stderr.write(`${count} round ${round + 1}: ${name} ${what}\n`);
      }
    }
  }
  const about = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}; medians of ratios.`;
  const text = `${about}\n\n${report(results, counts)}\n`;
  process.stdout.write(text);
  if (!values.write) return;
  const old = readFileSync(page, 'utf8');
  const [start, end] = MARKS.map((mark) => old.indexOf(mark)) as [number, number];
  if (start < 0 || end < start) throw new Error('docs/benchmarks.md has no place for the store');
  writeFileSync(page, `${old.slice(0, start + MARKS[0].length)}\n\n${text}\n${old.slice(end)}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
