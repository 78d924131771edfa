// `npm run bench`: installs, builds, runs benches/main.ts with the arguments given (`npm run bench -- --json`);
// `npm run bench:store` runs benches/store/main.ts.
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

await entry(async (given) => {
  printToStderr()
  const main = given[0] === '--store' ? 'benches/store/main.ts' : 'benches/main.ts'
  const args = given[0] === '--store' ? given.slice(1) : given
  if (!existsSync(join(root, main))) throw new Stop(`${main} is not there`)
  checkNode()
  const env = cargoEnv()
  await install()
  await buildNative(env)
  await buildTypeScript()
  const { status } = spawnSync(process.execPath, ['--import=tsx', main, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return status ?? 1
})
