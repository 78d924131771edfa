// A script in a Node process of its own, with its own working directory. The script is the body of an async function and
// finds `VectorDB`, `DatabasePersistence`, `exportRuvector`, `fs`, `path`, `vectorOf` and `tell(value)`, which hands a value
// back to the test.
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

const root = join(__dirname, '..', '..')

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  /** What the script told, in order. */
  told: any[]
  stdout: string
  stderr: string
}

const PRELUDE = `
const load = require('node:module').createRequire(${JSON.stringify(join(root, 'package.json'))})
const fs = require('node:fs'), path = require('node:path')
const { VectorDB } = load('ruvector')
const { DatabasePersistence, exportRuvector } = load('ruvector-persistence')
const vectorOf = (seed, dimension = 8) => {
  const digest = require('node:crypto').createHash('sha512').update(seed + '/0').digest()
  return Float32Array.from({ length: dimension }, (_, place) => (digest.readUInt32LE(place * 4) + 1) / 2 ** 31 - 1)
}
// A script whose test run was stopped must not stay behind.
let ended = false
process.once('disconnect', () => { if (!ended) process.exit(9) })
const told = []
const tell = (value) => { if (process.connected) told.push(new Promise((resolve) => process.send(value, resolve))) }
`

function environment(): NodeJS.ProcessEnv {
  // What ava left in the environment is not what a user's shell holds.
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_OPTIONS|AVA_|FORCE_COLOR)/.test(name)))
}

/** Starts a process; a busy machine may lack the memory for one more for a moment. */
export async function patiently<T>(start: () => T): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return start()
    } catch (error) {
      if (attempt === 100 || !['ENOMEM', 'EAGAIN'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Starts a script; `onTold` hears what it tells while it runs. */
export async function startChild(script: string, cwd: string, onTold: (value: any) => void = () => undefined): Promise<{ child: ChildProcess; ended: Promise<Ended> }> {
  const body = `${PRELUDE}\n;(async () => {\n${script}\n})().then(async () => { await new Promise(setImmediate); while (told.length > 0) await told.shift(); ended = true; process.disconnect() }, (error) => { console.error(error); process.exit(1) })`
  const child = await patiently(() => spawn(process.execPath, ['--expose-gc', '-e', body], { cwd, env: environment(), stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }))
  const told: any[] = []
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (chunk) => (stdout += chunk))
  child.stderr!.on('data', (chunk) => (stderr += chunk))
  child.on('message', (value) => {
    told.push(value)
    onTold(value)
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, told, stdout, stderr }))
  })
  return { child, ended }
}

/** Runs a script to its end; a script that fails fails the test. */
export async function runChild(script: string, cwd: string): Promise<Ended> {
  const ended = await (await startChild(script, cwd)).ended
  if (ended.code !== 0) throw new Error(`the script ended with ${ended.code ?? ended.signal}:\n${ended.stdout}${ended.stderr}`)
  return ended
}
