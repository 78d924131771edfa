// The platform packages in npm/ fit package.json, and a release would work: checked in a scratch copy, without a network.
//
// What is checked: one folder per `napi.targets`, its os, cpu, libc, main and name as the napi tool itself makes them, its
// version, license and engines as in the root; that `napi prepublish` accepts them once each holds an addon; that it then
// names all of them in `optionalDependencies`; that each would publish exactly three files.
// Does not: prove that the addon works on other platforms. In the scratch copy they hold a copy of the one built here.
import { cpSync, copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Stop, entry, must, root, say } from './lib/run.mjs'

const napi = join(root, 'node_modules/@napi-rs/cli/dist/cli.js')

function manifest(...path) {
  return JSON.parse(readFileSync(join(...path, 'package.json'), 'utf8'))
}

function compare(folder, ours, generated, rootManifest) {
  for (const field of ['name', 'main', 'files', 'os', 'cpu', 'libc', 'version', 'engines', 'license']) {
    if (!isDeepStrictEqual(ours[field], generated[field])) {
      throw new Stop(`npm/${folder}/package.json: ${field} is ${JSON.stringify(ours[field])}, expected ${JSON.stringify(generated[field])}`)
    }
  }
  if (ours.version !== rootManifest.version) throw new Stop(`npm/${folder} is version ${ours.version}, the root ${rootManifest.version}`)
  if (ours.scripts || ours.dependencies) throw new Stop(`npm/${folder}/package.json must have no scripts and no dependencies`)
  if (!existsSync(join(root, 'npm', folder, 'README.md'))) throw new Stop(`npm/${folder} has no README.md`)
}

async function release(scratch, folders, rootManifest) {
  const built = readdirSync(root).find((name) => name.endsWith('.node'))
  if (!built) throw new Stop('no addon is built: run npm run build')
  rmSync(join(scratch, 'npm'), { recursive: true })
  cpSync(join(root, 'npm'), join(scratch, 'npm'), { recursive: true })
  for (const folder of folders) copyFileSync(join(root, built), join(scratch, 'npm', folder, manifest(scratch, 'npm', folder).main))
  const args = ['--skip-optional-publish', '--no-gh-release', '-t', 'npm']
  await must(process.execPath, [napi, 'prepublish', '--dry-run', ...args], { cwd: scratch, label: 'node' })
  await must(process.execPath, [napi, 'prepublish', ...args], { cwd: scratch, label: 'node' })
  const named = manifest(scratch).optionalDependencies
  const wanted = Object.fromEntries(folders.map((folder) => [`${rootManifest.name}-${folder}`, rootManifest.version]).sort())
  if (!isDeepStrictEqual(Object.fromEntries(Object.entries(named ?? {}).sort()), wanted)) {
    throw new Stop(`napi prepublish wrote other optionalDependencies than expected: ${JSON.stringify(named)}`)
  }
  for (const folder of folders) {
    const inside = readdirSync(join(scratch, 'npm', folder)).sort()
    const expected = ['README.md', 'package.json', manifest(scratch, 'npm', folder).main].sort()
    if (!isDeepStrictEqual(inside, expected)) throw new Stop(`npm/${folder} would publish ${inside.join(', ')}`)
  }
}

await entry(async () => {
  const rootManifest = manifest(root)
  for (const hook of ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish']) {
    if (rootManifest.scripts[hook]) throw new Stop(`package.json has the script ${hook}: installing must run nothing`)
  }
  const scratch = mkdtempSync(join(tmpdir(), 'ruvector-persistence-platforms-'))
  try {
    copyFileSync(join(root, 'package.json'), join(scratch, 'package.json'))
    await must(process.execPath, [napi, 'create-npm-dirs'], { cwd: scratch, label: 'node' })
    const folders = readdirSync(join(scratch, 'npm')).sort()
    const ours = readdirSync(join(root, 'npm'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
    if (!isDeepStrictEqual(ours.map(({ name }) => name).sort(), folders)) {
      throw new Stop(`npm/ holds ${ours.map(({ name }) => name).join(', ')}; napi.targets asks for ${folders.join(', ')}`)
    }
    for (const folder of folders) compare(folder, manifest(root, 'npm', folder), manifest(scratch, 'npm', folder), rootManifest)
    await release(scratch, folders, rootManifest)
    say(`Platforms: ${folders.length} packages fit package.json, and napi prepublish takes them.`)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
})
