// One piece of work in a process of its own: `worker.ts <name> <count> <folder>` prints one line of JSON.
import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { tell } from '../measure';
import { works } from './work';

async function main([name = '', count = '0', folder = '.']: string[]): Promise<void> {
  const make = works[name];
  if (make === undefined) throw new Error(`there is no work "${name}"`);
  const { operations, work } = await make(Number(count), folder);
  (globalThis as { gc?: () => void }).gc?.();
  // What the preparation wrote is on the disk: a sync of the work waits for what the work wrote.
  if (process.platform !== 'win32') spawnSync('sync');
  const start = performance.now();
  await work();
  tell({ operations, ms: performance.now() - start });
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    tell({ error: error instanceof Error ? error.message.split('\n')[0] : String(error) });
    process.exit(0);
  },
);
