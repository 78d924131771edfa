// What is measured of stores: each piece of work for each subject, `group:subject`. It prepares what it needs and gives
// back the work and how many operations it is.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { VectorDB as Ruvector } from 'ruvector';
import { DatabasePersistence, VectorDB, type VectorDBOptions, VectorStore } from 'ruvector-persistence';
import { type BenchEntry, dimension, makeEntries } from '../data';
import { packed, type Peer, peers, rawRead, rawSyncs, rawWrite } from './peers';

export interface Prepared {
  operations: number;
  work(): Promise<unknown> | unknown;
}

type Work = (count: number, folder: string) => Promise<Prepared> | Prepared;

/** Other entries are written before the measurement: what is measured is a program that runs, not one that starts. */
const WARM = 2_000;
/** Writes one after another are slow everywhere: so many are enough. */
const SINGLE_MAX = 2_000;
const MANY_MAX = 20_000;
const BATCH = 1_000;
const AT_ONCE = 64;
const GETS = 100_000;

async function open(folder: string, more: Partial<VectorDBOptions> = {}): Promise<VectorDB> {
  return VectorDB.open({ path: join(folder, 'ours'), dimension, metric: 'cosine', ...more });
}

async function inBatches(entries: BenchEntry[], write: (batch: BenchEntry[]) => unknown): Promise<void> {
  for (let at = 0; at < entries.length; at += BATCH) await write(entries.slice(at, at + BATCH));
}

const ruvector = (folder: string): any => new Ruvector({ dimensions: dimension, distanceMetric: 'cosine', storagePath: join(folder, 'ruvector.db') } as any);

/** Entries that are not those which are measured. */
function others(count: number): BenchEntry[] {
  return makeEntries(count).map((entry) => ({ ...entry, id: `other ${entry.id}` }));
}

/** `count` writes with 64 under way at any time. */
async function many(entries: BenchEntry[], write: (entry: BenchEntry) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < entries.length) await write(entries[next++]!);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** Ids in an order that no cache expects, the same in each run. */
function shuffled(entries: BenchEntry[], count: number): string[] {
  let state = 1;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return entries[state % entries.length]!.id;
  });
}

const works: Record<string, Work> = {
  'single:raw': (count, folder) => {
    const values = makeEntries(Math.min(count, SINGLE_MAX)).map(packed);
    rawSyncs(folder, values.map((value) => value.length));
    return { operations: values.length, work: () => values.forEach(rawWrite) };
  },
  'single:ours': async (count, folder) => {
    const [db, entries] = [await open(folder), makeEntries(Math.min(count, SINGLE_MAX))];
    for (const entry of others(WARM / 4)) await db.durable.insert(entry);
    return { operations: entries.length, work: async () => { for (const entry of entries) await db.durable.insert(entry); } };
  },
  'many:ours': async (count, folder) => {
    const [db, entries] = [await open(folder), makeEntries(Math.min(count, MANY_MAX))];
    await many(others(WARM), (entry) => db.durable.insert(entry));
    return { operations: entries.length, work: () => many(entries, (entry) => db.durable.insert(entry)) };
  },
  'batch:raw': (count, folder) => {
    const values: Buffer[] = [];
    const entries = makeEntries(count);
    for (let at = 0; at < count; at += BATCH) values.push(Buffer.concat(entries.slice(at, at + BATCH).map(packed)));
    rawSyncs(folder, [0]);
    return { operations: count, work: () => values.forEach(rawWrite) };
  },
  'batch:ours': async (count, folder) => {
    const [db, entries] = [await open(folder), makeEntries(count)];
    await inBatches(others(WARM * 5), (batch) => db.durable.insertBatch(batch));
    return { operations: count, work: () => inBatches(entries, (batch) => db.durable.insertBatch(batch)) };
  },
  'journal:ruvector': (count, folder) => {
    const [db, entries] = [ruvector(folder), makeEntries(Math.min(count, SINGLE_MAX))];
    return { operations: entries.length, work: async () => { for (const entry of entries) await db.insert(entry); } };
  },
  'journal:ours': async (count, folder) => {
    const [db, entries] = [ruvector(folder), makeEntries(Math.min(count, SINGLE_MAX))];
    await new DatabasePersistence(db, { baseDir: join(folder, 'base'), wal: true }).ready();
    return { operations: entries.length, work: async () => { for (const entry of entries) await db.insert(entry); } };
  },
  'unsynced:ours': async (count, folder) => {
    const [db, entries] = [await open(folder, { wal: { syncMode: 'async' } }), makeEntries(count)];
    others(WARM).forEach((entry) => db.insert(entry));
    return { operations: count, work: () => entries.forEach((entry) => db.insert(entry)) };
  },
  'get:map': (count) => {
    const entries = makeEntries(count);
    const map = new Map(entries.map((entry) => [entry.id, entry]));
    const ids = shuffled(entries, GETS);
    return { operations: GETS, work: () => ids.forEach((id) => map.get(id)) };
  },
  'get:ours': async (count, folder) => {
    const [db, ids] = [await filled(count, folder), shuffled(makeEntries(count), GETS)];
    return { operations: GETS, work: () => ids.forEach((id) => db.get(id)) };
  },
  'getMany:ours': async (count, folder) => {
    const [db, ids] = [await filled(count, folder), shuffled(makeEntries(count), GETS)];
    return { operations: GETS, work: () => { for (let at = 0; at < GETS; at += BATCH) db.getMany(ids.slice(at, at + BATCH)); } };
  },
  'scan:ours': async (count, folder) => {
    const db = await filled(count, folder);
    return { operations: count, work: () => { for (const entry of db) entry.vector[0]; } };
  },
  'search:loop': (count) => {
    const entries = makeEntries(count);
    const query = entries[0]!.vector;
    return { operations: 5, work: () => { for (let time = 0; time < 5; time++) entries.map(({ vector }) => cosine(query, vector)).sort((a, b) => b - a); } };
  },
  'search:ours': async (count, folder) => {
    const [db, [entry]] = [await filled(count, folder), makeEntries(1)];
    await db.search({ vector: entry!.vector, k: 10 });
    return { operations: 5, work: async () => { for (let time = 0; time < 5; time++) await db.search({ vector: entry!.vector, k: 10 }); } };
  },
  'open:ours': async (count, folder) => {
    const entries = makeEntries(count);
    await (await filled(count, folder)).close();
    return { operations: 1, work: async () => (await open(folder)).get(entries[count >> 1]!.id) };
  },
  'snapshot:ours': async (count, folder) => {
    await (await filled(count, folder)).close();
    const store = await VectorStore.open(join(folder, 'ours'));
    await (await store.collection('default')).durable.insert(others(1)[0]!);
    return { operations: 1, work: () => store.snapshots.create() };
  },
  'restore:ours': async (count, folder) => {
    await (await filled(count, folder)).close();
    const store = await VectorStore.open(join(folder, 'ours'));
    const { id } = await store.snapshots.create();
    return { operations: 1, work: () => store.snapshots.restore(id, { target: 'restored', verify: false }) };
  },
  'replay:raw': async (count, folder) => {
    await (await logged(count, folder)).close();
    const logs = join(folder, 'ours', 'collections', 'default', 'wal');
    return { operations: count, work: () => readdirSync(logs).forEach((name) => rawRead(join(logs, name))) };
  },
  'replay:ours': async (count, folder) => {
    await (await logged(count, folder)).close();
    return { operations: count, work: () => open(folder, { memtableSize: 2 ** 40 }) };
  },
  'compact:raw': (count, folder) => {
    const half = makeEntries(count).filter((_, index) => index % 2 === 0).map(packed);
    rawSyncs(folder, [0]);
    return { operations: half.length, work: () => rawWrite(Buffer.concat(half)) };
  },
  'compact:ours': async (count, folder) => {
    const db = await filled(count, folder);
    for (const [index, { id }] of makeEntries(count).entries()) if (index % 2 === 1) db.delete(id);
    return { operations: count >> 1, work: () => db.optimize() };
  },
};

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, x, y] = [0, 0, 0];
  for (let index = 0; index < a.length; index++) {
    dot += a[index]! * b[index]!;
    x += a[index]! * a[index]!;
    y += b[index]! * b[index]!;
  }
  return dot / Math.sqrt(x * y);
}

