// `npm run bench`: installs, builds, runs benches/main.ts with the arguments given (`npm run bench -- --json`).
//
// What the build prints goes to stderr, so that stdout holds the results alone and can be read by a program. Nothing here
// measures; a build that is up to date costs a few seconds before the first measurement.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { buildNative, buildTypeScript } from './lib/build.mjs'
import { install } from './lib/install.mjs'
import { Stop, entry, printToStderr, root } from './lib/run.mjs'
import { cargoEnv, checkNode } from './lib/toolchain.mjs'

await entry(async (args) => {
  printToStderr()
  if (!existsSync(join(root, 'benches/main.ts'))) throw new Stop('benches/main.ts is not there')
  checkNode()
  const env = cargoEnv()
  await install()
  await buildNative(env)
  await buildTypeScript()
  const { status } = spawnSync(process.execPath, ['--import=tsx', 'benches/main.ts', ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return status ?? 1
})
