/**
 * What one `DatabasePersistence` consists of inside: settings, journal, tracker, queue, and what is known of the last save.
 *
 * Promises: work in the background never becomes an unhandled rejection or a crash; its failure comes from `ready` and
 * from every call that needs what failed, and the next call tries again. The operations are in `operations/`.
 */
import { join, resolve } from 'node:path';
import type { PersistenceEvents } from '../index';
import type { Adapter } from './adapters/adapter';
import { adapterFor } from './adapters/index';
import { adopt } from './adopt';
import { mirror, refuseLog } from './adopt-native';
import { asError, PersistenceError } from './errors';
import { SavedStates } from './incremental';
import { Journal } from './journal';
import { Log } from './log/log';
import { Settlement } from './log/settle';
import { look } from './look';
import { learnMetric } from './metric';
import { archiveOptions, defaultPath, type Settings } from './options';
import { claim, release } from './owners';
import { Call } from './progress';
import { Queue } from './queue';
import { sample } from './sample';
import { Tracker } from './tracker';

export type Emit = <K extends keyof PersistenceEvents>(event: K, ...args: PersistenceEvents[K]) => boolean;

export class Session {
  readonly adapter: Adapter;
  readonly journal: Journal;
  readonly tracker: Tracker;
  readonly states: SavedStates;
  /** The journal on disk, where there is one. */
  readonly durable: { readonly log: Log; readonly settlement: Settlement } | null = null;
  /** The content that is mixed after a load that failed twice over: only an explicit save or load may end that. */
  suspect: PersistenceError | null = null;
  readonly #queue = new Queue();
  /** Revision of the journal that the default file holds. */
  #savedRevision = 0;
  #base: Promise<void> | null = null;
  #adoption: Promise<void> | null = null;
  /** The database was found changed around the wrapped methods, and could not be read since. */
  #around = false;

  constructor(readonly db: object, readonly settings: Settings, readonly emit: Emit) {
    this.adapter = adapterFor(db);
    this.journal = new Journal(this.adapter.rule, settings.dimension ?? null, settings.metric ?? null);
    this.tracker = new Tracker(db, this.adapter, this.journal);
    this.states = new SavedStates(settings.base, settings.incremental);
    if (settings.wal !== null) this.durable = this.#makeDurable(settings.wal);
    claim(db);
    try {
      this.tracker.wrap();
    } catch (error) {
      release(db);
      throw error;
    }
    this.ready().catch(() => undefined);
  }

