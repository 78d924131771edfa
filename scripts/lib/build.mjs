// Builds the package: the native addon (`napi build`) and the TypeScript layer (`tsc`), both incremental.
//
// Promises: what did not change is not built again; dist/ holds exactly what lib/ holds, also after a file of lib/ was
// removed or dist/ was deleted (tsc alone would trust its record and write nothing).
// Does not: install packages or check the toolchain; see install.mjs and toolchain.mjs.
//
// Why is the addon not simply left to cargo? `napi build` sets a variable with the time for its first build, and none for
// the second; cargo takes that for a change and compiles the crate again. So a record of what went in and what came out
// is kept, and napi is called only when one of them differs.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { must, root, say } from './run.mjs'

const bin = {
  napi: 'node_modules/@napi-rs/cli/dist/cli.js',
  tsc: 'node_modules/typescript/bin/tsc',
  ava: 'node_modules/ava/entrypoints/cli.mjs',
}

/** Runs a tool of the development packages by its script, so that no shell and no PATH is involved. */
export function tool(name, args, options = {}, runner = must) {
  return runner(process.execPath, [bin[name], ...args], { ...options, label: 'node' })
}

/** Every file below `folder` that ends with `suffix`, as paths relative to it, without the suffix. */
function names(folder, suffix) {
  const at = join(root, folder)
  if (!existsSync(at)) return []
  return readdirSync(at, { recursive: true })
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))
}

const record = join(root, 'node_modules/.cache/ruvector-persistence/native.json')
const flags = ['build', '--platform', '--release', '--features', 'node', '--js', 'native.js', '--dts', 'native.d.ts', '--', '--locked']

function digest(paths, more) {
  const hash = createHash('sha256').update(JSON.stringify(more))
  for (const path of paths.sort()) hash.update(`\0${path}\0`).update(existsSync(join(root, path)) ? readFileSync(join(root, path)) : '')
  return hash.digest('hex')
}

/** Digests of everything that decides what the addon is, and of the three files that a build writes. */
function nativeState() {
  const sources = names('src', '.rs').map((name) => `src/${name}.rs`)
  const { napi, name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const { RUSTFLAGS, CARGO_BUILD_TARGET } = process.env
  const given = [flags, napi, name, version, process.platform, process.arch, RUSTFLAGS, CARGO_BUILD_TARGET]
  const addons = readdirSync(root).filter((file) => file.endsWith('.node'))
  return {
    inputs: digest([...sources, 'Cargo.toml', 'Cargo.lock', 'build.rs', '.cargo/config.toml', 'rust-toolchain.toml'], given),
    outputs: addons.length > 0 ? digest([...addons, 'native.js', 'native.d.ts'], []) : null,
  }
}

/** Whether the addon and the generated files are what the last build by this script made of the same sources. */
export function nativeIsFresh() {
  const { inputs, outputs } = nativeState()
  if (outputs === null || !existsSync(record)) return false
  const kept = JSON.parse(readFileSync(record, 'utf8'))
  return kept.inputs === inputs && kept.outputs === outputs
}

/** `env` is what toolchain.mjs gives. */
export async function buildNative(env) {
  if (nativeIsFresh()) return say('The native addon is up to date.')
  const { inputs } = nativeState()
  await tool('napi', flags, { env })
  mkdirSync(dirname(record), { recursive: true })
  // Sources that were changed during the build are not what was built: they are found different next time.
  writeFileSync(record, JSON.stringify({ inputs, outputs: nativeState().outputs }))
}

export async function buildTypeScript() {
  const sources = new Set(names('lib', '.ts').filter((name) => !name.endsWith('.d')))
  const built = new Set(names('dist', '.js'))
  for (const name of built) if (!sources.has(name)) rmSync(join(root, 'dist', `${name}.js`))
  if ([...sources].some((name) => !built.has(name))) {
    rmSync(join(root, 'node_modules/.cache/tsc/lib.tsbuildinfo'), { force: true })
  }
  await tool('tsc', ['-p', 'tsconfig.json'])
}
