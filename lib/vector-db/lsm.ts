/**
 * The option `lsm`: the knobs of engine 'lsm' under the names that callers know from RocksDB.
 *
 * Which names there are, what they mean and which are refused is one table in Rust (`src/manifest/lsm_options.rs`). Here
 * values are only brought there as JSON, and its refusals of values become those of every other option.
 */
import { kindOf } from '../describe';
import { isFailure, unwrap, wrongType, wrongValue } from '../errors';
import { native } from '../native';

/** The options as they were given, checked. */
export type LsmGiven = Readonly<Record<string, unknown>>;

/** All knobs, as the manifest has them. */
export type LsmSettings = Readonly<Record<string, unknown>>;

/** The own, defined options; `memtableSize` is what `writeBufferSize` means. */
export function readLsm(given: unknown): { lsm: LsmGiven; memtableSize?: number } {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw wrongType(`The options of lsm must be an object, got ${kindOf(given)}`);
  const lsm: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (typeof value !== 'string' && typeof value !== 'number') throw wrongType(`Option "${name}" of lsm must be a number or a text, got ${kindOf(value)}`);
    lsm[name] = value;
  }
  const { memtableSize } = ask(lsm, undefined);
  return memtableSize === null ? { lsm } : { lsm, memtableSize };
}

/** The knobs with what is given put over them. */
export function putOver(settings: LsmSettings | undefined, given: LsmGiven): LsmSettings {
  return ask(given, settings).settings;
}

function ask(given: LsmGiven, over: LsmSettings | undefined): { settings: LsmSettings; memtableSize: number | null } {
  const answer = native.lsmOptions(JSON.stringify(given), over === undefined ? undefined : JSON.stringify(over));
  if (isFailure(answer) && answer.code === 'ERR_LIMIT') throw wrongValue(answer.message);
  return JSON.parse(unwrap(answer)) as { settings: LsmSettings; memtableSize: number | null };
}
