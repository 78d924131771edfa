// Installs the development packages with `npm ci`, when they are not there as package-lock.json says.
//
// Promises: nothing is installed when nothing changed; a warm package cache is enough, no network is needed then;
// no package runs a script of its own while it is installed (none of ours needs one).
// Does not: change package-lock.json. A lock that does not fit package.json makes `npm ci` fail, which is wanted.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, root, say } from './run.mjs'

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages
  } catch {
    return null
  }
}

/** Why an installation is due, or null when node_modules holds exactly what the lock file names. */
export function reasonToInstall() {
  const wanted = packagesOf('package-lock.json')
  const found = packagesOf('node_modules/.package-lock.json')
  if (!found) return 'node_modules is missing'
  const { devDependencies = {}, dependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const named = { ...wanted?.['']?.devDependencies, ...wanted?.['']?.dependencies }
  for (const [name, range] of Object.entries({ ...devDependencies, ...dependencies })) {
    if (named[name] !== range) return `package.json and package-lock.json differ about ${name}`
  }
  for (const [path, entry] of Object.entries(wanted ?? {})) {
    if (path === '') continue
    const have = found[path]
    // npm leaves out optional packages of other platforms; whatever else is named must be there.
    if (!have && !entry.optional && !entry.devOptional) return `${path} is missing`
    if (have && (have.version !== entry.version || have.integrity !== entry.integrity)) return `${path} changed`
  }
  for (const path of Object.keys(found)) {
    if (!wanted?.[path]) return `${path} is not wanted any more`
    if (!existsSync(join(root, path, 'package.json'))) return `${path} is missing`
  }
  return null
}

export async function install() {
  const reason = reasonToInstall()
  if (reason === null) return
  say(`Installing the development packages: ${reason}.`)
  // Under `npm run` the path of npm's own script is known; it is started without a shell on every platform.
  const npm = process.env.npm_execpath
  const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []]
  const args = ['ci', '--prefer-offline', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  say(`$ npm ${args.join(' ')}`)
  await must(command, [...first, ...args], { label: 'npm' })
}
