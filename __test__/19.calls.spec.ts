// Progress and cancellation of every long call (CHECKLIST D10, D35): fields as documented, a percentage that never goes back
// and ends at 100 once, a callback that throws, and AbortSignal.
//
// A failure here is a progress bar that lies, or a call that cannot be stopped or that, stopped, leaves half its work.
import test from 'ava'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { exportRuvector, type CallOptions, type Progress } from 'ruvector-persistence'
import { GenericDb } from './helpers/generic'
import { attach, pause, rejection } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOfMap, entriesOf, mapOf, vectorOf } from './helpers/vectors'

type Setup = { dir: string; map: Map<string, any>; run: (name: string, options: CallOptions) => Promise<unknown> }

const LONG_CALLS = ['save', 'saveIncremental', 'load', 'createSnapshot', 'restoreSnapshot', 'export', 'import', 'exportRuvector']

const WRITERS = ['save', 'saveIncremental', 'createSnapshot', 'export', 'exportRuvector']
const fileOf = (name: string, dir: string): string => join(dir, name === 'export' ? 'exported' : name === 'exportRuvector' ? 'from-ruvector' : 'database.json')

/** A Map of `count` entries, and every long call on it. */
async function setup(t: any, count = 50, dimension = 8): Promise<Setup> {
  const dir = tempDir(t)
  const map = mapOf(entriesOf(count, dimension)) as Map<string, any>
  // In small batches the writing of the database has a progress of its own, which must not start anew.
  const persistence = attach(t, map, { baseDir: dir, batchSize: 20 })
  const other = mapOf(entriesOf(count, dimension, 'other')) as Map<string, any>
  const loader = attach(t, other, { baseDir: join(dir, 'other') })
  const path = await loader.save()
  await persistence.ready()
  const { id } = await persistence.createSnapshot('before')
  const run = async (name: string, options: CallOptions): Promise<unknown> => {
    if (name === 'save') return persistence.save(options)
    if (name === 'saveIncremental') return persistence.saveIncremental(options)
    if (name === 'load') return persistence.load({ path, ...options })
    if (name === 'createSnapshot') {
      const { path: _, ...others } = options as CallOptions & { path?: string }
      return persistence.createSnapshot('x', undefined, others)
    }
    if (name === 'restoreSnapshot') return persistence.restoreSnapshot(id, options)
    if (name === 'export') return persistence.export({ path: join(dir, 'exported'), ...options })
    if (name === 'import') return persistence.import({ path, ...options })
    const from = join(dir, 'ruvector.db')
    if (!existsSync(from)) await openRuvector(dir, { dimension }).insertBatch(entriesOf(count, dimension) as never)
    const { path: _, ...others } = options as CallOptions & { path?: string }
    return exportRuvector({ from, to: join(dir, 'from-ruvector'), ...others })
  }
  return { dir, map, run }
}

