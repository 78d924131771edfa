// One measurement: the time of a piece of work, the longest stall of the event loop in it, and the memory it needed at its
// peak above what was there before. Made for a process that does nothing else.
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

export interface Measurement {
  ms: number;
  /** Longest time that the event loop did not turn, in milliseconds. */
  stallMs: number;
  /** The 99th percentile of the times between two turns, in milliseconds. */
  stallP99Ms: number;
  /** Peak of resident memory above the start, in MiB; null where the system does not tell. */
  extraMiB: number | null;
  /** Resident memory above the start when the work is done, in MiB: what was loaded, and what was not given back. */
  keptMiB: number;
}

/** A turn of the loop takes the millisecond that the meter waits between two looks. */
const TURN_MS = 1;

/** Peak resident memory since the last reset, in MiB. Only Linux tells, and only Linux can reset it. */
function peakMiB(): number | null {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
  } catch {
    return null;
  }
}

function resetPeak(): void {
  try {
    const file = openSync('/proc/self/clear_refs', 'w');
    writeSync(file, '5');
    closeSync(file);
  } catch {
    // Elsewhere the column stays empty.
  }
}

export async function measure(work: () => Promise<void> | void): Promise<Measurement> {
  (globalThis as { gc?: () => void }).gc?.();
  await sleep(100);
  const delay = monitorEventLoopDelay({ resolution: TURN_MS });
  resetPeak();
  const before = peakMiB();
  const resident = process.memoryUsage.rss() / 2 ** 20;
  delay.enable();
  await sleep(20);
  delay.reset();
  // The meter counts from its first look after a reset on: work that blocks has to come after that.
  await sleep(5);
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  await sleep(5);
  delay.disable();
  const after = peakMiB();
  (globalThis as { gc?: () => void }).gc?.();
  await sleep(100);
  return {
    ms,
    stallMs: Math.max(0, delay.max / 1e6 - TURN_MS),
    stallP99Ms: Math.max(0, delay.percentile(99) / 1e6 - TURN_MS),
    extraMiB: before === null || after === null ? null : Math.max(0, after - before),
    keptMiB: Math.max(0, process.memoryUsage.rss() / 2 ** 20 - resident),
  };
}

/** Writes buffers in one sequence and makes them durable: the floor under every save. */
export function writeDurable(path: string, pieces: Iterable<Uint8Array>, sync: (file: number) => void): void {
  const file = openSync(path, 'w');
  try {
    for (const bytes of pieces) for (let at = 0; at < bytes.length; at += 1 << 20) writeSync(file, bytes.subarray(at, at + (1 << 20)));
    sync(file);
  } finally {
    closeSync(file);
  }
}

export function tell(result: object): void {
  writeFileSync(1, `${JSON.stringify(result)}\n`);
}
