// Defects 21 to 40 of the earlier persistence module (COMPAT 5.3), one test each, named by its number.
import test from 'ava'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { DatabasePersistence, type Progress } from 'ruvector-persistence'
import { FORMATS, readState } from './helpers/archive'
import { runChild, startChild } from './helpers/child'
import { GenericDb } from './helpers/generic'
import { attach, pause, rejection, until } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOf, contentOfMap, entriesOf, fromBits, mapOf, vectorOf } from './helpers/vectors'

test('defect 21: a Float32Array is stored as an array that any consumer can insert back', async (t) => {
  const db = openRuvector(tempDir(t))
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  await db.insertBatch(entriesOf(3) as never)
  const state = JSON.parse(readFileSync(await persistence.save(), 'utf8'))
  for (const { vector } of state.vectors) t.true(Array.isArray(vector))
  const other = openRuvector(tempDir(t))
  await other.insertBatch(state.vectors)
  t.deepEqual((await other.get('doc-1'))?.vector, entriesOf(2)[1]!.vector)
})

test('defect 22: NaN, the infinities and negative zero come back as they were', async (t) => {
  const special = fromBits(0x7fc00000, 0x7f800000, 0xff800000, 0x80000000)
  for (const format of FORMATS) {
    const dir = tempDir(t)
    const path = await attach(t, new Map([['a', { vector: special }]]), { baseDir: dir, format }).save()
    const map = new Map<string, any>()
    await attach(t, map, { baseDir: join(dir, 'b') }).load({ path })
    t.is(bitsOf(map.get('a').vector), bitsOf(special))
  }
})

test('defect 23: an archive is never one string: it is streamed, so that no length of a string limits it', async (t) => {
  // The limit of V8 is 512 MiB; here memory shows that the text as a whole is never held: 24 MB of text, made twice.
  const map = new Map(Array.from({ length: 2000 }, (_, row) => [`doc-${row}`, { vector: vectorOf(row, 1024) }]))
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  await persistence.ready()
  const heap = (): number => process.memoryUsage().heapUsed + process.memoryUsage().external
  const before = heap()
  let most = 0
  const timer = setInterval(() => (most = Math.max(most, heap() - before)), 1)
  const path = await persistence.save()
  clearInterval(timer)
  t.true(statSync(path).size > 20e6)
  t.true(most < statSync(path).size, `${most} bytes more in JavaScript while ${statSync(path).size} were written`)
})

test('defect 24: saving does not hold up the event loop', async (t) => {
  const map = new Map(Array.from({ length: 4000 }, (_, row) => [`doc-${row}`, { vector: vectorOf(row % 50, 384) }]))
  const persistence = attach(t, map, { baseDir: tempDir(t) })
  await persistence.ready()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let turns = 0
  let saving = true
  const spin = (): void => void (saving && (turns++, setImmediate(spin)))
  delay.enable()
  spin()
  const started = performance.now()
  await persistence.save()
  saving = false
  delay.disable()
  const took = performance.now() - started
  // The time itself is the machine's; but the loop must have turned all the while (it would turn twice if it was held up).
  t.true(turns > 50, `${turns} turns in ${took} ms`)
})

test('defect 25: a crash in the middle of a save leaves the previous file whole', async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'data', 'database.json')
  let whole = 0
  for (let round = 0; round < 3; round++) {
    const { child, ended } = await startChild(`
      const map = new Map(Array.from({ length: 1500 }, (_, row) => ['doc-' + row, { vector: vectorOf(row % 20, 16), metadata: { round: ${round} } }]))
      const persistence = new DatabasePersistence(map, { baseDir: 'data' })
      await persistence.save()
      tell('saved')
      for (;;) await persistence.save()
    `, dir, () => setTimeout(() => child.kill('SIGKILL'), 3 + round * 23))
    t.is((await ended).signal, 'SIGKILL')
    const map = new Map()
    const persistence = attach(t, map, { baseDir: join(dir, 'data') })
    await t.notThrowsAsync(persistence.load({ path }))
    if (map.size === 1500) whole++
    await persistence.shutdown()
    t.deepEqual(readdirSync(join(dir, 'data')).filter((name) => !['database.json', '.incremental.json', 'snapshots'].includes(name)), [], 'what the killed process left is swept')
  }
  t.is(whole, 3)
})

