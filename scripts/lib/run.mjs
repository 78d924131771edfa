// Runs one command and says so.
//
// Promises: the command line is printed before it starts (`$ cargo test ...`), its output is passed through as it
// comes, it never waits for input, and a command that cannot start is an ordinary failure with a sentence.
// Does not: use a shell, so arguments arrive as they are written, on every platform.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The root of the repository, without a trailing slash. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')

/** A failure whose message is all that a person needs; the entry scripts print it without a stack. */
export class Stop extends Error {}

let out = process.stdout

/** Sends everything printed here, and the output of commands, to stderr (for hooks whose stdout is read by a program). */
export function printToStderr() {
  out = process.stderr
}

export function say(line) {
  out.write(`${line}\n`)
}

/**
 * Runs `command` and resolves to `{ code, text }`; `text` is its output when `capture` is set (it is still shown).
 * `label` and `shown` replace the printed command and arguments where the real ones are `node <long path> ...`; `hidden`
 * keeps the output of a command, whose failure is expected, from the reader.
 */
export function run(command, args, { env = {}, cwd = root, capture = false, hidden = false, label = command, shown = args } = {}) {
  say(`$ ${[label, ...shown].join(' ')}`)
  return new Promise((resolve) => {
    const pipe = capture || out === process.stderr
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: hidden ? 'ignore' : ['ignore', pipe ? 'pipe' : 'inherit', capture ? 'pipe' : 'inherit'],
    })
    const pieces = []
    const tee = (source, target) =>
      source?.on('data', (piece) => {
        if (capture) pieces.push(piece)
        target.write(piece)
      })
    tee(child.stdout, out)
    tee(child.stderr, process.stderr)
    child.on('error', (error) => {
      say(`${label} could not be started: ${error.message}`)
      resolve({ code: 127, text: '' })
    })
    child.on('close', (code, signal) => {
      if (signal) say(`${label} was ended by ${signal}`)
      resolve({ code: code ?? 1, text: Buffer.concat(pieces).toString('utf8') })
    })
  })
}

/** As `run`, for a command whose failure ends the whole script. */
export async function must(command, args, options) {
  const result = await run(command, args, options)
  if (result.code !== 0) throw new Stop(`${options?.label ?? command} failed with exit code ${result.code}`)
  return result
}

/** Runs `main`; its number is the exit code, and a `Stop` becomes one line on stderr and exit code 1. */
export async function entry(main) {
  try {
    process.exitCode = (await main(process.argv.slice(2))) ?? 0
  } catch (error) {
    process.exitCode = 1
    console.error(error instanceof Stop ? `\nerror: ${error.message}` : error)
  }
}
