/**
 * What isolates have carried here.
 *
 * Promises: a batch counts once, however often it is sent; it is written as a whole or not at all.
 * Rows written for a batch: itself, the totals, one a minute, kind and outcome, one a webhook key and minute, and its
 * receipts (`receipts.ts`).
 */
import { CARRIER_MEMORY_MS, KEY_MEMORY_MS, KEY_USE_STEP_MS } from '../../limits.ts'
import type { Carried } from '../../receipts/carried.ts'
import type { KeyUse, Totals } from '../state.ts'
import type { ActivityStore } from './activity.ts'
import type { ReceiptStore } from './receipts.ts'
import type { Suppressions } from './suppressions.ts'

type CarriedDeps = {
  activity: ActivityStore
  receipts: ReceiptStore
  suppressions: Suppressions
}

export class CarriedStore {
  readonly #storage: DurableObjectStorage
  readonly #sql: SqlStorage
  readonly #deps: CarriedDeps

  constructor(storage: DurableObjectStorage, deps: CarriedDeps) {
    this.#storage = storage
    this.#sql = storage.sql
    this.#deps = deps
  }

  take(carried: Carried, now: number): void {
    const { activity, receipts, suppressions } = this.#deps
    this.#storage.transactionSync(() => {
      if (!this.#isNew(carried, now)) return
      activity.add(carried.counts)
      const suppressed = carried.counts
        .filter(({ outcome }) => outcome === 'suppressed')
        .reduce((sum, { count }) => sum + count, 0)
      if (carried.straight + suppressed > 0) {
        this.#sql.exec(
          'UPDATE totals SET forwarded = forwarded + ?, suppressed = suppressed + ?',
          carried.straight,
          suppressed,
        )
      }
      for (const [fingerprint, at] of Object.entries(carried.keys)) {
        this.#noteKey(fingerprint, Math.min(at, now))
      }
      // The others were erased while they were on their way here.
      receipts.addAll(carried.receipts.filter(({ hashes }) => !suppressions.has(hashes, now)))
    })
  }

  totals(): Totals {
    return this.#sql.exec<Totals>('SELECT forwarded, suppressed FROM totals').one()
  }

  keys(): KeyUse[] {
    return this.#sql
      .exec<KeyUse>('SELECT fingerprint, last_used_at AS lastUsedAt FROM webhook_keys')
      .toArray()
  }

  sweep(now: number): void {
    this.#sql.exec('DELETE FROM carriers WHERE at < ?', now - CARRIER_MEMORY_MS)
    this.#sql.exec('DELETE FROM webhook_keys WHERE last_used_at < ?', now - KEY_MEMORY_MS)
  }

  #isNew({ isolate, sequence }: Carried, now: number): boolean {
    const [known] = this.#sql
      .exec<{ sequence: number }>('SELECT sequence FROM carriers WHERE isolate = ?', isolate)
      .toArray()
    if (known && known.sequence >= sequence) return false
    this.#sql.exec(
      'INSERT OR REPLACE INTO carriers (isolate, sequence, at) VALUES (?, ?, ?)',
      isolate,
      sequence,
      now,
    )
    return true
  }

  #noteKey(fingerprint: string, at: number): void {
    this.#sql.exec(
      `INSERT INTO webhook_keys (fingerprint, last_used_at) VALUES (?1, ?2)
       ON CONFLICT (fingerprint) DO UPDATE SET last_used_at = ?2 WHERE last_used_at < ?2 - ?3`,
      fingerprint,
      at,
      KEY_USE_STEP_MS,
    )
  }
}
