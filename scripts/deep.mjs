// `npm run test:crash`: the crash tests with all their images. `npm run test:deep`: those, and the tests that need features
// of their own: orders of threads under a scheduler, and every failpoint with a process that dies there.
//
// Takes longer than `npm test` by far, and needs nothing more. The exit code is non-zero when a part failed.
import { Stop, entry, run, say } from './lib/run.mjs'
import { cargoEnv } from './lib/toolchain.mjs'

const parts = {
  crash: [['test', '--locked', '--test', 'crash', '--', '--nocapture'], { CRASH_IMAGES: 'all' }],
  interleaving: [['test', '--locked', '--features', 'shuttle', '--test', 'interleaving'], {}],
  failpoints: [['test', '--locked', '--features', 'failpoints', '--test', 'failpoints'], {}],
}

await entry(async ([only]) => {
  if (only !== undefined && parts[only] === undefined) throw new Stop(`usage: npm run test:deep [-- ${Object.keys(parts).join(' | ')}]`)
  const failed = []
  for (const [name, [args, more]] of Object.entries(parts)) {
    if (only !== undefined && name !== only) continue
    const { code } = await run('cargo', args, { env: { ...cargoEnv(), ...more } })
    if (code !== 0) failed.push(name)
  }
  say(failed.length === 0 ? 'test:deep: passed' : `test:deep: failed: ${failed.join(', ')}`)
  return failed.length === 0 ? 0 : 1
})
