// docs/errors.md against the code: the same codes everywhere, each section complete, and each message as it really is.
//
// Steps: the codes of index.d.ts, of src/error.rs and of the page are compared; then each error that can be provoked
// without breaking the machine is provoked through the public API, and its message is compared with the one of the page, where
// `…` stands for anything. A failure means that the page describes another package than this one.
import test, { type ExecutionContext } from 'ava'
import { createHash } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabasePersistence, PersistenceError, VectorDB, VectorStore } from 'ruvector-persistence'
import { blocksOf, readDoc } from './helpers/docs'
import { attach } from './helpers/persistence'
import { tempDir } from './helpers/temp'

/** Not codes of a PersistenceError. */
const OTHERS = ['ERR_OPTION', 'ERR_NATIVE_MISSING']

/** The sections of the page: the code, and the text under it. */
const sections = new Map(readDoc('docs/errors.md').split(/^## /m).slice(1).map((section) => {
  const [code = '', ...lines] = section.split('\n')
  return [code, lines.join('\n')]
}))

const union = /export type PersistenceErrorCode =([\s\S]*?);/.exec(readDoc('index.d.ts'))![1]!
const typed = [...union.matchAll(/'(\w+)'/g)].map((match) => match[1]!)
const native = [...readDoc('src/error.rs').matchAll(/(?<!Error)Kind::\w+ => "(\w+)"/g)].map((match) => match[1]!)

test('the page has a section for each code of PersistenceErrorCode, and no other', (t) => {
  t.deepEqual([...sections.keys()].sort(), [...typed, ...OTHERS].sort())
})

test('each kind of src/error.rs is a code, and the page names those that exist on the TypeScript side only', (t) => {
  t.true(native.length > 10)
  t.deepEqual(native.filter((code) => !typed.includes(code)), [])
  const alone = typed.filter((code) => !native.includes(code))
  const sentence = /^(.*) are made on the TypeScript side only/m.exec(readDoc('docs/errors.md'))![1]!
  t.deepEqual([...sentence.matchAll(/`(\w+)`/g)].map((match) => match[1]).sort(), alone.sort())
})

