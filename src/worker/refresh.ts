/**
 * The exchange of an isolate with the outbox, after it has answered: pauses, holds and suppressions come, counters and
 * receipts go.
 *
 * Promises: at most once in ten seconds, unless there is much to carry; a webhook that leaves something to carry keeps its
 * request until it is carried, so that a quiet relay loses nothing. One request at a time waits for all: a promise of one
 * request does not wake another.
 */

import type { Carrier } from './carrier.ts'
import { REFRESH_INTERVAL_MS } from './limits.ts'
import { logLine } from './log.ts'
import type { Shards } from './outbox/shards.ts'
import type { Relay } from './relay.ts'

export type RefreshDeps = {
  shards: Shards
  relay: Relay
  carrier: Carrier
  now: () => number
  /** Resolves after so many milliseconds; rejects where a request must not go on for that long. */
  wait: (ms: number) => Promise<void>
}

export class Refresh {
  readonly #deps: RefreshDeps
  #refreshedAt = 0
  /** A request waits to carry what is noted down, since then. */
  #waitingSince: number | null = null

  constructor(deps: RefreshDeps) {
    this.#deps = deps
  }

  /** `keep`: keeps the request alive that has just been answered (`waitUntil`). */
  afterAnswer(now: number, keep: (work: Promise<void>) => void): void {
    const { carrier } = this.#deps
    // A clock that was set back must not put it off.
    const dueInMs =
      now < this.#refreshedAt ? 0 : Math.max(this.#refreshedAt + REFRESH_INTERVAL_MS - now, 0)
    if (dueInMs === 0 || carrier.isFull) keep(this.now())
    else if (carrier.hasSomething && !this.#isWaiting(now)) {
      this.#waitingSince = now
      keep(this.#later(dueInMs))
    }
  }

  async now(): Promise<void> {
    const { shards, relay, carrier, now } = this.#deps
    this.#refreshedAt = now()
    let batches: Awaited<ReturnType<Carrier['load']>> = null
    try {
      batches = await carrier.load()
      await shards.all(async (shard, index) => {
        const batch = batches?.get(index)
        const answer = await shard.exchange(relay.state, batch ?? null, carrier.version)
        carrier.learn(index, batch, answer)
        relay.mergeUpstream(answer.upstream)
      })
    } catch (thrown) {
      const name = thrown instanceof Error ? thrown.name : 'unknown'
      logLine('warn', { event: 'refresh-failed', name })
    } finally {
      if (batches) carrier.ended()
    }
  }

  /** A request may end while it waits; another then takes its place. */
  #isWaiting(now: number): boolean {
    const since = this.#waitingSince
    return since !== null && Math.abs(now - since) < 2 * REFRESH_INTERVAL_MS
  }

  async #later(ms: number): Promise<void> {
    const { wait, carrier } = this.#deps
    try {
      await wait(ms)
    } catch {
      return
    } finally {
      this.#waitingSince = null
    }
    if (carrier.hasSomething) await this.now()
  }
}
