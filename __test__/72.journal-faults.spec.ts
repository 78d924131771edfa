// Faults of the machine while a database with a journal is written to: rows F5, F6 and F7 of the fault table, and bad
// inputs 50 and 51: calls that fail, at every call that is made, and a disk without room.
//
// A write that the journal refuses rejects, saying that the database did it; reads and saves go on. After a failed write the
// journal is brought up by the next one that succeeds; after a failed sync nothing is written any more (ERR_POISONED) until it is
// opened again, and then everything that was acknowledged is there. A failure means that a failing disk is taken for success.
import test from 'ava'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence } from 'ruvector-persistence'
import { compiler, Control, linux, mounts, shim, smallDisk, startProgram, testWith } from './helpers/faults'
import { GenericDb } from './helpers/generic'
import { attach, rejection, until } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, vectorOf } from './helpers/vectors'

const EIO = '5', EINTR = '4', ENOSPC = '28', EDQUOT = '122', EFBIG = '27', EMFILE = '24'
const both = { there: linux.there && compiler.there, what: compiler.what }

interface Case {
  call: string
  errno: string
  sticky?: boolean
  codes: string[]
}

interface Due {
  /** How many of those met must have been refused, and have poisoned: all, some or none. */
  refused: 'all' | 'some' | 'none'
  poisoned: 'all' | 'some' | 'none'
}

const cases: [Case, Due][] = [
  [{ call: 'pwrite', errno: EIO, codes: ['ERR_IO'] }, { refused: 'all', poisoned: 'none' }],
  [{ call: 'pwrite', errno: ENOSPC, codes: ['ENOSPC'] }, { refused: 'all', poisoned: 'none' }],
  [{ call: 'pwrite', errno: EDQUOT, sticky: true, codes: ['ENOSPC'] }, { refused: 'all', poisoned: 'none' }],
  [{ call: 'pwrite', errno: EFBIG, sticky: true, codes: ['ENOSPC'] }, { refused: 'all', poisoned: 'none' }],
  [{ call: 'pwrite', errno: EINTR, codes: [] }, { refused: 'none', poisoned: 'none' }],
  [{ call: 'pwrite', errno: 'short', codes: [] }, { refused: 'none', poisoned: 'none' }],
  [{ call: 'fdatasync', errno: EIO, codes: ['ERR_IO'] }, { refused: 'all', poisoned: 'some' }],
  [{ call: 'fdatasync', errno: ENOSPC, codes: ['ENOSPC'] }, { refused: 'all', poisoned: 'some' }],
  [{ call: 'fsync', errno: EIO, codes: ['ERR_IO'] }, { refused: 'all', poisoned: 'some' }],
  [{ call: 'rename', errno: EIO, codes: ['ERR_IO'] }, { refused: 'all', poisoned: 'none' }],
  // A folder is opened to be synced.
  [{ call: 'open', errno: EMFILE, codes: ['ERR_IO'] }, { refused: 'all', poisoned: 'some' }],
]

/** Faults met in one case: more would meet the same calls again. */
const MOST = 32

for (const [one, due] of cases) {
  testWith(both, `F5 F6 F7: ${one.call} fails with ${one.errno}${one.sticky ? ' from then on' : ''}, at each call of 60 writes`, async (t) => {
    t.timeout(300_000)
    const dir = tempDir(t)
    const control = new Control(join(dir, 'control'))
    const env = { LD_PRELOAD: shim(), SHIM_PREFIX: join(dir, 'base'), SHIM_CONTROL: control.path, CASES: JSON.stringify([one]), MOST: String(MOST) }
    const { said, ended } = startProgram('journal-sweeper.cjs', [dir, control.path], { env })
    const { code, signal, stderr } = await ended
    t.deepEqual([code, signal], [0, null], stderr)
    const [sum] = Object.values<{ met: number; refused: number; poisoned: number }>(said[0]?.survey ?? {})
    t.log(JSON.stringify(sum))
    t.true(sum!.met > 0, 'the call is never made: is the library used?')
    for (const what of ['refused', 'poisoned'] as const) {
      const fits = { all: sum![what] === sum!.met, some: sum![what] > 0, none: sum![what] === 0 }
      t.true(fits[due[what]], `${what}: ${due[what]} are due`)
    }
    t.true(said[0].open < 60, `${said[0].open} files are open at the end`)
  })
}

testWith(both, 'F5: a sync that fails while a flush waits for it, in the modes periodic and async: told, poisoned, and opened again', async (t) => {
  const dir = tempDir(t)
  const control = new Control(join(dir, 'control'))
  const env = { LD_PRELOAD: shim(), SHIM_PREFIX: join(dir, 'base'), SHIM_CONTROL: control.path }
  const { said, ended } = startProgram('journal-sync.cjs', [dir, control.path], { env })
  const { code, signal, stderr } = await ended
  t.deepEqual([code, signal], [0, null], stderr)
  const refused = { flush: 'ERR_POISONED', insert: 'ERR_POISONED', again: 'ERR_POISONED', status: 'poisoned', shutdown: 'ERR_POISONED' }
  // The writes before it were acknowledged as these modes do; the process lives, so the operating system has them.
  t.deepEqual(said, ['periodic', 'async'].map((mode) => ({ mode, ...refused, recovered: 10 })))
})

