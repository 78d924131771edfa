// Results as Markdown: ratios from one run, a table for each N. Rows that are lost are rows like any other.
import type { Result } from './main';

type Row = string[];

const number = (value: number | null | undefined, digits = 1): string =>
  value === null || value === undefined || !Number.isFinite(value) ? 'n/a' : value.toFixed(value >= 100 ? 0 : digits);

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function table(head: Row, rows: Row[]): string {
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

const shown = (value: number | string, unit = ' x'): string => (typeof value === 'number' ? `${number(value, 2)}${unit}` : value);

/** The worst over the rounds. */
const worst = (results: Result[], name: string, key: 'stallMs' | 'extraMiB'): string => {
  const values = results.filter((one) => one.name === name && !one.error).map((one) => one[key]).filter((value) => value !== null && value !== undefined);
  return values.length > 0 ? number(Math.max(...values)) : 'n/a';
};

function section(results: Result[], work: 'save' | 'load'): string {
  const floor = work === 'save' ? 'raw-write' : 'raw-read';
  const rows = ['json', 'binary'].flatMap((format) =>
    ['none', 'gzip', 'brotli', 'zstd'].map((compression) => {
      const own = `${work}:ours:${format}:${compression}`;
      const tool = format === 'json' ? 'JSON' : 'msgpackr';
      const peer = `${work}:${tool}:${format}:${compression}`;
      const size = results.find((one) => one.name === own && one.bytes)?.bytes ?? null;
      const plain = results.find((one) => one.name === `${work}:ours:${format}:none` && one.bytes)?.bytes ?? null;
      const hasPeer = compression !== 'zstd';
      return [
        format, compression,
        shown(ratio(results, own, `${floor}:ours:${format}:${compression}`)),
        hasPeer ? shown(ratio(results, peer, own)) : 'no peer in Node 20',
        size !== null && plain !== null ? `${number((100 * size) / plain)} %` : 'n/a',
        `${worst(results, own, 'stallMs')} / ${hasPeer ? worst(results, peer, 'stallMs') : 'n/a'}`,
        `${worst(results, own, 'extraMiB')} / ${hasPeer ? worst(results, peer, 'extraMiB') : 'n/a'}`,
      ];
    }));
  const head = [
    'format', 'compression',
    work === 'save' ? 'time, in raw writes + fsync of the same bytes' : 'time, in raw reads + copies of the vectors',
    'times faster than the peer', 'size, of uncompressed', 'longest stall, ms: ours / peer', 'extra peak memory, MiB: ours / peer',
  ];
  return table(head, rows);
}

/** What the documented package estimated for itself, in milliseconds, for 1,000 entries; it grows with N. */
const ESTIMATES: [string, string, number][] = [
  ['D37', 'save:ours:json:none', 50], ['D38', 'save:ours:binary:none', 30], ['D39', 'save:ours:json:gzip', 100],
  ['D40', 'load:ours:json:none', 60], ['D41', 'snapshot:ours:json:none', 50], ['D42', 'incremental-1%:ours:json:none', 10],
];

function estimates(results: Result[], count: number): string {
  const rows = ESTIMATES.map(([row, name, ms]) => {
    const own = median(results.filter((one) => one.name === name && one.ms !== undefined).map((one) => one.ms!));
    return [row, name.replaceAll(':', ' '), shown((ms * count) / 1000 / own)];
  });
  rows.push(['', 'incremental-0% ours json none', shown(ratio(results, 'save:ours:json:none', 'incremental-0%:ours:json:none'), ' x of a full save')]);
  return table(['requirement', 'work', 'times faster than estimated'], rows);
}

export function report(results: Result[], about: string): string {
  const counts = [...new Set(results.map(({ count }) => count))].sort((a, b) => a - b);
  const parts = counts.map((count) => {
    const some = results.filter((one) => one.count === count);
    const peers = 'Peer of json: `JSON.stringify` or `JSON.parse` with `zlib`; of binary: `msgpackr` with `zlib`; same levels, made durable.';
    return [
      `### ${count.toLocaleString('en-US')} entries`, `Save. ${peers}`, section(some, 'save'), 'Load into a `Map`.', section(some, 'load'),
      'Beside the estimates of the documented package:', estimates(some, count),
    ].join('\n\n');
  });
  return `${about}\n\n${parts.join('\n\n')}\n`;
}
