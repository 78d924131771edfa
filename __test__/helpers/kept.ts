// A small database that was saved once, to see what a refused call has done to it: nothing.
import type { ExecutionContext } from 'ava'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, PersistenceError, type PersistenceOptions } from 'ruvector-persistence'
import { attach } from './persistence'
import { tempDir } from './temp'
import { type Content, contentOfMap, entriesOf, mapOf } from './vectors'

export interface Kept {
  dir: string
  baseDir: string
  /** What the first save wrote. */
  file: string
  bytes: Buffer
  content: Content
  map: Map<any, any>
  persistence: DatabasePersistence
}

/** A Map of four entries of eight numbers, saved in `<dir>/base`. */
export async function keep(t: ExecutionContext, options: Partial<PersistenceOptions> = {}): Promise<Kept> {
  const dir = tempDir(t)
  const baseDir = join(dir, 'base')
  const map = mapOf(entriesOf(4))
  const persistence = attach(t, map, { baseDir, ...options })
  const file = await persistence.save()
  return { dir, baseDir, file, bytes: readFileSync(file), content: contentOfMap(map), map, persistence }
}

/** File and database are as they were; the instance saves, and what it saves loads elsewhere. */
export async function isUnharmed(t: ExecutionContext, { baseDir, file, bytes, content, map, persistence }: Kept, what = ''): Promise<void> {
  t.true(readFileSync(file).equals(bytes), `the file: ${what}`)
  t.deepEqual(contentOfMap(map), content, `the database: ${what}`)
  t.deepEqual(strays(baseDir), [], `files left: ${what}`)
  const again = await persistence.save({ path: join(baseDir, 'again', 'x.json') })
  const other = new Map()
  const second = new DatabasePersistence(other, { baseDir })
  await second.load({ path: again })
  await second.shutdown()
  t.deepEqual(contentOfMap(other), content, `what is saved afterwards: ${what}`)
}

/** Temporary files in the folder and in its snapshots. */
export function strays(baseDir: string): string[] {
  return readdirSync(baseDir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tmp'))
}

/** The error of a call that has to reject: class and code are checked, and that the message says each of `parts`. */
export async function refusal(t: ExecutionContext, call: () => Promise<unknown>, code: string, ...parts: (string | RegExp)[]): Promise<any> {
  let error: any
  try {
    await call()
  } catch (thrown) {
    error = thrown
  }
  checkError(t, error, code, parts)
  return error
}

/** The same for a call that has to throw. */
export function thrown(t: ExecutionContext, call: () => unknown, code: string, ...parts: (string | RegExp)[]): any {
  let error: any
  try {
    call()
  } catch (caught) {
    error = caught
  }
  checkError(t, error, code, parts)
  return error
}

function checkError(t: ExecutionContext, error: any, code: string, parts: (string | RegExp)[]): void {
  t.is(error?.code, code, String(error?.stack ?? 'nothing was thrown'))
  if (code === 'ERR_OPTION') t.true(error instanceof TypeError || error instanceof RangeError, error.name)
  else t.true(error instanceof PersistenceError, error?.name)
  for (const part of parts) t.true(typeof part === 'string' ? error.message.includes(part) : part.test(error.message), `${error?.message} does not say ${part}`)
}