for (const kind of ['generic', 'ruvector'] as const) {
  testWith(mounts, `row 50: a disk that fills up under a journal, ${kind}: calls reject, the database goes on, room brings the journal up`, async (t) => {
    const dir = tempDir(t)
    const disk = smallDisk(t, dir, '4m')
    const baseDir = join(disk, 'base')
    const db: any = kind === 'generic' ? new GenericDb({ async: true }) : openRuvector(dir)
    const wal = { segmentSize: 65_536, preallocate: 16_384 }
    const persistence = attach(t, db, { baseDir, wal })
    const entries = entriesOf(400).map((entry) => ({ ...entry, metadata: { text: Array.from(entry.vector).join().repeat(8) } }))
    await db.insertBatch(entries.slice(0, 50))
    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(bavail * bsize - 131_072))
    let refused = 0
    let sure = 50
    for (const entry of entries.slice(50)) {
      const error: any = await db.insert(entry).then(() => null, (thrown: unknown) => thrown)
      if (error === null) sure++
      else {
        t.is(error.code, 'ENOSPC')
        t.is(error.cause.code, 'ENOSPC')
        t.regex(error.message, /The database did the write, but it is not durable/)
        refused++
      }
    }
    t.true(refused > 100 && sure > 50, `${refused} refused`)
    t.is(Number(await db.len()), 400, 'the database did them all')
    t.true((await persistence.walStatus()).behind)
    t.is((await rejection(persistence.flush())).code, 'ENOSPC')
    t.is((await rejection(persistence.ready())).code, 'ENOSPC')
    const elsewhere = await persistence.save({ path: join(dir, 'elsewhere.json') })
    rmSync(join(disk, 'ballast'))
    // One write that succeeds is enough.
    await until(async () => {
      await db.insert({ id: 'after', vector: vectorOf('after') })
      return !(await persistence.walStatus()).behind
    }, 'the journal is brought up')
    await persistence.flush()
    await persistence.shutdown()
    const map = new Map<string, any>()
    const second = attach(t, map, { baseDir, wal })
    await second.recover()
    t.deepEqual(contentOfMap(map), contentOf([...entries, { id: 'after', vector: vectorOf('after') }]))
    await second.load({ path: elsewhere })
    t.is(map.size, 400)
  })
}

testWith(mounts, 'row 50: a Map on a full disk: errors are told, once for each refusal, and flush() says when it is over', async (t) => {
  const dir = tempDir(t)
  const disk = smallDisk(t, dir, '4m')
  const map = new Map<string, any>()
  const errors: any[] = []
  const baseDir = join(disk, 'base')
  const persistence = attach(t, map, { baseDir, wal: { preallocate: false }, onError: (error) => errors.push(error) })
  await persistence.ready()
  map.set('first', { vector: vectorOf('first', 64) })
  await persistence.flush()
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(bavail * bsize - 8192))
  for (let row = 0; row < 500; row++) map.set(`id-${row}`, { vector: vectorOf(row, 64) })
  t.is((await rejection(persistence.flush())).code, 'ENOSPC')
  t.true(errors.length > 0 && errors.length < 500, `${errors.length} errors`)
  t.true(errors.every(({ code }) => code === 'ENOSPC'))
  rmSync(join(disk, 'ballast'))
  await persistence.flush()
  await persistence.shutdown()
  const second = new Map<string, any>()
  const other = attach(t, second, { baseDir, wal: true })
  await other.recover()
  t.is(second.size, 501)
})

testWith(mounts, 'row 50: a load that the journal has no room for says so, and the journal gets it when there is room', async (t) => {
  const dir = tempDir(t)
  const disk = smallDisk(t, dir, '4m')
  const baseDir = join(disk, 'base')
  const source = attach(t, new Map(entriesOf(3000, 64).map(({ id, vector }) => [id, { vector }])), { baseDir: join(dir, 'source') })
  const path = await source.save()
  const map = new Map<string, any>([['old', { vector: vectorOf('old', 64) }]])
  const persistence = attach(t, map, { baseDir, wal: { preallocate: false } })
  await persistence.ready()
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(bavail * bsize - 65_536))
  const error = await rejection(persistence.load({ path }))
  t.is(error.code, 'ENOSPC')
  t.is(error.content, 'new')
  t.regex(error.message, /The new content is in the database/)
  t.is(map.size, 3000)
  rmSync(join(disk, 'ballast'))
  await persistence.flush()
  await persistence.shutdown()
  const second = new Map<string, any>()
  await new DatabasePersistence(second, { baseDir, wal: true }).recover()
  t.deepEqual(contentOfMap(second), contentOfMap(map))
})

test('a folder that holds something else, and one that cannot be used, are told by every call', async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'STORE'), 'no store')
  const db = new GenericDb({ async: true })
  const persistence = attach(t, db, { baseDir: dir, wal: true })
  const error = await rejection(db.insert({ id: 'a', vector: [1, 2] }))
  t.true(['ERR_FORMAT', 'ERR_CORRUPT', 'ERR_NOT_A_DATABASE'].includes(error.code!), error.code)
  t.is((await rejection(persistence.recover())).code, error.code)
  writeFileSync(join(dir, 'file'), '')
  const other = attach(t, new GenericDb({ async: true }), { baseDir: join(dir, 'file'), wal: true })
  t.is((await rejection(other.flush())).code, 'ERR_PATH')
})
