// `npm run demo`: from a fresh clone to the main job of the package on real data. Installs, builds, runs examples/demo.
//
// Ends non-zero when anything could not be built or when one bit of what came back differs.
import { buildNative, buildTypeScript } from './lib/build.mjs'
import { install } from './lib/install.mjs'
import { entry, must } from './lib/run.mjs'
import { cargoEnv, checkNode } from './lib/toolchain.mjs'

await entry(async () => {
  checkNode()
  const env = cargoEnv()
  await install()
  await buildNative(env)
  await buildTypeScript()
  await must(process.execPath, ['--import=tsx', 'examples/demo/main.ts'], { label: 'node' })
})
