// Schedules (A24, A25, A73, B61, C13, C66): work at set times, of a store and of a DatabasePersistence.
//
// The clock is node's mock of timers and Date where a cron expression is meant to come due, and real where runs must meet.
// A failure means that a nightly snapshot is not taken, is taken twice at once, or keeps a process from ending.
import test from 'ava'
import { mock } from 'node:test'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, type ScheduleReport, type StoreTasks } from 'ruvector-persistence'
import { runChild } from './helpers/child'
import { rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { openStore } from './helpers/vector-db'
import { entriesOf } from './helpers/vectors'

const NIGHTLY = { cron: '0 2 * * *', timeZone: 'UTC' }
const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Lets mocked time pass, in steps, until the promise is settled or the time is over. */
async function pass<T>(ms: number, awaited?: Promise<T>): Promise<T | undefined> {
  let result: T | undefined
  let settled = false
  void awaited?.finally(() => (settled = true)).then((value) => (result = value), () => undefined)
  for (let passed = 0; passed < ms; passed += MINUTE / 4) mock.timers.tick(MINUTE / 4)
  while (awaited !== undefined && !settled) {
    mock.timers.tick(1)
    await new Promise((resolve) => void setImmediate(resolve))
  }
  return result
}

// The timers of schedules keep nobody awake, and a test has to see them come due.
const awake = setInterval(() => undefined, 1_000)
test.after.always(() => clearInterval(awake))

test.serial('A25, B61, C13, C66: a cron expression takes one snapshot each night, and says when the next is due', async (t) => {
  const store = await openStore(t, tempDir(t))
  const docs = await store.createCollection('docs', { dimension: 8 })
  docs.insertBatch(entriesOf(20))
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: Date.UTC(2026, 0, 1, 0, 30) })
  try {
    const added = store.schedules.add('nightly', NIGHTLY, { compact: true, snapshot: { name: 'nightly' }, prune: { last: 2 } })
    t.like(added, { name: 'nightly', ...NIGHTLY, running: false, last: null, skipped: 0 })
    t.is(added.next?.toISOString(), '2026-01-01T02:00:00.000Z')
    for (let night = 1; night <= 3; night++) {
      const [report] = (await pass(night === 1 ? 1.5 * HOUR : 24 * HOUR, once(store.schedules, 'done'))) as [ScheduleReport]
      t.deepEqual(Object.keys(report.results), ['compact', 'snapshot', 'prune'])
      t.like(report.results['snapshot'], { name: 'nightly', vectorCount: 20 })
      t.like(report.results['compact'], { docs: { removed: 0 } })
    }
    t.is((await store.snapshots.list()).length, 2)
    t.is(store.schedules.list()[0]?.next?.toISOString(), '2026-01-04T02:00:00.000Z')
    t.true(store.schedules.remove('nightly'))
    await pass(48 * HOUR)
    t.deepEqual(store.schedules.list(), [])
    t.false(store.schedules.remove('nightly'))
  } finally {
    mock.timers.reset()
  }
  t.is((await store.snapshots.list()).length, 2)
})

test.serial('A73: a fragmented collection is compacted at the interval, once for each time', async (t) => {
  const store = await openStore(t, tempDir(t))
  const docs = await store.createCollection('docs', { dimension: 8, compaction: false })
  docs.insertBatch(entriesOf(100))
  await docs.checkpoint()
  for (let i = 0; i < 50; i++) docs.delete(entriesOf(100)[i]!.id)
  await docs.checkpoint()
  t.true((await docs.statistics()).fragmentation > 0.3)
  mock.timers.enable({ apis: ['setInterval'] })
  try {
    store.schedules.add('daily', { every: 24 * HOUR }, { compact: { threshold: 0.3 } })
    const done = once(store.schedules, 'done')
    mock.timers.tick(24 * HOUR)
    const [report] = (await done) as [ScheduleReport]
    t.like((report.results['compact'] as Record<string, object>)['docs'], { removed: 50 })
  } finally {
    mock.timers.reset()
  }
  t.is((await docs.statistics()).fragmentation, 0)
})