test('defect 26: calls right after the constructor find the folder made, and a folder that cannot be used rejects them', async (t) => {
  const dir = tempDir(t)
  t.deepEqual(await attach(t, new Map(), { baseDir: join(dir, 'new') }).listSnapshots(), [])
  writeFileSync(join(dir, 'file'), '')
  const { told } = await runChild(`
    process.on('unhandledRejection', () => tell('unhandled'))
    const persistence = new DatabasePersistence(new Map(), { baseDir: ${JSON.stringify(join(dir, 'file'))} })
    await new Promise((resolve) => setTimeout(resolve, 50))
    tell(await persistence.listSnapshots().then(() => 'listed', (error) => error.code))
  `, dir)
  t.deepEqual(told, ['ERR_PATH'])
})

test('defect 27: a saveIncremental right after the constructor knows what was saved before', async (t) => {
  const baseDir = tempDir(t)
  const first = attach(t, mapOf(entriesOf(5)), { baseDir, incremental: true })
  await first.saveIncremental()
  await first.shutdown()
  t.is(await attach(t, mapOf(entriesOf(5)), { baseDir, incremental: true }).saveIncremental(), null)
})

test('defect 28: automatic saves do not overlap, and shutdown waits for the running one', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(2000, 64)) as Map<string, any>
  const persistence = new DatabasePersistence(map, { baseDir, autoSaveInterval: 1, compression: 'brotli' })
  let temporary = 0
  let saves = 0
  persistence.on('save', () => saves++)
  for (let number = 0; saves < 2 && number < 2000; number++) {
    map.set('changing', { vector: vectorOf(number, 64) })
    temporary = Math.max(temporary, readdirSync(baseDir).filter((name) => /tmp/i.test(name) && name.includes('database')).length)
    await pause(2)
  }
  t.true(temporary <= 1, `${temporary} files were written at once`)
  map.set('last', { vector: vectorOf('last', 64) })
  await persistence.shutdown()
  const { mtimeMs } = statSync(join(baseDir, 'database.json.brotli'))
  const back = new Map()
  await attach(t, back, { baseDir: join(baseDir, 'b') }).load({ path: join(baseDir, 'database.json.brotli') })
  t.true(back.has('last'))
  await pause(30)
  t.is(statSync(join(baseDir, 'database.json.brotli')).mtimeMs, mtimeMs, 'nothing is written after shutdown')
})

test('defect 29: startAutoSave with an interval of 0 does not save continuously', async (t) => {
  const baseDir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(1)), { baseDir, autoSaveInterval: 0 })
  t.throws(() => persistence.startAutoSave(), { instanceOf: RangeError })
  await pause(50)
  t.false(existsSync(join(baseDir, 'database.json')))
})

test('defect 30: the timer does not keep the process alive, and errors are not only printed', async (t) => {
  const dir = tempDir(t)
  const { code } = await runChild(`new DatabasePersistence(new Map(), { baseDir: 'data', autoSaveInterval: 1_000_000 })`, dir)
  t.is(code, 0)
  const errors: Error[] = []
  const persistence = attach(t, new Map<any, any>([['bad', 5]]), { baseDir: dir, autoSaveInterval: 5 })
  persistence.on('error', (error) => errors.push(error))
  await until(() => errors.length > 0, 'the event "error"')
  t.is((errors[0] as Error & { code: string }).code, 'ERR_VECTOR_TYPE')
})

