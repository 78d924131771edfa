// A progress bar of one line, fed by the `onProgress` of the package. On a terminal it moves; elsewhere (a log file) only
// the finished bar is printed. Does not: keep the percentage from going back; that is the package's own promise.
import type { Progress } from 'ruvector-persistence'

const width = 28

function draw(label: string, percentage: number, note: string): string {
  const filled = Math.round((percentage / 100) * width)
  const cells = '█'.repeat(filled) + '░'.repeat(width - filled)
  return `  ${label.padEnd(24)} ${cells} ${percentage.toFixed(0).padStart(3)} %  ${note}`
}

export interface Bar {
  /** Give this to a call as its `onProgress`. */
  onProgress: (progress: Progress) => void
  /** Ends the line with what came out of it. */
  done: (result: string) => void
}

export function bar(label: string): Bar {
  const moving = process.stdout.isTTY === true
  const started = performance.now()
  let percentage = 0
  return {
    onProgress(progress) {
      percentage = progress.percentage
      if (moving) process.stdout.write(`\r\u001b[K${draw(label, percentage, progress.message)}`)
    },
    done(result) {
      const seconds = `${((performance.now() - started) / 1000).toFixed(2)} s`
      process.stdout.write(`${moving ? '\r\u001b[K' : ''}${draw(label, percentage, `${result}, ${seconds}`)}\n`)
    },
  }
}
