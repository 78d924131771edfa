/**
 * The class `DatabasePersistence`. Every method is one file in `operations/`; here is only the object that they share a
 * name with. Its contract is in index.d.ts.
 */
import { EventEmitter } from 'node:events';
import type {
  CallOptions, ExportOptions, ImportOptions, LoadOptions, PersistableDatabase, PersistenceEvents, PersistenceOptions, RecoverOptions,
  RecoverReport, RestoreOptions, SaveIncrementalOptions, SaveOptions, SnapshotMetadata, SnapshotOptions, JournalStatus,
} from '../index';
import { AutoSave } from './autosave';
import { closedError } from './errors';
import { createSnapshot } from './operations/create-snapshot';
import { deleteSnapshot } from './operations/delete-snapshot';
import { exportTo } from './operations/export';
import { flush } from './operations/flush';
import { importFrom } from './operations/import';
import { listSnapshots } from './operations/list-snapshots';
import { load } from './operations/load';
import { recover } from './operations/recover';
import { restoreSnapshot } from './operations/restore-snapshot';
import { saveIncremental } from './operations/save-incremental';
import { save } from './operations/save';
import { shutdown } from './operations/shutdown';
import { planOf } from './operations/tasks';
import { walStatus } from './operations/wal-status';
import { readSettings } from './options';
import { endSchedules, Schedules } from './schedules/schedules';
import { Session } from './session';

export class DatabasePersistence extends EventEmitter<PersistenceEvents> {
  readonly schedules: Schedules;
  readonly #session: Session;
  readonly #autoSave: AutoSave;
  #ending: Promise<void> | null = null;

  constructor(db: PersistableDatabase, options: PersistenceOptions) {
    super();
    this.#session = new Session(db, readSettings(options), (event, ...args) => this.#tell(event, args));
    this.#autoSave = new AutoSave(this.#session);
    this.schedules = new Schedules(planOf(this.#session));
    if (options.autoSaveInterval) this.#autoSave.start();
  }

  async ready(): Promise<void> {
    if (this.#ending) throw closedError();
    await this.#session.ready();
  }

  async save(options?: SaveOptions): Promise<string> {
    return save(this.#session, options);
  }

  async saveIncremental(options?: SaveIncrementalOptions): Promise<string | null> {
    return saveIncremental(this.#session, options);
  }

  async load(options?: LoadOptions | CallOptions): Promise<void> {
    return load(this.#session, options);
  }

  async recover(options?: RecoverOptions): Promise<RecoverReport> {
    return recover(this.#session, options);
  }

  async flush(): Promise<void> {
    if (this.#ending) throw closedError();
    await flush(this.#session);
  }

  async walStatus(): Promise<JournalStatus> {
    if (this.#ending) throw closedError();
    return walStatus(this.#session);
  }

  async createSnapshot(name: string, metadata?: Record<string, any>, options?: SnapshotOptions): Promise<SnapshotMetadata> {
    return createSnapshot(this.#session, name, metadata, options);
  }

  async listSnapshots(): Promise<SnapshotMetadata[]> {
    return listSnapshots(this.#session);
  }

  async restoreSnapshot(snapshotId: string, options?: RestoreOptions): Promise<void> {
    return restoreSnapshot(this.#session, snapshotId, options);
  }

  async deleteSnapshot(snapshotId: string): Promise<void> {
    return deleteSnapshot(this.#session, snapshotId);
  }

  async export(options: ExportOptions): Promise<void> {
    return exportTo(this.#session, options);
  }

  async import(options: ImportOptions): Promise<void> {
    return importFrom(this.#session, options);
  }

  startAutoSave(): void {
    if (this.#ending) throw closedError();
    this.#autoSave.start();
  }

  stopAutoSave(): void {
    this.#autoSave.stop();
  }

  shutdown(): Promise<void> {
    this.#autoSave.stop();
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const scheduled = endSchedules(this.schedules);
    await shutdown(this.#session).finally(() => scheduled);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  /** Emits an event; whether anybody heard it. A listener that throws hinders nothing of ours. */
  #tell<K extends keyof PersistenceEvents>(event: K, args: PersistenceEvents[K]): boolean {
    // An 'error' that nobody listens to would be thrown.
    if (this.listenerCount(event) === 0) return false;
    try {
      return (this as EventEmitter).emit(event, ...args);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
      return true;
    }
  }
}
