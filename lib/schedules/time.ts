/**
 * When scheduled work is due: an interval, or a cron expression as croner reads it.
 * Promises: wrong times are refused before anything starts; a timer keeps no process alive.
 */
import { Cron } from 'croner';
import type { ScheduleTime } from '../../index';
import { isInteger, isString, readOptions } from '../checks';
import { wrongType, wrongValue } from '../errors';

/** A timer that has been started. */
export interface Clock {
  /** When it is due next; null when never again. */
  next(): Date | null;
  stop(): void;
}

/** More does not fit into a timer of Node.js: 24.8 days. */
const EVERY_MAX = 2 ** 31 - 1;

export function readTime(given: unknown): ScheduleTime {
  const { cron, timeZone, every } = readOptions<{ cron?: string; timeZone?: string; every?: number }>(given, 'schedules.add', {
    cron: isString, timeZone: isString, every: isInteger(1, EVERY_MAX),
  });
  if ((cron === undefined) === (every === undefined)) throw wrongType('A schedule needs either "cron" or "every", one of them');
  if (every !== undefined) {
    if (timeZone !== undefined) throw wrongType('Option "timeZone" belongs to "cron": an interval has none');
    return { every };
  }
  const time = timeZone === undefined ? { cron: cron! } : { cron: cron!, timeZone };
  if (nextOf(time) === null) throw wrongValue(`Option "cron" names no time to come: ${JSON.stringify(cron)}`);
  return time;
}

interface CronTime {
  readonly cron: string;
  readonly timeZone?: string;
}

const optionsOf = ({ timeZone }: CronTime): { unref: true; timezone?: string } =>
  timeZone === undefined ? { unref: true } : { unref: true, timezone: timeZone };

/** The next time of an expression that is not known to be one. */
function nextOf(time: CronTime): Date | null {
  // A date is a pattern to croner too, and is not a cron expression.
  if (/^\s*\d{4}-/.test(time.cron)) throw wrongValue(`Option "cron" must be a cron expression, got ${JSON.stringify(time.cron.slice(0, 80))}`);
  try {
    return new Cron(time.cron, { ...optionsOf(time), paused: true }).nextRun();
  } catch (error) {
    throw wrongValue(`Option "cron" or "timeZone" cannot be used: ${(error as Error).message}`);
  }
}

export function startClock(time: ScheduleTime, due: () => void): Clock {
  if (time.every === undefined) {
    const job = new Cron(time.cron, optionsOf(time), due);
    return { next: () => job.nextRun(), stop: () => job.stop() };
  }
  let last = Date.now();
  const timer = setInterval(() => {
    last = Date.now();
    due();
  }, time.every);
  timer.unref();
  return { next: () => new Date(last + time.every), stop: () => clearInterval(timer) };
}
