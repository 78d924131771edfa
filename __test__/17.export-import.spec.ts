// export and import (CHECKLIST D8, E22-E25): every option has an effect, and importing merges unless it is told to clear.
import test from 'ava'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { FORMATS } from './helpers/archive'
import { GenericDb } from './helpers/generic'
import { attach, rejection } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, mapOf, vectorOf } from './helpers/vectors'

test('E22: export without a path, with unknown options, or with wrong ones is refused', async (t) => {
  const persistence = attach(t, mapOf(entriesOf(2)), { baseDir: tempDir(t) })
  for (const options of [undefined, {}, { path: 5 }, { path: 'x', includeindex: true }, { path: 'x', compress: 'gzip' }]) {
    await t.throwsAsync(persistence.export(options as never), { instanceOf: TypeError, code: 'ERR_OPTION' }, JSON.stringify(options))
  }
})

test('E23: includeIndex: true is refused with ERR_UNSUPPORTED, includeIndex: false stores no index', async (t) => {
  const dir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(2)), { baseDir: dir })
  const path = join(dir, 'exported')
  const error = await rejection(persistence.export({ path, includeIndex: true }))
  t.is(error.code, 'ERR_UNSUPPORTED')
  t.regex(error.message, /includeIndex/)
  t.false(existsSync(path))
  await persistence.export({ path, includeIndex: false })
  t.false('indexState' in JSON.parse(readFileSync(path, 'utf8')))
})

test('E22: export writes exactly the given file, json and uncompressed whatever is configured, and makes its folders', async (t) => {
  const dir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(4)), { baseDir: join(dir, 'base'), format: 'binary', compression: 'brotli' })
  const path = join(dir, 'a', 'b', 'export.bin.gzip')
  t.is(await persistence.export({ path }), undefined)
  t.is(JSON.parse(readFileSync(path, 'utf8')).vectors.length, 4)
  t.deepEqual(readdirSync(join(dir, 'a', 'b')), ['export.bin.gzip'])
})

test('E22: format and compress of export have an effect', async (t) => {
  const dir = tempDir(t)
  const persistence = attach(t, mapOf(entriesOf(4)), { baseDir: dir })
  const path = (name: string): string => join(dir, name)
  await persistence.export({ path: path('gzip'), compress: true })
  t.is(JSON.parse(gunzipSync(readFileSync(path('gzip'))).toString()).vectors.length, 4, 'gzip when none is configured')
  await persistence.export({ path: path('binary'), format: 'binary' })
  t.is(readFileSync(path('binary'))[0], 0x86)
  await persistence.export({ path: path('zstd'), compression: 'zstd' })
  t.is(readFileSync(path('zstd')).readUInt32LE(0), 0xfd2fb528)
  const configured = attach(t, mapOf(entriesOf(4)), { baseDir: join(dir, 'b'), compression: 'zstd' })
  await configured.export({ path: path('configured'), compress: true })
  t.is(readFileSync(path('configured')).readUInt32LE(0), 0xfd2fb528)
})

for (const from of FORMATS) {
  test(`D8: a ${from} export is imported everywhere, whatever format is configured there`, async (t) => {
    const dir = tempDir(t)
    const path = join(dir, 'exported')
    await attach(t, mapOf(entriesOf(7)), { baseDir: dir }).export({ path, format: from, compress: true })
    for (const to of FORMATS) {
      const map = new Map()
      await attach(t, map, { baseDir: join(dir, to), format: to }).import({ path, clear: true, verifyChecksum: true })
      t.deepEqual(contentOfMap(map), contentOf(entriesOf(7)))
    }
  })
}

/** A file with doc-3, doc-4 (changed) and doc-5 .. doc-7. */
async function exported(t: any, dir: string): Promise<string> {
  const map = mapOf(entriesOf(8)) as Map<string, any>
  for (const id of ['doc-0', 'doc-1', 'doc-2']) map.delete(id)
  map.set('doc-4', { vector: vectorOf('other') })
  const path = join(dir, 'exported')
  await attach(t, map, { baseDir: join(dir, 'from') }).export({ path })
  return path
}

