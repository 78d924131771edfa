/**
 * What was last saved to which file, remembered in `<baseDir>/.incremental.json`.
 *
 * Promises: a file counts as holding a content only when it was recorded with the same fingerprint, format and
 * compression, and is still there with the recorded size. The file is read anew for every question, so that other processes
 * on the same folder are heard; a file of the earlier package (`vectorIds`) or a damaged one counts as empty.
 */
import { isAbsolute, join, relative, sep } from 'node:path';
import { unwrap } from './errors';
import { native } from './native';
import type { ArchiveOptions } from './options';

interface SavedState {
  readonly fingerprint: string;
  readonly bytes: number;
  readonly format: string;
  readonly compression: string;
  readonly timestamp: number;
}

const VERSION = 1;
/** Files remembered; the longest unsaved go first. */
const FILES_MAX = 1000;

export class SavedStates {
  readonly #base: string;
  /** Recording has failed: what the file says may be wrong for these files. */
  readonly #distrusted = new Set<string>();

  constructor(base: string) {
    this.#base = base;
  }

  /** Makes the folder usable. */
  async open(): Promise<void> {
    await this.#read();
  }

  async holds(path: string, archive: ArchiveOptions, fingerprint: string): Promise<boolean> {
    const key = this.#key(path);
    if (this.#distrusted.has(key)) return false;
    const state = (await this.#read()).get(key);
    if (state === undefined || state.fingerprint !== fingerprint) return false;
    if (state.format !== archive.format || state.compression !== archive.compression) return false;
    return (await native.fileSize(path)) === state.bytes;
  }

  /** Records what a file holds now. With `onlyKnown`, files that were never asked about stay unrecorded. */
  async record(path: string, archive: ArchiveOptions, report: { fingerprint: string; bytes: number; timestamp: number }, onlyKnown: boolean): Promise<void> {
    const key = this.#key(path);
    try {
      const states = await this.#read();
      if (onlyKnown && !states.has(key)) return;
      states.delete(key);
      const { format, compression } = archive;
      states.set(key, { fingerprint: report.fingerprint, bytes: report.bytes, format, compression, timestamp: report.timestamp });
      const files = [...states].slice(-FILES_MAX);
      unwrap(await native.writeIncremental(this.#base, `${JSON.stringify({ version: VERSION, files: Object.fromEntries(files) }, null, 2)}\n`));
      this.#distrusted.delete(key);
    } catch (error) {
      this.#distrusted.add(key);
      throw error;
    }
  }

  async #read(): Promise<Map<string, SavedState>> {
    const { incremental } = unwrap(await native.openBase(this.#base));
    return parse(incremental);
  }

  /** Files inside the folder by their place in it, so that the folder can be moved. */
  #key(path: string): string {
    const absolute = isAbsolute(path) ? path : join(process.cwd(), path);
    const inside = relative(this.#base, absolute);
    return inside.startsWith('..') || isAbsolute(inside) ? absolute : inside.split(sep).join('/');
  }
}

function parse(text: string | null | undefined): Map<string, SavedState> {
  const states = new Map<string, SavedState>();
  let content: { version?: unknown; files?: unknown } | null;
  try {
    content = JSON.parse(text ?? 'null') as { version?: unknown; files?: unknown } | null;
  } catch {
    return states;
  }
  if (content?.version !== VERSION || typeof content.files !== 'object' || content.files === null) return states;
  for (const [key, state] of Object.entries(content.files as Record<string, SavedState | null>)) {
    if (typeof state?.fingerprint === 'string' && typeof state.bytes === 'number') states.set(key, state);
  }
  return states;
}
