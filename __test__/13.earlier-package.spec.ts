// Files of the earlier package (ruvector-extensions 0.1.0) load, with their checksums verified: its state as JSON whatever
// the format was called, vectors as arrays or as objects with index keys, null for NaN and Infinity, gzip or plain, and its
// names.
//
// The files are made here from the description, not by our writer. A failure means that somebody who changes over to this
// package loses the saves made before.
import test from 'ava'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { earlierState, sha256, writeEarlier, writeEarlierSnapshot } from './helpers/earlier'
import { attach, rejection } from './helpers/persistence'
import { contentOfRuvector, openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { contentOf, contentOfMap, entriesOf, fromBits, mapOf } from './helpers/vectors'

const entries = entriesOf(9)
const kept = mapOf(entriesOf(2, 8, 'kept'))

// The names that the earlier package gave: suffix = name of its compression option, also `.none` for plain JSON.
const FILES = [
  ['database.json', 'json', false], ['database.json.gzip', 'json', true], ['database.json.none', 'json', false],
  ['database.bin', 'binary', false], ['database.bin.gzip', 'binary', true], ['database.bin.none', 'binary', false],
  ['backup.json.gz', 'json', false], ['whatever', 'binary', true],
] as const

for (const [name, format, compressed] of FILES) {
  for (const vectors of ['arrays', 'objects'] as const) {
    test(`${name} of the earlier package, vectors as ${vectors}, loads by its content`, async (t) => {
      const dir = tempDir(t)
      const path = writeEarlier(dir, name, earlierState(entries, { vectors }), format, compressed)
      // The instance is configured for something else: what is in the file decides.
      const map = new Map(kept)
      await attach(t, map, { baseDir: join(dir, 'b'), format: 'binary', compression: 'brotli' }).load({ path })
      t.deepEqual(contentOfMap(map), contentOf(entries))
    })

    test(`one changed number in ${name} with vectors as ${vectors} is a checksum error, and touches nothing`, async (t) => {
      const dir = tempDir(t)
      const state = earlierState(entries, { vectors })
      state.vectors[4].vector[3] += 0.25
      const path = writeEarlier(dir, name, state, format, compressed)
      const map = new Map(kept)
      const error = await rejection(attach(t, map, { baseDir: join(dir, 'b') }).load({ path }))
      t.is(error.code, 'ERR_CHECKSUM')
      t.regex(error.message, /checksum/)
      t.is(error.path, path)
      t.deepEqual(contentOfMap(map), contentOfMap(kept))
    })
  }
}

test('the fixture is what the earlier package wrote: members, indentation and checksum', (t) => {
  const dir = tempDir(t)
  const state = earlierState(entriesOf(1, 2))
  t.deepEqual(Object.keys(state), ['version', 'options', 'stats', 'vectors', 'timestamp', 'checksum'])
  t.deepEqual(Object.keys(state.vectors[0].vector), ['0', '1'])
  const { checksum, ...rest } = state
  t.is(checksum, sha256(JSON.stringify(rest)))
  t.true(readFileSync(writeEarlier(dir, 'a', state), 'utf8').startsWith('{\n  "version": "1.0.0",\n  "options": {\n    "dimension": 2,'))
})

test('null in a vector of the earlier package is NaN, all that is left of NaN and the infinities', async (t) => {
  const dir = tempDir(t)
  const special = [{ id: 'a', vector: Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1) }]
  for (const vectors of ['arrays', 'objects'] as const) {
    const map = new Map()
    const path = writeEarlier(dir, vectors, earlierState(special, { vectors }))
    t.true(readFileSync(path, 'utf8').includes('null'))
    await attach(t, map, { baseDir: join(dir, 'b') }).load({ path })
    t.deepEqual(contentOfMap(map), contentOf([{ id: 'a', vector: fromBits(0x7fc00000, 0x7fc00000, 0x7fc00000, 0, 0x3f800000) }]))
  }
})

test('a file of the earlier package without a checksum is refused, and taken with verifyChecksum: false', async (t) => {
  const dir = tempDir(t)
  const state = earlierState(entries)
  delete state.checksum
  const path = writeEarlier(dir, 'database.json', state)
  const map = new Map()
  const persistence = attach(t, map, { baseDir: join(dir, 'b') })
  const error = await rejection(persistence.load({ path }))
  t.is(error.code, 'ERR_CHECKSUM')
  t.regex(error.message, /checksum/)
  await persistence.load({ path, verifyChecksum: false })
  t.deepEqual(contentOfMap(map), contentOf(entries))
})

