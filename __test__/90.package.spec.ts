// The tarball of `npm pack`, as a user gets it: what is in it, that installing it runs nothing, and that it works from an
// empty CommonJS, ES module, TypeScript and Jest project.
//
// Steps: the built package is packed once; each test installs that file into a new folder of its own, without a network,
// and runs the project of `fixtures/package/` there. A failure means that a user could not install or load the package,
// however green the other tests are. The package must be built; `npm test` does that first.
import test from 'ava'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(__dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'ruvector-persistence-package-'))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
let tarball = ''
let inside: string[] = []

interface Ran {
  code: number
  out: string
}

/** Runs a command to its end; its output and its exit code, whatever it is. */
function run(command: string, args: string[], cwd: string): Promise<Ran> {
  // What ava and npm left in the environment is not what a user's shell holds.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|AVA_|FORCE_COLOR|INIT_CWD)/i.test(name)))
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env: { ...env, CI: 'true' }, encoding: 'utf8', maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0
      resolve({ code, out: stdout + (code === 0 ? '' : stderr) })
    })
  })
}

function npm(args: string[], cwd: string): Promise<Ran> {
  const script = process.env['npm_execpath']
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  return script ? run(process.execPath, [script, ...args, ...quiet], cwd) : run('npm', [...args, ...quiet], cwd)
}

/** A new project with the package installed from the tarball and the files of a fixture in it. */
async function project(name: string, fields: object, fixture = name): Promise<string> {
  const folder = join(scratch, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version: '1.0.0', private: true, ...fields }))
  const installed = await npm(['install', '--offline', '--ignore-scripts', tarball], folder)
  if (installed.code !== 0) throw new Error(installed.out)
  cpSync(join(__dirname, 'fixtures/package', fixture), folder, { recursive: true })
  return folder
}

test.before(async () => {
  const packed = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], root)
  if (packed.code !== 0) throw new Error(packed.out)
  const [report] = JSON.parse(packed.out)
  tarball = join(scratch, report.filename)
  inside = report.files.map((file: { path: string }) => file.path)
})

test.after.always(() => rmSync(scratch, { recursive: true, force: true }))

test('the tarball holds what a user needs and nothing else', (t) => {
  const needed = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'index.d.ts', 'native.js', 'native.d.ts', 'dist/index.js']
  for (const name of needed) t.true(inside.includes(name), `${name} is missing`)
  t.true(inside.some((name) => /^ruvector-persistence\.[a-z0-9-]+\.node$/.test(name)), 'the addon that was built here is missing')
  t.true(inside.some((name) => /^docs\/.+\.md$/.test(name)), 'the documents are missing')
  const known = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|index\.d\.ts|native\.(js|d\.ts)|dist\/[\w/.-]+\.js|node_modules\/croner\/[\w/.-]+|docs\/[\w/.-]+|[\w.-]+\.node)$/
  t.deepEqual(inside.filter((name) => !known.test(name)), [])
  t.deepEqual(inside.filter((name) => /\.(tsbuildinfo|map|tgz|rs|log|db)$|(^|\/)\./.test(name)), [])
  const sources = (readdirSync(join(root, 'lib'), { recursive: true }) as string[]).filter((name) => name.endsWith('.ts'))
  const scripts = sources.map((name) => `dist/${name.replace(/\\/g, '/').replace(/\.ts$/, '.js')}`)
  t.deepEqual(inside.filter((name) => name.startsWith('dist/')).sort(), scripts.sort(), 'dist/ is lib/, no more and no less')
})

test('the manifest asks for nothing and runs nothing when it is installed', (t) => {
  for (const hook of ['preinstall', 'install', 'postinstall', 'preprepare', 'prepare', 'postprepare', 'prepublish']) {
    t.false(hook in manifest.scripts, hook)
  }
  // npm runs node-gyp by itself where it finds this file.
  t.false(inside.includes('binding.gyp'))
  t.deepEqual(manifest.bundleDependencies, Object.keys(manifest.dependencies), 'what it needs is in the tarball')
  t.deepEqual(manifest.peerDependencies ?? {}, {})
  t.is(manifest.license, 'MIT')
})

