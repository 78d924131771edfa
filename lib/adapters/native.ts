/**
 * Our own `VectorDB`: its native collection is what is saved and what a load replaces, without a copy beside it.
 *
 * Nothing is wrapped and nothing is adopted: every save reads the collection as it is at that moment, whoever wrote to it
 * and how. A load puts the new content in the place of the old one in one step, what was written meanwhile included.
 */
import { batchOf, putBatch } from '../batch';
import { unwrap } from '../errors';
import type { NativeCollection } from '../native';
import type { Core } from '../vector-db/core';
import type { Adapter, Row } from './adapter';

/** `open` gives the database once it is open. */
export function nativeAdapter(open: () => Promise<Core>): Adapter {
  const collection = async (): Promise<NativeCollection> => (await open()).collection;
  const write = async (rows: readonly Row[]): Promise<void> => {
    const entries = rows.map(({ id, vector, metadata }) => ({ id, vector, metadata: metadata === null ? null : JSON.stringify(metadata) }));
    const core = await open();
    await core.commits.wait(putBatch(core.collection, batchOf(entries), true));
  };
  return {
    kind: 'native',
    rule: 'replace',
    methods: [],
    canRemove: true,
    canClear: true,
    pageBytes: 4 << 20,
    late: false,
    direct: collection,
    count: async () => (await collection()).length,
    async describe() {
      const { dimension, metric } = await collection();
      return { dimension: dimension || null, metric };
    },
    enumerate: () => null,
    write,
    async remove(ids) {
      const held = await collection();
      for (const id of ids) unwrap(held.delete(id, false));
    },
    async clear() {
      unwrap((await collection()).clear(false));
    },
    finish: () => undefined,
  };
}
