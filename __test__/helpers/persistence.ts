// A DatabasePersistence that is shut down when its test is over, whatever became of it.
import type { ExecutionContext } from 'ava'
import { DatabasePersistence, type PersistableDatabase, type PersistenceOptions } from 'ruvector-persistence'

export function attach(t: ExecutionContext, db: PersistableDatabase, options: PersistenceOptions): DatabasePersistence {
  const persistence = new DatabasePersistence(db, options)
  t.teardown(() => persistence.shutdown().catch(() => undefined))
  return persistence
}

/** What a promise rejects with; the test fails when it does not. */
export async function rejection<E extends Error = Error & { code?: string; path?: string; content?: string; cause?: any }>(promise: Promise<unknown>): Promise<E> {
  try {
    await promise
  } catch (error) {
    return error as E
  }
  throw new Error('it did not reject')
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until the condition holds; the test fails when it does not within the time. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, ms = 5000): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; await pause(5)) if (await condition()) return
  throw new Error(`not within ${ms} ms: ${what}`)
}
