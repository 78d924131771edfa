// The stores that ours is measured beside. They are no dependencies of this package: `npm install --no-save lmdb
// better-sqlite3 classic-level`, or PEERS=<folder with node_modules>. What is not installed has rows that say so.
import { createRequire } from 'node:module';
import { closeSync, fdatasyncSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchEntry, dimension } from '../data';

/** Vector and metadata as one value: what an application does with a store of bytes. */
export function packed({ vector, metadata }: BenchEntry): Buffer {
  return Buffer.concat([Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength), Buffer.from(JSON.stringify(metadata))]);
}

export function unpacked(bytes: Uint8Array): { vector: Float32Array; metadata: unknown } {
  const vector = new Float32Array(new Uint8Array(bytes.subarray(0, dimension * 4)).buffer);
  return { vector, metadata: JSON.parse(Buffer.from(bytes.subarray(dimension * 4)).toString()) };
}

/** One store of bytes by id. Every write is durable when it resolves, unless `durable` is false. */
export interface Peer {
  /** Resolves when it can be read, where making it does not do. */
  ready?(): Promise<unknown>;
  put(entry: BenchEntry): Promise<unknown>;
  putBatch(entries: BenchEntry[]): Promise<unknown>;
  get(id: string): unknown;
  /** A copy in another place while it is in use, where it has such a thing. */
  backup?(place: string): Promise<unknown>;
  close(): Promise<unknown> | void;
}

export const from = createRequire(join(process.env['PEERS'] ?? process.cwd(), 'peers.js'));

function lmdb(folder: string, durable: boolean): Peer {
  const { open } = from('lmdb');
  // Without overlapping syncs a write resolves after its own sync.
  const db = open({ path: join(folder, 'lmdb'), encoding: 'binary', overlappingSync: false, noSync: !durable, mapSize: 8 * 2 ** 30 });
  return {
    put: (entry) => db.put(entry.id, packed(entry)),
    putBatch: (entries) => db.transaction(() => entries.forEach((entry) => db.putSync(entry.id, packed(entry)))),
    get: (id) => unpacked(db.getBinary(id)),
    backup: async (place) => {
      mkdirSync(place);
      await db.backup(place);
    },
    close: () => db.close(),
  };
}

function sqlite(folder: string, durable: boolean): Peer {
  const Database = from('better-sqlite3');
  const db = new Database(join(folder, 'sqlite.db'));
  db.pragma('journal_mode = WAL');
  db.pragma(`synchronous = ${durable ? 'FULL' : 'OFF'}`);
  db.exec('create table if not exists entries (id text primary key, value blob) without rowid');
  const insert = db.prepare('insert or replace into entries values (?, ?)');
  const select = db.prepare('select value from entries where id = ?').pluck();
  const all = db.transaction((entries: BenchEntry[]) => entries.forEach((entry) => insert.run(entry.id, packed(entry))));
  return {
    put: async (entry) => insert.run(entry.id, packed(entry)),
    putBatch: async (entries) => all(entries),
    get: (id) => unpacked(select.get(id)),
    backup: (place) => db.backup(place),
    close: () => db.close(),
  };
}

function level(folder: string, sync: boolean): Peer {
  const { ClassicLevel } = from('classic-level');
  const db = new ClassicLevel(join(folder, 'level'), { valueEncoding: 'buffer' });
  return {
    ready: () => db.open(),
    put: (entry) => db.put(entry.id, packed(entry), { sync }),
    putBatch: (entries) => db.batch(entries.map((entry) => ({ type: 'put', key: entry.id, value: packed(entry) })), { sync }),
    get: (id) => unpacked(db.getSync(id)),
    close: () => db.close(),
  };
}

export const peers: Record<string, (folder: string, durable: boolean) => Peer> = { lmdb, sqlite, level };

/** The machine itself: a file of zeros that is there already, written in order, synced after each write. */
export function rawSyncs(folder: string, sizes: number[]): void {
  const file = openSync(join(folder, 'raw'), 'w+');
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const zeros = Buffer.alloc(1 << 20);
  for (let at = 0; at < total; at += zeros.length) writeSync(file, zeros, 0, zeros.length, at);
  fdatasyncSync(file);
  rawFile = { file, at: 0 };
}

let rawFile: { file: number; at: number } | null = null;

export function rawWrite(bytes: Uint8Array): void {
  writeSync(rawFile!.file, bytes, 0, bytes.length, rawFile!.at);
  fdatasyncSync(rawFile!.file);
  rawFile!.at += bytes.length;
}

/** Reads a file from the front in pieces of 1 MiB. */
export function rawRead(path: string): number {
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(1 << 20);
  let total = 0;
  for (let count = 1; count > 0; total += count) count = readSync(file, buffer);
  closeSync(file);
  return total;
}
