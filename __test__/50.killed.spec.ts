// Processes that are killed (SIGKILL) while they save or make snapshots: at random moments, and at every single call of
// the operating system that a save makes.
//
// After each kill the file is the whole save before or the whole new one, never less than what was reported as done; what
// the dead process left is swept when the folder is opened again; listing snapshots works, and each that is listed can be
// restored. A failure means that a crash can take the last save with it.
import test, { type ExecutionContext } from 'ava'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence } from 'ruvector-persistence'
import { compiler, Control, linux, markIn, markOf, shim, startProgram, testWith } from './helpers/faults'
import { strays } from './helpers/kept'
import { pause } from './helpers/persistence'
import { tempDir } from './helpers/temp'

interface Kill {
  /** The last content that was reported as saved, and the last that was begun. */
  done: number
  begun: number
}

/** Starts the saver and kills it at a random moment after its first save. */
async function killed(t: ExecutionContext, args: readonly string[], within: number): Promise<Kill> {
  let first: () => void
  const began = new Promise<void>((resolve) => (first = resolve))
  const program = startProgram('saver.cjs', args, { onSaid: ({ begun }) => begun === 1 && first() })
  await Promise.race([began, program.ended])
  await pause(Math.random() * within)
  program.child.kill('SIGKILL')
  const { signal, stderr } = await program.ended
  t.is(signal, 'SIGKILL', stderr)
  const last = (key: string): number => program.said.reduce((most, said) => Math.max(most, said[key] ?? 0), 0)
  return { done: last('done'), begun: last('begun') }
}

const COMBINATIONS = [['json', 'none'], ['binary', 'gzip'], ['json', 'brotli'], ['binary', 'zstd'], ['binary', 'none'], ['sqlite', 'none'], ['sqlite', 'gzip']] as const
const KILLS = 50
const AT_ONCE = 2

test.serial(`killed ${KILLS} times during saves at random moments: the save before or the new one is whole`, async (t) => {
  t.timeout(300_000)
  let interrupted = 0
  let left = 0
  const one = async (round: number): Promise<void> => {
    const [format, compression] = COMBINATIONS[round % COMBINATIONS.length]!
    const baseDir = tempDir(t)
    const { done, begun } = await killed(t, [baseDir, 'save', format, compression, '1500'], 120)
    left += strays(baseDir).length
    const files = readdirSync(baseDir).filter((name) => name.startsWith('database.'))
    t.is(files.length, 1, files.join())
    const { mark, count } = await markOf(join(baseDir, files[0]!), baseDir)
    t.is(count, 1500)
    t.true(mark === done || mark === done + 1, `${format} ${compression}: holds save ${mark}, ${done} was the last done, ${begun} the last begun`)
    if (begun > done) interrupted++
    t.deepEqual(strays(baseDir), [], 'opening the folder has swept it')
  }
  for (let round = 0; round < KILLS; round += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => one(round + n)))
  t.log(`${interrupted} of ${KILLS} kills fell into a save, ${left} left a temporary file`)
  t.true(interrupted > KILLS / 4, `only ${interrupted} kills fell into a save`)
})

test.serial('killed 12 times while snapshots are made: the list works, and all that is listed is whole', async (t) => {
  const one = async (round: number): Promise<number> => {
    const [format, compression] = COMBINATIONS[round % COMBINATIONS.length]!
    const baseDir = tempDir(t)
    const { done } = await killed(t, [baseDir, 'snapshot', format, compression, '800'], 150)
    const map = new Map<string, any>()
    const persistence = new DatabasePersistence(map, { baseDir, format, compression, maxSnapshots: 4 })
    const errors: Error[] = []
    persistence.on('error', (error) => errors.push(error))
    const snapshots = await persistence.listSnapshots()
    t.deepEqual(errors, [], 'no damaged record')
    // One that was being made may be there, and one that had to make room may still be there.
    t.true(snapshots.length >= Math.min(done, 4) && snapshots.length <= 5, `${snapshots.length} of ${done}`)
    if (done > 0) t.true(snapshots.some(({ metadata }) => metadata!.n === done), `number ${done} was done`)
    for (const { id, metadata, vectorCount } of snapshots) {
      await persistence.restoreSnapshot(id)
      t.deepEqual([markIn(map), map.size, vectorCount], [metadata!.n, 800, 800])
    }
    t.deepEqual(strays(baseDir), [])
    const folder = join(baseDir, 'snapshots')
    const files = existsSync(folder) ? readdirSync(folder) : []
    for (const name of files.filter((name) => name.endsWith('.meta.json'))) t.true(snapshots.some(({ id }) => name === `${id}.meta.json`), `${name} is the record of no snapshot`)
    const made = await persistence.createSnapshot('afterwards')
    t.is((await persistence.listSnapshots()).length, Math.min(4, snapshots.length + 1))
    await persistence.restoreSnapshot(made.id)
    await persistence.shutdown()
    return files.filter((name) => !name.endsWith('.meta.json') && !snapshots.some(({ id }) => name.startsWith(id))).length
  }
  let orphans = 0
  for (let round = 0; round < 12; round += AT_ONCE) for (const count of await Promise.all([one(round), one(round + 1)])) orphans += count
  t.log(`${orphans} archives without a record were left`)
})

