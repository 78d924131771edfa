// Real ruvector databases for tests: small indexes, a file of their own, cosine.
import { join } from 'node:path'
import { VectorDB } from 'ruvector'
import { type Content, contentOf } from './vectors'

export type Ruvector = InstanceType<typeof VectorDB>

export interface RuvectorOptions {
  dimension?: number
  metric?: string
  name?: string
}

/** A ruvector database in `<dir>/<name>`. */
export function openRuvector(dir: string, { dimension = 8, metric = 'cosine', name = 'ruvector.db' }: RuvectorOptions = {}): Ruvector {
  return new VectorDB({
    dimensions: dimension,
    distanceMetric: metric,
    storagePath: join(dir, name),
    hnswConfig: { m: 8, efConstruction: 32, efSearch: 32, maxElements: 1000 },
  })
}

/** What it holds for these ids; an id that is not there is left out. Compare with `len()` to know that there is no more. */
export async function contentOfRuvector(db: Ruvector, ids: Iterable<string>): Promise<Content> {
  const found = await Promise.all([...new Set(ids)].map(async (id) => ({ id, entry: await db.get(id) })))
  return contentOf(found.flatMap(({ id, entry }) => (entry ? [{ id, vector: entry.vector, metadata: entry.metadata }] : [])))
}
