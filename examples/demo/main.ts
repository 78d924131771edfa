// The demo: a real ruvector database is saved, its process is killed, its file is removed, and a second process brings it
// back from the archive. Needs the package to be built; `npm run demo` does that first.
//
// Ends with exit code 1 when an entry differs in one bit, when a search answers other ids, or when anything fails.
// Works in a temporary folder and removes it.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { formatFileSize } from 'ruvector-persistence'
import type { FillReport, Task } from './messages'

function start(script: string, task: Task): ChildProcess {
  const args = [...process.execArgv, join(__dirname, script), JSON.stringify(task)]
  return spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
}

/** Runs the first process until it says that all is on disk, then kills it in the middle of its life. */
async function fillAndKill(task: Task): Promise<FillReport> {
  const child = start('fill.ts', task)
  const end = ended(child)
  const reported = new Promise<FillReport>((resolve) => child.once('message', (message) => resolve(message as FillReport)))
  const first = await Promise.race([reported, end])
  if (!('archives' in first)) throw new Error(`the first process ended by itself (${first.code ?? first.signal})`)
  child.kill('SIGKILL')
  const { signal } = await end
  if (signal !== 'SIGKILL') throw new Error('the first process was not killed')
  console.log(`  process ${child.pid} was killed with ${signal}; it had no chance to say goodbye`)
  return first
}

async function main(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'ruvector-persistence-demo-'))
  try {
    const [first, second, baseDir] = ['first', 'second', 'saved'].map((name) => join(scratch, name)) as [string, string, string]
    mkdirSync(first)
    mkdirSync(second)
    console.log('\nFirst process: fill a ruvector database and persist it')
    const report = await fillAndKill({ storagePath: join(first, 'ruvector.db'), baseDir })
    const lost = statSync(join(first, 'ruvector.db')).size
    rmSync(first, { recursive: true })
    console.log(`  ruvector's own file (${formatFileSize(lost)}) was removed; left are:`)
    for (const path of report.archives) console.log(`    ${basename(path).padEnd(20)} ${formatFileSize(statSync(path).size).padStart(10)}`)
    console.log('\nSecond process: an empty ruvector database, loaded from the archives')
    const { code, signal } = await ended(start('recover.ts', { storagePath: join(second, 'ruvector.db'), baseDir, report }))
    if (code !== 0) throw new Error(`the second process failed (${code ?? signal})`)
    console.log('\nSaved, lost, and brought back: nothing differs.')
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

main().catch((error: unknown) => {
  console.error(`\ndemo failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
})
