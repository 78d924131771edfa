// Checks what a reader would trip over: relative links that lead nowhere (files and headings) in every *.md file, and
// text files that name a path of one machine or the host of a package registry.
//
// Looks at the files that git knows or would add; without a repository at everything but build output. Follows no link
// to the network.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname, extname, join, relative } from 'node:path'
import { entry, root, say } from './lib/run.mjs'

const output = new Set(['.git', 'node_modules', 'target', 'dist', '.build'])
const textual = new Set(['.md', '.rs', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json', '.toml', '.yml', '.yaml', '.sh', ''])
// The lock files name registries, as their tools want it.
const locks = new Set(['package-lock.json', 'Cargo.lock'])
const machinePath = /(?<![\w.~-])\/(?:work|root|home|Users)\/\w|\.\.\/shared\/|\b[A-Z]:\\Users\\/
const registryHost = /\b(?:registry|index|static)\.[a-z0-9-]+\.(?:org|com|io|dev)\b/

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (output.has(entry.name)) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? walk(path) : [relative(root, path)]
  })
}

function files() {
  const listed = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8' })
  const known = listed.status === 0 && existsSync(join(root, '.git')) ? listed.stdout.split('\0') : walk(root)
  return known.filter((path) => path !== '' && existsSync(join(root, path)))
}

/** The text without fenced code, with line breaks kept so that line numbers stay right. */
function withoutFences(text) {
  return text.replace(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?^ *\2[^\n]*$/gm, (fence) => fence.replace(/[^\n]/g, ''))
}

/** Headings as the anchors that renderers make of them. */
function anchors(path) {
  const seen = new Map()
  const found = new Set()
  for (const [, title] of withoutFences(readFileSync(path, 'utf8')).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const base = plain.replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-')
    const count = seen.get(base) ?? 0
    seen.set(base, count + 1)
    found.add(count === 0 ? base : `${base}-${count}`)
  }
  return found
}

function brokenLinks(path) {
  const text = withoutFences(readFileSync(join(root, path), 'utf8')).replace(/`[^`\n]*`/g, (code) => ' '.repeat(code.length))
  const inline = [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)]
  const named = [...text.matchAll(/^ {0,3}\[[^\]]+\]:\s+<?([^\s>]+)>?/gm)]
  return [...inline, ...named].flatMap((match) => {
    const target = match[1]
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return []
    const line = text.slice(0, match.index).split('\n').length
    const [file, anchor] = target.split('#')
    const place = file === '' ? join(root, path) : join(root, dirname(path), decodeURIComponent(file))
    if (!existsSync(place)) return [`${path}:${line}: the link to ${target} leads nowhere`]
    if (anchor && extname(place) === '.md' && !anchors(place).has(anchor)) return [`${path}:${line}: ${target} has no such heading`]
    return []
  })
}

function forbidden(path) {
  if (locks.has(path) || !textual.has(extname(path)) || statSync(join(root, path)).size > 1_000_000) return []
  return readFileSync(join(root, path), 'utf8')
    .split('\n')
    .flatMap((line, at) => [
      ...(machinePath.test(line) ? [`${path}:${at + 1}: names a path of one machine`] : []),
      ...(registryHost.test(line) ? [`${path}:${at + 1}: names the host of a package registry`] : []),
    ])
}

await entry(async () => {
  const all = files()
  const pages = all.filter((path) => extname(path) === '.md')
  const problems = [...pages.flatMap(brokenLinks), ...all.flatMap(forbidden)]
  for (const problem of problems) say(problem)
  say(`Docs: ${pages.length} pages and ${all.length} files read, ${problems.length} problems.`)
  return problems.length === 0 ? 0 : 1
})
