// Faults of the machine: programs that are killed, calls of the operating system that fail, full disks. What a machine
// cannot do is passed over by name, and with REQUIRE_ALL=1 it is a failure.
import test, { type ExecutionContext } from 'ava'
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabasePersistence } from 'ruvector-persistence'
import { getLoadablePath } from 'sqlite-vec'

export const fixtures = join(__dirname, '..', 'fixtures', 'faults')
const requireAll = process.env.REQUIRE_ALL === '1'

type Implementation = (t: ExecutionContext) => void | Promise<void>

/** A test that needs something of the machine. It runs alone in its file. */
export function testWith(needed: { there: boolean; what: string }, title: string, implementation: Implementation): void {
  if (needed.there) test.serial(title, implementation)
  else if (requireAll) test(title, (t) => t.fail(`REQUIRE_ALL=1, and this machine lacks ${needed.what}`))
  else test.serial.skip(`${title} (SKIPPED: needs ${needed.what})`, implementation)
}

const answers = (program: string, ...args: string[]): boolean => spawnSync(program, args, { stdio: 'ignore' }).status === 0

export const linux = { there: process.platform === 'linux', what: 'Linux' }
export const strace = { there: linux.there && answers('strace', '-qq', '-o', '/dev/null', 'true'), what: 'strace that may trace' }
/** With extensions, which the shell of macOS lacks. */
export const sqlite3 = { there: answers('sqlite3', ':memory:', `.load ${getLoadablePath().replace(/\.[^.]+$/, '')}`, 'SELECT vec_version()'), what: 'the sqlite3 shell, with extensions' }
export const zstd = { there: answers('zstd', '--version'), what: 'the program zstd' }
export const compiler = { there: linux.there && answers('cc', '--version'), what: 'a C compiler' }
export const mounts = { there: linux.there && mountTry(), what: 'root, to mount a tmpfs' }

function mountTry(): boolean {
  const place = join(tmpdir(), `ruvector-persistence-mount-${process.pid}`)
  mkdirSync(place, { recursive: true })
  const mounted = answers('mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', place)
  if (mounted) answers('umount', place)
  return mounted
}

/** A file system of that size, gone with the test. */
export function smallDisk(t: ExecutionContext, dir: string, size: string): string {
  const place = join(dir, 'disk')
  mkdirSync(place)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', place])
  t.teardown(() => execFileSync('umount', ['-l', place]))
  return place
}

/** The library that makes calls fail, built once for each version of its source. */
export function shim(): string {
  const source = join(fixtures, 'shim.c')
  const library = join(tmpdir(), `ruvector-persistence-shim-${createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16)}.so`)
  if (existsSync(library)) return library
  const made = `${library}.${process.pid}`
  execFileSync('cc', ['-O1', '-shared', '-fPIC', '-o', made, source, '-ldl', '-lpthread'])
  renameSync(made, library)
  return library
}

export interface Program {
  child: ChildProcess
  said: any[]
  /** Resolves with the exit code and signal; never rejects. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>
}

export interface ProgramOptions {
  /** A command that it is run by. */
  before?: readonly string[]
  /** Flags of Node. */
  flags?: readonly string[]
  env?: Record<string, string>
  onSaid?: (value: any) => void
}

/** Starts a Node program of the fixtures. */
export function startProgram(name: string, args: readonly string[], { before = [], flags = [], env = {}, onSaid = () => undefined }: ProgramOptions = {}): Program {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(NODE_OPTIONS|AVA_|FORCE_COLOR)/.test(key)))
  const command = [...before, process.execPath, ...flags, join(fixtures, name), ...args]
  const child = spawn(command[0]!, command.slice(1), { env: { ...inherited, ...env }, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const said: any[] = []
  let stderr = ''
  child.stderr!.on('data', (chunk) => (stderr += chunk))
  child.on('message', (value) => {
    said.push(value)
    onSaid(value)
  })
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>((resolve) => {
    child.on('error', (error) => resolve({ code: -1, signal: null, stderr: String(error) }))
    child.on('close', (code, signal) => resolve({ code, signal, stderr }))
  })
  return { child, said, ended }
}

/** The content of an archive whose numbers are all the same: that number and how many entries; a mixture fails. */
export async function markOf(path: string, baseDir: string): Promise<{ mark: number; count: number }> {
  const map = new Map<string, { vector: Float32Array; metadata?: any }>()
  const persistence = new DatabasePersistence(map, { baseDir })
  await persistence.load({ path })
  await persistence.shutdown()
  return { mark: markIn(map), count: map.size }
}

export function markIn(map: ReadonlyMap<string, { vector: ArrayLike<number>; metadata?: any }>): number {
  const mark = map.get('id-0')!.vector[0]!
  for (const [id, { vector, metadata }] of map) {
    if (metadata.n !== mark || !Array.from(vector).every((number) => number === mark)) throw new Error(`${id} is of another content than ${mark}`)
  }
  return mark
}

/** Steers the library from here: what the next calls of the program are to meet. */
export class Control {
  #run = 0

  constructor(readonly path: string) {
    this.nothing()
  }

  set(call: string, n: number, what: string): void {
    writeFileSync(this.path, `${++this.#run} ${call} ${n} ${what}`)
  }

  nothing(): void {
    this.set('none', 0, '0')
  }
}
