// Results as Markdown: ratios from one run, a table for each N. Rows that are lost are rows like any other.
import { budgets } from './budgets';
import { dimension } from './data';
import type { Result } from './main';

type Row = string[];

export const number = (value: number | null | undefined, digits = 1): string =>
  value === null || value === undefined || !Number.isFinite(value) ? 'n/a' : value.toFixed(value >= 100 ? 0 : digits);

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function table(head: Row, rows: Row[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** Median over the rounds of the ratio of two contenders in the same round. */
export function ratio(results: Result[], over: string, under: string): number | string {
  const rounds = [...new Set(results.map(({ round }) => round))];
  const find = (name: string, round: number): Result | undefined => results.find((one) => one.name === name && one.round === round);
  const ratios: number[] = [];
  for (const round of rounds) {
    const a = find(over, round);
    const b = find(under, round);
    if (a?.error) return `fails: ${a.error}`;
    if (b?.error) return `fails: ${b.error}`;
    if (a?.ms && b?.ms) ratios.push(a.ms / b.ms);
  }
  return ratios.length > 0 ? median(ratios) : 'n/a';
}

export const shown = (value: number | string, unit = ' x'): string => (typeof value === 'number' ? `${number(value, 2)}${unit}` : value);

/** The worst over the rounds. */
const worst = (results: Result[], name: string, key: 'stallMs' | 'extraMiB'): string => {
  const values = results.filter((one) => one.name === name && !one.error).map((one) => one[key]).filter((value) => value !== null && value !== undefined);
  return values.length > 0 ? number(Math.max(...values)) : 'n/a';
};

/** Median milliseconds of one contender. */
const timeOf = (results: Result[], name: string): number => median(results.filter((one) => one.name === name && one.ms !== undefined).map((one) => one.ms!));

const formats = ['json', 'binary'];
const compressions = ['none', 'gzip', 'brotli', 'zstd'];

interface Line {
  format: string;
  compression: string;
  own: string;
  /** The plain way to the same; Node 20 has no zstd. */
  peer: string | null;
  remark?: string;
}

function linesOf(work: 'save' | 'load'): Line[] {
  const lines: Line[] = [];
  for (const format of formats) {
    const tool = format === 'json' ? 'JSON' : 'msgpackr';
    for (const compression of compressions) {
      const peer = compression === 'zstd' ? null : `${work}:${tool}:${format}:${compression}`;
      lines.push({ format, compression, own: `${work}:ours:${format}:${compression}`, peer });
    }
    const own = `native-${work}:ours:${format}:none`;
    lines.push({ format, compression: 'none', own, peer: `${work}:${tool}:${format}:none`, remark: ', native part' });
  }
  const peer = `${work}:better-sqlite3:sqlite:none`;
  lines.push({ format: 'sqlite', compression: 'none', own: `${work}:ours:sqlite:none`, peer });
  lines.push({ format: 'sqlite', compression: 'none', own: `native-${work}:ours:sqlite:none`, peer, remark: ', native part' });
  const own = `${work}:ours:json:none`;
  lines.splice(1, 0, { format: 'json', compression: 'none', own, peer: `${work}:JSON-lines:json:none`, remark: ', peer with a line an entry' });
  return lines;
}

function section(results: Result[], work: 'save' | 'load'): string {
  const floor = work === 'save' ? 'raw-write' : 'raw-read';
  const rows = linesOf(work).map(({ format, compression, own, peer, remark }) => {
    const times = results.filter((one) => one.name === own && one.ms !== undefined);
    return [
      `${format}${remark ?? ''}`, compression,
      String(times.length),
      shown(ratio(results, own, `${floor}:ours:${format}:${compression}`)),
      peer === null ? 'no peer in Node 20' : shown(ratio(results, peer, own)),
      `${worst(results, own, 'stallMs')} / ${peer === null ? 'n/a' : worst(results, peer, 'stallMs')}`,
      `${worst(results, own, 'extraMiB')} / ${peer === null ? 'n/a' : worst(results, peer, 'extraMiB')}`,
    ];
  });
  const head = [
    'format', 'compression', 'rounds',
    work === 'save' ? 'in raw writes + fsync of the same bytes' : 'in raw reads + copies of the vectors',
    'times faster than the peer', 'longest stall, ms: ours / peer', 'extra peak memory, MiB: ours / peer',
  ];
  return table(head, rows);
}

/** What compression saves, against both bases that make sense: the same format, and the bare vectors. */
function sizes(results: Result[], count: number): string {
  const bytes = (format: string, compression: string): number | null | undefined =>
    results.find((one) => one.name === `save:ours:${format}:${compression}` && one.bytes)?.bytes;
  const rows = formats.flatMap((format) => compressions.map((compression) => {
    const [size, plain] = [bytes(format, compression), bytes(format, 'none')];
    if (!size || !plain) return [format, compression, 'n/a', 'n/a', 'n/a'];
    return [format, compression, number(size / 1e6), compression === 'none' ? '' : `${number(100 * (1 - size / plain))} %`, number(size / (count * dimension * 4), 2)];
  }));
  return table(['format', 'compression', 'MB', 'smaller than the same format uncompressed by', 'times the bare vectors'], rows);
}

/** The time of a load with another batch size, against the one with the default. */
function batches(results: Result[]): string {
  const names = [...new Set(results.map(({ name }) => name))].filter((name) => name.startsWith('batch-'));
  const size = (name: string): number => Number(name.slice('batch-'.length).split(':')[0]);
  const rows = names.sort((a, b) => size(a) - size(b)).map((name) => [String(size(name)), shown(ratio(results, name, 'load:ours:binary:none'))]);
  return table(['batchSize', 'time of a load of binary into a Map, against batchSize 1000'], rows);
}

/** What the documented package estimated for itself, in milliseconds, for 1,000 entries; it grows with N. */
const ESTIMATES: [string, string, number][] = [
  ['D37', 'save:ours:json:none', 50], ['D38', 'save:ours:binary:none', 30], ['D39', 'save:ours:json:gzip', 100],
  ['D40', 'load:ours:json:none', 60], ['D41', 'snapshot:ours:json:none', 50], ['D42', 'incremental-1%:ours:json:none', 10],
];

function estimates(results: Result[], count: number): string {
  const rows = ESTIMATES.map(([row, name, ms]) => {
    return [row, name.replaceAll(':', ' '), shown((ms * count) / 1000 / timeOf(results, name))];
  });
  for (const format of ['json', 'binary']) {
    for (const share of ['1%', '0.1%', '0%']) {
      const faster = ratio(results, `save:ours:${format}:none`, `incremental-${share}:ours:${format}:none`);
      rows.push(['D33, E41', `incremental ${format}, ${share} changed, against a full save`, shown(faster)]);
    }
  }
  rows.push(['E39', 'save binary, against save json', shown(ratio(results, 'save:ours:json:none', 'save:ours:binary:none'))]);
  rows.push(['E39', 'load binary, against load json', shown(ratio(results, 'load:ours:json:none', 'load:ours:binary:none'))]);
  return table(['requirement', 'work', 'times faster than estimated, or than the work named'], rows);
}

export function report(results: Result[], about: string): string {
  const counts = [...new Set(results.map(({ count }) => count))].sort((a, b) => a - b);
  const parts = counts.map((count) => {
    const some = results.filter((one) => one.count === count);
    const peers = 'Peer of json: `JSON.stringify` or `JSON.parse` with `zlib`; of binary: `msgpackr` with `zlib`; same levels, made durable.';
    return [
      `### ${count.toLocaleString('en-US')} entries`, `Save. ${peers}`, section(some, 'save'), 'Load into a `Map`.', section(some, 'load'),
      'What compression saves.', sizes(some, count),
      'Beside the estimates of the documented package, and of one work beside another.', estimates(some, count),
      'Batch size (E42).', batches(some),
    ].join('\n\n');
  });
  return `${about}\n\n### Budgets\n\n${budgets(results, counts)}\n\n${parts.join('\n\n')}\n`;
}