for (const name of LONG_CALLS) {
  test(`D35: the progress of ${name} has the documented fields, never goes back, and ends at 100 once`, async (t) => {
    const { run } = await setup(t, 300, 64)
    const reports: Progress[] = []
    await run(name, { onProgress: (progress) => void reports.push(progress) })
    t.true(reports.length > 0)
    for (const report of reports) {
      t.deepEqual(Object.keys(report).sort(), ['current', 'message', 'operation', 'percentage', 'total'])
      t.true(typeof report.operation === 'string' && report.operation.length > 0)
      t.true(typeof report.message === 'string' && report.message.length > 0)
      for (const number of [report.percentage, report.current, report.total]) t.true(Number.isFinite(number) && number >= 0, JSON.stringify(report))
      t.true(report.percentage <= 100 && report.current <= report.total, JSON.stringify(report))
    }
    const percentages = reports.map(({ percentage }) => percentage)
    t.deepEqual(percentages, [...percentages].sort((a, b) => a - b), 'never goes back')
    t.is(percentages.filter((percentage) => percentage === 100).length, 1)
    t.is(percentages.at(-1), 100)
    const last = reports.at(-1)!
    t.is(last.current, last.total)
    const count = reports.length
    await pause(40)
    t.is(reports.length, count, 'nothing is reported after the end')
  })

  test(`an exception thrown in the callback of ${name} rejects that call with that very exception, and harms nothing else`, async (t) => {
    const { map, run } = await setup(t)
    const before = contentOfMap(map)
    const mine = new Error('mine')
    t.is(await rejection(run(name, { onProgress: () => { throw mine } })), mine)
    t.deepEqual(contentOfMap(map), before)
    await t.notThrowsAsync(run(name, { onProgress: () => undefined }))
  })

  test(`a signal that was aborted before ${name} rejects with its reason and does nothing`, async (t) => {
    const { dir, map, run } = await setup(t)
    const before = contentOfMap(map)
    const files = readdirSync(dir, { recursive: true }).length
    const reason = new Error('changed my mind')
    if (name !== 'exportRuvector') {
      t.is(await rejection(run(name, { signal: AbortSignal.abort(reason) })), reason)
      t.is((await rejection(run(name, { signal: AbortSignal.abort() }))).name, 'AbortError')
      t.is(readdirSync(dir, { recursive: true }).length, files)
    } else {
      t.is(await rejection(run(name, { signal: AbortSignal.abort(reason) })), reason)
      t.false(existsSync(join(dir, 'from-ruvector')))
    }
    t.deepEqual(contentOfMap(map), before)
  })

  test(`a signal aborted at the first report of a ${name} that takes its time stops it: nothing is replaced and no temporary file is left`, async (t) => {
    const { dir, map, run } = await setup(t, 400, 64)
    await run(name, {})
    map.set('changed', { vector: vectorOf('changed', 64) })
    const before = contentOfMap(map)
    const snapshots = readdirSync(join(dir, 'snapshots')).length
    const path = fileOf(name, dir)
    const bytes = existsSync(path) ? readFileSync(path) : null
    const controller = new AbortController()
    const reason = { any: 'value' }
    // Writing with the highest level of brotli takes longer than the first report.
    const slow = WRITERS.includes(name) ? { path, compression: 'brotli', compressionLevel: 11 } : {}
    const error: unknown = await rejection(run(name, { ...slow, signal: controller.signal, onProgress: () => controller.abort(reason) }))
    t.is(error, reason)
    t.deepEqual(contentOfMap(map), before)
    if (bytes) t.true(readFileSync(path).equals(bytes), 'the file is the old one')
    t.is(readdirSync(join(dir, 'snapshots')).length, snapshots)
    t.deepEqual((readdirSync(dir, { recursive: true }) as string[]).filter((file) => /tmp/i.test(file)), [])
    await t.notThrowsAsync(run(name, {}))
  })

  test(`a signal that is none, or an onProgress that is no function, is wrong use of ${name} (RELIABILITY 58)`, async (t) => {
    const { run } = await setup(t, 2)
    const fake = Object.create(AbortSignal.prototype)
    for (const signal of [fake, {}, { aborted: true, addEventListener() {} }, 'abort', new AbortController(), new Proxy(AbortSignal.abort(), {})]) {
      await t.throwsAsync(run(name, { signal: signal as never }), { instanceOf: TypeError, code: 'ERR_OPTION', message: /signal/ })
    }
    await t.throwsAsync(run(name, { onProgress: 5 as never }), { instanceOf: TypeError, code: 'ERR_OPTION', message: /onProgress/ })
  })
}

test('a signal that is aborted while the call waits in the queue rejects at once; the others are carried out', async (t) => {
  const { run, dir } = await setup(t, 200, 64)
  const controller = new AbortController()
  const first = run('save', {})
  const second = run('export', { signal: controller.signal })
  const third = run('createSnapshot', {})
  controller.abort(new Error('not any more'))
  t.is((await rejection(second)).message, 'not any more')
  await t.notThrowsAsync(Promise.all([first, third]))
  t.false(existsSync(join(dir, 'exported')))
})

test('a signal that is aborted after the end changes nothing, and no listener stays on it', async (t) => {
  const { run, dir } = await setup(t)
  const controller = new AbortController()
  let listeners = 0
  const { signal } = controller
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = ((...args: Parameters<typeof add>) => (listeners++, add(...args))) as never
  signal.removeEventListener = ((...args: Parameters<typeof remove>) => (listeners--, remove(...args))) as never
  await run('save', { signal })
  controller.abort()
  t.is(listeners, 0)
  t.notThrows(() => JSON.parse(readFileSync(join(dir, 'database.json'), 'utf8')))
})

for (const name of WRITERS) {
  test(`a signal that is aborted when ${name} is done already is too late: it resolves, or else nothing was written`, async (t) => {
    const { dir, run } = await setup(t, 3)
    const controller = new AbortController()
    const before = (readdirSync(dir, { recursive: true }) as string[]).filter((file) => !file.startsWith('ruvector.db')).sort()
    const outcome = await run(name, { signal: controller.signal, onProgress: () => controller.abort(new Error('late')) }).then(() => 'resolved', () => 'rejected')
    const after = (readdirSync(dir, { recursive: true }) as string[]).filter((file) => !file.startsWith('ruvector.db')).sort()
    if (outcome === 'rejected') t.deepEqual(after, before)
    else t.notDeepEqual(after, before)
  })
}

