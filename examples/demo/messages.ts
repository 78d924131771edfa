// What the three processes of the demo tell each other.

/** Passed to a child as its only argument, as JSON. */
export interface Task {
  /** Where ruvector keeps the file of this process. */
  storagePath: string
  /** Folder of the archives. */
  baseDir: string
  /** What the first process found; absent for the first process itself. */
  report?: FillReport
}

/** What the first process sends when everything is on disk. */
export interface FillReport {
  /** The three archives, in the order they were written. */
  archives: string[]
  /** Each search: the entry whose vector was searched for, and the ids that ruvector answered. */
  searches: { id: string; ids: string[] }[]
}

export function readTask(): Task {
  return JSON.parse(process.argv[2] ?? '{}') as Task
}

/**
 * Settings of ruvector's index, the same in both processes. With its defaults about one entry in a hundred cannot be
 * reached by a search; with these, nearly none.
 */
export const index = { m: 128, efConstruction: 400, efSearch: 200 }
