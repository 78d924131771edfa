// `npm test`: installs, builds and runs every Rust and JavaScript test, and counts them in its last line.
//
// Promises: a failure of one part does not hide the others (only a failed build does, since nothing can run then);
// the exit code is non-zero when a test failed, when a command failed, or when a part ran no test at all.
// `npm test -- rust` and `npm test -- js [ava arguments]` run one half.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildNative, buildTypeScript, tool } from './lib/build.mjs'
import { install } from './lib/install.mjs'
import { Stop, entry, root, run, say } from './lib/run.mjs'
import { cargoEnv, checkNode } from './lib/toolchain.mjs'

/** Sums the `test result:` lines that cargo prints, one for each test binary. */
function countRust(text) {
  const total = { passed: 0, failed: 0, skipped: 0 }
  for (const [, passed, failed, ignored] of text.matchAll(/^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored/gm)) {
    total.passed += Number(passed)
    total.failed += Number(failed)
    total.skipped += Number(ignored)
  }
  return total
}

/**
 * Reads what ava prints: a line with a tick for each test that passed (its closing lines count those only when none
 * failed), and closing lines that count failures of every kind.
 */
function countAva(text) {
  const sum = (pattern) => [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0)
  return {
    passed: [...text.matchAll(/^ *[✔√] /gm)].length,
    failed: sum(/^ *(\d+) (?:(?:tests?|hooks?) failed|known failures?|uncaught exceptions?|unhandled rejections?)$/gm),
    skipped: sum(/^ *(\d+) tests? (?:skipped|todo)$/gm),
  }
}

/** The bindings are tested in Rust only where they hold tests: building them for nothing takes minutes. */
function bindingsHaveTests() {
  return readdirSync(join(root, 'src/node'), { recursive: true })
    .filter((name) => name.endsWith('.rs'))
    .some((name) => readFileSync(join(root, 'src/node', name), 'utf8').includes('#[cfg(test)]'))
}

async function part(name, results, count, work) {
  const { code, text } = await work().catch((error) => {
    say(`${name}: ${error instanceof Stop ? error.message : error.stack}`)
    return { code: 1, text: '' }
  })
  const counted = count(text)
  if (counted.passed + counted.failed === 0) say(`${name}: no test ran, which counts as a failure`)
  const unseen = code !== 0 || counted.passed + counted.failed === 0
  if (unseen && counted.failed === 0) counted.failed = 1
  results.push({ name, ...counted })
}

await entry(async ([half, ...rest]) => {
  if (half !== undefined && half !== 'rust' && half !== 'js') throw new Stop('usage: npm test [-- rust | -- js [ava arguments]]')
  checkNode()
  const env = cargoEnv()
  const results = []
  const cargo = (...more) => run('cargo', ['test', '--locked', '--no-fail-fast', ...more], { env, capture: true })
  if (half !== 'js') {
    // With the failpoints in it, which do nothing unless a test asks for them: one build is for all.
    await part('Rust', results, countRust, () => cargo('--features', 'failpoints'))
    if (bindingsHaveTests()) await part('Rust with bindings', results, countRust, () => cargo('--lib', '--features', 'node', 'node::'))
  }
  if (half !== 'rust') {
    await part('JavaScript', results, countAva, async () => {
      await install()
      await buildNative(env)
      await buildTypeScript()
      return tool('ava', rest, { capture: true, env: { FORCE_COLOR: '0' } }, run)
    })
  }
  const sum = (key) => results.reduce((total, result) => total + result[key], 0)
  say('')
  for (const { name, passed, failed, skipped } of results) say(`${name}: ${passed} passed, ${failed} failed, ${skipped} skipped`)
  say(`npm test: ${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`)
  return sum('failed') === 0 ? 0 : 1
})
