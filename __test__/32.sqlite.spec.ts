// SQLite archives (CHECKLIST D5, D8, D27, D29, D45, D64, D66, E1, E5, RELIABILITY 48, 49): what the `sqlite3` shell and
// `sqlite-vec` see in them, and what of other programs' databases is taken or refused.
//
// The shell is another SQLite than the one in the addon, and another process. A failure means that an archive is ours
// alone, that an edited one is believed, or that a database that is in use is torn. Damage of every bit, and databases
// that are wrong by design, are tried in Rust (tests/archive_damage).
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { VectorDB } from 'ruvector-persistence'
import { getLoadablePath } from 'sqlite-vec'
import { COMPRESSIONS } from './helpers/archive'
import { blockNamed } from './helpers/docs'
import { sqlite3, testWith, zstd } from './helpers/faults'
import { attach, rejection } from './helpers/persistence'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOf, contentOfMap, entriesOf, fromBits, mapOf, vectorOf } from './helpers/vectors'

/** What the shell answers, without the newline at the end. */
const shell = (path: string, ...commands: string[]): string => execFileSync('sqlite3', [path, ...commands], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trimEnd()
const rowsOf = (path: string, sql: string): any[] => JSON.parse(shell(path, '.mode json', sql) || '[]')
const floats = (hex: string): Float32Array => new Float32Array(Uint8Array.from(Buffer.from(hex, 'hex')).buffer)

async function loaded(t: any, path: string, options: object = {}): Promise<Map<string, any>> {
  const map = new Map<string, any>()
  await attach(t, map, { baseDir: tempDir(t) }).load({ path, ...options })
  return map
}

testWith(sqlite3, 'D5, D29, D45: the sqlite3 shell opens the archive, finds nothing wrong, and reads what was saved', async (t) => {
  const dir = tempDir(t)
  const entries = entriesOf(300, 24)
  entries[5]!.metadata = { z: 1, a: { list: [1.5, null, 'ü "x"'] }, 10: true }
  delete entries[6]!.metadata
  const before = Date.now()
  const persistence = attach(t, mapOf(entries), { baseDir: dir, format: 'sqlite', metric: 'dot' })
  const reports: any[] = []
  persistence.on('save', (report) => reports.push(report))
  const path = await persistence.save()
  t.is(path, join(dir, 'database.db'))
  t.is(shell(path, 'PRAGMA integrity_check'), 'ok')
  t.is(shell(path, 'PRAGMA application_id; PRAGMA user_version; PRAGMA journal_mode; PRAGMA encoding'), '1381388353\n1\ndelete\nUTF-8')
  const rows = rowsOf(path, 'SELECT id, typeof(vector) AS type, hex(vector) AS vector, metadata FROM vectors')
  t.true(rows.every(({ type }) => type === 'blob'))
  t.deepEqual(contentOf(rows.map(({ id, vector, metadata }) => ({ id, vector: floats(vector), metadata: metadata === null ? undefined : JSON.parse(metadata) }))), contentOf(entries))
  t.is(rows[5].metadata, '{"10":true,"z":1,"a":{"list":[1.5,null,"ü \\"x\\""]}}', 'as JSON.stringify gives it, byte for byte')
  const meta = Object.fromEntries(rowsOf(path, 'SELECT key, value FROM meta').map(({ key, value }) => [key, value]))
  t.deepEqual(Object.keys(meta).sort(), ['checksum', 'options', 'stats', 'timestamp', 'version'])
  t.is(meta.version, '1.0.0')
  t.deepEqual(JSON.parse(meta.options), { dimension: 24, metric: 'dot' })
  t.deepEqual(JSON.parse(meta.stats), { count: 300, dimension: 24, metric: 'dot' })
  t.true(Number(meta.timestamp) >= before && Number(meta.timestamp) <= Date.now())
  t.like(reports[0], { path, count: 300, dimension: 24, checksum: meta.checksum, timestamp: Number(meta.timestamp), bytes: readFileSync(path).length })
  t.is(shell(path, "SELECT json_extract(metadata, '$.a.list[2]') FROM vectors WHERE id = 'doc-5'"), 'ü "x"')
  t.regex(shell(path, "EXPLAIN QUERY PLAN SELECT * FROM vectors WHERE id = 'doc-5'"), /USING INDEX vectors_id/)
  t.throws(() => shell(path, "INSERT INTO vectors VALUES('doc-5', x'00000000', NULL)"), { message: /UNIQUE/ })
})

testWith(sqlite3, 'D5: sqlite-vec searches an archive as it is, and finds what our own search finds', async (t) => {
  const dir = tempDir(t)
  const entries = entriesOf(400, 48)
  const query = vectorOf('query', 48)
  for (const [metric, call] of [['euclidean', 'vec_distance_L2'], ['cosine', 'vec_distance_cosine']] as const) {
    const db = new VectorDB({ dimension: 48, metric })
    db.insertBatch(entries)
    const { path } = (await db.save(join(dir, `${metric}.sqlite`)))!
    const due = (await db.search({ vector: query, k: 10 })).map(({ id }) => id)
    const sql = `SELECT id FROM vectors ORDER BY ${call}(vector, '${JSON.stringify([...query])}') LIMIT 10`
    t.deepEqual(shell(path, `.load ${getLoadablePath().replace(/\.[^.]+$/, '')}`, sql).split('\n'), due)
    const indexed = `CREATE VIRTUAL TABLE near USING vec0(id TEXT PRIMARY KEY, vector float[48] distance_metric=${metric === 'cosine' ? 'cosine' : 'L2'});
      INSERT INTO near SELECT id, vector FROM vectors; SELECT id FROM near WHERE vector MATCH '${JSON.stringify([...query])}' AND k = 10 ORDER BY distance`
    t.deepEqual(shell(path, `.load ${getLoadablePath().replace(/\.[^.]+$/, '')}`, indexed).split('\n'), due)
    const found = new VectorDB({ dimension: 48, metric })
    t.is(await found.load(path), 400, 'with the table of sqlite-vec beside ours, the archive still loads and its checksum fits')
  }
})

for (const compression of COMPRESSIONS) {
  testWith(compression === 'zstd' && !zstd.there ? zstd : sqlite3, `E1, E5: sqlite with ${compression} holds a whole database, and nothing is beside it`, async (t) => {
    const dir = tempDir(t)
    const entries = entriesOf(60)
    const persistence = attach(t, mapOf(entries), { baseDir: dir, format: 'sqlite', compression })
    const path = await persistence.save()
    t.deepEqual(readdirSync(dir).filter((name) => name.startsWith('database') || name.includes('tmp')), [`database.db${compression === 'none' ? '' : `.${compression}`}`])
    const plain = join(dir, 'plain')
    const bytes = readFileSync(path)
    const unpack = { none: (packed: Buffer) => packed, gzip: gunzipSync, brotli: brotliDecompressSync, zstd: (input: Buffer) => execFileSync('zstd', ['-q', '-d'], { input }) }[compression]
    writeFileSync(plain, unpack(bytes))
    t.is(shell(plain, 'PRAGMA integrity_check; SELECT count(*) FROM vectors'), 'ok\n60')
    t.deepEqual(contentOfMap(await loaded(t, path)), contentOf(entries))
    t.true(readFileSync(path).equals(bytes), 'reading does not write')
  })
}

testWith(sqlite3, 'row 49: ids, metadata and names with quotes and statements are stored as data', async (t) => {
  const dir = tempDir(t)
  const names: [string, string, ...string[]] = [`'; DROP TABLE vectors; --`, `"); DELETE FROM meta; --`, '$(reboot)', '?1', ':id', '`x`', '\u2028\n\t', '100%_\\']
  const map = new Map(names.map((name) => [name, { vector: vectorOf(name), metadata: { [name]: name } }]))
  const persistence = attach(t, map, { baseDir: dir, format: 'sqlite' })
  const path = await persistence.save({ path: join(dir, `it's; DROP TABLE vectors; --?mode=memory&x=#%41.db`) })
  t.deepEqual(rowsOf(path, 'SELECT id FROM vectors ORDER BY rowid').map(({ id }) => id), names)
  t.deepEqual(contentOfMap(await loaded(t, path)), contentOfMap(map))
  const { id, name } = await persistence.createSnapshot(names[0], { [names[1]]: names[2] })
  t.is(name, names[0])
  map.clear()
  await persistence.restoreSnapshot(id)
  t.is(map.size, names.length)
})

testWith(sqlite3, 'D27: an archive that was edited loads with verifyChecksum: false, and only then; a row that was put back fits again', async (t) => {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(entriesOf(5)), { baseDir: dir, format: 'sqlite' }).save()
  const edits: [sql: string, code: string, size: number][] = [
    [`UPDATE vectors SET metadata = '{"by":"hand"}' WHERE id = 'doc-3'`, 'ERR_CHECKSUM', 5],
    [`DELETE FROM vectors WHERE id = 'doc-3'`, 'ERR_CHECKSUM', 4],
    [`INSERT INTO vectors VALUES('new', zeroblob(32), NULL)`, 'ERR_CHECKSUM', 6],
    [`UPDATE meta SET value = '0' WHERE key = 'timestamp'`, 'ERR_CHECKSUM', 5],
    [`UPDATE meta SET value = '{"count":5,"dimension":9}' WHERE key = 'stats'`, 'ERR_DIMENSION', 0],
    [`DELETE FROM meta WHERE key = 'checksum'`, 'ERR_CHECKSUM', 5],
    [`DELETE FROM meta WHERE key = 'version'`, 'ERR_FORMAT', 0],
  ]
  for (const [row, [sql, code, size]] of edits.entries()) {
    const edited = join(dir, `edited-${row}.db`)
    writeFileSync(edited, readFileSync(path))
    shell(edited, sql)
    t.is((await rejection(loaded(t, edited))).code, code, sql)
    if (size > 0) t.is((await loaded(t, edited, { verifyChecksum: false })).size, size, sql)
  }
  shell(path, 'BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM vectors; DELETE FROM vectors; INSERT INTO vectors SELECT * FROM kept; COMMIT; VACUUM; PRAGMA journal_mode = WAL;')
  t.is((await loaded(t, path)).size, 5, 'the checksum is of the content, not of the bytes')
})

