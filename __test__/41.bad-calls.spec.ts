// Bad options, paths, snapshot ids and moments to call (rows 20, 21, 24, 34 to 36, 57 to 59 of the table of bad inputs).
//
// A failure means that a misspelled option is ignored, that a path can make a call hang or overwrite what is no file of
// ours, or that a snapshot id can name a file outside the folder.
import test, { type ExecutionContext } from 'ava'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, relative } from 'node:path'
import { DatabasePersistence, exportRuvector } from 'ruvector-persistence'
import { runChild } from './helpers/child'
import { GenericDb } from './helpers/generic'
import { isUnharmed, keep, type Kept, refusal, strays, thrown } from './helpers/kept'
import { attach, rejection } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, mapOf, vectorOf } from './helpers/vectors'

const HANG_MS = 5000

/** The promise, or a failure when it takes too long. */
async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error(`${what} hangs`)), HANG_MS)))
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

test('row 20: a misspelled option is refused with the allowed names', async (t) => {
  const baseDir = tempDir(t)
  for (const [name, near] of [['segmentsize', null], ['basedir', 'baseDir'], ['autosaveInterval', 'autoSaveInterval'], ['maxSnapshot', 'maxSnapshots'], ['batchsize', 'batchSize'], ['__proto__x', null]] as const) {
    const error = thrown(t, () => new DatabasePersistence(new Map(), { baseDir, [name]: 5 } as any), 'ERR_OPTION', `"${name}"`, 'Allowed: baseDir, format, compression')
    if (near) t.true(error.message.includes(`Did you mean "${near}"?`), error.message)
  }
  const kept = await keep(t)
  const { persistence } = kept
  const path = join(kept.dir, 'x')
  for (const [call, ...parts] of [
    [() => persistence.save({ compres: true } as any), '"compres"', 'save', '"compress"'],
    [() => persistence.load({ path, verify: true } as any), '"verify"', 'load', 'verifyChecksum'],
    [() => persistence.export({ path, index: true } as any), '"index"', 'export', 'includeIndex'],
    [() => persistence.import({ path, merge: true } as any), '"merge"', 'import', 'clear'],
    [() => persistence.saveIncremental({ full: true } as any), '"full"', 'saveIncremental'],
    [() => persistence.createSnapshot('x', {}, { level: 3 } as any), '"level"', 'createSnapshot', 'compressionLevel'],
    [() => persistence.restoreSnapshot('x', { verify: false } as any), '"verify"', 'restoreSnapshot'],
    [() => exportRuvector({ from: path, path } as any), '"path"', 'exportRuvector'],
  ] as [() => Promise<unknown>, ...string[]][]) await refusal(t, call, 'ERR_OPTION', ...parts)
  await isUnharmed(t, kept)
})

test('row 20: values of the wrong type, NaN, negative, too large', async (t) => {
  const baseDir = tempDir(t)
  for (const [option, values] of Object.entries({
    baseDir: [undefined, null, 5, '', {}, ['x'], Symbol('s')],
    format: ['JSON', 'xml', '', 5, null, {}],
    compression: ['gz', 'none ', 5, true, null],
    compressionLevel: ['5', NaN, -1, 1.5, 23, 2 ** 53, Infinity, null, 5n],
    incremental: ['true', 1, null],
    autoSaveInterval: ['1000', NaN, -1, 0.5, 2 ** 31, 2 ** 53, Infinity, null],
    maxSnapshots: ['5', NaN, -1, 1.5, 2 ** 53],
    batchSize: ['5', NaN, 0, -1, 1.5, 1_000_001],
    databasePath: [5, null, {}],
    dimension: ['8', 0],
    metric: ['l2', 'Cosine', 5],
    onError: ['x', {}, 5],
    wal: ['true', 1, null, [], () => ({}), { enabled: 'yes' }, { syncMode: 'always' }, { fsyncInterval: -1 }],
  })) {
    for (const value of values) {
      thrown(t, () => new DatabasePersistence(new Map(), { baseDir, compression: 'zstd', [option]: value } as any), 'ERR_OPTION', option === 'wal' && typeof value === 'object' && value !== null && !Array.isArray(value) ? `"${Object.keys(value)[0]}"` : `"${option}"`)
    }
  }
  for (const options of [undefined, null, 5, 'dir', () => ({ baseDir })]) thrown(t, () => new DatabasePersistence(new Map(), options as any), 'ERR_OPTION', 'baseDir')
  for (const db of [undefined, null, 5, 'db', {}, [], { insert: 5 }, Symbol('s')]) thrown(t, () => new DatabasePersistence(db as any, { baseDir }), 'ERR_OPTION')
  thrown(t, () => new DatabasePersistence(new Map(), { baseDir, compression: 'gzip', compressionLevel: 10 }), 'ERR_OPTION', 'gzip', '9')
  thrown(t, () => new DatabasePersistence(new Map(), { baseDir, compressionLevel: 5 }), 'ERR_OPTION', 'compression')
  t.deepEqual(readdirSync(baseDir), [], 'a refused constructor leaves nothing')
  const inherited = Object.assign(Object.create({ compression: 'nonsense', misspelled: 1 }), { baseDir })
  t.notThrows(() => attach(t, new Map(), inherited), 'only own properties are options')
})