  #makeDurable(wal: NonNullable<Settings['wal']>): NonNullable<Session['durable']> {
    const { adapter, journal, tracker, settings } = this;
    refuseLog(adapter);
    const background = (error: unknown): void => this.background(error);
    const log = new Log(settings.base, wal, journal, background);
    const settlement = new Settlement(log, journal, (difference) => this.emit('difference', difference));
    const reread = (): Promise<void> => this.run({}, async () => {
      await this.known();
      const refusal = settlement.refusal() ?? journal.refusal();
      if (refusal !== null) throw refusal;
    });
    journal.sink = log;
    tracker.acknowledgements.wait({ record: (work) => log.record(work), reread, background }, adapter.kind === 'generic');
    return { log, settlement };
  }

  /** Runs one call in its turn. `options` are checked ones. */
  run<T>(options: ConstructorParameters<typeof Call>[0], work: (call: Call) => Promise<T>): Promise<T> {
    const call = new Call(options);
    return this.#queue.run(call, () => work(call));
  }

  /** Runs the last call; new ones are refused from now on. */
  runLast<T>(work: (call: Call) => Promise<T>): Promise<T> {
    this.#queue.close();
    const call = new Call();
    return this.#queue.runLast(call, () => work(call));
  }

  async ready(): Promise<void> {
    const [base, adoption] = await Promise.allSettled([this.opened(), this.adopted()]);
    if (base.status === 'rejected') throw base.reason;
    if (adoption.status === 'rejected') throw adoption.reason;
    await this.durable?.settlement.settle();
  }

  /** Resolves when the folder is usable, and the journal in it open. */
  opened(): Promise<void> {
    this.#base ??= this.#open().catch((error: unknown) => {
      this.#base = null;
      throw error;
    });
    return this.#base;
  }

  async #open(): Promise<void> {
    const log = this.durable?.log;
    await this.states.open().catch((error: PersistenceError) => {
      log?.store.refuse(error);
      throw error;
    });
    await log?.store.open();
  }

  /** Resolves when what was in the database before is in the journal. */
  adopted(): Promise<void> {
    this.#adoption ??= (this.adapter.direct ? mirror : adopt)(this.tracker, this.settings).catch((error: unknown) => {
      this.#adoption = null;
      throw error;
    });
    return this.#adoption;
  }

  /** Resolves when the journal holds everything that the database holds, writes that were started before included. */
  async known(): Promise<void> {
    if (this.adapter.direct) return mirror(this.tracker, this.settings);
    await this.adopted();
    await this.tracker.landed();
    const { stale } = this.tracker;
    if (stale || !(await look(this.tracker)).agrees || !(await this.#holds())) await this.#adoptAnew(stale && !this.#around);
    await this.#settled();
  }

  /** Whether entries that are looked at are what they have to be. Without a journal on disk the count alone decides. */
  async #holds(): Promise<boolean> {
    return this.durable === null || sample(this.tracker);
  }

  /** Something could not be followed, or (not `followed`) was written around the wrapped methods. */
  async #adoptAnew(followed: boolean): Promise<void> {
    const { durable, tracker } = this;
    this.#adoption = null;
    tracker.adopted = false;
    this.#around = !followed;
    if (durable !== null) {
      durable.log.leader = followed ? 'database' : null;
      tracker.stale = true;
    }
    try {
      await this.adopted();
      this.#around = false;
    } finally {
      if (durable !== null) durable.log.leader = null;
    }
  }

  /** A journal on disk that cannot be written is no reason to refuse a save, when it is known what it should hold. */
  async #settled(): Promise<void> {
    if (this.durable === null) return;
    try {
      await this.durable.settlement.settle();
    } catch (error) {
      if (this.durable.log.standing !== 'same') throw error;
      this.background(error);
    }
  }

  /** As `known`; rejects also when the folder is not usable, or an entry cannot be kept. */
  async complete(): Promise<void> {
    const [opened, known] = await Promise.allSettled([this.opened(), this.known()]);
    if (opened.status === 'rejected') throw opened.reason;
    if (known.status === 'rejected') throw known.reason;
    await this.savable();
  }

  /** Resolves when what is known can be saved. */
  async savable(): Promise<void> {
    await this.opened();
    await learnMetric(this.tracker, this.settings);
    const refusal = this.durable?.settlement.refusal() ?? this.journal.refusal();
    if (refusal !== null) throw refusal;
  }

  /** Where the default save goes. */
  get defaultFile(): string {
    return defaultPath(this.settings, archiveOptions({}, this.settings));
  }

  isDefaultFile(path: string): boolean {
    return resolve(path) === resolve(this.defaultFile);
  }

  get unsaved(): boolean {
    return this.journal.revision !== this.#savedRevision;
  }

  /** The default file holds the content of this revision. */
  markSaved(revision: number): void {
    this.#savedRevision = revision;
  }

  /** Something that is no failure of the call under way, for those who listen. */
  report(error: PersistenceError): void {
    const { onError } = this.settings;
    this.emit('error', error);
    if (onError) this.#outside(() => onError(error));
  }

  /** Work in the background has failed. */
  background(thrown: unknown): void {
    const error = asError(thrown);
    const { onError } = this.settings;
    const heard = this.emit('error', error);
    if (onError) this.#outside(() => onError(error));
    else if (!heard) {
      const code = (error as { code?: string }).code ?? 'ERR_INTERNAL';
      process.emitWarning(`${error.message} (listen to "error" of DatabasePersistence, or give "onError")`, { code, type: 'PersistenceWarning' });
    }
  }

  /** The callback of a user: what it throws is the user's, and is thrown where it hinders nothing of ours. */
  #outside(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }

  /** Takes everything off the database again. */
  dispose(): void {
    this.tracker.unwrap();
    release(this.db);
  }

  /** A path as native code gets it: independent of later changes of the working directory, otherwise as it was given. */
  static absolute(path: string): string {
    if (path === '' || path.includes('\0')) {
      throw new PersistenceError('ERR_PATH', `Path ${JSON.stringify(path)} cannot be used: it is empty or holds a NUL character`, { path });
    }
    return resolve(path) === path || path.startsWith('/') ? path : join(process.cwd(), path);
  }
}
