// Databases that are neither ruvector nor a Map: every method that the documented interface has, sync or async, over one
// Map, with a log of the calls and a way to make the nth call of a method fail.

export interface GenericEntry {
  id: string
  vector: Float32Array | number[]
  metadata?: Record<string, unknown>
}

export interface GenericOptions {
  /** Every method returns a promise that settles later. */
  async?: boolean
  /** Methods to leave out. */
  without?: readonly string[]
  /** Method names and the number of the call (from 1) that throws; 0 makes every call throw. */
  fail?: Record<string, number>
  dimension?: number
  metric?: string
}

const OPTIONAL = ['insertBatch', 'get', 'delete', 'clear', 'stats', 'len', 'updateMetadata', 'buildIndex', 'entries', 'keys', 'search'] as const

/** The documented interface, without any way to enumerate: `stats`, `clear` and `buildIndex`, as the documents have it. */
export const DOCUMENTED_ONLY = ['entries', 'keys', 'len'] as const

export class GenericDb {
  readonly content = new Map<string, GenericEntry>()
  /** Names of the methods called, in order. */
  readonly calls: string[] = []
  readonly #counts: Record<string, number> = {}
  fail: Record<string, number>
  readonly #async: boolean
  readonly #told: { dimension?: number; metric?: string }

  constructor({ async = false, without = [], fail = {}, dimension, metric }: GenericOptions = {}) {
    this.#async = async
    this.fail = fail
    this.#told = { dimension, metric }
    // A method that is left out hides the one of the prototype.
    for (const name of without) if (OPTIONAL.includes(name as never)) Object.defineProperty(this, name, { value: undefined, configurable: true })
  }

  #run<T>(name: string, work: () => T): T {
    this.calls.push(name)
    const count = (this.#counts[name] = (this.#counts[name] ?? 0) + 1)
    const due = this.fail[name]
    const act = (): T => {
      if (due === 0 || due === count) throw new Error(`${name} refused call ${count}`)
      return work()
    }
    if (!this.#async) return act()
    return new Promise((resolve) => setImmediate(resolve)).then(act) as T
  }

  /** The next call counts as the first. */
  recount(): void {
    for (const name of Object.keys(this.#counts)) delete this.#counts[name]
    this.calls.length = 0
  }

  #put(entry: GenericEntry): string {
    this.content.set(entry.id, { ...entry })
    return entry.id
  }

  insert(entry: GenericEntry): any {
    return this.#run('insert', () => this.#put(entry))
  }

  insertBatch(entries: GenericEntry[]): any {
    return this.#run('insertBatch', () => entries.map((entry) => this.#put(entry)))
  }

  get(id: string): any {
    return this.#run('get', () => this.content.get(id) ?? null)
  }

  delete(id: string): any {
    return this.#run('delete', () => this.content.delete(id))
  }

  clear(): any {
    return this.#run('clear', () => this.content.clear())
  }

  stats(): any {
    return this.#run('stats', () => ({ count: this.content.size, dimension: this.#told.dimension ?? 0, metric: this.#told.metric ?? 'cosine' }))
  }

  len(): any {
    return this.#run('len', () => this.content.size)
  }

  updateMetadata(id: string, metadata: Record<string, unknown>): any {
    return this.#run('updateMetadata', () => {
      const entry = this.content.get(id)
      if (entry) entry.metadata = metadata
    })
  }

  buildIndex(): any {
    return this.#run('buildIndex', () => undefined)
  }

  entries(): any {
    return this.#run('entries', () => [...this.content.values()])
  }

  keys(): any {
    return this.#run('keys', () => [...this.content.keys()])
  }

  search({ vector, k }: { vector: ArrayLike<number>; k: number }): any {
    return this.#run('search', () => {
      const far = (entry: GenericEntry): number => Array.from(entry.vector).reduce((sum, value, place) => sum + (value - vector[place]!) ** 2, 0)
      return [...this.content.values()].map((entry) => ({ id: entry.id, score: far(entry) })).sort((a, b) => a.score - b.score).slice(0, k)
    })
  }
}
