/**
 * Work at set times: `store.schedules` and `persistence.schedules`. Their contract is in index.d.ts.
 *
 * Promises: one run at a time, whatever is due; a time that comes while the run of the time before has not ended is skipped
 * and told; timers keep no process alive; a failure of a run is an event or a warning, never a crash. What a run does is
 * not decided here: the owner turns tasks into steps.
 */
import { EventEmitter } from 'node:events';
import type { Schedule, ScheduleEvents, ScheduleReport, ScheduleTime } from '../../index';
import { isString } from '../checks';
import { asError, PersistenceError, wrongType, wrongValue } from '../errors';
import { type Clock, readTime, startClock } from './time';

/** One thing that a run does; what it resolves to is in the report under its name. */
export interface Step {
  readonly name: string;
  run(): Promise<unknown>;
}

/** Checks tasks and makes them steps, in the order in which they are done. */
export type Plan = (tasks: unknown) => Step[];

interface Job {
  readonly name: string;
  readonly time: ScheduleTime;
  readonly steps: Step[];
  readonly clock: Clock;
  pending: boolean;
  running: boolean;
  last: ScheduleReport | null;
  skipped: number;
}

const endedError = (): PersistenceError => new PersistenceError('ERR_CLOSED', 'What these schedules belong to was closed');

/** Ends the timers and the run that is under way: what it has begun is done, the next step is not. */
export let endSchedules: (schedules: Schedules) => Promise<void>;

export class Schedules extends EventEmitter<ScheduleEvents> {
  static {
    endSchedules = (schedules) => schedules.#end();
  }

  readonly #plan: Plan;
  readonly #jobs = new Map<string, Job>();
  #turn: Promise<unknown> = Promise.resolve();
  #ended = false;

  constructor(plan: Plan) {
    super();
    if (typeof plan !== 'function') throw wrongType('Schedules are had as the member "schedules" of a store or a DatabasePersistence');
    this.#plan = plan;
  }

  add(name: string, when: ScheduleTime, tasks: object): Schedule {
    isString(name, 'name');
    if (name === '') throw wrongValue('A schedule needs a name that is not empty');
    const time = readTime(when);
    const steps = this.#plan(tasks);
    if (steps.length === 0) throw wrongType(`Schedule "${name}" has nothing to do`);
    if (this.#ended) throw endedError();
    if (this.#jobs.has(name)) throw new PersistenceError('ERR_EXISTS', `There is a schedule '${name}' already; remove it first`);
    const clock = startClock(time, () => void this.#due(name));
    this.#jobs.set(name, { name, time, steps, clock, pending: false, running: false, last: null, skipped: 0 });
    return this.#shown(name);
  }

  list(): Schedule[] {
    return [...this.#jobs.keys()].map((name) => this.#shown(name));
  }

  remove(name: string): boolean {
    const job = this.#jobs.get(name);
    job?.clock.stop();
    return this.#jobs.delete(name);
  }

  async run(name: string): Promise<ScheduleReport> {
    const report = await this.#inTurn(this.#find(name));
    if (report.error !== undefined) throw report.error;
    return report;
  }

  #find(name: string): Job {
    const job = this.#jobs.get(name);
    if (job === undefined) throw new PersistenceError('ERR_NOT_FOUND', `There is no schedule '${name}'`);
    return job;
  }

  #shown(name: string): Schedule {
    const { time, clock, running, last, skipped } = this.#find(name);
    return { name, ...time, next: clock.next(), running, last, skipped };
  }

  async #due(name: string): Promise<void> {
    const job = this.#find(name);
    if (job.pending) {
      job.skipped += 1;
      this.#tell('skipped', this.#shown(name));
      return;
    }
    await this.#inTurn(job);
  }

  #inTurn(job: Job): Promise<ScheduleReport> {
    job.pending = true;
    const done = this.#turn.then(() => this.#do(job)).finally(() => (job.pending = false));
    this.#turn = done;
    return done;
  }

  async #do(job: Job): Promise<ScheduleReport> {
    const report: ScheduleReport = { name: job.name, startedAt: Date.now(), durationMs: 0, results: {} };
    const started = performance.now();
    job.running = true;
    try {
      for (const step of job.steps) {
        if (this.#ended) throw endedError();
        report.results[step.name] = await step.run();
      }
    } catch (thrown) {
      report.error = asError(thrown);
    }
    report.durationMs = performance.now() - started;
    job.running = false;
    job.last = report;
    if (report.error === undefined) this.#tell('done', report);
    else if (!this.#tell('failed', report) && !this.#ended) this.#warn(report.name, report.error);
    return report;
  }

  #warn(name: string, error: Error): void {
    const code = (error as { code?: string }).code ?? 'ERR_INTERNAL';
    process.emitWarning(`Schedule '${name}': ${error.message} (listen to "failed" of the schedules)`, { code, type: 'PersistenceWarning' });
  }

  /** What a listener throws is the listener's, and is thrown where it hinders nothing of ours. */
  #tell<K extends keyof ScheduleEvents>(event: K, ...args: ScheduleEvents[K]): boolean {
    try {
      return (this as EventEmitter).emit(event, ...args);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
      return true;
    }
  }

  async #end(): Promise<void> {
    this.#ended = true;
    for (const { clock } of this.#jobs.values()) clock.stop();
    await this.#turn;
  }
}
