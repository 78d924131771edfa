// Auto-save, shutdown and the events of work in the background (CHECKLIST E7, E8, E26-E29, D11).
//
// Intervals are short and real. Each test waits for what must happen; for what must not happen it waits several intervals.
import test from 'ava'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, PersistenceError } from 'ruvector-persistence'
import { runChild } from './helpers/child'
import { GenericDb } from './helpers/generic'
import { attach, pause, rejection, until } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { entriesOf, mapOf, vectorOf } from './helpers/vectors'

const idsIn = (path: string): string[] => JSON.parse(readFileSync(path, 'utf8')).vectors.map(({ id }: { id: string }) => id).sort()

test('E26: startAutoSave with an interval of 0 is a RangeError, and nothing is saved', async (t) => {
  const baseDir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(2)), { baseDir })
  t.throws(() => persistence.startAutoSave(), { instanceOf: RangeError, code: 'ERR_OPTION', message: /autoSaveInterval/ })
  t.notThrows(() => persistence.stopAutoSave())
  await pause(60)
  t.deepEqual(readdirSync(baseDir).filter((name) => name.startsWith('database')), [])
})

test('E8, E29: auto-save runs from construction on, and only when something has changed', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(2)) as Map<string, any>
  const persistence = attach(t, map, { baseDir, autoSaveInterval: 20 })
  const saved: string[] = []
  let saves = 0
  persistence.on('autosave', (path) => saved.push(path)).on('save', () => saves++)
  await until(() => saved.length === 1, 'the first automatic save')
  t.deepEqual(saved, [join(baseDir, 'database.json')])
  t.is(saves, 1)
  await pause(120)
  t.is(saved.length, 1, 'nothing has changed')
  map.set('new', { vector: vectorOf('new') })
  await until(() => saved.length === 2, 'the second automatic save')
  t.deepEqual(idsIn(saved[1]!), ['doc-0', 'doc-1', 'new'])
  await pause(80)
  t.is(saved.length, 2)
})

test('E26: startAutoSave twice is one timer, and E27: nothing is saved after stopAutoSave', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(1)) as Map<string, any>
  const persistence = attach(t, map, { baseDir, autoSaveInterval: 20 })
  persistence.startAutoSave()
  persistence.startAutoSave()
  let saves = 0
  persistence.on('autosave', () => saves++)
  await until(() => saves === 1, 'an automatic save')
  persistence.stopAutoSave()
  persistence.stopAutoSave()
  map.set('late', { vector: vectorOf('late') })
  await pause(100)
  t.is(saves, 1)
  persistence.startAutoSave()
  await until(() => saves === 2, 'an automatic save after the second start')
})

test('automatic saves never overlap, however slow they are', async (t) => {
  const db = new GenericDb({ async: true })
  let running = 0
  let most = 0
  db.entries = async function () {
    most = Math.max(most, ++running)
    await pause(60)
    running--
    return [...db.content.values()]
  }
  // A database that changes behind the wrapper is read anew by each save: that makes saves slow.
  const persistence = attach(t, db, { baseDir: tempDir(t), autoSaveInterval: 5 })
  let saves = 0
  persistence.on('autosave', () => saves++)
  for (let round = 0; round < 3; round++) {
    const before = saves
    db.content.set(`around-${round}`, { id: `around-${round}`, vector: [1, 2] })
    await until(() => saves > before, 'a save of the change', 20_000)
  }
  t.is(most, 1)
})

test('E7: with incremental: true auto-save goes through saveIncremental', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(3)) as Map<string, any>
  const first = attach(t, map, { baseDir, incremental: true })
  await first.saveIncremental()
  await first.shutdown()
  const { mtimeMs } = statSync(join(baseDir, 'database.json'))
  const persistence = attach(t, map, { baseDir, incremental: true, autoSaveInterval: 10 })
  let saves = 0
  persistence.on('autosave', () => saves++)
  await pause(100)
  t.is(saves, 0, 'the file of the last run holds the same content')
  t.is(statSync(join(baseDir, 'database.json')).mtimeMs, mtimeMs)
  map.set('new', { vector: vectorOf('new') })
  await until(() => saves === 1, 'an automatic save')
})

