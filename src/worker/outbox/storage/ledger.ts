/**
 * The counters of a shard: what ever entered it, and where that is now.
 *
 * Promises: a counter changes in the same transaction as what it counts, or not at all; reading them reads no
 * event. `pending` is not stored: it is what remains, so that the books always balance by construction, and a
 * test compares it with the rows that are really there.
 */
import { INITIAL_UPSTREAM, type UpstreamState } from '../../aep/upstream/state.ts'
import type { Ledger } from '../state.ts'

type Counts = Omit<Ledger, 'pending'>
export type Delta = Partial<Record<keyof Counts, number>>

export class LedgerStore {
  readonly #storage: DurableObjectStorage
  #counts: Counts
  #upstream: UpstreamState

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
    const [row] = storage.sql
      .exec<Counts & { destination: string }>('SELECT * FROM ledger')
      .toArray()
    if (row) {
      const { accepted, delivered, dead, quarantined, erased } = row
      this.#counts = { accepted, delivered, dead, quarantined, erased }
      // A newer version may know more fields than the row was written with.
      this.#upstream = { ...INITIAL_UPSTREAM, ...JSON.parse(row.destination) }
      return
    }
    this.#counts = { accepted: 0, delivered: 0, dead: 0, quarantined: 0, erased: 0 }
    this.#upstream = INITIAL_UPSTREAM
    storage.sql.exec(
      'INSERT INTO ledger VALUES (1, 0, 0, 0, 0, 0, ?)',
      JSON.stringify(INITIAL_UPSTREAM),
    )
  }

  read(): Ledger {
    const { accepted, delivered, dead, quarantined, erased } = this.#counts
    return {
      accepted,
      delivered,
      pending: accepted - delivered - dead - quarantined - erased,
      dead,
      quarantined,
      erased,
    }
  }

  /** The destination as last written: at least every change of its mood is (see `Outbox`). */
  get destination(): UpstreamState {
    return this.#upstream
  }

  /** Runs `write` and moves the counters in one transaction; on a throw neither has happened. */
  change(delta: Delta, destination: UpstreamState, write: () => void): void {
    const counts = { ...this.#counts }
    for (const name of Object.keys(delta) as (keyof Counts)[]) counts[name] += delta[name] ?? 0
    this.#storage.transactionSync(() => {
      write()
      this.#storage.sql.exec(
        `UPDATE ledger SET accepted = ?, delivered = ?, dead = ?, quarantined = ?, erased = ?,
           destination = ?`,
        counts.accepted,
        counts.delivered,
        counts.dead,
        counts.quarantined,
        counts.erased,
        JSON.stringify(destination),
      )
    })
    this.#counts = counts
    this.#upstream = destination
  }
}