test('the save of 20 that wrote no vectors (defect 4 of the earlier package) is refused although its checksum fits', async (t) => {
  const dir = tempDir(t)
  const { checksum: _, ...state } = { ...earlierState([]), stats: { count: 20, dimension: 8, metric: 'cosine' } }
  const path = writeEarlier(dir, 'database.json', { ...state, checksum: sha256(JSON.stringify(state)) })
  const map = new Map(kept)
  const error = await rejection(attach(t, map, { baseDir: join(dir, 'b') }).load({ path }))
  t.is(error.code, 'ERR_CORRUPT')
  t.regex(error.message, /20/)
  t.deepEqual(contentOfMap(map), contentOfMap(kept))
})

test('metadata of the earlier package with unicode, escapes and numbers keep their checksum', async (t) => {
  const dir = tempDir(t)
  const odd = entriesOf(3)
  odd[0]!.metadata = JSON.parse('{"z":1e21,"a":1e-7,"text":"ü \\u2028 \\" \\\\ \\n 💾 , \\"checksum\\":\\"no\\"","__proto__":1,"n":[0.1,-1.5,123456789012]}')
  for (const compressed of [false, true]) {
    const map = new Map()
    await attach(t, map, { baseDir: join(dir, 'b') }).load({ path: writeEarlier(dir, `odd-${compressed}`, earlierState(odd), 'json', compressed) })
    t.deepEqual(contentOfMap(map), contentOf(odd))
  }
})

test('a file of the earlier package loads into a real ruvector', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  await attach(t, db, { baseDir: dir }).load({ path: writeEarlier(dir, 'database.json.gzip', earlierState(entries), 'json', true) })
  t.is(await db.len(), 9)
  t.deepEqual(await contentOfRuvector(db, entries.map(({ id }) => id)), contentOf(entries))
})

for (const format of ['json', 'binary'] as const) {
  for (const compressed of [false, true]) {
    const what = `${compressed ? 'gzipped ' : ''}${format} snapshots`

    test(`${what} of the earlier package are listed, restored and deleted`, async (t) => {
      const dir = tempDir(t)
      const record = writeEarlierSnapshot(dir, earlierState(entries), { format, compressed, metadata: { user: 'admin' } })
      const map = new Map()
      const persistence = attach(t, map, { baseDir: dir })
      t.deepEqual(await persistence.listSnapshots(), [record])
      await persistence.restoreSnapshot(record.id)
      t.deepEqual(contentOfMap(map), contentOf(entries))
      await persistence.deleteSnapshot(record.id)
      t.deepEqual(await persistence.listSnapshots(), [])
    })

    test(`${what} of the earlier package with one changed byte are refused by the checksum of their record`, async (t) => {
      const dir = tempDir(t)
      const record = writeEarlierSnapshot(dir, earlierState(entries), { format, compressed })
      const file = join(dir, 'snapshots', `${record.id}.${format}`)
      const bytes = readFileSync(file)
      bytes[bytes.length >> 1]! ^= 1
      writeFileSync(file, bytes)
      const map = new Map(kept)
      const error = await rejection(attach(t, map, { baseDir: dir }).restoreSnapshot(record.id))
      t.is(error.code, 'ERR_CHECKSUM')
      t.regex(error.message, /checksum.*Snapshot checksum verification failed - file may be corrupted/)
      t.deepEqual(contentOfMap(map), contentOfMap(kept))
    })
  }
}

test('snapshots of the earlier package and new ones stand in one list, newest first', async (t) => {
  const dir = tempDir(t)
  const old = [1, 3, 2].map((age) => writeEarlierSnapshot(dir, earlierState(entries), { name: `old-${age}`, timestamp: 1_732_500_000_000 - age }))
  const persistence = attach(t, mapOf(entries), { baseDir: dir })
  const made = await persistence.createSnapshot('new')
  const list = await persistence.listSnapshots()
  t.deepEqual(list.map(({ name }) => name), ['new', 'old-1', 'old-2', 'old-3'])
  t.deepEqual(list, [made, old[0], old[2], old[1]])
})

test('the incremental state of the earlier package says nothing of content: the first incremental save is a full one', async (t) => {
  const dir = tempDir(t)
  writeEarlier(dir, 'database.json', earlierState(entries))
  writeFileSync(join(dir, '.incremental.json'), JSON.stringify({ lastSave: Date.now(), vectorIds: entries.map(({ id }) => id), checksum: earlierState(entries).checksum }))
  const persistence = attach(t, mapOf(entries), { baseDir: dir, incremental: true })
  t.is(await persistence.saveIncremental(), join(dir, 'database.json'))
  t.is(await persistence.saveIncremental(), null)
})