test('a snapshot or an export in between does not keep auto-save from saving', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(2)) as Map<string, any>
  const persistence = attach(t, map, { baseDir, autoSaveInterval: 10 })
  persistence.stopAutoSave()
  await persistence.save()
  map.set('new', { vector: vectorOf('new') })
  await persistence.createSnapshot('between')
  await persistence.export({ path: join(baseDir, 'exported') })
  persistence.startAutoSave()
  await until(() => idsIn(join(baseDir, 'database.json')).includes('new'), 'the change in the default file')
  t.pass()
})

test('the timer does not keep the process alive', async (t) => {
  const dir = tempDir(t)
  const started = performance.now()
  const { code } = await runChild(`
    new DatabasePersistence(new Map([['a', { vector: [1, 2] }]]), { baseDir: 'data', autoSaveInterval: 3_600_000 })
  `, dir)
  t.is(code, 0)
  t.true(performance.now() - started < 20_000)
})

test('errors of auto-save go to onError and to the event "error", and the next save is tried all the same', async (t) => {
  const baseDir = tempDir(t)
  const map = new Map<string, any>([['bad', { vector: 'no vector' }]])
  const heard: unknown[] = []
  const called: unknown[] = []
  const persistence = attach(t, map, { baseDir, autoSaveInterval: 15, onError: (error) => called.push(error) })
  persistence.on('error', (error) => heard.push(error))
  await until(() => heard.length > 0 && called.length > 0, 'the error')
  t.true(heard[0] instanceof PersistenceError)
  t.is((heard[0] as PersistenceError).code, 'ERR_VECTOR_TYPE')
  t.is(called[0], heard[0])
  map.set('bad', { vector: [1, 2] })
  await until(() => existsSync(join(baseDir, 'database.json')), 'the save after the correction')
  t.deepEqual(idsIn(join(baseDir, 'database.json')), ['bad'])
})

test('an error that nobody listens to is a process warning, never a crash', async (t) => {
  const { told, stderr } = await runChild(`
    process.on('warning', (warning) => tell({ name: warning.name, code: warning.code, message: warning.message }))
    process.on('unhandledRejection', () => tell('unhandled'))
    const map = new Map([['bad', { vector: 'no vector' }]])
    const warned = new Promise((resolve) => process.once('warning', resolve))
    const persistence = new DatabasePersistence(map, { baseDir: 'data', autoSaveInterval: 10 })
    const keepAlive = setInterval(() => {}, 1000)
    await warned
    clearInterval(keepAlive)
    map.delete('bad')
    await persistence.shutdown()
    tell('alive')
  `, tempDir(t))
  t.is(told.at(-1), 'alive', stderr)
  t.false(told.includes('unhandled'))
  t.is(told[0].code, 'ERR_VECTOR_TYPE')
  t.regex(told[0].message, /"bad"/)
})

test('a folder that cannot be used is no unhandled rejection', async (t) => {
  const { told } = await runChild(`
    process.on('unhandledRejection', () => tell('unhandled'))
    fs.writeFileSync('taken', '')
    const persistence = new DatabasePersistence(new Map(), { baseDir: 'taken' })
    await new Promise((resolve) => setTimeout(resolve, 100))
    tell(await persistence.ready().catch((error) => error.code))
  `, tempDir(t))
  t.deepEqual(told, ['ERR_PATH'])
})

test('what a listener or onError throws hinders nothing of ours, and is reported where uncaught exceptions are', async (t) => {
  const { told } = await runChild(`
    process.on('uncaughtException', (error) => tell(error.message))
    const persistence = new DatabasePersistence(new Map([['a', { vector: [1] }]]), { baseDir: 'data' })
    persistence.on('save', () => { throw new Error('mine') })
    tell(path.basename(await persistence.save()))
    await persistence.shutdown()
    await new Promise((resolve) => setTimeout(resolve, 20))
    tell('done')
  `, tempDir(t))
  t.deepEqual([...told].sort(), ['database.json', 'done', 'mine'])
})

