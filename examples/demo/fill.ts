// The first process of the demo: fills a real ruvector database, persists it three ways, asks it some questions, reports
// to its parent, and then waits. It never shuts down: the parent kills it.
import { statSync } from 'node:fs'
import { DatabasePersistence, formatFileSize } from 'ruvector-persistence'
import { VectorDB } from 'ruvector'
import { bar } from './bar'
import { chooseQueries, search } from './checks'
import { type FillReport, index, readTask } from './messages'
import { dimension, readSample } from './sample'

async function main(): Promise<void> {
  const task = readTask()
  const entries = readSample()
  const db = new VectorDB({ dimensions: dimension, distanceMetric: 'cosine', storagePath: task.storagePath, hnswConfig: index })
  // From here on every write through `db` is tracked.
  const persistence = new DatabasePersistence(db, { baseDir: task.baseDir, compression: 'gzip' })

  const filling = bar('fill ruvector')
  for (let done = 0; done < entries.length; done += 100) {
    await db.insertBatch(entries.slice(done, done + 100) as never)
    const current = Math.min(done + 100, entries.length)
    const percentage = (100 * current) / entries.length
    filling.onProgress({ operation: 'fill', percentage, current, total: entries.length, message: `${current} entries` })
  }
  filling.done(`${await db.len()} entries of ${dimension} numbers`)

  const archives: string[] = []
  const saving = bar('save json + gzip')
  const saved = await persistence.save({ onProgress: saving.onProgress })
  saving.done(formatFileSize(statSync(saved).size))
  archives.push(saved)
  for (const [format, compression] of [['binary', 'none'], ['json', 'zstd']] as const) {
    const path = `${task.baseDir}/copy-${format}-${compression}`
    const exporting = bar(`export ${format}${compression === 'none' ? '' : ` + ${compression}`}`)
    await persistence.export({ path, format, compress: compression !== 'none', compression, onProgress: exporting.onProgress })
    exporting.done(formatFileSize(statSync(path).size))
    archives.push(path)
  }

  // Searches whose answer is not in doubt: this index, which is approximate, found what an exact search finds.
  const searches: FillReport['searches'] = []
  for (const query of chooseQueries(entries, 30)) {
    const entry = entries.find(({ id }) => id === query.id)
    if (!entry || searches.length === 20) continue
    const ids = await search(db, entry.vector)
    if (ids.join('\n') === query.ids.join('\n')) searches.push({ id: query.id, ids })
  }
  console.log(`  ${searches.length} searches answered; the nearest to "${searches[0]?.id}": ${searches[0]?.ids.slice(1, 4).join(', ')}`)
  if (searches.length < 20) throw new Error('ruvector answered fewer than 20 of 30 searches as an exact search does')

  process.send?.({ archives, searches } satisfies FillReport)
  setInterval(() => {}, 60_000)
}

main().catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
