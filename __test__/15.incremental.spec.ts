// saveIncremental (CHECKLIST D6, D33, E7, E13): null only when the content is what that very file holds with the deltas beside
// it, compared by content and remembered across restarts. What the deltas are is in 78.
//
// A failure of a "null" test is wasted work; a failure of a "not null" test is data that are never written.
import test from 'ava'
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GenericDb } from './helpers/generic'
import { attach, rejection } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, mapOf, vectorOf } from './helpers/vectors'

/** A Map of 5 entries that was just saved incrementally. */
async function saved(t: any, options: object = {}) {
  const baseDir = tempDir(t)
  const map = mapOf(entriesOf(5)) as Map<string, any>
  const persistence = attach(t, map, { baseDir, ...options })
  const path = await persistence.saveIncremental()
  return { baseDir, map, persistence, path: path! }
}

test('E13: the first saveIncremental is a full save and gives the path', async (t) => {
  const { baseDir, path } = await saved(t)
  t.is(path, join(baseDir, 'database.json'))
  t.is(JSON.parse(readFileSync(path, 'utf8')).vectors.length, 5)
})

test('E13: null when nothing has changed, also without the option incremental, and the file is not written', async (t) => {
  const { persistence, path } = await saved(t)
  const before = statSync(path, { bigint: true })
  t.is(await persistence.saveIncremental(), null)
  t.is(await persistence.saveIncremental(), null)
  const after = statSync(path, { bigint: true })
  t.is(after.ino, before.ino)
  t.is(after.mtimeNs, before.mtimeNs)
})

const CHANGES: [what: string, change: (map: Map<string, any>) => void][] = [
  ['an added entry', (map) => map.set('new', { vector: vectorOf('new') })],
  ['a removed entry', (map) => map.delete('doc-2')],
  ['one removed and one added', (map) => (map.delete('doc-2'), map.set('new', { vector: vectorOf('new') }))],
  ['a changed vector', (map) => map.set('doc-2', { ...map.get('doc-2'), vector: vectorOf('other') })],
  ['one changed bit', (map) => map.set('doc-2', { ...map.get('doc-2'), vector: map.get('doc-2').vector.map((value: number, place: number) => (place === 3 ? value * (1 + 2 ** -23) : value)) })],
  ['a zero that became negative', (map) => map.set('doc-2', { ...map.get('doc-2'), vector: Float32Array.of(-0, 1, 1, 1, 1, 1, 1, 1) })],
  ['changed metadata', (map) => map.set('doc-2', { ...map.get('doc-2'), metadata: { title: 'other' } })],
  ['metadata that were removed', (map) => map.set('doc-2', { vector: map.get('doc-2').vector })],
  ['everything removed', (map) => map.clear()],
]

for (const [what, change] of CHANGES) {
  test(`D6, D33: ${what} is noticed and written`, async (t) => {
    const { map, persistence, path, baseDir } = await saved(t)
    if (what.includes('zero')) {
      map.set('doc-2', { ...map.get('doc-2'), vector: Float32Array.of(0, 1, 1, 1, 1, 1, 1, 1) })
      await persistence.saveIncremental()
    }
    change(map)
    t.truthy(await persistence.saveIncremental())
    const back = new Map()
    await attach(t, back, { baseDir: join(baseDir, 'b') }).load({ path })
    t.deepEqual(contentOfMap(back), contentOfMap(map))
    t.is(await persistence.saveIncremental(), null)
  })
}

test('a change that was taken back is no change', async (t) => {
  const { map, persistence } = await saved(t)
  const value = map.get('doc-0')
  map.delete('doc-0')
  map.set('doc-0', value)
  map.set('doc-1', { vector: Array.from(map.get('doc-1').vector), metadata: { ...map.get('doc-1').metadata } })
  t.is(await persistence.saveIncremental(), null)
})

test('a file that is gone, or has another size, is written again', async (t) => {
  const { persistence, path } = await saved(t)
  rmSync(path)
  t.is(await persistence.saveIncremental(), path)
  appendFileSync(path, 'x')
  t.is(await persistence.saveIncremental(), path)
  t.notThrows(() => JSON.parse(readFileSync(path, 'utf8')))
})

test('E13: a restart remembers what was saved', async (t) => {
  const { baseDir, map, persistence } = await saved(t)
  await persistence.shutdown()
  const second = attach(t, new Map(map), { baseDir })
  t.is(await second.saveIncremental(), null)
  await second.shutdown()
  const changed = new Map(map)
  changed.set('doc-3', { vector: vectorOf('changed while away') })
  t.is(await attach(t, changed, { baseDir }).saveIncremental(), join(baseDir, 'database.json.delta-000001'))
})

test('a restart remembers with the real ruvector, which is adopted anew', async (t) => {
  const baseDir = tempDir(t)
  const db = openRuvector(baseDir)
  // With one key each, metadata have only one text.
  await db.insertBatch(entriesOf(10, 8, 'anew').map(({ id, vector }, row) => ({ id, vector, metadata: { row } })))
  const first = attach(t, db, { baseDir })
  t.is(await first.saveIncremental(), join(baseDir, 'database.json'))
  await first.shutdown()
  const second = attach(t, db, { baseDir })
  t.is(await second.saveIncremental(), null)
  await db.insert({ id: 'anew-3', vector: vectorOf('changed') })
  t.is(await second.saveIncremental(), join(baseDir, 'database.json.delta-000001'))
})

