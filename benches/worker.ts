// One contender in a process of its own: `worker.ts <name> <count> <folder>` prints one line of JSON.
import { bytesOf, contenders } from './contenders';
import { measure, tell } from './measure';

async function main([name = '', count = '0', folder = '.']: string[]): Promise<void> {
  const contender = contenders.find((known) => known.name === name);
  if (contender === undefined) throw new Error(`there is no contender "${name}"`);
  const work = await contender.prepare(Number(count), folder);
  const measurement = await measure(work);
  tell({ ...measurement, bytes: bytesOf(folder, name) });
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    tell({ error: error instanceof Error ? error.message : String(error) });
    process.exit(0);
  },
);
