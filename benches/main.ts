// `npm run bench`: saves and loads beside what an application would use without this package, as ratios.
//
// Every measurement is a process of its own; the contenders take turns, round after round, and a ratio is always of two
// measurements of the same round. The first round of each N is always whole; in later rounds those contenders sit out for
// which too little of `--minutes` is left, and those that take long because they compress, which varies little. Options: `--n 1000,10000,100000`, `--rounds 5`, `--minutes 9`, `--quick` (1,000
// entries, one round), `--only <parts of names>`, `--json` (results instead of tables), `--write` (tables into
// docs/benchmarks.md).
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
  stallP99Ms?: number;
  extraMiB?: number | null;
  keptMiB?: number;
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

interface Plan {
  counts: number[];
  rounds: number;
  minutes: number;
  only: string[];
}

/** What compresses is measured again only when it took no more seconds than this. */
const COMPRESSED_AGAIN = 3;

/** Whether there is time for one more of what took `last` seconds: an N gets its share of the time, larger ones more. */
function timeFor(name: string, last: number, count: number, { counts, minutes }: Plan): boolean {
  if (last > COMPRESSED_AGAIN && /:(gzip|brotli|zstd)$/.test(name)) return false;
  const weight = (n: number): number => Math.sqrt(n);
  const share = counts.filter((n) => n <= count).reduce((sum, n) => sum + weight(n), 0) / counts.reduce((sum, n) => sum + weight(n), 0);
  return performance.now() / 1000 + last < minutes * 60 * share;
}

async function runAll(plan: Plan): Promise<Result[]> {
  const { counts, rounds, only } = plan;
  const results: Result[] = [];
  const asked = order.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
  // What reads a file needs the save that leaves it.
  const sources = new Set(asked.map(({ name }) => name.replace(/^(load|raw-write|raw-read|native-load|batch-\d+):/, 'save:')));
  const wanted = order.filter((one) => asked.includes(one) || sources.has(one.name));
  for (const count of counts) {
    const seconds = new Map<string, number>();
    const folder = mkdtempSync(join(tmpdir(), 'ruvector-persistence-bench-'));
    mkdirSync(join(folder, 'base'));
    try {
      for (let round = 0; round < rounds; round++) {
        for (const { name } of wanted) {
          if (round > 0 && !timeFor(name, seconds.get(name) ?? Infinity, count, plan)) continue;
          const start = performance.now();
          const result = { name, count, round, ...(await once(name, count, folder)) };
          results.push(result);
          if (result.error === undefined) seconds.set(name, (performance.now() - start) / 1000);
          process.stderr.write(`${count} round ${round + 1}: ${name} ${result.error ?? `${result.ms?.toFixed(1)} ms`}\n`);
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return results;
}

function about(): string {
  const cores = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const data = basename(dataset());
  return `One run on: ${cores[0]?.model.trim() ?? 'unknown processor'}, ${cores.length} cores, ${memory} GiB of memory, ${process.platform} ${process.arch}, ` +
    `Node ${process.version}; medians of ratios, the worst of stalls and memory. Data: \`${data}\`, 384 numbers an entry; ` +
    'more entries than it has are its rows again under new ids, with a small deterministic change.';
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      n: { type: 'string', default: '1000,10000,100000' }, rounds: { type: 'string', default: '5' }, only: { type: 'string', default: '' },
      minutes: { type: 'string', default: '9' },
      quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false }, write: { type: 'boolean', default: false },
    },
  });
  const counts = values.quick ? [1000] : values.n.split(',').map(Number);
  const rounds = values.quick ? 1 : Number(values.rounds);
  const minutes = Number(values.minutes);
  const only = values.only.split(',').filter((part) => part !== '');
  if (!(minutes > 0)) throw new RangeError('--minutes takes a number over 0');
  if (values.write && (only.length > 0 || values.quick)) throw new RangeError('--write is for a whole run, without --only and --quick');
  if (!counts.every((count) => Number.isInteger(count) && count > 0) || !Number.isInteger(rounds) || rounds < 1) throw new RangeError('--n and --rounds take whole numbers of 1 or more');
  counts.sort((a, b) => a - b);
  const results = await runAll({ counts, rounds, minutes, only });
  if (values.json) process.stdout.write(`${JSON.stringify({ about: about(), results }, null, 2)}\n`);
  else process.stdout.write(report(results, about()));
  if (!values.write) return;
  const text = readFileSync(page, 'utf8');
  const [start, end] = MARKS.map((mark) => text.indexOf(mark)) as [number, number];
  if (start < 0 || end < start) throw new Error('docs/benchmarks.md has no place for results');
  writeFileSync(page, `${text.slice(0, start + MARKS[0].length)}\n\n${report(results, about())}\n${text.slice(end)}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