/** A store whose entries are in segments, without automatic compaction. */
async function filled(count: number, folder: string): Promise<VectorDB> {
  const db = await open(folder, { wal: { syncMode: 'async' }, compaction: { enabled: false } });
  await inBatches(makeEntries(count), (batch) => db.durable.insertBatch(batch));
  await db.checkpoint();
  return db;
}

/** A store whose entries are in its log. */
async function logged(count: number, folder: string): Promise<VectorDB> {
  const db = await open(folder, { memtableSize: 2 ** 40, wal: { syncMode: 'async' } });
  await inBatches(makeEntries(count), (batch) => db.durable.insertBatch(batch));
  return db;
}

async function firstGet(peer: Peer, id: string): Promise<unknown> {
  await peer.ready?.();
  return peer.get(id);
}

for (const [name, make] of Object.entries(peers)) {
  works[`single:${name}`] = async (count, folder) => {
    const [db, entries] = [make(folder, true), makeEntries(Math.min(count, SINGLE_MAX))];
    for (const entry of others(WARM / 4)) await db.put(entry);
    return { operations: entries.length, work: async () => { for (const entry of entries) await db.put(entry); } };
  };
  works[`many:${name}`] = async (count, folder) => {
    const [db, entries] = [make(folder, true), makeEntries(Math.min(count, MANY_MAX))];
    await many(others(WARM), (entry) => db.put(entry));
    return { operations: entries.length, work: () => many(entries, (entry) => db.put(entry)) };
  };
  works[`batch:${name}`] = async (count, folder) => {
    const [db, entries] = [make(folder, true), makeEntries(count)];
    await inBatches(others(WARM * 5), (batch) => db.putBatch(batch));
    return { operations: count, work: () => inBatches(entries, (batch) => db.putBatch(batch)) };
  };
  works[`unsynced:${name}`] = async (count, folder) => {
    const [db, entries] = [make(folder, false), makeEntries(count)];
    await Promise.all(others(WARM).map((entry) => db.put(entry)));
    return { operations: count, work: async () => { const waiting = entries.map((entry) => db.put(entry)); await Promise.all(waiting); } };
  };
  works[`get:${name}`] = async (count, folder) => {
    const [db, entries] = [make(folder, false), makeEntries(count)];
    await inBatches(entries, (batch) => db.putBatch(batch));
    const ids = shuffled(entries, GETS);
    return { operations: GETS, work: () => ids.forEach((id) => db.get(id)) };
  };
  works[`open:${name}`] = async (count, folder) => {
    const [db, entries] = [make(folder, false), makeEntries(count)];
    await inBatches(entries, (batch) => db.putBatch(batch));
    await db.close();
    return { operations: 1, work: () => firstGet(make(folder, false), entries[count >> 1]!.id) };
  };
}

// classic-level has no backup.
for (const name of ['lmdb', 'sqlite']) {
  works[`snapshot:${name}`] = async (count, folder) => {
    const [db, place] = [peers[name]!(folder, false), join(folder, 'backup')];
    await inBatches(makeEntries(count), (batch) => db.putBatch(batch));
    return { operations: 1, work: () => db.backup!(place) };
  };
}

export { works };
