// A VectorDB or VectorStore that is closed when its test is over, and what the tests of both ask of it.
import type { ExecutionContext } from 'ava'
import { VectorDB, VectorStore, type VectorDBOptions, type VectorStoreOptions } from 'ruvector-persistence'
import { contentOf, type Content } from './vectors'

export async function openDb(t: ExecutionContext, options: VectorDBOptions = {}): Promise<VectorDB> {
  const db = await VectorDB.open(options)
  t.teardown(() => db.close().catch(() => undefined))
  return db
}

export async function openStore(t: ExecutionContext, path: string, options?: VectorStoreOptions): Promise<VectorStore> {
  const store = await VectorStore.open(path, options)
  t.teardown(() => store.close().catch(() => undefined))
  return store
}

/** Id, bits and metadata of every entry, in the order of ids. */
export function contentOfDb(db: VectorDB): Content {
  return contentOf(db.entries())
}

/** What a call throws; the test fails when it does not. */
export function thrown<E extends Error = Error & { code?: string; path?: string }>(call: () => unknown): E {
  try {
    call()
  } catch (error) {
    return error as E
  }
  throw new Error('it did not throw')
}

/** Distances as the documents define them, computed the plain way. */
export const distances: Record<string, (a: ArrayLike<number>, b: ArrayLike<number>) => number> = {
  cosine: (a, b) => 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)),
  euclidean: (a, b) => Math.sqrt(sum(a, (value, place) => (value - b[place]!) ** 2)),
  dot: (a, b) => -dot(a, b),
  manhattan: (a, b) => sum(a, (value, place) => Math.abs(value - b[place]!)),
}

function sum(a: ArrayLike<number>, of: (value: number, place: number) => number): number {
  let total = 0
  for (let place = 0; place < a.length; place++) total += of(a[place]!, place)
  return total
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => sum(a, (value, place) => value * b[place]!)
