// A disk without room, a file-size limit, a disk that became read-only (rows 50 and 51 of the table of bad inputs).
//
// The code is 'ENOSPC' whatever the limit is, and the cause carries the errno; the file of the save before and the
// database stay; room makes the same instance work again. A failure means that a full disk costs a backup, or that the
// process has to be started anew after it.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportRuvector } from 'ruvector-persistence'
import { linux, markOf, mounts, smallDisk, startProgram, testWith } from './helpers/faults'
import { refusal, strays } from './helpers/kept'
import { attach, until } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOfMap, entriesOf } from './helpers/vectors'

function fill(map: Map<any, any>, count: number, n: number): void {
  for (let row = 0; row < count; row++) map.set(`id-${row}`, { vector: new Float32Array(64).fill(n), metadata: { n } })
}

for (const [format, compression] of [['json', 'none'], ['binary', 'none'], ['json', 'gzip'], ['binary', 'zstd'], ['json', 'brotli'], ['sqlite', 'none'], ['sqlite', 'zstd']] as const) {
  testWith(mounts, `row 50: a full disk, ${format} ${compression}: the save before stays, and room makes it work`, async (t) => {
    const dir = tempDir(t)
    const baseDir = join(smallDisk(t, dir, '1m'), 'base')
    const map = new Map<string, any>()
    const persistence = attach(t, map, { baseDir, format, compression })
    fill(map, 50, 1)
    const file = await persistence.save()
    const bytes = readFileSync(file)
    const { id } = await persistence.createSnapshot('before', { n: 1 })
    const { bavail, bsize } = statfsSync(baseDir)
    writeFileSync(join(baseDir, 'ballast'), Buffer.alloc(bavail * bsize - 24_576))
    // Random bits, because the same number 64 times hardly needs room once it is compressed.
    for (let row = 0; row < 400; row++) map.set(`id-${row}`, { vector: Float32Array.from({ length: 64 }, Math.random), metadata: { n: 2 } })
    const content = contentOfMap(map)
    const before = readdirSync(baseDir, { recursive: true }).sort()
    for (const call of [() => persistence.save(), () => persistence.saveIncremental(), () => persistence.export({ path: join(baseDir, 'new', 'x.json') }), () => persistence.createSnapshot('no room')]) {
      const error = await refusal(t, call, 'ENOSPC', 'ENOSPC', baseDir)
      t.is(error.cause.code, 'ENOSPC')
      t.true(readFileSync(file).equals(bytes))
      t.deepEqual(contentOfMap(map), content)
      t.deepEqual(strays(baseDir), [])
    }
    rmSync(join(baseDir, 'new'), { recursive: true, force: true })
    t.deepEqual(readdirSync(baseDir, { recursive: true }).sort(), before)
    t.deepEqual((await persistence.listSnapshots()).map((snapshot) => snapshot.id), [id])
    map.delete('id-399')
    t.is(map.size, 399, 'the database goes on')
    rmSync(join(baseDir, 'ballast'))
    await persistence.save()
    const loaded = new Map()
    await attach(t, loaded, { baseDir: dir }).load({ path: file })
    t.deepEqual(contentOfMap(loaded), contentOfMap(map))
    await persistence.restoreSnapshot(id)
    t.is(map.size, 50)
  })
}

testWith(mounts, 'row 50: a disk that fills up at any moment of a save', async (t) => {
  const dir = tempDir(t)
  const disk = smallDisk(t, dir, '2m')
  const baseDir = join(disk, 'base')
  const map = new Map<string, any>()
  const persistence = attach(t, map, { baseDir, format: 'binary' })
  fill(map, 800, 1)
  const file = await persistence.save()
  let mark = 1
  let refused = 0
  const room = (): number => statfsSync(disk).bavail * statfsSync(disk).bsize
  for (let free = 0; free < 320_000; free += 20_480) {
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(Math.max(0, room() - free)))
    fill(map, 800, mark + 1)
    const error: any = await persistence.save().then(() => null, (thrown) => thrown)
    rmSync(join(disk, 'ballast'))
    if (error === null) mark++
    else {
      t.is(error.code, 'ENOSPC')
      refused++
    }
    t.deepEqual(await markOf(file, join(dir, 'other')), { mark, count: 800 }, `${free} bytes free`)
    t.deepEqual(strays(baseDir), [])
  }
  t.true(refused > 5 && mark > 1, `${refused} refused, ${mark - 1} saved`)
})

