/**
 * What calls of a generic database's methods mean for its content.
 * The database gets the caller's arguments untouched; what it will hold is captured beside it, at call time.
 */
import { types } from 'node:util';
import { type Captured, capture } from '../capture';
import { showKey } from '../describe';
import { PersistenceError } from '../errors';
import { metadataText } from '../metadata';
import type { Known, Recorder, Tracked } from './adapter';

/** The wrapped methods among those that the database has. `seen` learns how its vectors look. */
export function genericMethods(names: readonly string[], seen: { arrays: boolean }): Tracked[] {
  const can = { read: names.includes('get') };
  const all = [insert(can, seen), insertBatch(can, seen), remove, clear, updateMetadata(can), load];
  return all.filter(({ name }) => names.includes(name));
}

/** Id and vector of the caller's entry; reading may call getters, which may throw or call the database. */
function take(given: unknown, seen: { arrays: boolean }): { id: unknown; entry: Captured; bare: boolean } {
  try {
    const { id, vector, metadata } = given as { id?: unknown; vector?: unknown; metadata?: unknown };
    seen.arrays = Array.isArray(vector);
    return { id, entry: capture(id, { vector, metadata }), bare: metadata === undefined || metadata === null };
  } catch (cause) {
    const failure = new PersistenceError('ERR_VECTOR_TYPE', 'An entry given to the database cannot be read', { cause });
    return { id: undefined, entry: { id: undefined, failure }, bare: false };
  }
}

/** The id under which the database keeps an entry that came without one. */
function givenId(result: unknown): unknown {
  if (typeof result === 'object' && result !== null) return (result as { id?: unknown }).id;
  return result;
}

type Taken = ReturnType<typeof take>;

function recordInsert({ id, entry, bare }: Taken, result: unknown, known: Known, can: { read: boolean }, recorder: Recorder): void {
  const key = id ?? givenId(result);
  if (key === undefined || key === null || typeof key === 'boolean') {
    recorder.lost();
    return;
  }
  // Some databases keep the old metadata when an insert brings none; where they can be asked, they are.
  if (bare && can.read && (!known.adopted || known.has(key))) recorder.unsure(key);
  else if (id === key) recorder.put(entry);
  else if (can.read) recorder.unsure(key);
  else recorder.put('failure' in entry ? { id: key, failure: entry.failure } : { ...entry, id: key as string });
}

function insert(can: { read: boolean }, seen: { arrays: boolean }): Tracked {
  return {
    name: 'insert',
    understand(args, known) {
      const taken = take(args[0], seen);
      return {
        args,
        ids: taken.id === undefined ? [] : [taken.id],
        record: (result, recorder) => recordInsert(taken, result, known, can, recorder),
      };
    },
  };
}

function insertBatch(can: { read: boolean }, seen: { arrays: boolean }): Tracked {
  return {
    name: 'insertBatch',
    understand(args, known) {
      const entries: unknown = args[0];
      if (!Array.isArray(entries) || types.isProxy(entries)) return { args, ids: 'all', record: (_result, recorder) => recorder.lost() };
      const taken = (entries as unknown[]).map((entry) => take(entry, seen));
      const ids = taken.map(({ id }) => id).filter((id) => id !== undefined);
      return {
        args,
        ids,
        record(result, recorder) {
          const results = Array.isArray(result) && result.length === taken.length ? (result as unknown[]) : [];
          taken.forEach((one, index) => recordInsert(one, results[index], known, can, recorder));
        },
        // A refused batch may have been carried out in part.
        failed: (recorder) => (can.read ? ids.forEach((id) => recorder.unsure(id)) : recorder.lost()),
      };
    },
  };
}

const remove: Tracked = {
  name: 'delete',
  understand: (args) => ({ args, ids: [args[0]], record: (_result, recorder) => recorder.drop(args[0]) }),
};

const clear: Tracked = {
  name: 'clear',
  understand: (args) => ({ args, ids: 'all', record: (_result, recorder) => recorder.clear() }),
};

function updateMetadata(can: { read: boolean }): Tracked {
  return {
    name: 'updateMetadata',
    understand(args) {
      const [id, metadata] = args;
      if (can.read) return { args, ids: [id], record: (_result, recorder) => recorder.unsure(id) };
      let text: ReturnType<typeof metadataText> | { id: unknown; failure: PersistenceError };
      try {
        text = metadataText(metadata, () => `id ${showKey(id)}`);
      } catch (failure) {
        text = { id, failure: failure as PersistenceError };
      }
      return { args, ids: [id], record: (_result, recorder) => recorder.setMetadata(id, text) };
    },
  };
}

const load: Tracked = {
  name: 'load',
  understand: (args) => ({ args, ids: 'all', record: (_result, recorder) => recorder.lost(), failed: (recorder) => recorder.lost() }),
};
