/** `store.drill`: would the backup work? Nothing is decided here. */
import type { DrillOptions, DrillReport } from '../../index';
import { isInteger, isSignal, isString, readOptions } from '../checks';
import type { Operate } from './operate';
import { timed } from './wal';

/** The request that the options make. */
export function readDrill(given: unknown): { request: object; signal?: AbortSignal } {
  const checks = { snapshot: isString, collection: isString, directory: isString, scratch: isString, sample: isInteger(0, 10_000), signal: isSignal };
  const { signal, ...request } = readOptions<DrillOptions>(given, 'drill', checks);
  return { request, signal };
}

export async function drill(operate: Operate, { request, signal }: ReturnType<typeof readDrill>): Promise<DrillReport> {
  return timed(() => operate('drill', request, signal));
}
