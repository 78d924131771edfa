// native.js and native.d.ts are generated, committed, and never edited: a rebuild must give what git holds.
//
// Run it after a build. Compares with git's index where there is a repository. `--before <folder>` compares with copies
// instead, which `--keep <folder>` made before the build: that works without git too.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Stop, entry, root, say } from './lib/run.mjs'

const files = ['native.js', 'native.d.ts']

function fromGit(name) {
  const result = spawnSync('git', ['show', `:${name}`], { cwd: root, encoding: 'utf8' })
  if (result.status !== 0) throw new Stop(`${name} is generated and must be committed; git does not hold it`)
  return result.stdout
}

function inRepository() {
  return spawnSync('git', ['rev-parse', '--git-dir'], { cwd: root, stdio: 'ignore' }).status === 0 && existsSync(join(root, '.git'))
}

await entry(async ([option, folder]) => {
  if (option === '--keep') {
    for (const name of files) if (existsSync(join(root, name))) copyFileSync(join(root, name), join(folder, name))
    return 0
  }
  for (const name of files) {
    if (!existsSync(join(root, name))) throw new Stop(`${name} is not there: run npm run build`)
    const built = readFileSync(join(root, name), 'utf8')
    const source = option === '--before' ? join(folder, name) : null
    if (source !== null && !existsSync(source)) throw new Stop(`${name} is generated and must be committed; it was not there`)
    const kept = [source && readFileSync(source, 'utf8'), inRepository() ? fromGit(name) : null].filter((text) => text !== null)
    if (kept.some((text) => text !== built)) throw new Stop(`${name} is not what a build generates: build, then commit it`)
  }
  say(`Generated files: ${files.join(' and ')} are what a build gives.`)
  return 0
})
