/** Health: looks at `/health` again and again, as a monitor would, and keeps what it said. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Worker } from './worker.ts'

export type Look = {
  readonly at: number
  readonly status: number
  readonly reasons: readonly string[]
}

const INTERVAL_MS = 200
const TIMEOUT_MS = 5_000

export class Monitor {
  readonly #worker: Worker
  readonly looks: Look[] = []

  constructor(worker: Worker) {
    this.#worker = worker
  }

  /** Until `work` has ended: every look also wakes the outbox. */
  async during<Result>(work: Promise<Result>): Promise<Result> {
    const end = new AbortController()
    const watching = this.#watch(end.signal)
    try {
      return await work
    } finally {
      end.abort()
      await watching
    }
  }

  /** `null`: no answer, as from a Worker that was killed meanwhile. */
  async look(): Promise<Look | null> {
    try {
      const response = await fetch(`${await this.#worker.url()}/health`, {
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      const { reasons = [] } = (await response.json()) as { reasons?: string[] }
      return { at: Date.now(), status: response.status, reasons }
    } catch {
      return null
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const look = await Promise.race([this.look(), aborted(signal)])
      if (look) this.looks.push(look)
      await delay(INTERVAL_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

const aborted = (signal: AbortSignal) =>
  new Promise<null>((resolve) =>
    signal.addEventListener('abort', () => resolve(null), { once: true }),
  )
