// The sample of examples/data as entries. Reads the two files whole (3.4 MB) and checks that they fit each other.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const dimension = 384

export interface SampleEntry {
  id: string
  vector: Float32Array
  metadata: Record<string, unknown>
}

export function readSample(): SampleEntry[] {
  const folder = join(__dirname, '..', 'data')
  const bytes = readFileSync(join(folder, 'minilm-2000.f32'))
  const floats = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
  const lines = readFileSync(join(folder, 'minilm-2000.jsonl'), 'utf8').trimEnd().split('\n')
  if (floats.length !== lines.length * dimension) {
    throw new Error(`examples/data: ${floats.length} numbers do not make ${lines.length} vectors of ${dimension}`)
  }
  return lines.map((line, row) => ({
    ...(JSON.parse(line) as { id: string; metadata: Record<string, unknown> }),
    vector: floats.slice(row * dimension, (row + 1) * dimension),
  }))
}
