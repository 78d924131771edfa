// `npm run test:crash`: the crash tests with all their images. `npm run test:deep`: those, and the tests that need features
// of their own: orders of threads under a scheduler, every failpoint with a process that dies there and every call of the
// system that fails there, and what reads bytes from disk under Miri, which sees undefined behaviour.
//
// Takes longer than `npm test` by far. Miri needs a nightly toolchain with that component, and is the one part that is left
// out, by name, where it is missing. The exit code is non-zero when a part failed.
import { spawnSync } from 'node:child_process'
import { Stop, entry, run, say } from './lib/run.mjs'
import { cargoEnv } from './lib/toolchain.mjs'

// Those that call C (zstd, SQLite) or open files cannot run under Miri.
const parsers = ['format::entry', 'format::header', 'format::record', 'format::state_json', 'manifest::', 'segment::layout', 'segment::index', 'segment::checks', 'foreign::redb::header', 'foreign::redb::node', 'lsm::row', 'store::snapshot::content']

const parts = {
  crash: [['test', '--locked', '--test', 'crash', '--', '--nocapture'], { CRASH_IMAGES: 'all' }],
  interleaving: [['test', '--locked', '--features', 'shuttle', '--test', 'interleaving'], {}],
  failpoints: [['test', '--locked', '--features', 'failpoints', '--test', 'failpoints'], { CALLS: 'all' }],
  miri: [['+nightly', 'miri', 'test', '--locked', '--target-dir', 'target/miri', '--lib', '--', ...parsers, '--skip', 'every_change_comes_back', '--skip', 'a_record_that_is_too_large', '--skip', 'a_chain_of_manifests'], { MIRIFLAGS: '-Zmiri-disable-isolation' }],
}

const isThere = { miri: () => spawnSync('cargo', ['+nightly', 'miri', '--version'], { stdio: 'ignore' }).status === 0 }

await entry(async ([only]) => {
  if (only !== undefined && parts[only] === undefined) throw new Stop(`usage: npm run test:deep [-- ${Object.keys(parts).join(' | ')}]`)
  const failed = []
  for (const [name, [args, more]] of Object.entries(parts)) {
    if (only !== undefined && name !== only) continue
    if (isThere[name]?.() === false) {
      say(`test:deep: ${name} SKIPPED: install it with \`rustup toolchain install nightly --component miri\``)
      continue
    }
    const { code } = await run('cargo', args, { env: { ...cargoEnv(), ...more } })
    if (code !== 0) failed.push(name)
  }
  say(failed.length === 0 ? 'test:deep: passed' : `test:deep: failed: ${failed.join(', ')}`)
  return failed.length === 0 ? 0 : 1
})