test('E28: shutdown saves what is unsaved, whatever the interval is, and a second call gives the same promise', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(3)) as Map<string, any>
  const persistence = new DatabasePersistence(map, { baseDir })
  const first = persistence.shutdown()
  t.is(persistence.shutdown(), first)
  await first
  t.deepEqual(idsIn(join(baseDir, 'database.json')), ['doc-0', 'doc-1', 'doc-2'])
  await t.notThrowsAsync(persistence.shutdown())
})

test('E28: shutdown does not save again what is saved, nor an empty database that nobody wrote to', async (t) => {
  const baseDir = tempDir(t)
  const persistence = new DatabasePersistence(mapOf(entriesOf(3)), { baseDir })
  await persistence.save()
  let saves = 0
  persistence.on('save', () => saves++)
  await persistence.shutdown()
  t.is(saves, 0)
  const empty = new DatabasePersistence(new Map(), { baseDir: join(baseDir, 'empty') })
  await empty.shutdown()
  t.false(existsSync(join(baseDir, 'empty', 'database.json')))
})

test('shutdown after everything was removed saves the emptiness', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(3))
  const persistence = new DatabasePersistence(map, { baseDir })
  await persistence.save()
  map.clear()
  await persistence.shutdown()
  t.deepEqual(idsIn(join(baseDir, 'database.json')), [])
})

test('E28: shutdown waits for running and waiting calls, and for writes that were not awaited', async (t) => {
  const baseDir = tempDir(t)
  const db = openRuvector(baseDir)
  const persistence = new DatabasePersistence(db, { baseDir })
  const inserts = entriesOf(20).map((entry) => db.insert(entry))
  const finished: string[] = []
  const calls = [persistence.save({ path: join(baseDir, 'first') }), persistence.createSnapshot('second').then(({ name }) => name)]
  for (const call of calls) void call.then((what) => finished.push(what.endsWith('first') ? 'first' : what))
  await persistence.shutdown()
  t.deepEqual(finished, ['first', 'second'])
  t.is(idsIn(join(baseDir, 'database.json')).length, 20)
  t.is((await Promise.all(inserts)).length, 20)
})

test('after shutdown every call is refused with ERR_CLOSED, and nothing is saved any more', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(2)) as Map<string, any>
  const persistence = new DatabasePersistence(map, { baseDir, autoSaveInterval: 10 })
  await persistence.shutdown()
  const id = '0192f3a4-0000-7000-8000-000000000000'
  const calls = {
    ready: () => persistence.ready(), save: () => persistence.save(), saveIncremental: () => persistence.saveIncremental(), load: () => persistence.load({ path: 'x' }),
    createSnapshot: () => persistence.createSnapshot('x'), listSnapshots: () => persistence.listSnapshots(), restoreSnapshot: () => persistence.restoreSnapshot(id),
    deleteSnapshot: () => persistence.deleteSnapshot(id), export: () => persistence.export({ path: 'x' }), import: () => persistence.import({ path: 'x' }),
  }
  for (const [name, call] of Object.entries(calls)) t.is((await rejection(call())).code, 'ERR_CLOSED', name)
  t.throws(() => persistence.startAutoSave(), { code: 'ERR_CLOSED' })
  t.notThrows(() => persistence.stopAutoSave())
  map.set('late', { vector: vectorOf('late') })
  await pause(60)
  t.deepEqual(idsIn(join(baseDir, 'database.json')), ['doc-0', 'doc-1'])
})

