/**
 * Sent: which events have been sent again, on disk, a line each, so that a run that ended is gone on with.
 * Event ids and times, nothing of what the events say. A line is on the disk before the next event is sent; one that was cut
 * by a crash is skipped, and its event sent once more, under the same `_id`.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'

export class Sent {
  readonly #file: string
  readonly #times = new Map<string, number>()

  static in(file: string): Sent | { readonly wrong: string } {
    try {
      return new Sent(file)
    } catch {
      return { wrong: `${file} cannot be read.` }
    }
  }

  private constructor(file: string) {
    this.#file = file
    for (const line of textOf(file).split('\n')) {
      const [, id, at] = /^\{"id":"([^"]+)","at":"([^"]+)"\}$/.exec(line) ?? []
      if (id !== undefined && at !== undefined) this.#times.set(id, Date.parse(at))
    }
  }

  /** Whether it was sent again after this moment, at which AEP had refused it; epoch milliseconds. */
  isSince(id: string, refusedAt: number): boolean {
    return (this.#times.get(id) ?? -Infinity) >= refusedAt
  }

  add(id: string, at: number): void {
    const descriptor = openSync(this.#file, 'a', 0o600)
    try {
      writeSync(descriptor, `\n${JSON.stringify({ id, at: new Date(at).toISOString() })}`)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    this.#times.set(id, at)
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