/** The calls of a save that change something, in the words of the library that kills there. */
const CALLS = ['open', 'flock', 'write', 'pwrite', 'fsync', 'rename', 'unlink', 'mkdir'] as const

/** A stream, and a database that is built and unfolded in files of its own. */
const NAMES = { json: 'database.json', sqlite: 'database.db' }
type Swept = keyof typeof NAMES

/** How many kills fell upon each call. */
const survey: Record<string, number> = {}

/** Starts one save and one of `what`, to be killed at the nth `call`; false when it came to its end before. */
async function killedAt(t: ExecutionContext, format: Swept, what: string, call: string, n: number): Promise<boolean> {
  const dir = tempDir(t)
  const baseDir = join(dir, 'base')
  const control = new Control(join(dir, 'control'))
  control.set(call, n, 'kill')
  const env = { LD_PRELOAD: shim(), SHIM_PREFIX: baseDir, SHIM_CONTROL: control.path, SAVES: '1' }
  const program = startProgram('saver.cjs', [baseDir, what, format, 'none', '40'], { env })
  const { code, signal, stderr } = await program.ended
  if (signal === null) {
    t.is(code, 0, stderr)
    return false
  }
  const map = new Map<string, any>()
  const persistence = new DatabasePersistence(map, { baseDir })
  await persistence.ready()
  t.deepEqual(strays(baseDir), [], `${what}: swept after a kill at ${call} ${n}`)
  const done = program.said.filter((said) => said.done).length
  const begun = program.said.filter((said) => said.begun).length
  const file = join(baseDir, NAMES[format])
  if (existsSync(file)) {
    await persistence.load({ path: file })
    const mark = markIn(map)
    t.true(mark <= 1 && (what === 'snapshot' || mark >= done), `${call} ${n}: holds ${mark}`)
  } else {
    t.is(begun, 0, `${call} ${n}: the first save was done`)
  }
  const snapshots = await persistence.listSnapshots()
  for (const { id } of snapshots) await persistence.restoreSnapshot(id)
  if (what === 'snapshot') t.true(snapshots.length >= done)
  await persistence.shutdown()
  return true
}

for (const [format, what] of [['json', 'save'], ['json', 'snapshot'], ['sqlite', 'save'], ['sqlite', 'snapshot']] as const) {
  testWith({ there: linux.there && compiler.there, what: compiler.what }, `killed at every single call that a ${what} makes, ${format}`, async (t) => {
    t.timeout(300_000)
    for (const call of CALLS) {
      // Two at a time, until one comes to its end. The save before the snapshot is the first half of the test before.
      let n = what === 'save' ? 1 : Math.ceil((survey[`${format} save ${call}`] ?? 0) / 2) + 1
      let kills = 0
      for (; ; n += 2) {
        const hits = await Promise.all([killedAt(t, format, what, call, n), killedAt(t, format, what, call, n + 1)])
        kills += hits.filter(Boolean).length
        if (hits.includes(false)) break
      }
      survey[`${format} ${what} ${call}`] = kills
    }
    t.log(JSON.stringify(survey))
    for (const call of ['open', 'write', 'fsync', 'rename']) t.true(survey[`${format} ${what} ${call}`]! >= 2, `${call} was met ${survey[`${format} ${what} ${call}`]} times: is the library used?`)
  })
}
