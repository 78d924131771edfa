/**
 * Which adapter a database gets. A database that none fits is refused by name, before anything of it is touched.
 */
import { types } from 'node:util';
import { kindOf } from '../describe';
import { PersistenceError, wrongType } from '../errors';
import type { Adapter } from './adapter';
import { genericAdapter } from './generic';
import { coreOf } from '../vector-db/core';
import { mapAdapter } from './map';
import { nativeAdapter } from './native';
import { isNativeRuvector, isRuvector, ruvectorAdapter } from './ruvector';

export function adapterFor(db: unknown): Adapter {
  if ((typeof db !== 'object' && typeof db !== 'function') || db === null) {
    throw wrongType(`DatabasePersistence needs a database: ruvector's VectorDB, one of the same shape, or a Map; got ${kindOf(db)}`);
  }
  const core = coreOf(db);
  if (core !== null) return nativeAdapter(core);
  if (types.isMap(db)) return mapAdapter(db);
  if (isRuvector(db)) return ruvectorAdapter(db);
  if (isNativeRuvector(db)) {
    throw new PersistenceError('ERR_UNSUPPORTED', 'The native handle NativeVectorDb of ruvector is not supported; give the VectorDB of ruvector');
  }
  if (typeof (db as { insert?: unknown }).insert !== 'function') {
    throw wrongType(`DatabasePersistence needs a database with a method "insert", or a Map; got ${kindOf(db)}`);
  }
  return genericAdapter(db);
}
