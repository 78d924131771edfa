// What the machine must have: Node.js, Rust and a C compiler, checked before any work starts.
//
// Promises: a missing or too old tool is one sentence that says what to install, not a failure deep in a build.
// All cargo calls of the repository share one target directory layout: `napi build` always compiles for an explicit
// triple, so plain cargo commands are given the same triple, else every dependency would be compiled twice.
// Does not: install anything.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Stop, root } from './run.mjs'

const nodeAtLeast = [20, 19]

/** Compares `[major, minor]` pairs. */
function older(version, wanted) {
  return version[0] < wanted[0] || (version[0] === wanted[0] && version[1] < wanted[1])
}

function pair(text) {
  return text.split('.').slice(0, 2).map(Number)
}

/** The output of `command`, or null when it is not there or fails. */
function ask(command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return result.status === 0 ? result.stdout : null
}

export function checkNode() {
  if (older(pair(process.versions.node), nodeAtLeast)) {
    throw new Stop(`Node.js ${nodeAtLeast.join('.')} or newer is needed; this is ${process.versions.node}`)
  }
}

function checkCompiler() {
  // On Windows the linker and the C compiler come with the MSVC build tools, which cargo finds without a PATH entry.
  if (process.platform === 'win32') return
  const compiler = process.env.CC ?? 'cc'
  if (ask(compiler, ['--version']) === null) {
    throw new Stop(
      `a C compiler is needed and \`${compiler}\` cannot be run: install build-essential (Debian, Ubuntu), ` +
        'gcc and make (other Linux), or the Xcode command line tools (macOS)',
    )
  }
}

/** Checks Rust and the C compiler; returns the environment that every cargo and napi call of this repository gets. */
export function cargoEnv() {
  const wanted = readFileSync(join(root, 'Cargo.toml'), 'utf8').match(/^rust-version = "([\d.]+)"/m)?.[1] ?? '1.90'
  const version = ask('rustc', ['-vV'])
  if (version === null || ask('cargo', ['--version']) === null) {
    throw new Stop(`a Rust toolchain is needed (cargo and rustc ${wanted} or newer): install it with rustup`)
  }
  const found = version.match(/^release: ([\d.]+)/m)?.[1] ?? '0.0'
  if (older(pair(found), pair(wanted))) throw new Stop(`Rust ${wanted} or newer is needed; this is ${found}`)
  checkCompiler()
  const host = version.match(/^host: (\S+)/m)?.[1]
  return { CARGO_BUILD_TARGET: process.env.CARGO_BUILD_TARGET ?? host }
}