test('defect 31: shutdown makes the final save without an interval as well', async (t) => {
  const baseDir = tempDir(t)
  await new DatabasePersistence(mapOf(entriesOf(4)), { baseDir }).shutdown()
  t.is(readState(join(baseDir, 'database.json')).vectors.length, 4)
})

test('defect 32: a snapshot id cannot name a file outside of the folder', async (t) => {
  const baseDir = join(tempDir(t), 'data')
  const persistence = attach(t, new Map(), { baseDir })
  await persistence.createSnapshot('x')
  for (const name of ['evil.json', 'evil.meta.json']) writeFileSync(join(dirname(baseDir), name), '{}')
  mkdirSync(join(baseDir, 'snapshots', 'a'))
  for (const id of ['../../evil', '../evil', 'a/../../../evil', join(dirname(baseDir), 'evil')]) {
    for (const call of [persistence.deleteSnapshot(id), persistence.restoreSnapshot(id)]) t.is((await rejection(call)).code, 'ERR_SNAPSHOT_ID')
  }
  t.true(existsSync(join(dirname(baseDir), 'evil.json')))
})

test('defect 33: one broken record does not make listSnapshots or createSnapshot throw', async (t) => {
  const baseDir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(2)), { baseDir })
  const { id } = await persistence.createSnapshot('good')
  for (const [name, text] of [['broken.meta.json', '{'], ['0192f3a4-0000-7000-8000-000000000000.meta.json', '{}']] as const) writeFileSync(join(baseDir, 'snapshots', name), text)
  const errors: Error[] = []
  persistence.on('error', (error) => errors.push(error))
  t.deepEqual((await persistence.listSnapshots()).map((snapshot) => snapshot.id), [id])
  t.is(errors.length, 2)
  await t.notThrowsAsync(persistence.createSnapshot('another'))
  t.is((await persistence.listSnapshots()).length, 2)
})

test('defect 34: maxSnapshots 0 keeps all and does not delete the one just made', async (t) => {
  const persistence = attach(t, mapOf(entriesOf(2)), { baseDir: tempDir(t), maxSnapshots: 0 })
  const made = [await persistence.createSnapshot('a'), await persistence.createSnapshot('b')]
  t.deepEqual(await persistence.listSnapshots(), made.reverse())
  await t.notThrowsAsync(persistence.restoreSnapshot(made[0]!.id))
})

test('defect 35: vectorCount is what was written, not what was counted before', async (t) => {
  const baseDir = tempDir(t)
  const db = openRuvector(baseDir)
  const persistence = attach(t, db, { baseDir })
  for (const entry of entriesOf(30)) void db.insert(entry)
  const snapshot = await persistence.createSnapshot('busy')
  const state = readState(join(baseDir, 'snapshots', `${snapshot.id}.json`))
  t.is(snapshot.vectorCount, state.vectors.length)
  t.is(snapshot.vectorCount, 30)
})

test('defect 36: retention keeps the newest also when timestamps are equal', async (t) => {
  const baseDir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(1)), { baseDir, maxSnapshots: 3 })
  const folder = join(baseDir, 'snapshots')
  const ids: string[] = []
  for (let number = 0; number < 7; number++) {
    ids.push((await persistence.createSnapshot(`${number}`)).id)
    // All of one millisecond.
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.meta.json'))) {
      const record = JSON.parse(readFileSync(join(folder, name), 'utf8'))
      writeFileSync(join(folder, name), JSON.stringify({ ...record, timestamp: 1_795_000_000_000 }))
    }
  }
  const kept = readdirSync(folder).filter((name) => name.endsWith('.meta.json')).map((name) => name.slice(0, -10))
  t.deepEqual(kept.sort(), ids.slice(-3).sort())
})

