// Entries for tests, the same in every run, and their content in a form that can be compared bit for bit.
import { createHash } from 'node:crypto'

export interface TestEntry {
  id: string
  vector: Float32Array
  metadata?: Record<string, unknown>
}

/** A vector without zeros that is far from those of other seeds. */
export function vectorOf(seed: number | string, dimension = 8): Float32Array {
  const bytes = Buffer.concat(Array.from({ length: Math.ceil(dimension / 16) }, (_, part) => createHash('sha512').update(`${seed}/${part}`).digest()))
  return Float32Array.from({ length: dimension }, (_, place) => (bytes.readUInt32LE(place * 4) + 1) / 2 ** 31 - 1)
}

/** `count` entries `<prefix>-0`, `<prefix>-1`, … with metadata. */
export function entriesOf(count: number, dimension = 8, prefix = 'doc'): TestEntry[] {
  return Array.from({ length: count }, (_, row) => {
    const id = `${prefix}-${row}`
    return { id, vector: vectorOf(id, dimension), metadata: { title: `Title of ${id}`, row, tags: ['a', `t${row % 3}`] } }
  })
}

/** The bits of a vector as hexadecimal text. */
export function bitsOf(vector: ArrayLike<number>): string {
  const floats = vector instanceof Float32Array ? vector : Float32Array.from(vector)
  return Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength).toString('hex')
}

/** A Float32Array of these bit patterns. */
export function fromBits(...bits: number[]): Float32Array {
  return new Float32Array(Uint32Array.from(bits).buffer)
}

/** Id, bits and metadata (null when there are none) of every entry, in the order of ids. */
export type Content = [id: string, bits: string, metadata: unknown][]

export function contentOf(entries: Iterable<{ id: string; vector: ArrayLike<number>; metadata?: unknown }>): Content {
  const rows = [...entries].map(({ id, vector, metadata }): Content[number] => [id, bitsOf(vector), metadata ?? null])
  return rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** The same of a Map. */
export function contentOfMap(map: ReadonlyMap<string, { vector: ArrayLike<number>; metadata?: unknown }>): Content {
  return contentOf([...map].map(([id, { vector, metadata }]) => ({ id, vector, metadata })))
}

/** A Map with these entries. */
export function mapOf(entries: readonly TestEntry[]): Map<string, { vector: Float32Array; metadata?: Record<string, unknown> }> {
  return new Map(entries.map(({ id, vector, metadata }) => [id, metadata === undefined ? { vector } : { vector, metadata }]))
}
