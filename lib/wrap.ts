/**
 * The wrapping of one method of one instance, and its removal.
 *
 * Promises: `this`, arguments, the returned value (the same object, or for a plain promise one that settles the same way),
 * exceptions and rejections are what they would be without the wrapping, but that a plain promise may settle later, and
 * reject when what was done could not be kept; a promise nobody handles is still reported as unhandled. `unwrap` leaves the instance exactly as it was: no own property where there was none. What a call
 * means is not decided here (see the adapters), nor what is kept of it (see `tracker.ts`).
 */
import { types } from 'node:util';
import { wrongType } from './errors';

/** What to do around one call. */
export interface Around {
  /** Called with `this` and the arguments; null lets the call pass untouched. */
  begin(self: unknown, args: unknown[]): Watched | null;
}

/** One call under way. Exactly one of `done` and `failed` is called, once. */
export interface Watched {
  readonly args: unknown[];
  /** Makes the call. */
  run(work: () => unknown): unknown;
  /** Called at once when the call will settle later. */
  later(): void;
  /** What a caller who can be kept waiting waits for; null when nothing. */
  done(result: unknown, canWait: boolean): Promise<void> | null;
  failed(): void;
}

export function wrapMethod(target: object, name: string, around: Around): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  const original = (target as Record<string, unknown>)[name] as (...args: unknown[]) => unknown;
  let active = true;
  const wrapper = {
    [name](this: unknown, ...args: unknown[]): unknown {
      const watched = active ? around.begin(this, args) : null;
      return watched === null ? Reflect.apply(original, this, args) : follow(original, this, watched);
    },
  }[name]!;
  Object.defineProperty(wrapper, 'length', { value: original.length, configurable: true });
  try {
    Object.defineProperty(target, name, { value: wrapper, writable: true, configurable: true, enumerable: before?.enumerable ?? false });
  } catch {
    throw wrongType(`The method "${name}" of the database cannot be wrapped: the object is frozen or sealed`);
  }
  return () => {
    active = false;
    // Somebody who wrapped the method after us still calls us: then we stay, and let everything pass.
    if (Object.getOwnPropertyDescriptor(target, name)?.value !== wrapper) return;
    if (before) Object.defineProperty(target, name, before);
    else delete (target as Record<string, unknown>)[name];
  };
}

function follow(original: (...args: unknown[]) => unknown, self: unknown, watched: Watched): unknown {
  let result: unknown;
  try {
    result = watched.run(() => Reflect.apply(original, self, watched.args));
  } catch (error) {
    watched.failed();
    throw error;
  }
  if (isOrdinaryPromise(result)) {
    watched.later();
    return result.then(
      (value) => {
        const durable = watched.done(value, true);
        return durable === null ? value : durable.then(() => value);
      },
      (error: unknown) => {
        watched.failed();
        throw error;
      },
    );
  }
  if (isThenable(result)) {
    watched.later();
    observe(result, watched);
  } else {
    watched.done(result, false);
  }
  return result;
}

/** What Node.js itself puts on promises while somebody uses an AsyncLocalStorage or other async hooks. */
const NODES = new Set(['async_id_symbol', 'trigger_async_id_symbol', 'kResourceStore']);

/** A promise whose derived promise nobody can tell from it. */
function isOrdinaryPromise(value: unknown): value is Promise<unknown> {
  if (!types.isPromise(value) || Object.getPrototypeOf(value) !== Promise.prototype) return false;
  return Reflect.ownKeys(value).every((key) => typeof key === 'symbol' && NODES.has(key.description ?? ''));
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** Watches a thenable that must be handed on as it is; only the first of its answers counts. */
function observe(result: PromiseLike<unknown>, watched: Watched): void {
  let settled = false;
  const once = (act: () => void): void => {
    if (settled) return;
    settled = true;
    act();
  };
  try {
    result.then((value) => once(() => watched.done(value, false)), () => once(() => watched.failed()));
  } catch {
    once(() => watched.failed());
  }
}