test('a callback whose promise rejects cancels the call with that error', async (t) => {
  const { run } = await setup(t, 800, 128)
  const mine = new Error('async mine')
  t.is(await rejection(run('load', { onProgress: (async () => { throw mine }) as never })), mine)
})

test('reports come at most about 30 times a second, and the last one always comes', async (t) => {
  const { run } = await setup(t, 3000, 64)
  const times: number[] = []
  let last = 0
  const started = performance.now()
  await run('save', { onProgress: ({ percentage }) => (times.push(performance.now()), (last = percentage)) })
  const seconds = (performance.now() - started) / 1000
  t.true(times.length <= 8 + 40 * seconds, `${times.length} reports in ${seconds} s`)
  t.is(last, 100)
})

test('the writing of the database is reported at most about 30 times a second as well, however small the batches are', async (t) => {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(entriesOf(2000)), { baseDir: dir }).save()
  const percentages: number[] = []
  const started = performance.now()
  await attach(t, new Map(), { baseDir: join(dir, 'b'), batchSize: 1 }).load({ path, onProgress: ({ percentage }) => percentages.push(percentage) })
  const seconds = (performance.now() - started) / 1000
  t.true(percentages.length <= 8 + 40 * seconds, `${percentages.length} reports in ${seconds} s`)
  t.is(percentages.at(-1), 100)
})

test('the percentage of a load that takes its time goes on from reading to writing, and does not start anew', async (t) => {
  const dir = tempDir(t)
  const map = new Map(Array.from({ length: 1500 }, (_, row) => [`doc-${row}`, { vector: vectorOf(row, 384) }]))
  const path = await attach(t, map, { baseDir: dir, compression: 'brotli' }).save()
  const db = new GenericDb()
  db.insertBatch = async function (batch) {
    await pause(5)
    return GenericDb.prototype.insertBatch.call(this, batch)
  }
  const reports: Progress[] = []
  await attach(t, db, { baseDir: join(dir, 'b'), batchSize: 50 }).load({ path, onProgress: (progress) => void reports.push(progress) })
  const percentages = reports.map(({ percentage }) => percentage)
  t.deepEqual(percentages, [...percentages].sort((a, b) => a - b))
  t.is(percentages.filter((percentage) => percentage === 100).length, 1)
  const [reading, writing] = ['load', 'apply'].map((name) => reports.filter(({ operation, percentage }) => operation === name && percentage > 0 && percentage < 100))
  t.true(reading!.length > 0 && writing!.length > 0, 'both parts were reported')
})

test('a failed call never reports 100', async (t) => {
  const { dir, map, run } = await setup(t)
  map.set('bad', { vector: 'none' })
  const reports: number[] = []
  await rejection(run('save', { onProgress: ({ percentage }) => reports.push(percentage) }))
  const db = new GenericDb({ fail: { insertBatch: 0 } })
  const persistence = attach(t, db, { baseDir: join(dir, 'generic') })
  await rejection(persistence.load({ path: join(dir, 'other', 'database.json'), onProgress: ({ percentage }) => reports.push(percentage) }))
  t.false(reports.includes(100))
})

test('a load that is cancelled while the database is written puts the old content back', async (t) => {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(entriesOf(50, 8, 'new')), { baseDir: dir }).save()
  const db = new GenericDb({ async: true })
  for (const entry of entriesOf(50)) db.content.set(entry.id, entry)
  db.insertBatch = async function (batch) {
    await pause(20)
    return GenericDb.prototype.insertBatch.call(this, batch)
  }
  const persistence = attach(t, db, { baseDir: join(dir, 'b'), batchSize: 2 })
  const before = [...db.content.keys()].sort()
  const controller = new AbortController()
  let seen = 0
  const reason = new Error('enough')
  const error = await rejection(persistence.load({
    path,
    signal: controller.signal,
    onProgress: ({ operation }) => {
      if (operation === 'apply' && db.content.has('new-5') && seen++ === 0) controller.abort(reason)
    },
  }))
  t.is(seen > 0, true, 'it was cancelled while the database was written')
  t.is(error, reason)
  t.deepEqual([...db.content.keys()].sort(), before)
  t.is(JSON.parse(readFileSync(await persistence.save(), 'utf8')).vectors.length, 50)
})
