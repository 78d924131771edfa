// Calls of the operating system that fail while a save, a snapshot or a load runs: the first, the second, … until none is
// left, once and from then on.
//
// Each time the call rejects with the code of that error, its path and the errno as cause; file and database stay as they
// were, no temporary file is left, the process lives, and the next save works. A failure means that a failing disk is taken
// for success, or costs the save before. strace makes real system calls fail; the library of shim.c counts those of the
// whole process, on our files alone.
import test from 'ava'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compiler, Control, linux, markOf, shim, startProgram, strace, testWith } from './helpers/faults'
import { keep, isUnharmed } from './helpers/kept'
import { tempDir } from './helpers/temp'

interface Due {
  codes: string[]
  cause?: string
  /** It must not succeed. */
  must?: boolean
}

type Case = [operation: string, call: string, errno: string, due: Due]

const EINTR = '4', EIO = '5', EACCES = '13', EMFILE = '24', ENOSPC = '28', EROFS = '30', EDQUOT = '122'

const failing: Case[] = [
  ['save', 'write', EIO, { codes: ['ERR_IO'], cause: 'EIO' }],
  ['save', 'write', ENOSPC, { codes: ['ENOSPC'], cause: 'ENOSPC' }],
  ['save', 'write', EDQUOT, { codes: ['ENOSPC'], cause: 'EDQUOT' }],
  ['save', 'fsync', EIO, { codes: ['ERR_IO'], cause: 'EIO' }],
  ['save', 'rename', EIO, { codes: ['ERR_IO'], cause: 'EIO' }],
  ['save', 'rename', EROFS, { codes: ['ERR_PATH'], cause: 'EROFS' }],
  ['save', 'open', EACCES, { codes: ['ERR_PATH'], cause: 'EACCES' }],
  ['save', 'open', ENOSPC, { codes: ['ENOSPC'], cause: 'ENOSPC' }],
  ['save', 'open', EMFILE, { codes: ['ERR_IO'], cause: 'EMFILE' }],
  ['saveIncremental', 'write', EIO, { codes: ['ERR_IO'], cause: 'EIO' }],
  ['saveIncremental', 'open', EIO, { codes: ['ERR_IO'], cause: 'EIO' }],
  ['snapshot', 'write', ENOSPC, { codes: ['ENOSPC'], cause: 'ENOSPC' }],
  ['snapshot', 'fsync', EIO, { codes: ['ERR_IO'], cause: 'EIO' }],
  ['snapshot', 'rename', EIO, { codes: ['ERR_IO'], cause: 'EIO' }],
  ['snapshot', 'open', EACCES, { codes: ['ERR_PATH'], cause: 'EACCES' }],
  ['load', 'read', EIO, { codes: ['ERR_IO'], cause: 'EIO' }],
  ['load', 'open', EMFILE, { codes: ['ERR_IO'], cause: 'EMFILE' }],
]

/** Nothing of these is a failure: they are done again, or done to the end. */
const harmless: Case[] = [
  ['save', 'write', EINTR, { codes: [] }],
  ['save', 'write', 'short', { codes: [] }],
  ['load', 'read', EINTR, { codes: [] }],
  ['load', 'read', 'short', { codes: [] }],
]

/** How SQLite writes its database, and reads it. */
const onlySqlite: Record<'failing' | 'harmless', Case[]> = {
  failing: [
    ['save', 'pwrite', EIO, { codes: ['ERR_IO'], cause: 'EIO', must: true }],
    ['save', 'pwrite', ENOSPC, { codes: ['ENOSPC'], cause: 'ENOSPC', must: true }],
    ['save', 'pwrite', EDQUOT, { codes: ['ENOSPC'], cause: 'EDQUOT', must: true }],
    ['snapshot', 'pwrite', ENOSPC, { codes: ['ENOSPC'], cause: 'ENOSPC', must: true }],
    // SQLite takes a read that failed once for damage of the file system.
    ['load', 'pread', EIO, { codes: ['ERR_IO', 'ERR_CORRUPT'] }],
  ],
  harmless: [
    ['save', 'pwrite', EINTR, { codes: [] }],
    ['save', 'pwrite', 'short', { codes: [] }],
    ['load', 'pread', EINTR, { codes: [] }],
    ['load', 'pread', 'short', { codes: [] }],
  ],
}

const both = { there: linux.there && compiler.there, what: compiler.what }

const FAIL = 'every call that a save, a snapshot or a load makes fails once, and from then on'
const GO_ON = 'interrupted and short reads and writes are done to the end'

