// What a VectorDB does when the disk is full or fails (F5 to F9 of the fault model, rows 50 and 56).
//
// Real full disks (a tmpfs) and syncs that fail in a process of their own. A write that the log refused must be taken back,
// and whoever waits for it, or for the next flush, must be told. A failure means that a write that is not on the disk
// is reported as if it were.
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compiler, mounts, shim, smallDisk, startProgram, testWith } from './helpers/faults'
import { rejection, until } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { contentOfDb, openDb } from './helpers/vector-db'
import { contentOf, entriesOf } from './helpers/vectors'

testWith(mounts, 'row 50: on a full disk writes are refused and taken back, and go on when there is room', async (t) => {
  const disk = smallDisk(t, tempDir(t), '8m')
  const errors: any[] = []
  const db = await openDb(t, { path: join(disk, 'store'), wal: { preallocate: 0, retention: 0 }, onError: (error) => errors.push(error) })
  const entries = entriesOf(10, 512)
  await db.durable.insertBatch(entries)
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(bavail * bsize - 16_384))
  const refused: string[] = []
  for (let row = 0; row < 50; row++) {
    await db.durable.insert({ id: `big-${row}`, vector: new Float32Array(512).fill(row) }).then(() => entries.push({ id: `big-${row}`, vector: new Float32Array(512).fill(row) }), (error) => refused.push(error.code))
  }
  t.true(refused.length > 30 && refused.every((code) => code === 'ENOSPC'), refused.join())
  t.deepEqual(contentOfDb(db), contentOf(entries), 'exactly what was acknowledged is there')
  t.deepEqual(errors, [], 'they were waited for')
  for (let row = 0; row < 5; row++) db.insert({ id: `late-${row}`, vector: new Float32Array(512).fill(row) })
  const told = await rejection(db.flush())
  t.is(told.code, 'ENOSPC')
  await db.flush()
  await until(() => errors.length > 0, 'onError')
  t.true(errors.every(({ code }) => code === 'ENOSPC'))
  t.false(db.has('late-4'))
  rmSync(join(disk, 'ballast'))
  await db.durable.insert({ id: 'room', vector: new Float32Array(512) })
  entries.push(...[...db].filter(({ id }) => id.startsWith('late')) as any, { id: 'room', vector: new Float32Array(512) })
  t.deepEqual(contentOfDb(db), contentOf(entries))
  await db.close()
  t.deepEqual(contentOfDb(await openDb(t, { path: join(disk, 'store') })), contentOf(entries))
})

for (const syncMode of ['fsync', 'periodic', 'async']) {
  testWith(compiler, `a sync that fails, mode ${syncMode}: nothing is said to be durable that is not, and nothing more is written`, async (t) => {
    const dir = tempDir(t)
    const control = join(dir, 'control')
    writeFileSync(control, '0 none 0 0')
    const env = { LD_PRELOAD: shim(), SHIM_PREFIX: join(dir, 'store'), SHIM_CONTROL: control }
    const { said, ended } = startProgram('vector-db.cjs', [join(dir, 'store'), syncMode], { env })
    const { code, stderr } = await ended
    t.is(code, 0, stderr)
    const durable = syncMode === 'fsync'
    t.like(said[0], {
      before: 'done',
      flush: 'ERR_POISONED EIO',
      later: 'ERR_POISONED EIO', sync: 'ERR_POISONED EIO', again: 'ERR_POISONED EIO',
      poisoned: true, reopened: true, works: 'done', close: 'done',
    }, JSON.stringify(said[0]))
    // In a group with the write before it, or in the next. Acknowledged by the operating system is all that the other modes
    // promise; `flush` promises more.
    t.true((durable ? ['ERR_IO EIO', 'ERR_POISONED EIO'] : ['done']).includes(said[0].awaited))
    t.deepEqual(said[0].ids, durable ? ['before'] : ['before', 'unawaited', 'awaited'])
    t.is(said[0].found, said[0].ids.length)
    t.deepEqual(said[0].errors, durable ? ['ERR_IO'] : [])
  })
}
