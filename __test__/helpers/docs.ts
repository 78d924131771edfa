// The documents as data: their fenced blocks, with the line where each begins.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(__dirname, '..', '..')

export interface Block {
  file: string
  /** Line of the first line of the text, from 1. */
  line: number
  /** First word after the fence: `ts`, `hex`, … */
  language: string
  /** The word after it, which names a block that a test looks for. */
  name: string
  text: string
}

export function readDoc(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

export function blocksOf(file: string): Block[] {
  const blocks: Block[] = []
  let open: Block | null = null
  readDoc(file).split('\n').forEach((line, index) => {
    const fence = /^```(\S*)\s*(\S*)/.exec(line)
    if (open !== null && fence !== null) {
      blocks.push(open)
      open = null
    } else if (open !== null) {
      open.text += `${line}\n`
    } else if (fence !== null) {
      open = { file, line: index + 2, language: fence[1] ?? '', name: fence[2] ?? '', text: '' }
    }
  })
  if (open !== null) throw new Error(`${file}: a block is not closed`)
  return blocks
}

/** The one block of that language and name. */
export function blockNamed(file: string, language: string, name: string): Block {
  const found = blocksOf(file).filter((block) => block.language === language && block.name === name)
  if (found.length !== 1) throw new Error(`${file} has ${found.length} blocks "${language} ${name}"`)
  return found[0]!
}

/** The bytes of a block of hex digits; what follows `;` is a comment. */
export function bytesOf({ text }: Block): Buffer {
  const digits = text.split('\n').map((line) => line.replace(/;.*/, '').replace(/\s/g, '')).join('')
  if (!/^([0-9a-f]{2})+$/.test(digits)) throw new Error('not bytes in hex')
  return Buffer.from(digits, 'hex')
}