test('defect 37: no data file stays without its record, and deleteSnapshot reports what it could not remove', async (t) => {
  const baseDir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(2)), { baseDir })
  const folder = join(baseDir, 'snapshots')
  const { id } = await persistence.createSnapshot('x')
  const file = join(folder, `${id}.json`)
  rmSync(file)
  mkdirSync(join(file, 'in the way'), { recursive: true })
  const error = await rejection(persistence.deleteSnapshot(id))
  t.true(['ERR_IO', 'ERR_PATH'].includes(error.code!), error.message)
  rmSync(file, { recursive: true })
  // Without room for the record nothing of the snapshot stays.
  const controller = new AbortController()
  await rejection(persistence.createSnapshot('y', undefined, { signal: controller.signal, onProgress: () => { throw new Error('stop') } }))
  const names = readdirSync(folder)
  for (const name of names.filter((file) => /^[0-9a-f-]{36}\.json$/.test(file))) t.true(names.includes(name.replace('.json', '.meta.json')), `${name} has no record`)
})

test('defect 38: progress never goes back and does not start anew in each phase', async (t) => {
  const dir = tempDir(t)
  const map = mapOf(entriesOf(500, 32)) as Map<string, any>
  const persistence = attach(t, map, { baseDir: dir })
  for (const call of ['save', 'load'] as const) {
    const reports: Progress[] = []
    const onProgress = (progress: Progress): void => void reports.push(progress)
    if (call === 'save') await persistence.save({ onProgress })
    else {
      map.clear()
      await persistence.load({ path: join(dir, 'database.json'), onProgress })
    }
    const percentages = reports.map(({ percentage }) => percentage)
    t.deepEqual(percentages, percentages.slice().sort((a, b) => a - b))
    t.is(percentages.at(-1), 100)
    t.is(percentages.filter((percentage) => percentage === 100).length, 1)
  }
})

test('defect 39: includeIndex has an effect: true is refused by name, since no index bytes are to be had', async (t) => {
  const dir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(2)), { baseDir: dir })
  const error = await rejection(persistence.export({ path: join(dir, 'x'), includeIndex: true }))
  t.is(error.code, 'ERR_UNSUPPORTED')
  t.regex(error.message, /includeIndex/)
  await persistence.export({ path: join(dir, 'x'), includeIndex: false })
  t.false('indexState' in JSON.parse(readFileSync(join(dir, 'x'), 'utf8')))
})

test('defect 40: content decides what a file is, and a damaged gzip file is called that, not brotli', async (t) => {
  const dir = tempDir(t)
  const map = mapOf(entriesOf(30)) as Map<string, any>
  const persistence = attach(t, map, { baseDir: dir, compression: 'gzip' })
  const path = await persistence.save()
  const bytes = readFileSync(path)
  for (const damaged of [bytes.subarray(0, bytes.length >> 1), Buffer.concat([bytes.subarray(0, 30), Buffer.from('xxxxxx'), bytes.subarray(36)])]) {
    writeFileSync(path, damaged)
    const error = await rejection(persistence.load({ path }))
    t.true(['ERR_FORMAT', 'ERR_CORRUPT', 'ERR_CHECKSUM'].includes(error.code!), error.message)
    t.notRegex(error.message, /brotli/i)
  }
  writeFileSync(join(dir, 'binary.json'), bytes)
  const before = contentOfMap(map)
  map.clear()
  await attach(t, new Map(), { baseDir: join(dir, 'b'), format: 'binary', compression: 'brotli' }).load({ path: join(dir, 'binary.json') })
  await persistence.load({ path: join(dir, 'binary.json') })
  t.deepEqual(contentOfMap(map), before)
  t.deepEqual(before, contentOf(entriesOf(30)))
})

test('a database of the documented interface whose old methods are sync shows none of them either (defects 2 and 3)', async (t) => {
  const db = new GenericDb({ without: ['entries', 'keys', 'len'], dimension: 8 })
  const persistence = attach(t, db, { baseDir: tempDir(t) })
  db.insertBatch(entriesOf(20) as never)
  const path = await persistence.save()
  db.clear()
  await persistence.load({ path })
  t.deepEqual(contentOf(db.content.values()), contentOf(entriesOf(20)))
})
