// Processes that are killed (SIGKILL) while they write to a database with a journal: rows A21, A58, A86 to A88 and B57 to B59
// of the checklist, in all three sync modes.
//
// Each process recovers into an empty database, writes, and says what it begins and what is acknowledged. After each kill
// another process (this one) recovers: an id holds what was acknowledged last, or something begun after it; a batch is
// whole or not there at all. The next process goes on with the same folder. Kills fall upon opening, writing, checkpoints,
// compaction and closing. A failure means that an acknowledged write can be lost in a crash of the process.
import test, { type ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { DatabasePersistence, type JournalOptions } from 'ruvector-persistence'
import { patiently } from './helpers/child'
import { fixtures } from './helpers/faults'
import { pause } from './helpers/persistence'
import { tempDir } from './helpers/temp'

const GONE = -1

/** What each id may hold: what was acknowledged, and what was begun since. */
class Model {
  readonly sure = new Map<string, number>()
  readonly begun = new Map<string, Set<number>>()
  acknowledged = 0

  hear(line: string): void {
    const [what, id, n] = line.split(' ')
    if (what === 'b') {
      const open = this.begun.get(id!) ?? new Set()
      this.begun.set(id!, open.add(Number(n)))
    } else if (what === 'a') {
      this.acknowledged++
      this.sure.set(id!, Number(n))
      this.begun.delete(id!)
    }
  }

  /** What is wrong with this content; then it is what everything goes on from. */
  compare(content: ReadonlyMap<string, any>): string[] {
    const wrong: string[] = []
    for (const id of new Set([...this.sure.keys(), ...this.begun.keys(), ...content.keys()])) {
      const held = content.get(id)?.metadata.n ?? GONE
      const may = [this.sure.get(id) ?? GONE, ...(this.begun.get(id) ?? [])]
      if (!may.includes(held)) wrong.push(`${id} holds ${held}, may hold ${may}`)
      if (held !== GONE && content.get(id).vector[0] !== Math.fround(held + 1)) wrong.push(`${id}: its vector is of another write`)
      const first = `${id.slice(0, id.lastIndexOf('-'))}-0`
      if (id.startsWith('batch-') && held !== (content.get(first)?.metadata.n ?? GONE)) wrong.push(`${id} and ${first} are of different batches`)
    }
    this.begun.clear()
    this.sure.clear()
    for (const [id, { metadata }] of content) this.sure.set(id, metadata.n)
    return wrong
  }
}

interface Cycle {
  baseDir: string
  kind: 'generic' | 'map' | 'ruvector'
  wal: JournalOptions
  /** The line after which the time to the kill begins, and the longest such time. */
  after: 'loaded' | 'open' | 'closing'
  within: number
}

/** One process from its start to its kill; whether it came to its end before. */
async function killed(t: ExecutionContext, { baseDir, kind, wal, after, within }: Cycle, model: Model, due: number): Promise<boolean> {
  const enough = model.acknowledged + due
  const args = [join(fixtures, 'journal.cjs'), baseDir, kind, JSON.stringify(wal), after === 'closing' ? '12' : 'Infinity']
  const child = await patiently(() => spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }))
  let open = false
  let begin: () => void
  const begun = new Promise<void>((resolve) => (begin = resolve))
  let rest = ''
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  child.stdout.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      model.hear(line)
      open ||= line === after
      if (open && model.acknowledged >= enough) begin()
    }
  })
  const ended = new Promise<string | number | null>((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)))
  await Promise.race([begun, ended])
  await pause(Math.random() * within)
  child.kill('SIGKILL')
  const end = await ended
  if (end !== 0) t.is(end, 'SIGKILL', stderr)
  return end === 0
}

/** What is recovered into an empty Map. */
async function recovered(baseDir: string, wal: JournalOptions): Promise<{ map: Map<string, any>; records: number; torn: number }> {
  const map = new Map<string, any>()
  const persistence = new DatabasePersistence(map, { baseDir, wal })
  try {
    const { records, truncatedBytes } = await persistence.recover()
    return { map, records, torn: truncatedBytes }
  } finally {
    await persistence.shutdown()
  }
}

const small: JournalOptions = { segmentSize: 8192, checkpointSize: 4096, compactionThreshold: 0, retention: 0 }

const plans: { title: string; cycles: number; kind: Cycle['kind']; wal: JournalOptions; after: Cycle['after']; within: number }[] = [
  ...(['fsync', 'periodic', 'async'] as const).flatMap((syncMode) => [
    { title: `${syncMode}, while writing`, cycles: 40, kind: 'generic' as const, wal: { syncMode }, after: 'open' as const, within: 60 },
    { title: `${syncMode}, with checkpoints and compaction all the time`, cycles: 25, kind: 'generic' as const, wal: { syncMode, ...small }, after: 'open' as const, within: 60 },
  ]),
  { title: 'while opening', cycles: 20, kind: 'generic', wal: small, after: 'loaded', within: 150 },
  { title: 'while closing', cycles: 12, kind: 'generic', wal: small, after: 'closing', within: 8 },
  { title: 'a Map that is flushed', cycles: 11, kind: 'map', wal: { compression: true, segmentSize: 8192 }, after: 'open', within: 60 },
  { title: 'ruvector', cycles: 12, kind: 'ruvector', wal: { checkpointSize: 16_384 }, after: 'open', within: 60 },
]

/** Chains of processes at once, each with a folder of its own. */
const LANES = 2

interface Sum {
  acknowledged: number
  replayed: number
  torn: number
  early: number
}

async function chain(t: ExecutionContext, cycles: number, cycle: Omit<Cycle, 'baseDir'>, sum: Sum): Promise<void> {
  const baseDir = tempDir(t)
  const model = new Model()
  for (let turn = 0; turn < cycles; turn++) {
    // Every other process is killed at any moment from its opening on, the others after they have written: a busy machine
    // may need longer for a write than a process is given.
    const due = cycle.after === 'open' && turn % 2 === 1 ? 3 : 0
    if (await killed(t, { baseDir, ...cycle }, model, due)) sum.early++
    // Now and then two processes are killed before anybody looks.
    if (turn % 4 === 3 && turn + 1 < cycles) continue
    const found = await recovered(baseDir, cycle.wal)
    t.deepEqual(model.compare(found.map), [], `cycle ${turn}`)
    sum.replayed += found.records
    sum.torn += found.torn
  }
  sum.acknowledged += model.acknowledged
}

for (const { title, cycles, ...cycle } of plans) {
  test.serial(`A21 A58 A86-A88 B57-B59: killed ${cycles} times, ${title}: every acknowledged write is recovered`, async (t) => {
    t.timeout(300_000)
    const sum: Sum = { acknowledged: 0, replayed: 0, torn: 0, early: 0 }
    const share = (lane: number): number => Math.floor((cycles + lane) / LANES)
    await Promise.all(Array.from({ length: LANES }, (_, lane) => chain(t, share(lane), cycle, sum)))
    t.log(`${sum.acknowledged} acknowledged, ${sum.replayed} records replayed, ${sum.torn} bytes cut off, ${sum.early} ended before the kill`)
    t.true(sum.early < cycles / 2, `${sum.early} of ${cycles} ended before the kill`)
    if (cycle.after !== 'loaded') t.true(sum.acknowledged > cycles)
  })
}