test('one run at a time; a time that comes meanwhile is skipped and told', async (t) => {
  const store = await openStore(t, tempDir(t))
  const docs = await store.createCollection('docs', { dimension: 8 })
  docs.insertBatch(entriesOf(500))
  const seen = new Set<string>()
  let most = 0
  store.schedules.on('done', ({ name }) => {
    seen.add(name)
    most = Math.max(most, store.schedules.list().filter((schedule) => schedule.running).length)
  })
  const skipped = once(store.schedules, 'skipped')
  store.schedules.add('a', { every: 1 }, { snapshot: true })
  store.schedules.add('b', { every: 1 }, { snapshot: true })
  const [schedule] = await skipped
  t.regex(schedule.name, /^[ab]$/)
  while (seen.size < 2) await once(store.schedules, 'done')
  store.schedules.remove('a')
  store.schedules.remove('b')
  const report = await store.schedules.run('c').catch((error: { code: string }) => error.code)
  t.is(report, 'ERR_NOT_FOUND')
  t.is(most, 0, 'when a run has ended, none other has begun')
})

test('a run that fails is an event, or a warning; the next one works, and run() rejects', async (t) => {
  const store = await openStore(t, tempDir(t))
  const docs = await store.createCollection('docs', { dimension: 8 })
  docs.insertBatch(entriesOf(3))
  const directory = join(tempDir(t), 'snapshots')
  writeFileSync(directory, 'in the way')
  const tasks: StoreTasks = { snapshot: { directory }, prune: { last: 1, directory } }
  store.schedules.add('broken', { every: 2 ** 31 - 1 }, tasks)
  const warned = once(process, 'warning')
  t.is((await rejection(store.schedules.run('broken'))).code, 'ERR_PATH')
  const [warning] = await warned
  t.regex(String(warning), /Schedule 'broken': .*listen to "failed"/)
  const failed = once(store.schedules, 'failed')
  await rejection(store.schedules.run('broken'))
  const [report] = (await failed) as [ScheduleReport]
  t.deepEqual(report.results, {}, 'nothing is removed when the snapshot failed')
  t.is(store.schedules.list()[0]?.last?.error, report.error)
  rmSync(directory)
  t.deepEqual(Object.keys((await store.schedules.run('broken')).results), ['snapshot', 'prune'])
})

test('a drill that finds a problem is a run that failed, with that problem', async (t) => {
  const path = tempDir(t)
  const store = await openStore(t, path)
  const docs = await store.createCollection('docs', { dimension: 8, metric: 'cosine' })
  docs.insertBatch(entriesOf(50))
  store.schedules.add('weekly', { every: 2 ** 31 - 1 }, { snapshot: true, drill: { sample: 5 } })
  const { results } = await store.schedules.run('weekly')
  t.like(results['drill'], { ok: true, entries: 50, searches: { compared: 5, equal: 5 } })
  const place = (await store.snapshots.list())[0]!.path
  const segments = join(place, 'collections/docs/segments')
  const segment = join(segments, readdirSync(segments).find((name) => name.endsWith('.seg'))!)
  const bytes = readFileSync(segment)
  bytes[100]! ^= 1
  rmSync(segment)
  writeFileSync(segment, bytes)
  store.schedules.add('now', { every: 2 ** 31 - 1 }, { drill: true })
  const failed = once(store.schedules, 'failed')
  const error = await rejection(store.schedules.run('now'))
  t.is(error.code, 'ERR_CORRUPT')
  t.regex(error.message, /The drill found a problem: /)
  t.is(((await failed) as [ScheduleReport])[0].error, error)
})

test('closing ends the schedules: the task that is being done is done, the next is not begun', async (t) => {
  const path = tempDir(t)
  const store = await openStore(t, path)
  const docs = await store.createCollection('docs', { dimension: 8 })
  docs.insertBatch(entriesOf(2_000))
  store.schedules.add('both', { every: 2 ** 31 - 1 }, { snapshot: { compress: 'gzip' }, prune: { last: 1 } })
  const failed = once(store.schedules, 'failed')
  const run = rejection(store.schedules.run('both'))
  await new Promise((resolve) => void setImmediate(resolve))
  await store.close()
  t.is((await run).code, 'ERR_CLOSED')
  const [report] = (await failed) as [ScheduleReport]
  t.deepEqual(Object.keys(report.results), ['snapshot'])
  t.is(readdirSync(join(path, 'snapshots')).filter((name) => name.endsWith('.tar.gz')).length, 1)
  t.throws(() => store.schedules.add('late', { every: 5 }, { snapshot: true }), { code: 'ERR_CLOSED' })
})