test('installing with scripts allowed runs none', async (t) => {
  const folder = join(scratch, 'scripts')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{"name":"scripts","version":"1.0.0"}')
  const { code, out } = await npm(['install', '--offline', '--foreground-scripts', tarball], folder)
  t.is(code, 0, out)
  t.notRegex(out, /^> /m, 'npm prints every script that it runs')
  t.deepEqual(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.')), ['ruvector-persistence'])
})

test('an empty CommonJS project', async (t) => {
  const folder = await project('commonjs', {})
  const { code, out } = await run(process.execPath, ['index.cjs'], folder)
  t.is(code, 0, out)
  t.deepEqual(JSON.parse(out), [1, 2.5, 0, true, 'commonjs', true, '1.46 MB'])
})

test('an empty ES module project', async (t) => {
  const folder = await project('esm', { type: 'module' })
  const { code, out } = await run(process.execPath, ['index.mjs'], folder)
  t.is(code, 0, out)
  t.deepEqual(JSON.parse(out), [1, 2.5, 3, 'esm', '1970-01-01T00:00:00.000Z'])
})

for (const module of ['node16', 'commonjs']) {
  test(`a strict TypeScript project with module ${module}`, async (t) => {
    const folder = await project(`typescript-${module}`, {}, 'typescript')
    // The types of Node.js, as a user has them; they are linked, since nothing may be fetched here.
    mkdirSync(join(folder, 'node_modules/@types'))
    symlinkSync(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'), 'dir')
    symlinkSync(join(root, 'node_modules/undici-types'), join(folder, 'node_modules/undici-types'), 'dir')
    const compilerOptions = { strict: true, module, target: 'es2022', types: ['node'], outDir: 'out', rootDir: '.', skipLibCheck: false }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['index.ts'] }))
    const compiled = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], folder)
    t.is(compiled.code, 0, compiled.out)
    const { code, out } = await run(process.execPath, ['out/index.js'], folder)
    t.is(code, 0, out)
    t.deepEqual(JSON.parse(out), [1, 2.5, 3, 'typescript', 1, 'ERR_SNAPSHOT_NOT_FOUND'])
  })
}

test('a Jest project', async (t) => {
  const folder = await project('jest', {})
  const jest = join(root, 'node_modules/jest/bin/jest.js')
  const { code, out } = await run(process.execPath, [jest, '--rootDir', folder, '--ci', '--json', '--silent'], folder)
  t.is(code, 0, out)
  t.is(JSON.parse(out).numPassedTests, 2)
})

test('without its addon, loading fails with the name of the platform package and what to do', async (t) => {
  const folder = await project('loader', {}, 'commonjs')
  const place = join(folder, 'node_modules/ruvector-persistence')
  const addon = readdirSync(place).find((name) => name.endsWith('.node')) as string
  rmSync(join(place, addon))
  const { code, out } = await run(process.execPath, ['index.cjs'], folder)
  t.is(code, 1)
  const platform = addon.replace(/^ruvector-persistence\.(.+)\.node$/, 'ruvector-persistence-$1')
  t.true(out.includes(platform), `${platform} is not named in: ${out}`)
  t.regex(out, /npm install|npm i /, 'what to do: install it')
  t.regex(out, /npm run build|from source/, 'or: build it')
})

test('a platform package beside it is enough: the root needs no addon of its own', async (t) => {
  const folder = await project('platform', {}, 'commonjs')
  const place = join(folder, 'node_modules/ruvector-persistence')
  const addon = readdirSync(place).find((name) => name.endsWith('.node')) as string
  const name = addon.replace(/^ruvector-persistence\.(.+)\.node$/, '$1')
  const platform = join(folder, 'node_modules', `ruvector-persistence-${name}`)
  cpSync(join(root, 'npm', name), platform, { recursive: true })
  cpSync(join(place, addon), join(platform, addon))
  rmSync(join(place, addon))
  const { code, out } = await run(process.execPath, ['index.cjs'], folder)
  t.is(code, 0, out)
})
