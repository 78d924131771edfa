// What is measured against what. A contender is one piece of work on N entries in a process of its own; `prepare` is not
// measured. Loads read the file that the save of the same name has left.
//
// Peers do what a careful application does without this package: the same entries, one file, made durable.
import { fsyncSync, readFileSync, openSync, readSync, closeSync, statSync } from 'node:fs';
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from 'node:zlib';
import { Packr, Unpackr } from 'msgpackr';
import { DatabasePersistence, type CompressionType } from 'ruvector-persistence';
import { dimension, type EntryMap, makeMap } from './data';
import { writeDurable } from './measure';

export interface Contender {
  name: string;
  /** Entries that the work needs as a Map. */
  prepare(count: number, folder: string): Promise<() => Promise<void> | void> | (() => Promise<void> | void);
}

type Format = 'json' | 'binary';
const formats: Format[] = ['json', 'binary'];
const compressions: CompressionType[] = ['none', 'gzip', 'brotli', 'zstd'];

export const fileOf = (folder: string, name: string): string => `${folder}/${name.replace(/^(save|load|raw-write|raw-read):/, '').replaceAll(':', '-')}`;

async function attached(map: EntryMap, folder: string, options = {}): Promise<DatabasePersistence> {
  const persistence = new DatabasePersistence(map, { baseDir: `${folder}/base`, ...options });
  await persistence.ready();
  return persistence;
}

function ours(format: Format, compression: CompressionType): Contender[] {
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
        return () => writeDurable(`${fileOf(folder, file)}.raw`, bytes, fsyncSync);
      },
    },
    {
      name: `raw-read:${file}`,
      prepare(count, folder) {
        return () => rawRead(fileOf(folder, file), count);
      },
    },
  ];
}

/** Reads the bytes and copies as many bytes as the vectors have: the floor under every load. */
function rawRead(path: string, count: number): void {
  const file = openSync(path, 'r');
  const block = Buffer.alloc(1 << 20);
  while (readSync(file, block) > 0);
  closeSync(file);
  const one = new Float32Array(dimension).fill(1);
  const copies = Array.from({ length: count }, () => new Float32Array(one));
  if (copies.length !== count) throw new Error('unreachable');
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
          writeDurable(fileOf(folder, file), pack[compression]!(encoded), fsyncSync);
        };
      },
    },
    {
      name: `load:${file}`,
      prepare(_count, folder) {
        return () => {
          const bytes = unpack[compression]!(readFileSync(fileOf(folder, file)));
          const state = (format === 'json' ? JSON.parse(bytes.toString()) : new Unpackr().unpack(bytes)) as { vectors: { id: string; vector: number[] | Buffer; metadata: object }[] };
          const map = new Map(state.vectors.map(({ id, vector, metadata }) => [id, { metadata, vector: floatsOf(vector) }]));
          if (map.size !== state.vectors.length) throw new Error('the peer lost entries');
        };
      },
    },
  ];
}

const floatsOf = (vector: number[] | Buffer): Float32Array =>
  Array.isArray(vector) ? Float32Array.from(vector) : new Float32Array(vector.buffer.slice(vector.byteOffset, vector.byteOffset + vector.byteLength));

/** Work beyond plain saves and loads: snapshot, incremental save after 1 % of changes and after none. */
const others: Contender[] = [
  {
    name: 'snapshot:ours:json:none',
    async prepare(count, folder) {
      const persistence = await attached(makeMap(count), folder, { maxSnapshots: 1 });
      return async () => void (await persistence.createSnapshot('bench'));
    },
  },
  ...[0.01, 0].map((share): Contender => ({
    name: `incremental-${share * 100}%:ours:json:none`,
    async prepare(count, folder) {
      const map = makeMap(count);
      const persistence = await attached(map, folder);
      await persistence.saveIncremental();
      let left = Math.ceil(count * share);
      for (const [id, { vector }] of [...map].slice(0, left)) map.set(id, { vector, metadata: { changed: left-- } });
      return async () => void (await persistence.saveIncremental());
    },
  })),
];

export const contenders: Contender[] = [
  ...formats.flatMap((format) => compressions.flatMap((compression) => ours(format, compression))),
  ...formats.flatMap((format) => (['none', 'gzip', 'brotli'] as const).flatMap((compression) => peer(format, compression))),
  ...others,
];

/** Bytes of the file that a save has left; null when it has left none. */
export function bytesOf(folder: string, name: string): number | null {
  return statSync(fileOf(folder, name), { throwIfNoEntry: false })?.size ?? null;
}