test('wrong times and tasks are refused before anything starts', async (t) => {
  const path = tempDir(t)
  const store = await openStore(t, path)
  await store.createCollection('docs', { dimension: 8 })
  const { schedules } = store
  const snapshot = { snapshot: true }
  const wrong: [unknown, unknown, unknown, RegExp][] = [
    ['', { every: 5 }, snapshot, /name/],
    [5, { every: 5 }, snapshot, /name/],
    ['x', undefined, snapshot, /either "cron" or "every"/],
    ['x', { every: 5, cron: '* * * * *' }, snapshot, /either "cron" or "every"/],
    ['x', { every: 0 }, snapshot, /whole number/],
    ['x', { every: 2 ** 31 }, snapshot, /whole number/],
    ['x', { every: 5, timeZone: 'UTC' }, snapshot, /"timeZone"/],
    ['x', { cron: 'at noon' }, snapshot, /"cron"/],
    ['x', { cron: '61 * * * *' }, snapshot, /"cron"/],
    ['x', { cron: '2030-01-01T00:00:00' }, snapshot, /"cron"/],
    ['x', { cron: '0 0 30 2 *' }, snapshot, /no time to come/],
    ['x', { cron: '* * * * *', timeZone: 'Mars/Olympus' }, snapshot, /"timeZone"/],
    ['x', { evry: 5 }, snapshot, /Did you mean "every"/],
    ['x', { every: 5 }, {}, /nothing to do/],
    ['x', { every: 5 }, { snapshot: false }, /nothing to do/],
    ['x', { every: 5 }, { snapshot: 'yes' }, /must be true, false or an object/],
    ['x', { every: 5 }, { snapsot: true }, /Did you mean "snapshot"/],
    ['x', { every: 5 }, { snapshot: { nam: 'x' } }, /Did you mean "name"/],
    ['x', { every: 5 }, { prune: true }, /needs a rule/],
    ['x', { every: 5 }, { compact: { threshold: 2, aggressive: true } }, /threshold|contradict/],
  ]
  for (const [name, when, tasks, message] of wrong) {
    const error = t.throws(() => schedules.add(name as string, when as { every: number }, tasks as StoreTasks), { code: 'ERR_OPTION' })
    t.regex(error?.message ?? '', message, JSON.stringify([name, when, tasks]))
  }
  t.deepEqual(schedules.list(), [])
  schedules.add('x', { every: 2 ** 31 - 1 }, snapshot)
  t.throws(() => schedules.add('x', { every: 5 }, snapshot), { code: 'ERR_EXISTS' })
  const { VectorStore } = await import('ruvector-persistence')
  const reader = await VectorStore.open(path, { readOnly: true })
  t.throws(() => reader.schedules.add('x', { every: 5 }, { compact: true }), { code: 'ERR_READ_ONLY' })
  reader.schedules.add('copy', { every: 2 ** 31 - 1 }, { snapshot: { directory: tempDir(t) } })
  t.like((await reader.schedules.run('copy')).results['snapshot'], { type: 'full' })
  await reader.close()
})

test('A24: a DatabasePersistence saves and takes snapshots at set times, and shutdown ends it', async (t) => {
  const baseDir = tempDir(t)
  const db = new Map([['a', { id: 'a', vector: Float32Array.of(1, 2) }]])
  const persistence = new DatabasePersistence(db, { baseDir, maxSnapshots: 2 })
  const { schedules } = persistence
  schedules.add('all', { every: 1 }, { save: true, saveIncremental: true, snapshot: { metadata: { by: 'clock' } } })
  for (let i = 0; i < 3; i++) await once(schedules, 'done')
  const last = schedules.list()[0]?.last as ScheduleReport
  t.deepEqual(Object.keys(last.results), ['save', 'saveIncremental', 'snapshot'])
  t.is(last.results['saveIncremental'], null)
  t.like(last.results['snapshot'], { name: 'scheduled', metadata: { by: 'clock' }, vectorCount: 1 })
  const snapshots = await persistence.listSnapshots()
  t.true(snapshots.length <= 2)
  t.throws(() => schedules.add('wrong', { every: 5 }, { save: { forma: 'json' } as object }), { code: 'ERR_OPTION' })
  t.throws(() => schedules.add('wrong', { every: 5 }, { snapshot: { name: 5 } as object }), { code: 'ERR_OPTION' })
  await persistence.shutdown()
  const runs = schedules.list()[0]?.last
  await new Promise((resolve) => void setTimeout(resolve, 30))
  t.is(schedules.list()[0]?.last, runs)
})

test('schedules keep no process alive', async (t) => {
  const script = `
    const { VectorStore } = load('ruvector-persistence')
    const store = await VectorStore.open(process.cwd())
    await store.createCollection('docs', { dimension: 2 })
    store.schedules.add('a', { every: 1_000_000 }, { snapshot: true })
    store.schedules.add('b', { cron: '0 2 * * *' }, { snapshot: true })
    tell(store.schedules.list().length)`
  t.deepEqual((await runChild(script, tempDir(t))).told, [2])
})
