/**
 * A plain `Map<string, { vector, metadata }>`.
 *
 * Values are read when they are set; a later change inside a value that is in the Map already is not seen. What is
 * loaded is put in as objects of their own, each vector with a buffer of its own.
 */
import { capture, type Captured } from '../capture';
import type { Adapter, Method, Row, Tracked } from './adapter';

const sizeOf = Object.getOwnPropertyDescriptor(Map.prototype, 'size')!.get!;

const methods: readonly Tracked[] = [
  {
    name: 'set',
    understand(args) {
      const [key, value] = args;
      const entry = capture(key, value);
      return { args, ids: [key], record: (_result, recorder) => recorder.put(entry) };
    },
  },
  { name: 'delete', understand: (args) => ({ args, ids: [args[0]], record: (_result, recorder) => recorder.drop(args[0]) }) },
  { name: 'clear', understand: (args) => ({ args, ids: 'all', record: (_result, recorder) => recorder.clear() }) },
];

export function mapAdapter(map: Map<unknown, unknown>): Adapter {
  const set = map.set.bind(map) as Method;
  const remove = map.delete.bind(map) as Method;
  const clear = map.clear.bind(map);
  return {
    kind: 'map',
    rule: 'replace',
    methods,
    canRemove: true,
    canClear: true,
    pageBytes: 1 << 19,
    late: false,
    count: () => sizeOf.call(map) as number,
    describe: async () => ({ dimension: null, metric: null }),
    read: (key) => (map.has(key) ? capture(key, map.get(key)) : null),
    enumerate: () => enumerate(map),
    write(rows: readonly Row[]) {
      for (const { id, vector, metadata } of rows) set(id, metadata === null ? { vector } : { vector, metadata });
    },
    remove(ids) {
      for (const id of ids) remove(id);
    },
    clear: () => clear(),
    finish: () => undefined,
  };
}

function* enumerate(map: Map<unknown, unknown>): Iterable<Captured> {
  for (const [key, value] of map) yield capture(key, value);
}