testWith(mounts, 'row 50: a folder on a disk without a byte, and reading from a read-only one', async (t) => {
  const dir = tempDir(t)
  const disk = smallDisk(t, dir, '1m')
  const map = new Map<string, any>()
  fill(map, 10, 1)
  const first = attach(t, map, { baseDir: join(disk, 'base') })
  const file = await first.save()
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(bavail * bsize))
  const other = attach(t, new Map([['a', { vector: [1] }]]), { baseDir: join(disk, 'second') })
  const error: any = await t.throwsAsync(other.save())
  t.is(error.code, 'ENOSPC')
  execFileSync('mount', ['-o', 'remount,ro', disk])
  const readOnly = await refusal(t, () => first.save(), 'ERR_PATH', 'EROFS')
  t.is(readOnly.cause.code, 'EROFS')
  t.deepEqual(await markOf(file, join(dir, 'other')), { mark: 1, count: 10 }, 'what is on a read-only disk loads into a folder elsewhere')
  execFileSync('mount', ['-o', 'remount,rw', disk])
  rmSync(join(disk, 'ballast'))
  fill(map, 10, 2)
  await first.save()
  t.deepEqual(await markOf(file, join(dir, 'other')), { mark: 2, count: 10 })
  await other.save()
})

testWith(mounts, 'row 50: exportRuvector to a full disk leaves the database and no part of a file', async (t) => {
  const dir = tempDir(t)
  const disk = smallDisk(t, dir, '64k')
  const db = openRuvector(dir, { dimension: 64 })
  await db.insertBatch(entriesOf(400, 64))
  await refusal(t, () => exportRuvector({ from: join(dir, 'ruvector.db'), to: join(disk, 'x.json') }), 'ENOSPC', join(disk, 'x.json'))
  t.deepEqual(readdirSync(disk), [])
  t.is(await db.len(), 400)
  const report = await exportRuvector({ from: join(dir, 'ruvector.db'), to: join(dir, 'x.json') })
  t.is(report.count, 400)
})

for (const [format, name] of [['json', 'database.json'], ['sqlite', 'database.db']] as const) {
  testWith(linux, `row 51, ${format}: a file-size limit of the process: ENOSPC, with EFBIG as the cause`, async (t) => {
    const dir = tempDir(t)
    const limited = (entries: number): ReturnType<typeof startProgram> =>
      startProgram('saver.cjs', [dir, 'save', format, 'none', String(entries)], { before: ['bash', '-c', 'ulimit -f 100; exec "$@"', 'bash'], env: { SAVES: '1' } })
    const small = await limited(20).ended
    t.is(small.code, 0, small.stderr)
    const before = readFileSync(join(dir, name))
    const { said, ended } = limited(5000)
    const { code, signal, stderr } = await ended
    t.deepEqual([code, signal, said], [1, null, []], 'it rejects, and the process is not killed by a signal')
    t.regex(stderr, new RegExp(`PersistenceError: cannot write .*${name}: EFBIG`))
    t.regex(stderr, /code: 'ENOSPC'/)
    t.true(readFileSync(join(dir, name)).equals(before))
    t.deepEqual(strays(dir), [])
  })
}

testWith(mounts, 'row 50: an auto-save that finds no room tells the event, and the next one works', async (t) => {
  const dir = tempDir(t)
  const disk = smallDisk(t, dir, '512k')
  const baseDir = join(disk, 'base')
  const map = new Map<string, any>()
  const errors: any[] = []
  const persistence = attach(t, map, { baseDir, autoSaveInterval: 40, onError: (error) => errors.push(error) })
  await persistence.ready()
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(bavail * bsize - 8192))
  fill(map, 200, 1)
  await until(() => errors.length >= 2, 'two failures')
  t.true(errors.every(({ code }) => code === 'ENOSPC'))
  t.false(existsSync(join(baseDir, 'database.json')))
  let saved = 0
  persistence.on('autosave', () => saved++)
  rmSync(join(disk, 'ballast'))
  await until(() => saved > 0, 'an auto-save')
  t.deepEqual(await markOf(join(baseDir, 'database.json'), join(dir, 'other')), { mark: 1, count: 200 })
})
