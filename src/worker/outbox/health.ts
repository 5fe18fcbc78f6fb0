/** What `/health` asks of the outbox: whether an operator should look, never how much is stored. */
import { EXPIRY_WARNING_MS, MAX_BODY_BYTES, WRITE_PROBE_INTERVAL_MS } from '../limits.ts'
import type { Known } from './known.ts'

export type Health = ReturnType<typeof healthOf>

export function healthOf(facts: {
  known: Known
  writable: boolean
  /** Epoch milliseconds of receipt of the oldest event in any state; `null` when nothing is stored. */
  oldestAt: number | null
  retentionMs: number
  now: number
}) {
  const { known, writable, oldestAt, retentionMs, now } = facts
  const warnMs = Math.min(EXPIRY_WARNING_MS, retentionMs / 2)
  return {
    /** Whether a row as large as an event's can be written. */
    writable,
    hold: known.hold?.reason ?? null,
    /** AEP is down, or has asked for a wait. */
    failing: known.failing,
    /** The oldest event is close to its erasure. */
    expiring: oldestAt !== null && now - oldestAt >= retentionMs - warnMs,
  }
}

/** A write that has been tried, when, and how large its largest body was. */
export type Write = { at: number; worked: boolean; bytes: number }

/**
 * Tells whether events can be stored, by storing something as large.
 * Promises: at most one such write a minute, and none while stores succeed. What has just refused a store is not writable.
 */
export class WriteProbe {
  readonly #storage: DurableObjectStorage
  readonly #now: () => number
  #latest: { at: number; worked: Promise<boolean> } | null = null

  constructor({ storage, now }: { storage: DurableObjectStorage; now: () => number }) {
    this.#storage = storage
    this.#now = now
  }

  /** `store`: `Arrivals.lastWrite`; `null` before the first. */
  async isWritable(store: Write | null): Promise<boolean> {
    const now = this.#now()
    const isRecent = (at: number) => at <= now && now - at < WRITE_PROBE_INTERVAL_MS
    if (store !== null && isRecent(store.at)) return store.worked
    if (this.#latest === null || !isRecent(this.#latest.at)) {
      this.#latest = { at: now, worked: this.#probe() }
    }
    return this.#latest.worked
  }

  async #probe(): Promise<boolean> {
    const { sql } = this.#storage
    try {
      sql.exec('CREATE TABLE IF NOT EXISTS probe (zeros BLOB)')
      sql.exec('INSERT INTO probe VALUES (zeroblob(?))', MAX_BODY_BYTES)
      await this.#storage.sync()
      return true
    } catch {
      return false
    } finally {
      try {
        // Durable with whatever is written next.
        sql.exec('DELETE FROM probe')
      } catch {
        // The next probe removes it.
      }
    }
  }
}
