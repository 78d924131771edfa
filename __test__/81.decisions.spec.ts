// docs/decisions/ against the manifests: a reason for each crate and each npm package and for none that is gone, none that
// is fetched with the package, and an index that lists every page. A failure means that somebody added a dependency without a reason.
import test from 'ava'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readDoc, root } from './helpers/docs'

/** The names in the first column of the tables under a heading. */
function named(heading: string): string[] {
  const section = readDoc('docs/decisions/dependencies.md').split(/^## /m).find((text) => text.startsWith(heading))!
  const cells = [...section.matchAll(/^\| (`[^|]+`) \|/gm)].map((match) => match[1]!)
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)).sort()
}

test('each crate of Cargo.toml has a reason, and no other', (t) => {
  const tables = readDoc('Cargo.toml').split(/^\[/m).filter((table) => /^[^\]\n]*dependencies\]/.test(table))
  const crates = tables.flatMap((table) => [...table.matchAll(/^([a-z][\w-]*) *=/gm)].map((match) => match[1]!))
  t.true(crates.length > 10)
  t.deepEqual(named('Crates'), [...new Set(crates)].sort())
})

test('each npm package has a reason, and what is needed at run time is in the tarball', (t) => {
  const { dependencies, bundleDependencies, peerDependencies = {}, devDependencies } = JSON.parse(readDoc('package.json'))
  t.deepEqual(peerDependencies, {})
  t.deepEqual(named('npm packages, in the tarball'), Object.keys(dependencies).sort())
  t.deepEqual(bundleDependencies, Object.keys(dependencies))
  t.deepEqual(named('npm packages, for development only'), Object.keys(devDependencies).sort())
})

test('the index lists every page', (t) => {
  const pages = readdirSync(join(root, 'docs/decisions')).filter((name) => name !== 'README.md')
  const listed = [...readDoc('docs/decisions/README.md').matchAll(/\]\(([\w-]+\.md)\)/g)].map((match) => match[1]!)
  t.deepEqual(listed.sort(), pages.sort())
})
