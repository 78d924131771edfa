/**
 * Reading single entries and many by id: the native side fills buffers that are made here.
 * Promises: every buffer that is given out is a fresh one. It checks no ids.
 */
import type { ManyVectors, StoredEntry } from '../../index';
import { joined } from '../batch';
import { unwrap } from '../errors';
import type { Core } from './core';
import { entryOf } from './pages';

export function readOne(core: Core, id: string): StoredEntry | null {
  for (;;) {
    const vector = new Float32Array(core.dimension);
    const found = unwrap(core.collection.readInto(id, vector));
    if (typeof found === 'string') return entryOf(id, vector, JSON.parse(found) as Record<string, any>);
    if (typeof found === 'boolean') return found ? entryOf(id, vector, null) : null;
    core.dimension = found;
  }
}

export function readMany(core: Core, ids: readonly string[]): ManyVectors {
  for (;;) {
    const vectors = new Float32Array(core.dimension * ids.length);
    const missing = unwrap(core.collection.readManyInto(joined(ids), vectors));
    if (typeof missing !== 'number') return { vectors, missing };
    core.dimension = missing / ids.length;
  }
}
