// The entries that every contender gets: real sentence embeddings of 384 numbers with their metadata (about 150 bytes).
//
// DATASET=<path without extension> names another set (`.f32` and `.jsonl`); without it the 10,000 that may lie beside the
// repository are taken when they are there, else the 2,000 of examples/data. A larger N repeats the rows under new ids, with a
// small deterministic change so that no two vectors are equal.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Failure, NativeCollection } from '../native.js';

export const dimension = 384;

export interface BenchEntry {
  id: string;
  vector: Float32Array;
  metadata: Record<string, unknown>;
}

/** Where the embeddings are. */
export function dataset(): string {
  const root = join(__dirname, '..');
  const named = process.env['DATASET'];
  if (named !== undefined && !existsSync(`${named}.f32`)) throw new Error(`DATASET names ${named}, and there is no ${named}.f32`);
  const shared = join(root, '..', 'shared', 'data', 'minilm-10000');
  return named ?? (existsSync(`${shared}.f32`) ? shared : join(root, 'examples', 'data', 'minilm-2000'));
}

export function makeEntries(count: number): BenchEntry[] {
  const path = dataset();
  const bytes = readFileSync(`${path}.f32`);
  const floats = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const rows = readFileSync(`${path}.jsonl`, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Omit<BenchEntry, 'vector'>);
  return Array.from({ length: count }, (_, index) => {
    const row = index % rows.length;
    const turn = Math.floor(index / rows.length);
    const vector = floats.slice(row * dimension, (row + 1) * dimension);
    if (turn > 0) for (let place = 0; place < dimension; place++) vector[place]! *= 1 + ((turn * 31 + place) % 97) * 1e-6;
    const { id, metadata } = rows[row]!;
    return { id: turn === 0 ? id : `${id}#${turn}`, vector, metadata };
  });
}

/** The answer of a native call; its failure is thrown. */
export function must<T>(answer: T | Failure): T {
  if (typeof answer === 'object' && answer !== null && 'isFailure' in answer) throw new Error((answer as Failure).message);
  return answer as T;
}

export function makeCollection(count: number): NativeCollection {
  const collection = new NativeCollection(dimension, 'cosine');
  for (const { id, vector, metadata } of makeEntries(count)) must(collection.put(id, vector, JSON.stringify(metadata), false, false));
  return collection;
}

export type EntryMap = Map<string, { vector: Float32Array; metadata: Record<string, unknown> }>;

export function makeMap(count: number): EntryMap {
  return new Map(makeEntries(count).map(({ id, vector, metadata }) => [id, { vector, metadata }]));
}