test('row 20: a refused constructor does not hold the database', async (t) => {
  const map = mapOf(entriesOf(2))
  const own = Object.getOwnPropertyNames(map)
  thrown(t, () => new DatabasePersistence(map, { baseDir: tempDir(t), format: 'nonsense' as any }), 'ERR_OPTION')
  thrown(t, () => new DatabasePersistence(map, { baseDir: tempDir(t), format: 'native' as any }), 'ERR_UNSUPPORTED', 'native')
  thrown(t, () => new DatabasePersistence(map, { baseDir: tempDir(t), engine: 'mmap' } as any), 'ERR_UNSUPPORTED', 'engine')
  t.deepEqual(Object.getOwnPropertyNames(map), own)
  await attach(t, map, { baseDir: tempDir(t) }).save()
})

/** A path that no file can be written to, with the error that names it. */
async function unusable(t: ExecutionContext, kept: Kept, path: string, code: string, cause: string | null, ...parts: (string | RegExp)[]): Promise<void> {
  const calls: (() => Promise<unknown>)[] = [
    () => kept.persistence.save({ path }),
    () => kept.persistence.export({ path }),
    () => kept.persistence.saveIncremental({ path }),
    () => kept.persistence.load({ path }),
    () => kept.persistence.import({ path }),
    () => exportRuvector({ from: path, to: join(kept.dir, 'never') }),
  ]
  for (const call of calls) {
    const error = await refusal(t, () => soon(call(), path.slice(0, 100)), code, ...parts)
    if (cause) t.is(error.cause?.code, cause, error.message)
  }
}

test('row 21: paths that are empty, hold NUL or are too long', async (t) => {
  const kept = await keep(t)
  await unusable(t, kept, '', 'ERR_PATH', null, 'empty')
  await unusable(t, kept, join(kept.dir, 'a\0b'), 'ERR_PATH', null, 'NUL')
  await unusable(t, kept, `/${'x/'.repeat(2500)}`, 'ERR_PATH', null, '4096')
  await unusable(t, kept, join(kept.dir, 'x'.repeat(300)), 'ERR_PATH', 'ENAMETOOLONG', 'xxx')
  await unusable(t, kept, join(kept.file, 'below'), 'ERR_PATH', null, 'ENOTDIR', kept.file)
  t.false(existsSync(join(kept.dir, 'never')))
  await isUnharmed(t, kept)
})

test('row 21: a file that is not there, and a folder', async (t) => {
  const kept = await keep(t)
  const absent = join(kept.dir, 'no', 'such', 'file')
  for (const call of [() => kept.persistence.load({ path: absent }), () => kept.persistence.import({ path: absent }), () => exportRuvector({ from: absent, to: join(kept.dir, 'never') })]) {
    const error = await refusal(t, call, 'ERR_PATH', 'ENOENT', absent)
    t.is(error.path, absent)
    t.is(error.cause.code, 'ENOENT')
  }
  t.false(existsSync(join(kept.dir, 'no')), 'reading makes no folder')
  await unusable(t, kept, kept.baseDir, 'ERR_PATH', null, kept.baseDir, /regular file|EISDIR/)
  await unusable(t, kept, '/', 'ERR_PATH', null)
  await isUnharmed(t, kept)
})