test('shutdown rejects with the error of the final save, and everything is taken off the database all the same', async (t) => {
  const map = new Map<any, any>([['bad', { vector: 5 }]])
  const persistence = new DatabasePersistence(map, { baseDir: tempDir(t) })
  t.is((await rejection(persistence.shutdown())).code, 'ERR_VECTOR_TYPE')
  t.deepEqual(Object.getOwnPropertyNames(map), [])
  t.notThrows(() => attach(t, new Map(), { baseDir: tempDir(t) }))
  map.delete('bad')
  const next = new DatabasePersistence(map, { baseDir: tempDir(t) })
  await t.notThrowsAsync(next.shutdown())
})

test('a database has one DatabasePersistence at a time; after shutdown it can have another', async (t) => {
  const map = new Map()
  const first = new DatabasePersistence(map, { baseDir: tempDir(t) })
  t.throws(() => new DatabasePersistence(map, { baseDir: tempDir(t) }), { instanceOf: PersistenceError, code: 'ERR_LOCKED' } as object)
  await first.shutdown()
  const second = new DatabasePersistence(map, { baseDir: tempDir(t) })
  await second.shutdown()
})

test('Symbol.asyncDispose shuts down, so that "await using" makes the final save', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(2))
  const persistence = new DatabasePersistence(map, { baseDir })
  const ended = persistence[Symbol.asyncDispose]()
  t.is(ended, persistence.shutdown())
  await ended
  t.deepEqual(idsIn(join(baseDir, 'database.json')), ['doc-0', 'doc-1'])
  t.is((await rejection(persistence.save())).code, 'ERR_CLOSED')
  {
    await using scoped = new DatabasePersistence(map, { baseDir: join(baseDir, 'scoped') })
    t.true(scoped instanceof DatabasePersistence)
  }
  t.true(existsSync(join(baseDir, 'scoped', 'database.json')))
})

test('calls are carried out one after another in the order they were made', async (t) => {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(3)) as Map<string, any>
  const persistence = attach(t, map, { baseDir })
  const order: string[] = []
  persistence.on('save', () => order.push('save')).on('snapshot', ({ name }) => order.push(name)).on('load', ({ operation }) => order.push(operation))
  await persistence.save()
  order.length = 0
  await Promise.all([
    persistence.createSnapshot('a'), persistence.save(), persistence.load({ path: join(baseDir, 'database.json') }),
    persistence.createSnapshot('b'), persistence.export({ path: join(baseDir, 'x') }), persistence.import({ path: join(baseDir, 'x') }),
  ])
  t.deepEqual(order, ['a', 'save', 'load', 'b', 'save', 'import'])
})

test('a call that fails does not hinder the next one', async (t) => {
  const baseDir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(3)), { baseDir })
  const results = await Promise.allSettled([persistence.load({ path: join(baseDir, 'missing') }), persistence.save(), persistence.restoreSnapshot('nosuch'), persistence.listSnapshots()])
  t.deepEqual(results.map(({ status }) => status), ['rejected', 'fulfilled', 'rejected', 'fulfilled'])
})

test('methods that return a promise never throw at once (E44)', (t) => {
  const persistence = attach(t, new Map(), { baseDir: tempDir(t) }) as any
  for (const name of ['save', 'saveIncremental', 'load', 'createSnapshot', 'restoreSnapshot', 'deleteSnapshot', 'export', 'import']) {
    for (const argument of [undefined, null, 5, Symbol('x'), { path: Symbol('x') }, { nonsense: 1 }]) {
      let promise: any
      t.notThrows(() => (promise = persistence[name](argument)), name)
      t.is(typeof promise.then, 'function')
      promise.catch(() => undefined)
    }
  }
})

test('temporary files that a killed process left behind are swept, others stay', async (t) => {
  const baseDir = tempDir(t)
  mkdirSync(join(baseDir, 'snapshots'))
  for (const name of ['mine.tmp', 'notes.txt', '.DS_Store']) writeFileSync(join(baseDir, name), 'x')
  await attach(t, mapOf(entriesOf(2)), { baseDir }).save()
  for (const name of ['mine.tmp', 'notes.txt', '.DS_Store']) t.true(existsSync(join(baseDir, name)), name)
  rmSync(baseDir, { recursive: true })
})
