// The types that are exported (CHECKLIST D14, E38): this file is also checked by tsc, strict, and does not compile when one
// of the documented types is missing or has another shape. The test runs tsc on it.
import test from 'ava'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { VectorDB } from 'ruvector'
import type { EventEmitter } from 'node:events'
import type {
  CompressionType, DatabasePersistence, DatabaseState, DbOptions, DbStats, ExportOptions, GenericDatabase, ImportOptions, MapEntry, PersistableDatabase,
  PersistenceError, PersistenceErrorCode, PersistenceFormat, PersistenceOptions, ProgressCallback, SaveReport, SnapshotMetadata, VectorEntry,
} from 'ruvector-persistence'
import { patiently } from './helpers/child'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Same<A, B> = [A, B] extends [B, A] ? true : false
const is = <T extends true>(): T => true as T

/** Each of these is an error of compilation when it does not hold. */
export const holds = [
  is<Equal<PersistenceFormat, 'json' | 'binary' | 'sqlite'>>(),
  is<Equal<CompressionType, 'none' | 'gzip' | 'brotli' | 'zstd'>>(),
  is<Same<Parameters<ProgressCallback>[0], { operation: string; percentage: number; current: number; total: number; message: string }>>(),
  is<Equal<ReturnType<DatabasePersistence['save']>, Promise<string>>>(),
  is<Equal<ReturnType<DatabasePersistence['saveIncremental']>, Promise<string | null>>>(),
  is<Equal<ReturnType<DatabasePersistence['load']>, Promise<void>>>(),
  is<Equal<ReturnType<DatabasePersistence['createSnapshot']>, Promise<SnapshotMetadata>>>(),
  is<Equal<ReturnType<DatabasePersistence['listSnapshots']>, Promise<SnapshotMetadata[]>>>(),
  is<Equal<ReturnType<DatabasePersistence['restoreSnapshot']>, Promise<void>>>(),
  is<Equal<ReturnType<DatabasePersistence['deleteSnapshot']>, Promise<void>>>(),
  is<Equal<ReturnType<DatabasePersistence['export']>, Promise<void>>>(),
  is<Equal<ReturnType<DatabasePersistence['import']>, Promise<void>>>(),
  is<Equal<ReturnType<DatabasePersistence['startAutoSave']>, void>>(),
  is<Equal<ReturnType<DatabasePersistence['stopAutoSave']>, void>>(),
  is<Equal<ReturnType<DatabasePersistence['shutdown']>, Promise<void>>>(),
  is<DatabasePersistence extends AsyncDisposable ? true : false>(),
  is<DatabasePersistence extends EventEmitter<any> ? true : false>(),
  is<PersistenceError extends Error ? true : false>(),
  is<Equal<PersistenceError['code'], PersistenceErrorCode>>(),
  is<'ENOSPC' extends PersistenceErrorCode ? true : false>(),
  is<InstanceType<typeof VectorDB> extends PersistableDatabase ? true : false>(),
  is<Map<string, MapEntry> extends PersistableDatabase ? true : false>(),
  is<{ insert(entry: VectorEntry): void } extends GenericDatabase ? true : false>(),
]

/** The options and objects of the documents, as they are written there. */
export const documented = {
  options: { baseDir: './data', format: 'json', compression: 'gzip', incremental: true, autoSaveInterval: 60_000, maxSnapshots: 10, batchSize: 1000 } satisfies PersistenceOptions,
  exporting: { path: 'x', format: 'json', compress: true, includeIndex: false, onProgress: (p) => p.message.length } satisfies ExportOptions,
  importing: { path: 'x', format: 'json', clear: true, verifyChecksum: true, onProgress: (p) => void p.percentage } satisfies ImportOptions,
  snapshot: { id: 'x', name: 'x', timestamp: 0, vectorCount: 0, dimension: 0, format: 'json', compressed: false, fileSize: 0, checksum: 'x', metadata: {} } satisfies SnapshotMetadata,
  state: { version: '1.0.0', options: { dimension: 1, metric: 'cosine' } satisfies DbOptions, stats: { count: 0, dimension: 1, metric: 'cosine' } satisfies DbStats, vectors: [{ id: 'a', vector: [1] }], timestamp: 0 } satisfies DatabaseState,
  report: { path: 'x', bytes: 1, count: 1, dimension: 1, checksum: 'x', timestamp: 1, type: 'full', puts: 1, deletes: 0, base: null } satisfies SaveReport,
}

/** What must not compile. */
export function refused(persistence: DatabasePersistence): unknown[] {
  return [
    // @ts-expect-error baseDir is required.
    {} satisfies PersistenceOptions,
    // @ts-expect-error a misspelled option.
    { baseDir: 'x', maxSnapshot: 1 } satisfies PersistenceOptions,
    // @ts-expect-error no such format.
    { baseDir: 'x', format: 'xml' } satisfies PersistenceOptions,
    // @ts-expect-error load of a file needs a path.
    () => persistence.load({ format: 'json' }),
    // @ts-expect-error no such event.
    () => persistence.on('saved', () => undefined),
    // @ts-expect-error a listener of "autosave" gets a path.
    () => persistence.on('autosave', (path: number) => path),
    () => persistence.on('autosave', (path: string) => path).on('error', (error: Error) => error.message),
  ]
}

test('E38: this file compiles, strict, against the types of the package', async (t) => {
  const root = join(__dirname, '..')
  const options = ['--noEmit', '--strict', '--module', 'node16', '--moduleResolution', 'node16', '--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--types', 'node', '--skipLibCheck', '--ignoreConfig']
  const compiler = await patiently(() => spawn(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), ...options, join(__dirname, '37.types.spec.ts')], { cwd: root }))
  let output = ''
  for (const stream of [compiler.stdout, compiler.stderr]) stream.on('data', (chunk) => (output += chunk))
  const code = await new Promise((resolve) => compiler.on('close', resolve))
  t.is(output, '')
  t.is(code, 0)
  t.is(holds.length, 23)
  t.truthy(documented)
})