test('row 21: a baseDir that is a file, below a file, empty of meaning, or not to be made', async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'file'), 'a file')
  for (const [baseDir, ...parts] of [
    [join(dir, 'file'), 'ENOTDIR', join(dir, 'file')], [join(dir, 'file', 'below'), 'ENOTDIR'], [join(dir, 'a\0b'), 'NUL'], [join(dir, 'x'.repeat(300)), 'ENAMETOOLONG'],
    [`/${'x'.repeat(5000)}`, '4096'], ['/proc/nothing/here', '/proc/nothing'],
  ] as const) {
    const map = mapOf(entriesOf(2))
    const persistence = new DatabasePersistence(map, { baseDir })
    await refusal(t, () => soon(persistence.ready(), baseDir.slice(0, 100)), 'ERR_PATH', ...parts)
    await refusal(t, () => persistence.save(), 'ERR_PATH', ...parts)
    await refusal(t, () => persistence.createSnapshot('x'), 'ERR_PATH', ...parts)
    t.deepEqual(contentOfMap(map), contentOf(entriesOf(2)))
    await persistence.shutdown().catch(() => undefined)
    const elsewhere = attach(t, map, { baseDir: join(dir, 'elsewhere') })
    await elsewhere.save()
  }
  t.is(readFileSync(join(dir, 'file'), 'utf8'), 'a file')
})

test('row 21: a dangling symlink as baseDir is named, one to a folder is followed', async (t) => {
  const dir = tempDir(t)
  mkdirSync(join(dir, 'real'))
  symlinkSync('real', join(dir, 'link'))
  symlinkSync('nowhere', join(dir, 'dangling'))
  await attach(t, mapOf(entriesOf(2)), { baseDir: join(dir, 'link') }).save()
  t.true(existsSync(join(dir, 'real', 'database.json')))
  const persistence = new DatabasePersistence(mapOf(entriesOf(2)), { baseDir: join(dir, 'dangling') })
  await refusal(t, () => persistence.save(), 'ERR_PATH', join(dir, 'dangling'))
  await persistence.shutdown().catch(() => undefined)
  t.false(existsSync(join(dir, 'nowhere')))
})

test('row 21: a folder without permission, in a process that modes bind', async (t) => {
  const dir = tempDir(t)
  mkdirSync(join(dir, 'locked'))
  writeFileSync(join(dir, 'locked', 'old.json'), 'old')
  chmodSync(join(dir, 'locked'), 0o555)
  chmodSync(dir, 0o777)
  const { told } = await runChild(`
    if (process.getuid?.() === 0) { process.setgid(65534); process.setuid(65534) }
    const locked = ${JSON.stringify(join(dir, 'locked'))}
    const map = new Map([['a', { vector: vectorOf('a') }]])
    const persistence = new DatabasePersistence(map, { baseDir: ${JSON.stringify(join(dir, 'own'))} })
    for (const path of ['old.json', 'new.json', 'folder/new.json']) await persistence.save({ path: path_join(locked, path) }).catch(({ code, cause, path, message }) => tell([code, cause?.code, message.includes(path)]))
    const second = new DatabasePersistence(new Map(), { baseDir: locked })
    await second.ready().catch(({ code, cause, message }) => tell([code, cause?.code, message.includes(locked)]))
    await persistence.save()
    await persistence.shutdown()
  `.replaceAll('path_join', 'require("node:path").join'), dir)
  t.deepEqual(told, Array.from({ length: 4 }, () => ['ERR_PATH', 'EACCES', true]))
  t.deepEqual(readdirSync(join(dir, 'locked')), ['old.json'])
  t.is(readFileSync(join(dir, 'locked', 'old.json'), 'utf8'), 'old')
  t.true(existsSync(join(dir, 'own', 'database.json')))
})

test('row 21: a relative path goes by the working directory of the call', async (t) => {
  const kept = await keep(t)
  const path = relative(process.cwd(), join(kept.dir, 'relative.json'))
  t.is(await kept.persistence.save({ path }), path)
  t.true(existsSync(join(kept.dir, 'relative.json')))
})

test('row 24: after shutdown every call is refused, and a second shutdown is the first', async (t) => {
  const { persistence, file, dir, map, content } = await keep(t)
  const { id } = await persistence.createSnapshot('x')
  const first = persistence.shutdown()
  t.is(persistence.shutdown(), first)
  const calls = {
    ready: () => persistence.ready(), save: () => persistence.save(), saveIncremental: () => persistence.saveIncremental(), load: () => persistence.load({ path: file }),
    createSnapshot: () => persistence.createSnapshot('x'), listSnapshots: () => persistence.listSnapshots(), restoreSnapshot: () => persistence.restoreSnapshot(id),
    deleteSnapshot: () => persistence.deleteSnapshot(id), export: () => persistence.export({ path: join(dir, 'x') }), import: () => persistence.import({ path: file }),
  }
  for (const [name, call] of Object.entries(calls)) await refusal(t, call, 'ERR_CLOSED').then(({ message }) => t.regex(message, /shut down/, name))
  await first
  for (const call of Object.values(calls)) await refusal(t, call, 'ERR_CLOSED')
  thrown(t, () => persistence.startAutoSave(), 'ERR_CLOSED')
  persistence.stopAutoSave()
  await persistence.shutdown()
  await persistence[Symbol.asyncDispose]()
  t.deepEqual(contentOfMap(map), content)
  t.false(existsSync(join(dir, 'x')))
})

