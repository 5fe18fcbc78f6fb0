/**
 * The one alarm of a shard.
 *
 * Promises: set no later than the moment asked for; not written again when it is already (each time is a row).
 * Remembers what it is set to, and can load that again, should the alarm have been lost.
 */
import { type Backoff, fullJitterMs } from './backoff.ts'

export class ShardAlarm {
  readonly #storage: DurableObjectStorage
  readonly #backoff: Backoff
  #at: number | null = null
  /** Consecutive runs that broke: each makes the next wait longer, and none is the last. */
  #breaks = 0

  constructor(storage: DurableObjectStorage, backoff: Backoff) {
    this.#storage = storage
    this.#backoff = backoff
  }

  /** Epoch milliseconds it is set to; `null` when it is not set. */
  get at(): number | null {
    return this.#at
  }

  async load(): Promise<void> {
    this.#at = await this.#storage.getAlarm()
  }

  /** It has gone off, so nothing is set any more. */
  fired(): void {
    this.#at = null
  }

  /** Returns how many runs in a row have broken now. */
  runEnded(outcome: 'well' | 'broken'): number {
    this.#breaks = outcome === 'well' ? 0 : this.#breaks + 1
    return this.#breaks
  }

  async setFor(owedAt: number, now: number): Promise<void> {
    const rest = this.#breaks === 0 ? 0 : fullJitterMs(this.#breaks, this.#backoff, Math.random)
    const at = Math.max(owedAt, now + rest)
    if (this.#at !== null && this.#at <= at) return
    const before = this.#at
    // At once: those who ask meanwhile need not set it again.
    this.#at = at
    try {
      await this.#storage.setAlarm(at)
    } catch (thrown) {
      this.#at = before
      throw thrown
    }
  }
}
