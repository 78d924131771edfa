/**
 * The writes of a database as promises that settle when the log has acknowledged them. Entries are read and copied at
 * call time, the writes happen in the order of the calls, and many that wait at once share one sync.
 */
import type { DurableWrites, NewVectorEntry } from '../../index';
import type { Core } from './core';
import { type Change, clearing, deleting, putting, puttingBatch, readBatch, readEntry, settingMetadata } from './writes';

/** Gives the open database: at once when it is open, so that the write happens in the turn of the call. */
export type Opening = () => Core | Promise<Core>;

export class Durable implements DurableWrites {
  readonly #open: Opening;

  constructor(open: Opening) {
    this.#open = open;
  }

  async insert(entry: NewVectorEntry): Promise<string> {
    const read = readEntry(entry);
    await this.#make(putting(read));
    return read.id;
  }

  async insertBatch(entries: readonly NewVectorEntry[]): Promise<string[]> {
    const read = readBatch(entries);
    await this.#make(puttingBatch(read));
    return read.map(({ id }) => id);
  }

  async delete(id: string): Promise<boolean> {
    return (await this.#make(deleting(id))) > 0;
  }

  async updateMetadata(id: string, metadata: Record<string, any> | null): Promise<boolean> {
    return (await this.#make(settingMetadata(id, metadata))) > 0;
  }

  async clear(): Promise<void> {
    await this.#make(clearing);
  }

  async #make(change: Change): Promise<number> {
    const opening = this.#open();
    const { collection, commits } = opening instanceof Promise ? await opening : opening;
    const lsn = change(collection, true);
    await commits.wait(lsn);
    return lsn;
  }
}