test('row 24: shutdown while calls run and wait: they are carried out, and the last writes are saved', async (t) => {
  const { persistence, map, baseDir, dir } = await keep(t)
  const calls = [persistence.save({ path: join(dir, 'one') }), persistence.createSnapshot('x'), persistence.export({ path: join(dir, 'two') })]
  map.set('late', { vector: vectorOf('late') })
  await persistence.shutdown()
  t.deepEqual((await Promise.allSettled(calls)).map(({ status }) => status), ['fulfilled', 'fulfilled', 'fulfilled'])
  const loaded = new Map()
  await attach(t, loaded, { baseDir: dir }).load({ path: join(baseDir, 'database.json') })
  t.true(loaded.has('late'))
  t.deepEqual(strays(baseDir), [])
})

const fifo = (path: string): void => void execFileSync('mkfifo', [path])

test('row 34: FIFOs, sockets, devices and folders in place of files are refused at once', async (t) => {
  const kept = await keep(t)
  const at = (name: string): string => join(kept.dir, name)
  fifo(at('fifo'))
  mkdirSync(at('folder'))
  const server = createServer().listen(at('socket'))
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  for (const path of [at('fifo'), at('folder'), at('socket'), '/dev/null', '/dev/zero']) await unusable(t, kept, path, 'ERR_PATH', null, path)
  t.true(lstatSync(at('fifo')).isFIFO())
  await isUnharmed(t, kept)
})

test('row 34: special files inside the folder of a persistence hinder nothing that does not need them', async (t) => {
  const dir = tempDir(t)
  fifo(join(dir, '.ruvector-persistence-0.tmp'))
  fifo(join(dir, '.incremental.json'))
  mkdirSync(join(dir, 'snapshots'))
  fifo(join(dir, 'snapshots', 'abc.meta.json'))
  mkdirSync(join(dir, 'snapshots', 'def.meta.json'))
  fifo(join(dir, 'snapshots', 'abc.json'))
  const map = mapOf(entriesOf(3))
  const persistence = attach(t, map, { baseDir: dir })
  await soon(persistence.save(), 'save')
  const errors: any[] = []
  persistence.on('error', (error) => errors.push(error))
  const { id } = await soon(persistence.createSnapshot('x'), 'createSnapshot')
  t.deepEqual((await soon(persistence.listSnapshots(), 'listSnapshots')).map((snapshot) => snapshot.id), [id])
  t.deepEqual(errors.filter(({ path }) => path?.includes('meta.json')).map(({ code }) => code), ['ERR_PATH', 'ERR_PATH'])
  await refusal(t, () => soon(persistence.restoreSnapshot('abc'), 'restoreSnapshot'), 'ERR_PATH', 'abc')
  await soon(persistence.restoreSnapshot(id), 'restoreSnapshot')
  t.deepEqual(contentOfMap(map), contentOf(entriesOf(3)))
})

test('row 35: symlinks are not read through and not written through', async (t) => {
  const kept = await keep(t)
  const at = (name: string): string => join(kept.dir, name)
  writeFileSync(at('precious'), 'precious')
  symlinkSync(kept.file, at('good'))
  symlinkSync('precious', at('link'))
  symlinkSync('nowhere', at('dangling'))
  symlinkSync('loop', at('loop'))
  for (const name of ['good', 'link', 'dangling', 'loop']) await unusable(t, kept, at(name), 'ERR_PATH', null, 'symbolic link', at(name))
  t.is(readFileSync(at('precious'), 'utf8'), 'precious')
  t.true(lstatSync(at('link')).isSymbolicLink())
  t.false(existsSync(at('nowhere')))
  await isUnharmed(t, kept)
})

