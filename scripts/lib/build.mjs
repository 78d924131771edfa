// Builds the package: the native addon (`napi build`) and the TypeScript layer (`tsc`), both incremental.
//
// Promises: cargo and tsc decide what is stale; dist/ holds exactly what lib/ holds, also after a file of lib/ was
// removed or dist/ was deleted (tsc alone would trust its record and write nothing).
// Does not: install packages or check the toolchain; see install.mjs and toolchain.mjs.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { must, root } from './run.mjs'

const bin = {
  napi: 'node_modules/@napi-rs/cli/dist/cli.js',
  tsc: 'node_modules/typescript/bin/tsc',
  ava: 'node_modules/ava/entrypoints/cli.mjs',
}

/** Runs a tool of the development packages by its script, so that no shell and no PATH is involved. */
export function tool(name, args, options = {}, runner = must) {
  return runner(process.execPath, [bin[name], ...args], { ...options, label: 'node' })
}

export async function buildNative(env) {
  const shape = ['--platform', '--js', 'native.js', '--dts', 'native.d.ts']
  await tool('napi', ['build', '--release', '--features', 'node', ...shape, '--', '--locked'], { env })
}

/** Every file below `folder` that ends with `suffix`, as paths relative to it, without the suffix. */
function names(folder, suffix) {
  const at = join(root, folder)
  if (!existsSync(at)) return []
  return readdirSync(at, { recursive: true })
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))
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