for (const [title, cases, format] of [
  [FAIL, failing, 'json'], [GO_ON, harmless, 'json'],
  [FAIL, [...failing, ...onlySqlite.failing], 'sqlite'], [GO_ON, [...harmless, ...onlySqlite.harmless], 'sqlite'],
] as const) {
  testWith(both, `${format}: ${title}`, async (t) => {
    t.timeout(300_000)
    const dir = tempDir(t)
    const baseDir = join(dir, 'base')
    const control = new Control(join(dir, 'control'))
    // An interruption at every call would have no end.
    const env = { LD_PRELOAD: shim(), SHIM_PREFIX: baseDir, SHIM_CONTROL: control.path, CASES: JSON.stringify(cases), FORMAT: format, ONCE: title === GO_ON ? '1' : '' }
    const { said, ended } = startProgram('sweeper.cjs', [baseDir, control.path], { env })
    const { code, signal, stderr } = await ended
    t.deepEqual([code, signal], [0, null], stderr)
    const survey: Record<string, { rejected: number; went: number }> = said[0]?.survey ?? {}
    t.log(Object.entries(survey).map(([key, { rejected, went }]) => `${key}: ${rejected} rejected, ${went} went on`).join('\n'))
    for (const [operation, call, errno] of cases) {
      const { rejected = 0, went = 0 } = survey[`${operation} ${call} ${errno}`] ?? {}
      if (title === GO_ON) t.true(rejected === 0 && went > 0, `${operation} ${call} ${errno}: ${rejected} rejected, ${went} went on`)
      else t.true(rejected > 0, `${operation} ${call} ${errno}: no call was rejected`)
    }
    t.true(said[0]?.open < 60, `${said[0]?.open} files are open at the end`)
  })
}

/** Saves once to a file that is there, under strace with these options; the text of what it saw. */
async function traced(dir: string, options: readonly string[], saves = 1): Promise<{ log: string; code: number | null; stderr: string; done: number }> {
  const log = join(dir, 'strace.log')
  const before = ['strace', '-f', '-qq', '-o', log, '-e', 'trace=openat,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat', ...options]
  const { said, ended } = startProgram('saver.cjs', [join(dir, 'base'), 'save', 'json', 'none', '20'], { before, env: { SAVES: String(saves) } })
  const { code, stderr } = await ended
  return { log: existsSync(log) ? readFileSync(log, 'utf8') : '', code, stderr, done: said.filter((message) => message.done).length }
}

testWith(strace, 'a save syncs its file, then renames it, then syncs the folder', async (t) => {
  const dir = tempDir(t)
  const { log, code, stderr } = await traced(dir, ['-y'])
  t.is(code, 0, stderr)
  const lines = log.split('\n')
  const at = (pattern: RegExp, from: number): number => lines.findIndex((line, number) => number > from && pattern.test(line))
  let from = -1
  for (let save = 0; save < 2; save++) {
    const rename = at(/rename.*base\/database\.json"/, from)
    const temporary = /"([^"]*base\/\.ruvector-persistence-[^"]*\.tmp)"/.exec(lines[rename] ?? '')?.[1] ?? 'none'
    const own = (call: RegExp): ((line: string, number: number) => boolean) => (line, number) => number > from && number < rename && call.test(line) && line.includes(temporary)
    const created = lines.findIndex(own(/openat\(.*O_CREAT\|O_EXCL.*0600\)/))
    const written = lines.findLastIndex(own(/write\(/))
    const synced = lines.findIndex(own(/f(data)?sync\(/))
    const folder = at(/f(data)?sync\(\d+<[^>]*\/base>\)/, rename)
    t.true(created >= 0 && created < written && written < synced && synced < rename && rename < folder, `open ${created}, write ${written}, fsync ${synced}, rename ${rename}, fsync of the folder ${folder}\n${log}`)
    from = folder
  }
})

for (const [call, errno, code, cause] of [['fsync', 'EIO', 'ERR_IO', 'EIO'], ['fsync', 'ENOSPC', 'ENOSPC', 'ENOSPC'], ['rename,renameat,renameat2', 'EIO', 'ERR_IO', 'EIO'], ['rename,renameat,renameat2', 'ENOSPC', 'ENOSPC', 'ENOSPC']] as const) {
  testWith(strace, `strace lets ${call} fail with ${errno}: the save rejects and the file before stays`, async (t) => {
    const dir = tempDir(t)
    const good = await traced(dir, [])
    t.is(good.code, 0, good.stderr)
    const file = join(dir, 'base', 'database.json')
    const before = readFileSync(file)
    const bad = await traced(dir, ['-e', `inject=${call}:error=${errno}:when=1+`])
    t.is(bad.code, 1)
    t.is(bad.done, 0)
    t.regex(bad.stderr, new RegExp(`PersistenceError: cannot (sync|replace) .*database\\.json: ${errno}`))
    t.regex(bad.stderr, new RegExp(`code: '${code}'`))
    t.regex(bad.stderr, new RegExp(`code: '${cause}'`))
    t.true(readFileSync(file).equals(before))
    t.deepEqual(await markOf(file, join(dir, 'other')), { mark: 1, count: 20 })
  })
}

test('a file that is cut while it is being read is refused, and the database is as it was', async (t) => {
  const kept = await keep(t)
  const path = join(kept.dir, 'growing')
  writeFileSync(path, kept.bytes)
  const loading = kept.persistence.load({ path })
  writeFileSync(path, '')
  await loading.catch(() => undefined)
  await isUnharmed(t, kept)
})
