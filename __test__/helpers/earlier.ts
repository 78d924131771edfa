// Files as the persistence module of ruvector-extensions 0.1.0 wrote them (one JSON object whatever the format is called;
// see the fixed facts in the tests that use this): made here from scratch, so that reading them is tested against the
// description and not against our own writer.
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { TestEntry } from './vectors'

export interface EarlierOptions {
  /** 'objects' is what JSON.stringify makes of a Float32Array. */
  vectors?: 'arrays' | 'objects'
  dimension?: number
  metric?: string
  timestamp?: number
}

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')

/** The state, with its members in the order of the earlier package and its checksum last. */
export function earlierState(entries: readonly TestEntry[], { vectors = 'objects', dimension, metric = 'cosine', timestamp = 1_732_500_000_000 }: EarlierOptions = {}): any {
  const wide = dimension ?? entries[0]?.vector.length ?? 0
  const state = {
    version: '1.0.0',
    options: { dimension: wide, metric },
    stats: { count: entries.length, dimension: wide, metric },
    vectors: entries.map(({ id, vector, metadata }) => ({ id, vector: vectors === 'arrays' ? Array.from(vector) : vector, metadata })),
    timestamp,
  }
  // Through text once: null for NaN and Infinity, an object for a Float32Array, as the checksum was made of them.
  const plain = JSON.parse(JSON.stringify(state))
  return { ...plain, checksum: sha256(JSON.stringify(plain)) }
}

/** The bytes of a file: indented when it is json and not compressed, else compact. */
export function earlierBytes(state: unknown, format: 'json' | 'binary', compressed: boolean): Buffer {
  const text = format === 'json' && !compressed ? JSON.stringify(state, null, 2) : JSON.stringify(state)
  return compressed ? gzipSync(text) : Buffer.from(text)
}

export function writeEarlier(dir: string, name: string, state: unknown, format: 'json' | 'binary' = 'json', compressed = false): string {
  mkdirSync(dir, { recursive: true })
  const path = join(dir, name)
  writeFileSync(path, earlierBytes(state, format, compressed))
  return path
}

/** A snapshot: `<uuid>.<format>` without a suffix even when it is compressed, and `<uuid>.meta.json`. Gives the record. */
export function writeEarlierSnapshot(baseDir: string, state: any, { name = 'old', format = 'json' as 'json' | 'binary', compressed = false, timestamp = 1_732_500_000_000, metadata = undefined as unknown } = {}): any {
  const id = randomUUID()
  const bytes = earlierBytes(state, format, compressed)
  const record = {
    id, name, timestamp, vectorCount: state.vectors.length, dimension: state.options.dimension, format, compressed,
    fileSize: bytes.length, checksum: sha256(bytes), metadata,
  }
  mkdirSync(join(baseDir, 'snapshots'), { recursive: true })
  writeFileSync(join(baseDir, 'snapshots', `${id}.${format}`), bytes)
  writeFileSync(join(baseDir, 'snapshots', `${id}.meta.json`), JSON.stringify(record, null, 2))
  return JSON.parse(JSON.stringify(record))
}
