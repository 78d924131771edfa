// `npm run build`: the package from source. Installs the development packages first when they are missing.
//
// `native` or `ts` as argument builds only that half. The second run rebuilds only what changed.
import { buildNative, buildTypeScript } from './lib/build.mjs'
import { install } from './lib/install.mjs'
import { Stop, entry } from './lib/run.mjs'
import { cargoEnv, checkNode } from './lib/toolchain.mjs'

await entry(async ([half, ...rest]) => {
  if (rest.length > 0 || (half !== undefined && half !== 'native' && half !== 'ts')) {
    throw new Stop('usage: npm run build, npm run build:native or npm run build:ts')
  }
  checkNode()
  const env = half === 'ts' ? {} : cargoEnv()
  await install()
  if (half !== 'ts') await buildNative(env)
  if (half !== 'native') await buildTypeScript()
})
