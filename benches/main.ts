// `npm run bench`: saves and loads beside what an application would use without this package, as ratios.
//
// Every measurement is a process of its own; the contenders take turns, round after round, and a ratio is always of two
// measurements of the same round. Options: `--n 1000,10000,100000`, `--rounds 3`, `--quick` (1,000 entries, one round),
// `--only <part of a name>`, `--json` (results instead of tables), `--write` (tables into docs/benchmarks.md).
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { contenders } from './contenders';
import { dataset } from './data';
import { report } from './report';

export interface Result {
  name: string;
  count: number;
  round: number;
  ms?: number;
  stallMs?: number;
  extraMiB?: number | null;
  bytes?: number | null;
  error?: string;
}

const run = promisify(execFile);
const worker = join(__dirname, 'worker.ts');
const page = join(__dirname, '..', 'docs', 'benchmarks.md');
const MARKS = ['<!-- results -->', '<!-- end of results -->'] as const;

async function once(name: string, count: number, folder: string): Promise<Omit<Result, 'name' | 'count' | 'round'>> {
  try {
    const args = ['--expose-gc', '--max-old-space-size=8192', '--import=tsx', worker, name, String(count), folder];
    const { stdout } = await run(process.execPath, args, { maxBuffer: 1 << 24, timeout: 600_000 });
    return JSON.parse(stdout) as Result;
  } catch (error) {
    return { error: error instanceof Error ? error.message.split('\n')[0]! : String(error) };
  }
}

/** Saves come first, because loads and raw work read what they leave. */
const order = contenders.filter(({ name }) => name.startsWith('save:')).concat(contenders.filter(({ name }) => !name.startsWith('save:')));

async function runAll(counts: number[], rounds: number, only: string): Promise<Result[]> {
  const results: Result[] = [];
  for (const count of counts) {
    const folder = mkdtempSync(join(tmpdir(), 'ruvector-persistence-bench-'));
    mkdirSync(join(folder, 'base'));
    try {
      for (let round = 0; round < rounds; round++) {
        for (const { name } of order.filter((one) => one.name.includes(only))) {
          const result = { name, count, round, ...(await once(name, count, folder)) };
          results.push(result);
          process.stderr.write(`${count} round ${round + 1}: ${name} ${result.error ?? `${result.ms?.toFixed(1)} ms`}\n`);
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return results;
}

function about(rounds: number): string {
  const cores = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const data = basename(dataset());
  return `One run on: ${cores[0]?.model.trim() ?? 'unknown processor'}, ${cores.length} cores, ${memory} GiB of memory, ${process.platform} ${process.arch}, ` +
    `Node ${process.version}; ${rounds} rounds, medians of ratios, the worst of stalls and memory. Data: \`${data}\`, 384 numbers an entry; ` +
    'more entries than it has are its rows again under new ids, with a small deterministic change.';
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      n: { type: 'string', default: '1000,10000,100000' }, rounds: { type: 'string', default: '3' }, only: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false }, write: { type: 'boolean', default: false },
    },
  });
  const counts = values.quick ? [1000] : values.n.split(',').map(Number);
  const rounds = values.quick ? 1 : Number(values.rounds);
  if (!counts.every((count) => Number.isInteger(count) && count > 0) || !Number.isInteger(rounds) || rounds < 1) throw new RangeError('--n and --rounds take whole numbers of 1 or more');
  const results = await runAll(counts, rounds, values.only);
  if (values.json) process.stdout.write(`${JSON.stringify({ about: about(rounds), results }, null, 2)}\n`);
  else process.stdout.write(report(results, about(rounds)));
  if (!values.write) return;
  const text = readFileSync(page, 'utf8');
  const [start, end] = MARKS.map((mark) => text.indexOf(mark)) as [number, number];
  if (start < 0 || end < start) throw new Error('docs/benchmarks.md has no place for results');
  writeFileSync(page, `${text.slice(0, start + MARKS[0].length)}\n\n${report(results, about(rounds))}\n${text.slice(end)}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
