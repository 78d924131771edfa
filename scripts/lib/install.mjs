// Installs the development packages with `npm ci`, when they are not there as package-lock.json says.
//
// Promises: nothing is installed when nothing changed; a warm package cache is enough, no network is needed then;
// no package runs a script of its own while it is installed (none of ours needs one).
// Does not: change package-lock.json. A lock that does not fit package.json makes `npm ci` fail, which is wanted.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, root, run, say } from './run.mjs'

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages
  } catch {
    return null
  }
}

/** Whether this Node.js lies in a range such as `^22.20 || >=25`. What is not understood counts as yes. */
function fitsEngine(range = '*') {
  const own = process.versions.node.split('.').map(Number)
  return range.split('||').some((part) =>
    [...part.matchAll(/(>=|<=|>|<|\^|~)\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?/g)].every(([, operator, ...numbers]) => {
      const wanted = numbers.map((number) => Number(number ?? 0))
      const at = own.findIndex((number, position) => number !== wanted[position])
      const order = at < 0 ? 0 : own[at] - wanted[at]
      if (operator === '^') return order >= 0 && own[0] === wanted[0]
      if (operator === '~') return order >= 0 && own[0] === wanted[0] && own[1] === wanted[1]
      return operator.startsWith('>') ? order > 0 || (order === 0 && operator === '>=') : order < 0 || (order === 0 && operator === '<=')
    }),
  )
}

/** Whether an optional package of the lock file is meant for this machine: it names its os or cpu, and all that it names fits. */
function meantForHere({ os, cpu, libc, engines }) {
  const fits = (names, own) => !names || names.includes(own) || (names.every((name) => name.startsWith('!')) && !names.includes(`!${own}`))
  const ownLibc = process.report?.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl'
  const machine = fits(os, process.platform) && fits(cpu, process.arch) && (process.platform !== 'linux' || fits(libc, ownLibc))
  return Boolean(os || cpu) && machine && fitsEngine(engines?.node)
}

/**
 * Why an installation is due, or null when node_modules holds what the lock file names. Optional packages are asked for
 * only with `optional`: npm leaves out those of other machines, and those that no registry has.
 */
export function reasonToInstall({ optional = false } = {}) {
  const wanted = packagesOf('package-lock.json') ?? {}
  const found = packagesOf('node_modules/.package-lock.json')
  if (!found) return 'node_modules is missing'
  const { devDependencies = {}, dependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const named = { ...wanted['']?.devDependencies, ...wanted['']?.dependencies }
  for (const [name, range] of Object.entries({ ...devDependencies, ...dependencies })) {
    if (named[name] !== range) return `package.json and package-lock.json differ about ${name}`
  }
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue
    const have = found[path]
    const needed = !entry.optional || (optional && meantForHere(entry))
    if (!have && needed) return `${path} is missing`
    if (have && have.version !== entry.version) return `${path} changed`
    if (have && entry.integrity && have.integrity !== entry.integrity) return `${path} changed`
  }
  for (const path of Object.keys(found)) {
    if (!wanted[path]) return `${path} is not wanted any more`
    if (!existsSync(join(root, path, 'package.json'))) return `${path} is missing`
  }
  return null
}

const common = ['--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']

function npmCi(mode, runner, options) {
  // Under `npm run` the path of npm's own script is known; it is started without a shell on every platform.
  const script = process.env.npm_execpath
  const [command, first] = script ? [process.execPath, [script]] : ['npm', []]
  const args = ['ci', mode, ...common]
  return runner(command, [...first, ...args], { ...options, label: 'npm', shown: args })
}

export async function install() {
  const reason = reasonToInstall()
  if (reason === null) return
  say(`Installing the development packages: ${reason}.`)
  // The cache alone is tried first. Asking the network for optional packages that no registry has costs minutes of
  // waiting where there is no network, and nothing tells a warm cache from a cold one beforehand.
  const { code } = await npmCi('--offline', run, { hidden: true })
  if (code === 0 && reasonToInstall({ optional: true }) === null) return
  say("npm's cache does not hold all of them: fetching.")
  await npmCi('--prefer-offline', must)
}
