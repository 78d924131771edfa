// The formats and compressions of archives, what an archive holds, and whether that is what a ruvector database holds.
import { readFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import type { DatabasePersistence, DatabaseState } from 'ruvector-persistence'
import { contentOfRuvector, type Ruvector } from './ruvector'
import { contentOf } from './vectors'

/** All that an archive can be written in; a test that holds for each of them goes over these. */
export const FORMATS = ['json', 'binary', 'sqlite'] as const
export const COMPRESSIONS = ['none', 'gzip', 'brotli', 'zstd'] as const

/** An uncompressed JSON archive. */
export function readState(path: string): DatabaseState {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** Saves and checks that the archive holds exactly what the database gives for the same ids, and as many entries as it counts. */
export async function savedAgrees(t: ExecutionContext, persistence: DatabasePersistence, db: Ruvector): Promise<DatabaseState> {
  const state = readState(await persistence.save({ format: 'json', compress: false }))
  t.is(state.vectors.length, await db.len(), 'as many entries as the database counts')
  t.is(state.stats.count, state.vectors.length)
  t.deepEqual(contentOf(state.vectors), await contentOfRuvector(db, state.vectors.map(({ id }) => id)))
  return state
}
