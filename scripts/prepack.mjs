// Runs before `npm pack` and `npm publish` in a clone (never when the package is installed): a tarball without the built
// parts would install and then not load. Builds only when something is missing or older than its sources.
//
// Prints to stderr only, since the output of `npm pack` is read by programs.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { buildNative, buildTypeScript } from './lib/build.mjs'
import { install } from './lib/install.mjs'
import { entry, printToStderr, root } from './lib/run.mjs'
import { cargoEnv, checkNode } from './lib/toolchain.mjs'

/** Times of change of the files below a folder, or of one file; none when it is not there. */
function times(path, suffix = '') {
  try {
    const at = join(root, path)
    if (!statSync(at).isDirectory()) return [statSync(at).mtimeMs]
    const names = readdirSync(at, { recursive: true }).filter((name) => name.endsWith(suffix))
    return names.map((name) => statSync(join(at, name)).mtimeMs)
  } catch {
    return []
  }
}

/** Whether every output is there and none is older than the newest source. */
function fresh(sources, outputs) {
  return outputs.every((times) => times.length > 0) && Math.max(...sources.flat()) <= Math.min(...outputs.flat())
}

await entry(async () => {
  printToStderr()
  const addons = readdirSync(root).filter((name) => name.endsWith('.node'))
  const rust = [times('src', '.rs'), times('Cargo.toml'), times('Cargo.lock'), times('build.rs')]
  const nativeFresh = fresh(rust, [addons.flatMap((name) => times(name)), times('native.js')])
  const scripts = [times('lib', '.ts'), times('tsconfig.json')]
  // tsc writes only what changed, so the newest of dist/ stands for all of it.
  const layerFresh = times('dist/index.js').length > 0 && Math.max(...scripts.flat()) <= Math.max(...times('dist', '.js'))
  if (nativeFresh && layerFresh) return
  checkNode()
  const env = cargoEnv()
  await install()
  if (!nativeFresh) await buildNative(env)
  if (!layerFresh) await buildTypeScript()
})