const merged = (): ReturnType<typeof contentOf> => {
  const entries = entriesOf(8)
  entries[4] = { id: 'doc-4', vector: vectorOf('other') }
  return contentOf(entries)
}

test('E25: import merges: other ids stay, and an entry of the file wins, its missing metadata included', async (t) => {
  const dir = tempDir(t)
  const path = await exported(t, dir)
  for (const options of [{ path }, { path, clear: false }]) {
    const map = mapOf(entriesOf(5))
    await attach(t, map, { baseDir: join(dir, 'to') }).import(options)
    t.deepEqual(contentOfMap(map), merged())
  }
})

test('E25: import with clear: true replaces everything', async (t) => {
  const dir = tempDir(t)
  const path = await exported(t, dir)
  const map = mapOf(entriesOf(5))
  await attach(t, map, { baseDir: join(dir, 'to') }).import({ path, clear: true })
  t.deepEqual(contentOfMap(map), merged().filter(([id]) => !['doc-0', 'doc-1', 'doc-2'].includes(id)))
})

test('E25: import merges into a real ruvector and into other databases, and what is unchanged is not written', async (t) => {
  const dir = tempDir(t)
  const path = await exported(t, dir)
  const db = openRuvector(dir)
  await db.insertBatch(entriesOf(5) as never)
  await attach(t, db, { baseDir: join(dir, 'r') }).import({ path })
  t.is(await db.len(), 8)
  t.deepEqual(await contentOfRuvector(db, entriesOf(8).map(({ id }) => id)), merged())

  const generic = new GenericDb({ async: true })
  for (const entry of entriesOf(5)) generic.content.set(entry.id, entry)
  const written: string[] = []
  generic.insertBatch = function (entries) {
    written.push(...entries.map(({ id }) => id))
    return GenericDb.prototype.insertBatch.call(this, entries)
  }
  await attach(t, generic, { baseDir: join(dir, 'g') }).import({ path })
  t.deepEqual(contentOf(generic.content.values()), merged())
  t.deepEqual(written.sort(), ['doc-4', 'doc-5', 'doc-6', 'doc-7'])
})

test('E24: verifyChecksum of import has an effect', async (t) => {
  const dir = tempDir(t)
  const path = await exported(t, dir)
  writeFileSync(path, readFileSync(path, 'utf8').replace('Title of doc-6', 'Title of doc-X'))
  const map = new Map<string, any>()
  const persistence = attach(t, map, { baseDir: join(dir, 'to') })
  t.is((await rejection(persistence.import({ path }))).code, 'ERR_CHECKSUM')
  t.is(map.size, 0)
  await persistence.import({ path, verifyChecksum: false })
  t.is(map.get('doc-6').metadata.title, 'Title of doc-X')
})

test('the events of export and import name the operation', async (t) => {
  const dir = tempDir(t)
  const path = await exported(t, dir)
  const persistence = attach(t, mapOf(entriesOf(5)), { baseDir: join(dir, 'to') })
  const loads: unknown[] = []
  const saves: string[] = []
  persistence.on('load', (report) => loads.push(report)).on('save', (report) => saves.push(report.path))
  await persistence.import({ path })
  t.deepEqual(loads, [{ operation: 'import', path, count: 8, added: 3, changed: 1, removed: 0 }])
  await persistence.export({ path: join(dir, 'again') })
  t.deepEqual(saves, [join(dir, 'again')])
})

test('an import of an empty file merges nothing, and clears with clear: true', async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'empty')
  await attach(t, new Map(), { baseDir: join(dir, 'a') }).export({ path })
  const map = mapOf(entriesOf(3))
  const persistence = attach(t, map, { baseDir: join(dir, 'b') })
  await persistence.import({ path })
  t.is(map.size, 3)
  await persistence.import({ path, clear: true })
  t.is(map.size, 0)
})