test('each section says when it comes and how to get out, and shows a message', (t) => {
  for (const [code, text] of sections) {
    t.regex(text, /\*\*When:\*\* /, code)
    t.regex(text, /\*\*(State, get|Get) out:\*\* |`signal\.reason`/, code)
    t.is([...text.matchAll(/^```text (message|example)$/gm)].length, 1, code)
  }
})

const ENTRY = { vector: [1, 2, 3] }

/** A file of an archive whose checksum is right, whatever else is wrong with it. */
function sealed(t: ExecutionContext, changes: object): string {
  const stats = { count: 1, dimension: 3 }
  const state = { version: '1.0.0', options: { dimension: 3, metric: 'cosine' }, stats, vectors: [{ id: 'a', ...ENTRY }], timestamp: 1, ...changes }
  const checksum = createHash('sha256').update(JSON.stringify(state)).digest('hex')
  const path = join(tempDir(t), 'database.json')
  writeFileSync(path, JSON.stringify({ ...state, checksum, ...('checksum' in changes ? { checksum: changes.checksum } : {}) }))
  return path
}

const open = (t: ExecutionContext, db: object = new Map(), options: object = {}): DatabasePersistence =>
  attach(t, db as never, { baseDir: tempDir(t), ...options })

/** A Map with a good entry, and a bad one. */
const saveWith = (t: ExecutionContext, id: unknown, value: unknown): Promise<unknown> => open(t, new Map([['a', ENTRY], [id, value]] as never)).save()

const loadOf = (t: ExecutionContext, path: string, options: object = {}): Promise<unknown> => open(t, new Map(), options).load({ path })

/** Takes one entry fewer than it is given, and cannot list what it holds. */
class Deaf {
  readonly rows = new Map<string, object>([['old', ENTRY]])
  insert(): void {}
  len(): number {
    return this.rows.size
  }
}

class Full {
  readonly rows = new Map<string, object>()
  #calls = 0
  insert(entry: { id: string }): void {
    if (++this.#calls === 1) throw new Error('index is full')
    this.rows.set(entry.id, entry)
  }
  delete(id: string): boolean {
    return this.rows.delete(id)
  }
  entries(): IterableIterator<[string, object]> {
    return this.rows.entries()
  }
}

const nested = (levels: number): object => (levels === 0 ? {} : { a: nested(levels - 1) })

const provoke: Record<string, (t: ExecutionContext) => unknown> = {
  ERR_PATH: (t) => loadOf(t, join(tempDir(t), 'missing.json')),
  ERR_FORMAT: (t) => {
    const path = join(tempDir(t), 'notes.txt')
    writeFileSync(path, 'hello')
    return loadOf(t, path)
  },
  ERR_CHECKSUM: (t) => loadOf(t, sealed(t, { checksum: '0'.repeat(64) })),
  ERR_CORRUPT: (t) => loadOf(t, sealed(t, { stats: { count: 2, dimension: 3 } })),
  ERR_VERSION: (t) => loadOf(t, sealed(t, { version: '2.0.0' })),
  ERR_DIMENSION: (t) => saveWith(t, 'b', { vector: [1, 2] }),
  ERR_METRIC: (t) => loadOf(t, sealed(t, {}), { metric: 'dot' }),
  ERR_ID: (t) => saveWith(t, '', ENTRY),
  ERR_VECTOR_TYPE: (t) => saveWith(t, 'b', { vector: 'abc' }),
  ERR_METADATA: (t) => saveWith(t, 'b', { ...ENTRY, metadata: { n: NaN } }),
  ERR_LIMIT: (t) => saveWith(t, 'b', { ...ENTRY, metadata: nested(200) }),
  ERR_SNAPSHOT_ID: (t) => open(t).restoreSnapshot('../x'),
  ERR_SNAPSHOT_NOT_FOUND: (t) => open(t).deleteSnapshot('nope'),
  ERR_INCOMPLETE: (t) => open(t, new Deaf()).save(),
  ERR_APPLY: (t) => open(t, new Full()).load({ path: sealed(t, {}) }),
  ERR_LOCKED: (t) => {
    const db = new Map()
    open(t, db)
    return open(t, db)
  },
  ERR_CLOSED: async (t) => {
    const persistence = open(t)
    await persistence.shutdown()
    return persistence.save()
  },
  ERR_NOT_READY: (t) => new VectorDB({ path: tempDir(t) }).len(),
  ERR_READ_ONLY: async (t) => {
    const db = await VectorDB.open({ path: tempDir(t) })
    t.teardown(() => db.close())
    await db.setReadOnly(true)
    db.clear()
  },
  ERR_NOT_A_DATABASE: (t) => {
    const path = tempDir(t)
    writeFileSync(join(path, 'notes.txt'), 'mine')
    return VectorDB.open({ path })
  },
  ERR_EXISTS: async (t) => {
    const store = await VectorStore.open(tempDir(t))
    t.teardown(() => store.close())
    await store.createCollection('docs')
    await store.createCollection('docs')
  },
  ERR_CHAIN: async (t) => {
    const store = await VectorStore.open(tempDir(t))
    t.teardown(() => store.close())
    await store.createCollection('docs')
    const { path } = await store.snapshots.create()
    const { id } = await store.snapshots.create({ incremental: true })
    rmSync(path, { recursive: true })
    await store.snapshots.restore(id, { target: 'other' })
  },
  ERR_PITR_RANGE: async (t) => {
    const store = await VectorStore.open(tempDir(t))
    t.teardown(() => store.close())
    await store.createCollection('docs')
    await store.rewind('docs', { lsn: 7 })
  },
  ERR_NOT_FOUND: async (t) => {
    const store = await VectorStore.open(tempDir(t))
    t.teardown(() => store.close())
    await store.collection('docs')
  },
  ERR_UNSUPPORTED: (t) => open(t, new Map(), { format: 'native' as never }),
  ERR_OPTION: (t) => open(t, new Map(), { maxSnapshot: 3 }),
}

for (const [code, make] of Object.entries(provoke)) {
  test(`${code} comes with the message of the page`, async (t) => {
    const error = (await t.throwsAsync(async () => make(t), { any: true })) as Error & { code?: string }
    t.is(error.code, code)
    t.is(error instanceof PersistenceError, !OTHERS.includes(code))
    const shown = blocksOf('docs/errors.md').filter(({ name, line }) => name === 'message' && sectionAt(line) === code)
    t.is(shown.length, 1)
    const pattern = shown[0]!.text.trim().split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')
    t.regex(error.message, new RegExp(`^${pattern}$`))
  })
}

function sectionAt(line: number): string | undefined {
  const before = readDoc('docs/errors.md').split('\n').slice(0, line)
  return before.findLast((text) => text.startsWith('## '))?.slice(3)
}

test('every message of the page that is not marked as an example is provoked', (t) => {
  const shown = blocksOf('docs/errors.md').filter(({ name }) => name === 'message').map(({ line }) => sectionAt(line))
  t.deepEqual(shown.sort(), Object.keys(provoke).sort())
})
