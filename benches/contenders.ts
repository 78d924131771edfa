// What is measured against what. A contender is one piece of work on N entries in a process of its own; `prepare` is not
// measured. Loads read the file that the save of the same name has left.
//
// Peers do what a careful application does without this package: the same entries, one file, made durable.
import { existsSync, fsyncSync, readFileSync, openSync, readSync, closeSync, statSync } from 'node:fs';
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from 'node:zlib';
import { Packr, Unpackr } from 'msgpackr';
import { DatabasePersistence, type CompressionType, type PersistenceFormat } from 'ruvector-persistence';
import { type LoadRequest, type NativeCollection, NativeJob, load, save } from '../native.js';
import { dimension, type EntryMap, makeCollection, makeMap, must } from './data';
import { writeDurable } from './measure';
import { sqlitePeer } from './sqlite';

export interface Contender {
  name: string;
  /** Entries that the work needs as a Map. */
  prepare(count: number, folder: string): Promise<() => Promise<void> | void> | (() => Promise<void> | void);
}

/** Formats whose bytes follow one another: those that are measured with every compression. */
type Format = 'json' | 'binary';
const SQLITE_PEER = 'better-sqlite3:sqlite:none';
const formats: Format[] = ['json', 'binary'];
const compressions: CompressionType[] = ['none', 'gzip', 'brotli', 'zstd'];

export const fileOf = (folder: string, name: string): string => `${folder}/${name.replace(/^(save|load|raw-write|raw-read|native-save|native-load|batch-\d+):/, '').replaceAll(':', '-')}`;

async function attached(map: EntryMap, folder: string, options = {}): Promise<DatabasePersistence> {
  const persistence = new DatabasePersistence(map, { baseDir: `${folder}/base`, ...options });
  await persistence.ready();
  return persistence;
}

function ours(format: PersistenceFormat, compression: CompressionType): Contender[] {
  const file = `ours:${format}:${compression}`;
  return [
    {
      name: `save:${file}`,
      async prepare(count, folder) {
        const persistence = await attached(makeMap(count), folder);
        return async () => void (await persistence.save({ path: fileOf(folder, file), format, compression }));
      },
    },
    {
      name: `load:${file}`,
      async prepare(_count, folder) {
        const persistence = await attached(new Map(), folder);
        return () => persistence.load({ path: fileOf(folder, file) });
      },
    },
    {
      name: `raw-write:${file}`,
      prepare(_count, folder) {
        const bytes = readFileSync(fileOf(folder, file));
        return () => writeDurable(`${fileOf(folder, file)}.raw`, [bytes], fsyncSync);
      },
    },
    {
      name: `raw-read:${file}`,
      prepare(count, folder) {
        return () => void rawRead(fileOf(folder, file), count);
      },
    },
  ];
}

/** Reads the bytes and copies as many bytes as the vectors have, in one piece of memory: the floor under every load. */
function rawRead(path: string, count: number): Uint8Array {
  const file = openSync(path, 'r');
  const block = Buffer.alloc(1 << 20);
  const vectors = new Uint8Array(count * dimension * 4);
  let filled = 0;
  const take = (bytes: Uint8Array): void => {
    vectors.set(bytes.subarray(0, vectors.length - filled), filled);
    filled = Math.min(vectors.length, filled + bytes.length);
  };
  for (let length = readSync(file, block); length > 0; length = readSync(file, block)) take(block.subarray(0, length));
  closeSync(file);
  while (filled < vectors.length) take(block);
  return vectors;
}

/** What a native load has made, kept so that giving it back is not part of the work. */
export const held: NativeCollection[] = [];

/** The native part alone: what the budgets of the design are about. */
function native(format: PersistenceFormat): Contender[] {
  const file = `ours:${format}:none`;
  return [
    {
      name: `native-save:${file}`,
      prepare(count, folder) {
        const collection = makeCollection(count);
        const options = { format, compression: 'none' };
        return async () => void must(await save(collection, fileOf(folder, file), options, 'save', new NativeJob()));
      },
    },
    {
      name: `native-load:${file}`,
      prepare(_count, folder) {
        const request: LoadRequest = { path: fileOf(folder, file), verify: true, operation: 'load' };
        return async () => void held.push(must(await load(request, new NativeJob())));
      },
    },
  ];
}

/** A load with another `batchSize`, which is 1,000 in all others. */
function batch(batchSize: number): Contender {
  const file = 'ours:binary:none';
  return {
    name: `batch-${batchSize}:${file}`,
    async prepare(_count, folder) {
      const persistence = await attached(new Map(), folder, { batchSize });
      return () => persistence.load({ path: fileOf(folder, file) });
    },
  };
}

const pack: Record<string, (bytes: Buffer) => Buffer> = {
  none: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes, { level: 6 }),
  brotli: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
};
const unpack: Record<string, (bytes: Buffer) => Buffer> = { none: (bytes) => bytes, gzip: gunzipSync, brotli: brotliDecompressSync };

