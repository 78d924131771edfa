// Adoption of a ruvector that was filled before: from its own file (found among the files the process holds open, or
// named by databasePath), or by searching when the file cannot be found; and the refusal to save when something is missing.
//
// A failure of a refusal is the worst there is: a save that reports success and lacks entries.
import test from 'ava'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { readState, savedAgrees } from './helpers/archive'
import { runChild } from './helpers/child'
import { attach, rejection } from './helpers/persistence'
import { openRuvector } from './helpers/ruvector'
import { tempDir } from './helpers/temp'
import { bitsOf, contentOf, entriesOf, vectorOf } from './helpers/vectors'

test('a databasePath that is missing, no ruvector file, or of another database is an error, never a save', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  await db.insertBatch(entriesOf(5) as never)
  writeFileSync(join(dir, 'text.db'), 'this is no database')
  const other = openRuvector(dir, { name: 'other.db' })
  await other.insertBatch(entriesOf(5, 8, 'other') as never)
  for (const [name, codes] of [['missing.db', ['ERR_PATH']], ['text.db', ['ERR_FORMAT']]] as const) {
    const persistence = attach(t, db, { baseDir: join(dir, 'data'), databasePath: join(dir, name) })
    const error = await rejection(persistence.save())
    t.true((codes as readonly string[]).includes(error.code!), `${name}: ${error.code} ${error.message}`)
    t.is(error.path, join(dir, name))
    await persistence.shutdown().catch(() => undefined)
  }
  t.false(existsSync(join(dir, 'data', 'database.json')))
  // The file of another database is not believed: what is saved is what the database itself gives.
  const persistence = attach(t, db, { baseDir: join(dir, 'data'), databasePath: join(dir, 'other.db') })
  const outcome = await persistence.save().then(readState, (error: Error & { code: string }) => error)
  if (outcome instanceof Error) t.is((outcome as Error & { code: string }).code, 'ERR_INCOMPLETE')
  else t.deepEqual(contentOf(outcome.vectors), contentOf(entriesOf(5)))
})

test('a ruvector that was filled before is adopted from the file that the process holds open', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir, { name: 'some name.bin' })
  await db.insertBatch(entriesOf(40) as never)
  await db.insert({ id: 'bare', vector: vectorOf('bare') })
  const state = await savedAgrees(t, attach(t, db, { baseDir: join(dir, 'data') }), db)
  t.is(state.vectors.length, 41)
  t.deepEqual(state.options, { dimension: 8, metric: 'cosine' })
})

test('a ruvector is adopted from databasePath, also when that is relative', async (t) => {
  const dir = tempDir(t)
  const { told } = await runChild(`
    const db = new VectorDB({ dimensions: 8, storagePath: 'x.db' })
    await db.insertBatch(Array.from({ length: 30 }, (_, row) => ({ id: 'doc-' + row, vector: vectorOf(row), metadata: { row } })))
    const persistence = new DatabasePersistence(db, { baseDir: 'data', databasePath: './x.db' })
    fs.mkdirSync('elsewhere'); process.chdir('elsewhere')
    const state = JSON.parse(fs.readFileSync(await persistence.save(), 'utf8'))
    tell([state.vectors.length, state.vectors.every(({ id, metadata }) => id === 'doc-' + metadata.row)])
  `, dir)
  t.deepEqual(told, [[30, true]])
  t.deepEqual(readdirSync(join(dir, 'elsewhere')), [])
})

test('of several open ruvector files each database gets its own', async (t) => {
  const dir = tempDir(t)
  const databases = []
  for (let number = 0; number < 4; number++) {
    const db = openRuvector(dir, { name: `${number}.db`, metric: number % 2 ? 'euclidean' : 'cosine' })
    // Equal ids and counts: only the vectors tell them apart.
    await db.insertBatch(entriesOf(15).map(({ id, metadata }) => ({ id, metadata, vector: vectorOf(`${number} ${id}`) })))
    databases.push(db)
  }
  for (const [number, db] of databases.entries()) {
    const state = await savedAgrees(t, attach(t, db, { baseDir: join(dir, `data-${number}`) }), db)
    t.is(state.options.metric, number % 2 ? 'euclidean' : 'cosine')
  }
})

