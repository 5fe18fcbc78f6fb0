/**
 * The ledger: one row that counts what came of all events, and holds the value about AEP (`aep.ts`).
 *
 * Promises: every counter moves in the transaction of its row, so `accepted = delivered + pending + dead + quarantined +
 * erased` holds by construction. The value about AEP is written along with them, so that it costs no row of its own.
 */
import type { Counters, Eraser, ParkedState } from './event.ts'

type Counts = { accepted?: number; delivered?: number } & { [by in Eraser]?: number }

export class Ledger {
  readonly #sql: SqlStorage
  #aep: object
  #aepIsSaved = true

  constructor(sql: SqlStorage) {
    this.#sql = sql
    this.#aep = JSON.parse(sql.exec<{ aep: string }>('SELECT aep FROM ledger').one().aep)
  }

  /** What is known of AEP, as it was last written (`aep.ts`). */
  get aep(): object {
    return this.#aep
  }

  /** Written with the next change of a counter, so that it costs no further row; at once with `save`. */
  set(aep: object): void {
    this.#aepIsSaved &&= aep === this.#aep
    this.#aep = aep
  }

  save(): void {
    if (!this.#aepIsSaved) this.count({})
  }

  read(): Counters {
    const { accepted, delivered, ...erasedBy } = this.#sql
      .exec<Record<'accepted' | 'delivered' | Eraser, number>>(
        'SELECT accepted, delivered, expired, deleted, person FROM ledger',
      )
      .one()
    const parked = { dead: 0, quarantined: 0 }
    for (const { state, count } of this.#sql.exec<{ state: ParkedState; count: number }>(
      'SELECT state, SUM(count) AS count FROM causes GROUP BY state',
    )) {
      parked[state] = count
    }
    const erased = erasedBy.expired + erasedBy.deleted + erasedBy.person
    const pending = accepted - delivered - erased - parked.dead - parked.quarantined
    return { accepted, delivered, pending, ...parked, erased, erasedBy }
  }

  /** Part of the transaction in which the events change. */
  count(counts: Counts): void {
    const { accepted = 0, delivered = 0, expired = 0, deleted = 0, person = 0 } = counts
    this.#sql.exec(COUNT, accepted, delivered, expired, deleted, person, JSON.stringify(this.#aep))
    this.#aepIsSaved = true
  }
}

const COUNT = `UPDATE ledger SET accepted = accepted + ?, delivered = delivered + ?,
  expired = expired + ?, deleted = deleted + ?, person = person + ?, aep = ?`