function peer(format: Format, compression: 'none' | 'gzip' | 'brotli'): Contender[] {
  const tool = format === 'json' ? 'JSON' : 'msgpackr';
  const file = `${tool}:${format}:${compression}`;
  const bytesOf = (vector: Float32Array): Buffer => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  return [
    {
      name: `save:${file}`,
      prepare(count, folder) {
        const map = makeMap(count);
        return () => {
          const vectors = [...map].map(([id, { vector, metadata }]) =>
            format === 'json' ? { id, vector: Array.from(vector), metadata } : { id, vector: bytesOf(vector), metadata });
          const state = { version: '1.0.0', vectors, timestamp: Date.now() };
          const encoded = format === 'json' ? Buffer.from(JSON.stringify(state)) : new Packr().pack(state);
          writeDurable(fileOf(folder, file), [pack[compression]!(encoded)], fsyncSync);
        };
      },
    },
    {
      name: `load:${file}`,
      prepare(_count, folder) {
        return () => {
          const bytes = unpack[compression]!(readFileSync(readable(folder, file, format, compression)));
          const state = (format === 'json' ? JSON.parse(bytes.toString()) : new Unpackr({ mapsAsObjects: true }).unpack(bytes)) as { vectors: { id: string; vector: number[] | Buffer; metadata: object | string }[] };
          const objectOf = (metadata: object | string): object => (typeof metadata === 'string' ? (JSON.parse(metadata) as object) : metadata);
          const map = new Map(state.vectors.map(({ id, vector, metadata }) => [id, { metadata: objectOf(metadata), vector: floatsOf(vector) }]));
          if (map.size !== state.vectors.length) throw new Error('the peer lost entries');
        };
      },
    },
  ];
}

/** What a peer loads: its own file, or ours of the same kind, which any library reads, when it could not write one. */
function readable(folder: string, file: string, format: Format, compression: CompressionType): string {
  const own = fileOf(folder, file);
  return existsSync(own) ? own : fileOf(folder, `ours:${format}:${compression}`);
}

const floatsOf = (vector: number[] | Buffer): Float32Array =>
  Array.isArray(vector) ? Float32Array.from(vector) : new Float32Array(vector.buffer.slice(vector.byteOffset, vector.byteOffset + vector.byteLength));

/** JSON with a line for each entry: what is left where one string cannot hold the whole state. */
function lines(): Contender[] {
  const file = 'JSON-lines:json:none';
  return [
    {
      name: `save:${file}`,
      prepare(count, folder) {
        const map = makeMap(count);
        return () => writeDurable(fileOf(folder, file), linesOf(map), fsyncSync);
      },
    },
    {
      name: `load:${file}`,
      prepare(_count, folder) {
        return () => {
          const map: EntryMap = new Map();
          const bytes = readFileSync(fileOf(folder, file));
          for (let from = 0, to = bytes.indexOf(10); to >= 0; from = to + 1, to = bytes.indexOf(10, from)) {
            const { id, vector, metadata } = JSON.parse(bytes.toString('utf8', from, to)) as { id: string; vector: number[]; metadata: Record<string, unknown> };
            map.set(id, { vector: floatsOf(vector), metadata });
          }
          if (map.size === 0) throw new Error('the peer lost entries');
        };
      },
    },
  ];
}

/** The lines in pieces of about 1 MiB. */
function* linesOf(map: EntryMap): Iterable<Buffer> {
  let text = '';
  for (const [id, { vector, metadata }] of map) {
    text += `${JSON.stringify({ id, vector: Array.from(vector), metadata })}\n`;
    if (text.length < 1 << 20) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

/** The shares of all entries that are changed before an incremental save. */
const CHANGED = [0.01, 0.001, 0] as const;

/** Work beyond plain saves and loads: snapshot, incremental saves. */
const others: Contender[] = [
  {
    name: 'snapshot:ours:json:none',
    async prepare(count, folder) {
      const persistence = await attached(makeMap(count), folder, { maxSnapshots: 1 });
      return async () => void (await persistence.createSnapshot('bench'));
    },
  },
  ...(['json', 'binary'] as const).flatMap((format) => CHANGED.map((share): Contender => ({
    name: `incremental-${share * 100}%:ours:${format}:none`,
    async prepare(count, folder) {
      const map = makeMap(count);
      const persistence = await attached(map, folder, { format });
      await persistence.saveIncremental();
      // Spread evenly, so that no part of the content is as it was.
      const every = share === 0 ? count + 1 : Math.round(1 / share);
      for (const [row, [id, { vector }]] of [...map].entries()) if ((row + 1) % every === 0) map.set(id, { vector, metadata: { changed: row } });
      return async () => void (await persistence.saveIncremental());
    },
  }))),
];

export const contenders: Contender[] = [
  ...formats.flatMap((format) => compressions.flatMap((compression) => ours(format, compression))),
  ...formats.flatMap((format) => (['none', 'gzip', 'brotli'] as const).flatMap((compression) => peer(format, compression))),
  ...lines(),
  ...ours('sqlite', 'none'),
  ...sqlitePeer(SQLITE_PEER, (folder) => fileOf(folder, SQLITE_PEER)),
  ...[...formats, 'sqlite' as const].flatMap(native),
  ...[10, 100, 10_000].map(batch),
  ...others,
];

/** Bytes of the file that a save has left; null when it has left none. */
export function bytesOf(folder: string, name: string): number | null {
  return statSync(fileOf(folder, name), { throwIfNoEntry: false })?.size ?? null;
}