test('row 35: a snapshot whose file became a symlink is refused, and deleting it leaves the target', async (t) => {
  const kept = await keep(t)
  const { persistence, baseDir } = kept
  const { id } = await persistence.createSnapshot('x')
  const file = join(baseDir, 'snapshots', `${id}.json`)
  const target = join(kept.dir, 'target.json')
  writeFileSync(target, readFileSync(file))
  execFileSync('ln', ['-sf', target, file])
  await refusal(t, () => persistence.restoreSnapshot(id), 'ERR_PATH', 'symbolic link', file)
  await refusal(t, () => persistence.restoreSnapshot(id, { verifyChecksum: false }), 'ERR_PATH', 'symbolic link')
  await persistence.deleteSnapshot(id)
  t.true(existsSync(target))
  t.false(existsSync(file))
  await isUnharmed(t, kept)
})

const BAD_IDS = [
  '', '.', '..', '../x', '../../etc/passwd', '/etc/passwd', 'a/b', 'a/../b', 'a\\b', '..\\x', 'C:x', 'CON', 'x\0y', 'x\0', 'a'.repeat(65), 'x'.repeat(300), 'é', 'e\u0301',
  'a.', 'a ', ' a', '-a', '.hidden', '_a', 'A', 'a%2fb', '%2e%2e', 'a\n', '😀', 'a;b', 'a*', '~', '$HOME', 'a:b', '__proto__',
]

test('row 36: snapshot ids that are none, before any file is looked at', async (t) => {
  const kept = await keep(t)
  const { persistence, baseDir, dir } = kept
  writeFileSync(join(dir, 'x.meta.json'), '{}')
  writeFileSync(join(baseDir, 'x.meta.json'), '{}')
  mkdirSync(join(baseDir, 'snapshots'))
  for (const id of BAD_IDS) {
    for (const call of [() => persistence.restoreSnapshot(id), () => persistence.deleteSnapshot(id)]) await refusal(t, call, 'ERR_SNAPSHOT_ID', '[a-z0-9][a-z0-9._-]{0,63}')
  }
  for (const id of [undefined, null, 5, {}, ['a'], Symbol('s')]) {
    for (const call of [() => persistence.restoreSnapshot(id as any), () => persistence.deleteSnapshot(id as any)]) await refusal(t, call, 'ERR_OPTION')
  }
  t.true(existsSync(join(dir, 'x.meta.json')) && existsSync(join(baseDir, 'x.meta.json')))
  await refusal(t, () => persistence.deleteSnapshot('absent'), 'ERR_SNAPSHOT_NOT_FOUND', 'Snapshot absent not found')
  await refusal(t, () => persistence.restoreSnapshot('con'), 'ERR_SNAPSHOT_ID', 'no device name of Windows')
  await isUnharmed(t, kept)
})

test('row 36: the name of a snapshot may be anything, for it is no file name', async (t) => {
  const kept = await keep(t)
  const names = ['', '../../x', '/etc/passwd', 'CON', 'a\0b', 'é', 'e\u0301', 'x'.repeat(10_000), '__proto__', '\ud800', '{"json":1}\n']
  for (const name of names) await kept.persistence.createSnapshot(name)
  // Half of a surrogate pair does not pass through UTF-8.
  t.deepEqual((await kept.persistence.listSnapshots()).map(({ name }) => name).reverse().slice(-10), names.map((name) => name.replace('\ud800', '\ufffd')).slice(-10))
  for (const file of readdirSync(join(kept.baseDir, 'snapshots'))) t.regex(file, /^[0-9a-f-]{36}\.(json|meta\.json)$/)
  for (const name of [undefined, null, 5, {}]) await refusal(t, () => kept.persistence.createSnapshot(name as any), 'ERR_OPTION', 'name')
  await isUnharmed(t, kept)
})

for (const kind of ['ruvector', 'generic', 'map'] as const) {
  test(`row 57: 1,000 writes of a ${kind} database that nobody awaits, then shutdown: all settle and are saved`, async (t) => {
    const dir = tempDir(t)
    const db: any = kind === 'ruvector' ? openRuvector(dir) : kind === 'generic' ? new GenericDb({ async: true, dimension: 8 }) : new Map()
    const persistence = new DatabasePersistence(db, { baseDir: dir })
    const entries = entriesOf(1000)
    const writes = entries.map(({ id, vector, metadata }) => (kind === 'map' ? db.set(id, { vector, metadata }) : db.insert({ id, vector, metadata })))
    await persistence.shutdown()
    t.true((await Promise.allSettled(writes)).every(({ status }) => status === 'fulfilled'))
    const loaded = new Map()
    await attach(t, loaded, { baseDir: join(dir, 'other') }).load({ path: join(dir, 'database.json') })
    t.deepEqual(contentOfMap(loaded), contentOf(entries))
  })
}

