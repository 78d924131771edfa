// Runs before `npm pack` and `npm publish` in a clone (never when the package is installed): a tarball without the built
// parts would install and then not load. Builds only what is missing or changed; needs Rust only then.
//
// Prints to stderr only, since the output of `npm pack` is read by programs.
import { buildNative, buildTypeScript, nativeIsFresh } from './lib/build.mjs'
import { install } from './lib/install.mjs'
import { entry, printToStderr } from './lib/run.mjs'
import { cargoEnv, checkNode } from './lib/toolchain.mjs'

await entry(async () => {
  printToStderr()
  checkNode()
  await install()
  if (!nativeIsFresh()) await buildNative(cargoEnv())
  await buildTypeScript()
})
