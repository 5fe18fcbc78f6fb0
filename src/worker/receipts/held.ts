/**
 * What an isolate has to carry to the outbox and has not yet: counts, receipts, uses of webhook keys.
 *
 * Promises: noting down is a push to an array; adding up comes once in a few hundred. Memory is bounded, whatever comes:
 * receipts beyond the limit are left out, counts never are (while nobody takes them, minutes become hours).
 */
import type { EventKind, StoredKind } from '../chatlio/kind.ts'
import type { Subject } from '../chatlio/subject.ts'
import { FOLD_AT, MAX_HELD_COUNTS, MAX_HELD_RECEIPTS } from '../limits.ts'
import type { CountRow, Outcome } from './carried.ts'
import { addDuration, addHistogram } from './histogram.ts'

/** A receipt whose person is not hashed yet: never outside the isolate. */
export type HeldReceipt = {
  id: string
  kind: EventKind
  receivedAt: number
  settledAt: number
  bytes: number
  subject: Subject
}

/** One webhook. `at`: epoch milliseconds of its answer. `key`: fingerprint. */
export type Noted = {
  at: number
  ms: number
  kind: StoredKind
  outcome: Outcome
  key: string | null
  /** It went to AEP without the outbox. */
  straight: boolean
  receipt: HeldReceipt | null
}

export type Counted = {
  straight: number
  counts: CountRow[]
  keys: { [fingerprint: string]: number }
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

export class Held {
  #noted: Noted[] = []
  #counts = new Map<string, CountRow>()
  /** By id: a webhook that comes again leaves no second one. */
  readonly #receipts = new Map<string, HeldReceipt>()
  #keys = new Map<string, number>()
  #straight = 0

  note(noted: Noted): void {
    if (this.#noted.push(noted) >= FOLD_AT) this.#fold()
  }

  get isEmpty(): boolean {
    return this.#noted.length + this.#counts.size + this.#receipts.size === 0
  }

  /** Receipts held, at most. */
  get size(): number {
    return this.#noted.length + this.#receipts.size
  }

  takeCounts(): Counted | null {
    this.#fold()
    if (this.#counts.size === 0) return null
    const counted = {
      straight: this.#straight,
      counts: [...this.#counts.values()],
      keys: Object.fromEntries(this.#keys),
    }
    this.#counts.clear()
    this.#keys.clear()
    this.#straight = 0
    return counted
  }

  /** Those that `isWanted`; the others stay. */
  takeReceipts(isWanted: (receipt: HeldReceipt) => boolean): HeldReceipt[] {
    this.#fold()
    const taken = [...this.#receipts.values()].filter(isWanted)
    for (const { id } of taken) this.#receipts.delete(id)
    return taken
  }

  #fold(): void {
    for (const { at, ms, kind, outcome, key, straight, receipt } of this.#noted) {
      const row = this.#row(at - (at % MINUTE_MS), kind, outcome)
      row.count += 1
      addDuration(row.histogram, ms)
      if (key !== null) this.#keys.set(key, Math.max(at, this.#keys.get(key) ?? 0))
      if (straight) this.#straight += 1
      if (receipt && this.#receipts.size < MAX_HELD_RECEIPTS)
        this.#receipts.set(receipt.id, receipt)
    }
    this.#noted = []
    if (this.#counts.size > MAX_HELD_COUNTS) this.#makeHours()
  }

  #row(minute: number, kind: StoredKind, outcome: Outcome): CountRow {
    const name = `${minute} ${kind} ${outcome}`
    let row = this.#counts.get(name)
    if (!row) {
      row = { minute, kind, outcome, count: 0, histogram: {} }
      this.#counts.set(name, row)
    }
    return row
  }

  #makeHours(): void {
    const rows = [...this.#counts.values()]
    this.#counts.clear()
    for (const { minute, kind, outcome, count, histogram } of rows) {
      const hour = this.#row(minute - (minute % HOUR_MS), kind, outcome)
      hour.count += count
      addHistogram(hour.histogram, histogram)
    }
  }
}