test('of open ruvector files that differ only in metadata, or in one vector of many, each database gets its own', async (t) => {
  const dir = tempDir(t)
  const entries = entriesOf(1200, 4)
  const variants = [entries, entries.map((entry) => ({ ...entry, metadata: { other: true } })), entries.map((entry, row) => (row === 601 ? { ...entry, vector: vectorOf('another', 4) } : entry))]
  const databases = []
  for (const [number, variant] of variants.entries()) {
    const db = openRuvector(dir, { name: `${number}.db`, dimension: 4 })
    await db.insertBatch(variant as never)
    databases.push(db)
  }
  const failures: string[] = []
  for (const [number, db] of databases.entries()) {
    const state = readState(await attach(t, db, { baseDir: join(dir, `data-${number}`) }).save())
    const found = new Map(state.vectors.map(({ id, vector, metadata }) => [id, { bits: bitsOf(vector), metadata }]))
    const wrong = variants[number]!.filter(({ id, vector, metadata }) => found.get(id)?.bits !== bitsOf(vector) || !isDeepStrictEqual(found.get(id)?.metadata, metadata))
    if (wrong.length > 0) failures.push(`database ${number}: ${wrong.length} of 1200 entries are those of another database`)
  }
  t.deepEqual(failures, [])
})

test('adoption leaves the file of ruvector as it is, and the database usable', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  await db.insertBatch(entriesOf(10) as never)
  const before = readFileSync(join(dir, 'ruvector.db'))
  const persistence = attach(t, db, { baseDir: join(dir, 'data') })
  await persistence.ready()
  t.true(readFileSync(join(dir, 'ruvector.db')).equals(before))
  t.deepEqual(readdirSync(dir).sort(), ['data', 'ruvector.db'])
  t.true((await db.search({ vector: vectorOf('doc-3'), k: 10 })).length > 0)
  await db.insert({ id: 'new', vector: vectorOf('new') })
  await savedAgrees(t, persistence, db)
})

test('entries written while the adoption runs are the newer ones', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  await db.insertBatch(entriesOf(400) as never)
  const persistence = attach(t, db, { baseDir: join(dir, 'data') })
  const writes: Promise<unknown>[] = []
  for (let row = 0; row < 400; row += 7) writes.push(row % 2 ? db.delete(`doc-${row}`) : db.insert({ id: `doc-${row}`, vector: vectorOf(-row) }))
  for (let row = 0; row < 30; row++) writes.push(db.insert({ id: `new-${row}`, vector: vectorOf(row) }))
  await Promise.all([persistence.ready(), ...writes])
  await savedAgrees(t, persistence, db)
})

test('a database that is never quiet can be adopted and saved all the same', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  await db.insertBatch(entriesOf(50) as never)
  const persistence = attach(t, db, { baseDir: join(dir, 'data') })
  let stop = false
  const writer = (async () => {
    for (let number = 0; !stop; number++) await db.insert({ id: `busy-${number % 20}`, vector: vectorOf(number) })
  })()
  const first = readState(await persistence.save())
  t.true(entriesOf(50).every(({ id }) => first.vectors.some((entry) => entry.id === id)))
  stop = true
  await writer
  await savedAgrees(t, persistence, db)
})

for (const [what, hide] of [['removed', "fs.unlinkSync('x.db')"], ['renamed', "fs.renameSync('x.db', 'hidden.db')"]] as const) {
  test(`a ruvector whose file was ${what} is adopted whole, by searching if need be`, async (t) => {
    const dir = tempDir(t)
    const { told } = await runChild(`
      const db = new VectorDB({ dimensions: 8, storagePath: 'x.db', distanceMetric: 'cosine' })
      for (let row = 0; row < 60; row++) await db.insert({ id: 'doc-' + row, vector: vectorOf(row), metadata: row % 2 ? { row } : undefined })
      for (let row = 0; row < 60; row += 6) await db.delete('doc-' + row)
      ${hide}
      const persistence = new DatabasePersistence(db, { baseDir: 'data' })
      const state = JSON.parse(fs.readFileSync(await persistence.save(), 'utf8'))
      const wrong = []
      for (const { id, vector, metadata } of state.vectors) {
        const entry = await db.get(id)
        if (!entry || entry.vector.some((value, place) => value !== Math.fround(vector[place])) || JSON.stringify(entry.metadata) !== JSON.stringify(metadata)) wrong.push(id)
      }
      tell([await db.len(), state.vectors.length, new Set(state.vectors.map(({ id }) => id)).size, wrong])
    `, dir)
    t.deepEqual(told, [[50, 50, 50, []]])
  })
}

