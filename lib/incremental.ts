/**
 * The chains that saves have written, a base and its deltas each, remembered in `<baseDir>/.incremental.json`; and of a few
 * of them what they hold, as long as this process runs.
 *
 * Promises: what is remembered of a file is what was written there; whether it is still there the native side finds out. The
 * file is read anew for every question, so that other processes on the same folder are heard; a damaged one, or one of the
 * earlier package (`vectorIds`), counts as empty.
 */
import { isAbsolute, join, relative, sep } from 'node:path';
import { unwrap } from './errors';
import { native, type KnownChain, type NativeChain } from './native';

const VERSION = 1;
/** Files remembered; the longest unsaved go first. */
const FILES_MAX = 1000;
/** Chains whose content is held. Each keeps the entries in memory that were changed or removed since. */
const HELD_MAX = 4;
const DELTA = /\.delta-\d{6,}$/;

export class SavedStates {
  readonly #base: string;
  /** Recording has failed: what the file says may be wrong for these files. */
  readonly #distrusted = new Set<string>();
  readonly #held = new Map<string, NativeChain>();
  /** Whether every chain is worth holding, not only those that were saved incrementally. */
  readonly #always: boolean;

  constructor(base: string, always: boolean) {
    this.#base = base;
    this.#always = always;
  }

  /** Makes the folder usable. */
  async open(): Promise<void> {
    await this.#read();
  }

  /** What is remembered of the chain that a file belongs to. */
  async known(path: string): Promise<KnownChain | undefined> {
    const key = this.#key(path);
    return this.#distrusted.has(key) ? undefined : (await this.#read()).get(key);
  }

  /** What the chain of a base holds, when that is at hand. */
  held(path: string): NativeChain | undefined {
    return this.#held.get(this.#key(path));
  }

  /** Whether it is worth to hold what the chain of a base holds. */
  wants(path: string): boolean {
    return this.#always || this.#held.has(this.#key(path));
  }

  /** Holds what the chain of a base holds, in the place of what was held for it. */
  hold(path: string, chain: NativeChain): void {
    const key = this.#key(path);
    this.#held.delete(key);
    this.#held.set(key, chain);
    for (const oldest of [...this.#held.keys()].slice(0, -HELD_MAX)) this.#held.delete(oldest);
  }

  /** Records the chain of a base. With `onlyKnown`, files that were never asked about stay unrecorded. */
  async record(path: string, chain: KnownChain, onlyKnown: boolean): Promise<void> {
    const key = this.#key(path);
    try {
      const states = await this.#read();
      if (onlyKnown && !states.has(key)) return;
      states.delete(key);
      states.set(key, chain);
      const files = [...states].slice(-FILES_MAX);
      unwrap(await native.writeIncremental(this.#base, `${JSON.stringify({ version: VERSION, files: Object.fromEntries(files) }, null, 2)}\n`));
      this.#distrusted.delete(key);
    } catch (error) {
      this.#distrusted.add(key);
      throw error;
    }
  }

  async #read(): Promise<Map<string, KnownChain>> {
    const { incremental } = unwrap(await native.openBase(this.#base));
    return parse(incremental);
  }

  /** Files inside the folder by their place in it, so that the folder can be moved; a delta is known by its base. */
  #key(path: string): string {
    const absolute = (isAbsolute(path) ? path : join(process.cwd(), path)).replace(DELTA, '');
    const inside = relative(this.#base, absolute);
    return inside.startsWith('..') || isAbsolute(inside) ? absolute : inside.split(sep).join('/');
  }
}

function parse(text: string | null | undefined): Map<string, KnownChain> {
  const states = new Map<string, KnownChain>();
  let content: { version?: unknown; files?: unknown } | null;
  try {
    content = JSON.parse(text ?? 'null') as { version?: unknown; files?: unknown } | null;
  } catch {
    return states;
  }
  if (content?.version !== VERSION || typeof content.files !== 'object' || content.files === null) return states;
  for (const [key, state] of Object.entries(content.files as Record<string, KnownChain | null>)) {
    if (isChain(state)) states.set(key, state);
  }
  return states;
}

function isChain(state: Partial<KnownChain> | null): state is KnownChain {
  if (typeof state !== 'object' || state === null || !Array.isArray(state.deltas)) return false;
  const texts = [state.format, state.compression, state.fingerprint].every((text) => typeof text === 'string');
  return texts && typeof state.timestamp === 'number' && [state.base, ...state.deltas].every(isFile);
}

function isFile(file: Partial<KnownChain['base']> | null | undefined): boolean {
  return typeof file?.checksum === 'string' && typeof file.bytes === 'number' && typeof file.modified === 'number';
}
