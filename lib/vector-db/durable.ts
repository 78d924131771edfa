/**
 * The writes of a database as promises that settle when the log has acknowledged them. Entries are read and copied at
 * call time, the writes happen in the order of the calls, and many that wait at once share one sync.
 */
import type { DurableWrites, NewVectorEntry } from '../../index';
import { borrowVector, copyVector } from '../capture';
import type { Core } from './core';
import { type Change, clearing, deleting, putting, puttingBatch, readBatch, readEntry, settingMetadata } from './writes';

/** How the open database is got at: at once, so that the write happens in the turn of the call, or later. */
export interface Opening {
  /** Null when it is not open yet. */
  now(): Core | null;
  later(): Promise<Core>;
}

export class Durable implements DurableWrites {
  readonly #opening: Opening;

  constructor(opening: Opening) {
    this.#opening = opening;
  }

  insert(entry: NewVectorEntry): Promise<string> {
    let id: string;
    const read = (isOpen: boolean): Change => {
      const captured = readEntry(entry, isOpen ? borrowVector : copyVector);
      id = captured.id;
      return putting(captured);
    };
    return this.#make(read, () => id);
  }

  insertBatch(entries: readonly NewVectorEntry[]): Promise<string[]> {
    let ids: string[];
    const read = (): Change => {
      const batch = readBatch(entries);
      ids = batch.ids;
      return puttingBatch(batch);
    };
    return this.#make(read, () => ids);
  }

  delete(id: string): Promise<boolean> {
    return this.#make(() => deleting(id), isDone);
  }

  updateMetadata(id: string, metadata: Record<string, any> | null): Promise<boolean> {
    return this.#make(() => settingMetadata(id, metadata), isDone);
  }

  clear(): Promise<void> {
    return this.#make(() => clearing, () => undefined);
  }

  /** `answer` makes of the LSN what the call gives. */
  #make<T>(read: (isOpen: boolean) => Change, answer: (lsn: number) => T): Promise<T> {
    try {
      const change = read(this.#opening.now() !== null);
      const core = this.#opening.now();
      return new Promise((resolve, reject) => {
        const make = ({ collection, commits }: Core): void => {
          const lsn = change(collection, true);
          commits.tell({ first: lsn, last: lsn, value: answer(lsn), resolve, reject });
        };
        if (core === null) this.#opening.later().then(make).catch(reject);
        else make(core);
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

const isDone = (lsn: number): boolean => lsn > 0;
