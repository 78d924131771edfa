// Type checks: the layer in lib/, everything that uses the package (tests, examples, benches), and the two hand-written
// or generated declaration files by themselves, with nothing skipped.
//
// Writes nothing: neither dist/ nor an incremental record.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { tool } from './lib/build.mjs'
import { install } from './lib/install.mjs'
import { entry, root, run, say } from './lib/run.mjs'

const declarations = ['index.d.ts', 'native.d.ts'].filter((name) => existsSync(join(root, name)))
const strict = ['--noEmit', '--ignoreConfig', '--strict', '--target', 'es2022', '--lib', 'es2023,esnext.disposable']

await entry(async () => {
  await install()
  const checks = [
    ['-p', 'tsconfig.json', '--noEmit', '--incremental', 'false', '--tsBuildInfoFile', 'null'],
    ['-p', 'tsconfig.check.json'],
    [...strict, '--types', 'node', '--module', 'node16', '--skipLibCheck', 'false', ...declarations],
  ]
  let failed = 0
  for (const args of checks) if ((await tool('tsc', args, {}, run)).code !== 0) failed += 1
  say(failed === 0 ? 'Types: all fit.' : `Types: ${failed} of ${checks.length} checks failed.`)
  return failed === 0 ? 0 : 1
})
