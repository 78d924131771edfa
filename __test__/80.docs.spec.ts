// Every example of README.md and docs/api.md, as a reader would try it: copied into an empty folder beside the package and
// ruvector, type-checked with `strict`, run by Node, and its output compared with what the example says it prints.
//
// Steps: the `ts` and `js` blocks are cut out of the documents; all `ts` ones are compiled in one go; each is run in a process
// and a folder of its own, those of the README through tsx, the others as they were compiled, which takes a third of the
// time. A comment `// prints: text` says what is printed there, in order; `…` stands for anything; an example with such a
// comment prints nothing else. A failure means that the documents promise what the package does not do.
import test from 'ava'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Block, blocksOf, readDoc, root } from './helpers/docs'

const scratch = mkdtempSync(join(tmpdir(), 'ruvector-persistence-docs-'))
const examples = ['README.md', 'docs/api.md'].flatMap(blocksOf).filter(({ language }) => language === 'ts' || language === 'js')
const folderOf = ({ file, line }: Block): string => join(scratch, `${file.replace(/\W/g, '-')}-${line}`)
const fileOf = (block: Block): string => join(folderOf(block), block.language === 'ts' ? 'example.mts' : 'example.mjs')

interface Ran {
  code: number
  stdout: string
  stderr: string
}

function run(args: string[], cwd: string): Promise<Ran> {
  // What ava left in the environment is not what a reader's shell holds.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_|AVA_|FORCE_COLOR)/.test(name)))
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, env: { ...env, NO_COLOR: '1' }, encoding: 'utf8', timeout: 100_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, stdout, stderr })
    })
  })
}

function link(target: string, path: string): void {
  mkdirSync(join(path, '..'), { recursive: true })
  symlinkSync(target, path, 'junction')
}

/** What an example says it prints, line by line; null when it does not say. */
function promised({ text }: Block): string[] | null {
  const lines = [...text.matchAll(/^\s*\/\/ prints: (.*)$/gm)].map((match) => match[1]!)
  return lines.length === 0 ? null : lines
}

function fits(printed: string, wanted: string): boolean {
  const pattern = wanted.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.+')
  return new RegExp(`^${pattern}$`).test(printed)
}

let compiled: Promise<Ran>

test.before(async () => {
  const modules = join(scratch, 'node_modules')
  link(root, join(modules, 'ruvector-persistence'))
  for (const name of ['ruvector', '@types/node', 'undici-types']) link(join(root, 'node_modules', name), join(modules, name))
  for (const block of examples) {
    mkdirSync(folderOf(block))
    writeFileSync(fileOf(block), block.text)
  }
  const compilerOptions = { strict: true, module: 'node16', target: 'es2022', lib: ['es2023', 'esnext.disposable'], types: ['node'], skipLibCheck: true }
  writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: examples.filter(({ language }) => language === 'ts').map(fileOf) }))
  compiled = run([join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], scratch)
  await compiled
})

test.after.always(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }))

test('there are examples to run', (t) => {
  t.true(examples.some(({ file }) => file === 'README.md'))
  t.true(examples.filter(({ file }) => file === 'docs/api.md').length >= 20)
})

/** The members of an interface or a class of index.d.ts. */
function membersOf(name: string): string[] {
  const body = new RegExp(`export (?:interface|class) ${name}\\b[^{]*{([\\s\\S]*?)^}`, 'm').exec(readDoc('index.d.ts'))![1]!
  return [...body.matchAll(/^  (?:readonly )?(\w+)\??[(:]/gm)].map((match) => match[1]!).filter((member) => member !== 'constructor')
}

test('every method, event and function has a heading and an example, every option and type is named', (t) => {
  const page = readDoc('docs/api.md')
  const code = examples.map(({ text }) => text).join('\n')
  const functions = [...readDoc('index.d.ts').matchAll(/^export function (\w+)/gm)].map((match) => match[1]!)
  const methods = membersOf('DatabasePersistence')
  t.true(functions.length > 3 && methods.length > 12)
  for (const name of [...methods, ...functions]) {
    t.regex(page, new RegExp(`^##+ \`?${name}[(\`]`, 'm'), `a heading for ${name}`)
    t.regex(code, new RegExp(`\\b${name}[(.]`), `an example of ${name}`)
  }
  const headings = page.split('\n').filter((line) => line.startsWith('###')).join('\n')
  for (const [type, name] of [['VectorDB', 'db'], ['VectorStore', 'store']] as const) {
    const members = [...readDoc('index.d.ts').matchAll(new RegExp(`export class ${type}\\b[^{]*{([\\s\\S]*?)^}`, 'gm'))].flatMap(([, body]) => [...body!.matchAll(/^  (\w+)\(/gm)].map((match) => match[1]!))
    t.true(members.length > 5, type)
    for (const member of members.filter((member) => member !== 'constructor')) {
      t.true(headings.includes(`${name}.${member}(`), `a heading for ${name}.${member}`)
      t.regex(code, new RegExp(`\\b(${name}|again|docs|reader|other)\\.${member}\\(`), `an example of ${member}`)
    }
  }
  for (const name of membersOf('PersistenceEvents')) t.regex(page, new RegExp(`^### Event: \`${name}\`$`, 'm'))
  const options = readDoc('index.d.ts').matchAll(/^export interface (\w+Options)\b/gm)
  for (const [, name] of options) for (const option of membersOf(name!)) t.regex(page, new RegExp(`\`${option}\\b|\\b${option}[,:} ]`), `${name}.${option}`)
  for (const [, name] of readDoc('index.d.ts').matchAll(/^export (?:interface|type|class) (\w+)/gm)) t.true(page.includes(`\`${name}`), `the type ${name}`)
})

test('all examples are strict TypeScript', async (t) => {
  const { code, stdout, stderr } = await compiled
  t.is(code, 0, stdout + stderr)
})

for (const block of examples) {
  // One after another: each is a process that loads two native packages.
  test.serial(`${block.file}, line ${block.line}: ${block.text.trim().split('\n').find((line) => !/^import|^$|^\/\//.test(line)) ?? ''}`, async (t) => {
    const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href
    const args = block.file === 'README.md' ? [`--import=${tsx}`, fileOf(block)] : [join(folderOf(block), 'example.mjs')]
    const { code, stdout, stderr } = await run(args, folderOf(block))
    t.is(code, 0, stderr)
    const wanted = promised(block)
    if (wanted === null) return
    const printed = stdout.replace(/\n$/, '').split('\n')
    t.is(printed.length, wanted.length, `it printed:\n${stdout}${stderr}`)
    wanted.forEach((line, index) => t.true(fits(printed[index]!, line), `promised: ${line}\nprinted:  ${printed[index]}`))
  })
}