testWith(sqlite3, "the table of another program's database loads once it has a version, and is refused with what to do before", async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'app.db')
  shell(path, `CREATE TABLE vectors(id TEXT PRIMARY KEY, vector BLOB, metadata TEXT); CREATE TABLE users(name TEXT);
    INSERT INTO vectors VALUES('a', x'0000803f00000040', '{"n" : 12345678901234567890, "__proto__": 1}'), ('b', x'0000404000008040', NULL)`)
  const error = await rejection(loaded(t, path, { verifyChecksum: false }))
  t.is(error.code, 'ERR_FORMAT')
  t.regex(error.message, /'meta'/)
  shell(path, /CREATE TABLE meta.*?;.*?;/.exec(error.message)![0])
  t.is((await rejection(loaded(t, path))).code, 'ERR_CHECKSUM')
  const map = await loaded(t, path, { verifyChecksum: false })
  t.deepEqual([...map].map(([id, { vector }]) => [id, [...vector]]), [['a', [1, 2]], ['b', [3, 4]]])
  const db = new VectorDB({ dimension: 2 })
  await db.load(path, { verifyChecksum: false })
  const again = (await db.save(join(dir, 'again.db')))!.path
  t.is(shell(again, 'SELECT metadata FROM vectors'), '{"n":12345678901234567890,"__proto__":1}', 'as it was written there, but for white space')
})