test('when neither the file nor searching finds everything, save is refused with numbers and advice, and writes nothing', async (t) => {
  const dir = tempDir(t)
  const { told } = await runChild(`
    const db = new VectorDB({ dimensions: 8, storagePath: 'x.db', distanceMetric: 'cosine' })
    for (let row = 0; row < 20; row++) await db.insert({ id: 'doc-' + row, vector: vectorOf(row) })
    fs.unlinkSync('x.db')
    // A search that finds only some, as an index with holes does.
    const search = db.search.bind(db)
    db.search = async (query) => (await search(query)).filter(({ id }) => Number(id.slice(4)) < 12)
    const persistence = new DatabasePersistence(db, { baseDir: 'data' })
    const refusal = async (call) => call().then(() => tell('it resolved'), (error) => tell([error.code, error.name, error.message]))
    await refusal(() => persistence.ready())
    await refusal(() => persistence.save())
    await refusal(() => persistence.createSnapshot('x'))
    await refusal(() => persistence.export({ path: 'x.json' }))
    tell(fs.existsSync('data') ? fs.readdirSync('data', { recursive: true }).filter((name) => !name.startsWith('.')) : [])
    await refusal(() => persistence.shutdown())
    tell(await db.len())
  `, dir)
  const refusals = [...told.slice(0, 4), told[5]]
  for (const [code, name, message] of refusals) {
    t.is(code, 'ERR_INCOMPLETE', message)
    t.is(name, 'PersistenceError')
    t.regex(message, /\b20\b.*\b12\b.*\b8\b/, 'there are 20, 12 are known, 8 are missing')
    t.regex(message, /databasePath/)
  }
  t.deepEqual(told[4].filter((name: string) => name !== 'snapshots'), [])
  t.is(told[6], 20)
})

test('what could not be adopted is tried again by the next call', async (t) => {
  const dir = tempDir(t)
  const { told } = await runChild(`
    const db = new VectorDB({ dimensions: 8, storagePath: 'x.db', distanceMetric: 'cosine' })
    for (let row = 0; row < 20; row++) await db.insert({ id: 'doc-' + row, vector: vectorOf(row) })
    fs.unlinkSync('x.db')
    const search = db.search.bind(db)
    let hide = true
    db.search = async (query) => (await search(query)).filter(({ id }) => !hide || id !== 'doc-7')
    const persistence = new DatabasePersistence(db, { baseDir: 'data' })
    tell(await persistence.save().catch((error) => error.code))
    hide = false
    tell(JSON.parse(fs.readFileSync(await persistence.save(), 'utf8')).vectors.length)
  `, dir)
  t.deepEqual(told, ['ERR_INCOMPLETE', 20])
})

test('a load is refused while what is in the database is not known, since it could not be put back', async (t) => {
  const dir = tempDir(t)
  const { told } = await runChild(`
    const map = new Map([['a', { vector: vectorOf('a') }]])
    const file = await new DatabasePersistence(map, { baseDir: 'from' }).save()
    const db = new VectorDB({ dimensions: 8, storagePath: 'x.db', distanceMetric: 'cosine' })
    for (let row = 0; row < 5; row++) await db.insert({ id: 'doc-' + row, vector: vectorOf(row) })
    fs.unlinkSync('x.db')
    db.search = async () => []
    const persistence = new DatabasePersistence(db, { baseDir: 'data' })
    tell(await persistence.load({ path: file }).catch((error) => error.code))
    tell(await db.len())
    process.exit(0)
  `, dir)
  t.deepEqual(told, ['ERR_INCOMPLETE', 5])
})

test('a DatabasePersistence made before the first insert needs neither the file nor a search', async (t) => {
  const dir = tempDir(t)
  const { told } = await runChild(`
    const db = new VectorDB({ dimensions: 8, storagePath: 'x.db', distanceMetric: 'cosine' })
    fs.unlinkSync('x.db')
    const persistence = new DatabasePersistence(db, { baseDir: 'data' })
    await db.insertBatch(Array.from({ length: 20 }, (_, row) => ({ id: 'doc-' + row, vector: vectorOf(row) })))
    await db.delete('doc-3')
    tell(JSON.parse(fs.readFileSync(await persistence.save(), 'utf8')).vectors.length)
  `, dir)
  t.deepEqual(told, [19])
})

test('a second DatabasePersistence after a shutdown adopts what was written in between', async (t) => {
  const dir = tempDir(t)
  const db = openRuvector(dir)
  const first = attach(t, db, { baseDir: join(dir, 'data') })
  await db.insertBatch(entriesOf(5) as never)
  await first.shutdown()
  await db.insert({ id: 'between', vector: vectorOf('between') })
  await db.delete('doc-1')
  const state = await savedAgrees(t, attach(t, db, { baseDir: join(dir, 'data') }), db)
  t.deepEqual(state.vectors.map(({ id }) => id).sort(), ['between', 'doc-0', 'doc-2', 'doc-3', 'doc-4'])
})

test('a folder of the name ruvector.db in the working directory disturbs nothing', async (t) => {
  const dir = tempDir(t)
  mkdirSync(join(dir, 'ruvector.db'))
  const { told } = await runChild(`
    const db = new VectorDB({ dimensions: 8, storagePath: 'x.db', distanceMetric: 'cosine' })
    await db.insert({ id: 'a', vector: vectorOf('a') })
    tell(path.basename(await new DatabasePersistence(db, { baseDir: 'data' }).save()))
  `, dir)
  t.deepEqual(told, ['database.json'])
})
