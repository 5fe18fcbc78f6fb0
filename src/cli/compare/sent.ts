/**
 * Sent: which events have been sent again, on disk, a line each, so that the next run continues one that ended.
 * Event ids, the batch that they were in, and times: nothing of what the events say. An event that AEP refuses again is in
 * another batch, so no clock decides. A line is on the disk before the next event is sent; one that was cut by a crash is
 * skipped, and its event sent once more, under the same `_id`.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'

export class Sent {
  readonly #file: string
  /** By id, the latest. */
  readonly #batches = new Map<string, string>()

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
      const [, id, batch] = /^\{"id":"([^"]+)","batch":"([^"]+)","at":"[^"]+"\}$/.exec(line) ?? []
      if (id !== undefined && batch !== undefined) this.#batches.set(id, batch)
    }
  }

  /** Whether it was sent again since AEP refused it in this batch, the latest. */
  has({ id, batch }: Refusal): boolean {
    return this.#batches.get(id) === batch
  }

  /** `null`: it is on the disk. The text says why it is not. */
  add({ id, batch }: Refusal, at: number): string | null {
    const wrong = this.#append(`\n${JSON.stringify({ id, batch, at: new Date(at).toISOString() })}`)
    this.#batches.set(id, batch)
    return wrong
  }

  /** Why nothing can be added, before anything is sent; `null`: it can. */
  objection(): string | null {
    return this.#append('')
  }

  #append(text: string): string | null {
    try {
      const descriptor = openSync(this.#file, 'a', 0o600)
      try {
        writeSync(descriptor, text)
        fsyncSync(descriptor)
      } finally {
        closeSync(descriptor)
      }
      return null
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return `${this.#file} (--sent) cannot be written (${code}): what has been sent again would not be known.`
    }
  }
}

type Refusal = { readonly id: string; readonly batch: string }

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