test('a restart is no change, although ruvector gives metadata back with their keys in another order', async (t) => {
  const baseDir = tempDir(t)
  const db = openRuvector(baseDir)
  const first = attach(t, db, { baseDir })
  await db.insertBatch(entriesOf(10).map((entry) => ({ ...entry, metadata: { ...entry.metadata, z: 1e21, y: 1e-7, x: { b: [1.5, -0], a: 'ü' } } })))
  t.is(await first.saveIncremental(), join(baseDir, 'database.json'))
  await first.shutdown()
  t.is(await attach(t, db, { baseDir }).saveIncremental(), null)
})

test('each path has a state of its own', async (t) => {
  const { baseDir, map, persistence } = await saved(t)
  const copy = join(baseDir, 'copy.json')
  t.is(await persistence.saveIncremental({ path: copy }), copy)
  t.is(await persistence.saveIncremental({ path: copy }), null)
  map.delete('doc-0')
  t.is(await persistence.saveIncremental({ path: copy }), `${copy}.delta-000001`)
  t.is(await persistence.saveIncremental(), join(baseDir, 'database.json.delta-000001'), 'the default file is still the old one')
})

test('another format or compression is another file, also at the same path', async (t) => {
  const { baseDir, persistence } = await saved(t)
  t.is(await persistence.saveIncremental({ format: 'binary' }), join(baseDir, 'database.bin'))
  t.is(await persistence.saveIncremental({ compression: 'gzip' }), join(baseDir, 'database.json.gzip'))
  const path = join(baseDir, 'one')
  t.is(await persistence.saveIncremental({ path }), path)
  t.is(await persistence.saveIncremental({ path, format: 'binary' }), path)
  t.is(await persistence.saveIncremental({ path, format: 'binary' }), null)
})

test('a save to the default file counts, a snapshot and an export elsewhere do not', async (t) => {
  const { baseDir, map, persistence } = await saved(t)
  map.delete('doc-0')
  await persistence.save()
  t.is(await persistence.saveIncremental(), null)
  map.delete('doc-1')
  await persistence.createSnapshot('snapshot')
  await persistence.export({ path: join(baseDir, 'exported') })
  t.is(await persistence.saveIncremental(), join(baseDir, 'database.json.delta-000001'))
})

test('an export over the file of the last save is noticed', async (t) => {
  const { map, persistence, path } = await saved(t)
  const before = map.get('doc-0')
  map.delete('doc-0')
  await persistence.export({ path })
  map.set('doc-0', before)
  t.is(await persistence.saveIncremental(), `${path}.delta-000001`)
  t.is(JSON.parse(readFileSync(path, 'utf8')).vectors.length, 4)
  map.clear()
  await persistence.load({ path })
  t.is(map.size, 5)
})

test('a failed save does not count as saved', async (t) => {
  const { map, persistence, path } = await saved(t)
  map.set('bad', { vector: 'no vector' })
  t.is((await rejection(persistence.saveIncremental())).code, 'ERR_VECTOR_TYPE')
  map.delete('bad')
  t.is(await persistence.saveIncremental(), null)
  map.set('good', { vector: vectorOf('good') })
  // A folder stands where the file is due.
  rmSync(path)
  mkdirSync(join(path, 'x'), { recursive: true })
  await rejection(persistence.saveIncremental())
  rmSync(path, { recursive: true })
  t.is(await persistence.saveIncremental(), path)
})

test('a damaged state file counts as no state', async (t) => {
  const { baseDir, map, path } = await saved(t)
  for (const text of ['', '{', '[]', 'null', '{"version":1,"files":5}', '{"version":99,"files":{}}', '\0\0\0']) {
    writeFileSync(join(baseDir, '.incremental.json'), text)
    const persistence = attach(t, new Map(map), { baseDir })
    t.is(await persistence.saveIncremental(), path, text)
    t.is(await persistence.saveIncremental(), null, text)
  }
})

test('the folder can be moved with its state', async (t) => {
  const { baseDir, map, persistence } = await saved(t)
  await persistence.shutdown()
  const moved = `${baseDir}-moved`
  t.teardown(() => rmSync(moved, { recursive: true, force: true }))
  renameSync(baseDir, moved)
  t.is(await attach(t, new Map(map), { baseDir: moved }).saveIncremental(), null)
  t.false(existsSync(baseDir))
})

test('what was just loaded from a file is what that file holds only if it was saved there', async (t) => {
  const { persistence, path, map } = await saved(t)
  map.clear()
  await persistence.load({ path })
  t.deepEqual(contentOfMap(map), contentOf(entriesOf(5)))
  t.is(await persistence.saveIncremental(), null)
  const copy = `${path}.copy`
  await persistence.export({ path: copy })
  await persistence.load({ path: copy })
  t.is(await persistence.saveIncremental({ path: copy }), copy)
})

test('saveIncremental works the same with a database that has only the documented methods', async (t) => {
  const db = new GenericDb({ without: ['entries', 'keys', 'len'], dimension: 8 })
  const persistence = attach(t, db, { baseDir: tempDir(t), incremental: true })
  db.insertBatch(entriesOf(4) as never)
  t.truthy(await persistence.saveIncremental())
  t.is(await persistence.saveIncremental(), null)
  db.updateMetadata('doc-1', { changed: true })
  t.truthy(await persistence.saveIncremental())
  db.delete('doc-1')
  t.truthy(await persistence.saveIncremental())
  t.is(await persistence.saveIncremental(), null)
})