test('row 57: the same id written 200 times, the last wins in the database and in the file', async (t) => {
  const dir = tempDir(t)
  const db = new GenericDb({ async: true, dimension: 8 })
  const persistence = new DatabasePersistence(db, { baseDir: dir })
  for (let n = 0; n < 200; n++) void db.insert({ id: 'one', vector: vectorOf(n), metadata: { n } })
  await persistence.shutdown()
  const loaded = new Map()
  await attach(t, loaded, { baseDir: join(dir, 'other') }).load({ path: join(dir, 'database.json') })
  t.deepEqual(contentOfMap(loaded), contentOf(db.content.values()))
  t.is(db.content.get('one')!.metadata!.n, 199)
})

test('row 58: what only looks like an AbortSignal is refused', async (t) => {
  const kept = await keep(t)
  const { persistence, file, dir } = kept
  class Fake extends EventTarget { aborted = false; reason = undefined; onabort = null; throwIfAborted(): void {} }
  const signals = [new Fake(), { aborted: false, addEventListener() {} }, Object.create(AbortSignal.prototype), new Proxy(AbortSignal.abort(), {}), new AbortController(), true, 'abort', null, () => true]
  for (const signal of signals as any[]) {
    for (const call of [
      () => persistence.save({ signal }), () => persistence.load({ path: file, signal }), () => persistence.export({ path: join(dir, 'x'), signal }), () => persistence.import({ path: file, signal }),
      () => persistence.saveIncremental({ signal }), () => persistence.createSnapshot('x', {}, { signal }), () => persistence.restoreSnapshot('x', { signal }), () => exportRuvector({ from: file, to: join(dir, 'x'), signal }),
    ]) await refusal(t, call, 'ERR_OPTION', '"signal"', 'AbortSignal')
  }
  class Derived { static [Symbol.hasInstance](): boolean { return true } }
  t.true(({}) instanceof (Derived as any))
  await persistence.save({ signal: new AbortController().signal, path: join(dir, 'fine.json') })
  const reason = new Error('enough')
  t.is(await rejection(persistence.save({ signal: AbortSignal.abort(reason), path: join(dir, 'x') })), reason)
  t.false(existsSync(join(dir, 'x')))
  await isUnharmed(t, kept)
})

/** A database whose inserts answer with thenables that misbehave. */
class ThenableDb extends GenericDb {
  constructor(readonly then_: (entry: any, resolve: (value: unknown) => void, reject: (error: unknown) => void) => void) {
    super({ dimension: 8 })
  }

  override insert(entry: any): any {
    super.insert(entry)
    return { then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => this.then_(entry, resolve, reject) }
  }
}

test('row 59: a thenable that calls back twice, or resolves and then throws, counts once', async (t) => {
  const misbehave: Record<string, ConstructorParameters<typeof ThenableDb>[0]> = {
    'twice resolved': (entry, resolve) => { resolve(entry.id); resolve('other') },
    'resolved, then rejected': (entry, resolve, reject) => { resolve(entry.id); reject(new Error('late')) },
    'resolved, then thrown': (entry, resolve) => { resolve(entry.id); throw new Error('late') },
    'later, and twice': (entry, resolve) => { setTimeout(() => { resolve(entry.id); resolve(entry.id) }, 5) },
  }
  for (const [what, then_] of Object.entries(misbehave)) {
    const dir = tempDir(t)
    const db = new ThenableDb(then_)
    const persistence = attach(t, db, { baseDir: dir })
    await persistence.ready()
    for (const entry of entriesOf(3)) t.is(await db.insert(entry), entry.id, what)
    const loaded = new Map()
    await attach(t, loaded, { baseDir: join(dir, 'other') }).load({ path: await persistence.save() })
    t.deepEqual(contentOfMap(loaded), contentOf(entriesOf(3)), what)
  }
})

test('row 59: an onProgress that answers with such a thenable settles the call once', async (t) => {
  const kept = await keep(t)
  const twice = { then(resolve: (value: unknown) => void, reject: (error: unknown) => void) { resolve(1); resolve(2); reject(new Error('late')) } }
  let settled = 0
  const saving = kept.persistence.save({ path: join(kept.dir, 'x.json'), onProgress: (() => twice) as any })
  await saving.then(() => settled++, () => settled++)
  t.is(settled, 1)
  await isUnharmed(t, kept)
})