testWith(sqlite3, 'row 48: a database that another process is writing is refused with ERR_LOCKED, and loads when that has ended', async (t) => {
  const dir = tempDir(t)
  const path = await attach(t, mapOf(entriesOf(5)), { baseDir: dir, format: 'sqlite' }).save()
  for (const [begin, part] of [['BEGIN EXCLUSIVE;', 'another program'], ["PRAGMA journal_mode = WAL; INSERT INTO meta VALUES('x', 'y');", '-wal']] as const) {
    const other = spawn('sqlite3', [path], { stdio: ['pipe', 'pipe', 'inherit'] })
    other.stdin.write(`${begin} SELECT 'ready';\n`)
    let said = ''
    while (!said.includes('ready')) said += String((await once(other.stdout, 'data'))[0])
    const error = await rejection(loaded(t, path))
    t.is(error.code, 'ERR_LOCKED', error.message)
    t.is(error.path, path)
    t.true(error.message.includes(part), error.message)
    other.stdin.end()
    await once(other, 'close')
    t.is((await loaded(t, path)).size, 5)
    t.false(existsSync(`${path}-wal`) || existsSync(`${path}-shm`), 'reading leaves nothing beside the file')
  }
})

testWith(sqlite3, 'docs/format.md: the statements of the page make an archive that loads, and our archive of that content dumps to them', async (t) => {
  const dir = tempDir(t)
  const { text } = blockNamed('docs/format.md', 'sql', 'sqlite')
  const made = join(dir, 'made.db')
  shell(made, text)
  const due = new Map<string, any>([
    ['a', { vector: Float32Array.of(0.1, -0, 1.5), metadata: { title: 'one' } }],
    ['é', { vector: fromBits(0x7fc00000, 0x7f800000, 0x33d6bf95) }],
  ])
  t.deepEqual(contentOfMap(await loaded(t, made)), contentOfMap(due), 'with its checksum')
  const path = await attach(t, due, { baseDir: dir, format: 'sqlite', metric: 'cosine' }).save()
  const pattern = (sql: string): string => sql.replace(/'timestamp','\d+'/, "'timestamp',''").replace(/'checksum','\w+'/, "'checksum',''").toLowerCase()
  const dump = shell(path, '.dump').split('\n').filter((line) => !/^(PRAGMA foreign_keys|BEGIN|COMMIT)/.test(line)).join('\n')
  const ids = shell(path, 'PRAGMA application_id; PRAGMA user_version').split('\n')
  t.is(pattern(`PRAGMA application_id=${ids[0]};\nPRAGMA user_version=${ids[1]};\n${dump}`), pattern(text.trimEnd()))
  t.is(bitsOf(due.get('a').vector), bitsOf(floats(shell(path, "SELECT hex(vector) FROM vectors WHERE id = 'a'"))))
})
