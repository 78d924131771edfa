// One measurement: the time of a piece of work, the longest stall of the event loop in it, and the memory it needed at its
// peak above what was there before. Made for a process that does nothing else.
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

export interface Measurement {
  ms: number;
  /** Longest time that the event loop did not turn, in milliseconds. */
  stallMs: number;
  /** Peak of resident memory above the start, in MiB; null where the system does not tell. */
  extraMiB: number | null;
}

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
  const delay = monitorEventLoopDelay({ resolution: 1 });
  resetPeak();
  const before = peakMiB();
  delay.enable();
  await sleep(20);
  delay.reset();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  await sleep(5);
  delay.disable();
  const after = peakMiB();
  return { ms, stallMs: delay.max / 1e6, extraMiB: before === null || after === null ? null : Math.max(0, after - before) };
}

/** Writes a buffer in one sequence and makes it durable: the floor under every save. */
export function writeDurable(path: string, bytes: Uint8Array, sync: (file: number) => void): void {
  const file = openSync(path, 'w');
  try {
    for (let at = 0; at < bytes.length; at += 1 << 20) writeSync(file, bytes.subarray(at, at + (1 << 20)));
    sync(file);
  } finally {
    closeSync(file);
  }
}

export function tell(result: object): void {
  writeFileSync(1, `${JSON.stringify(result)}\n`);
}
