/**
 * The counters of a shard: what ever entered it, and where that is now.
 *
 * Promises: a counter changes in the same transaction as what it counts, or not at all; reading them reads no event.
 * `pending` is not stored: it is what remains, so the books balance by construction, and a test compares it with the
 * rows that are really there. Counters are changed in SQL, never from memory, so that two processes which share one
 * storage by mistake still count right.
 */
import { INITIAL_UPSTREAM, type UpstreamState } from '../../aep/upstream/state.ts'
import type { EventState, Ledger } from '../state.ts'

type Counts = Omit<Ledger, 'pending'>
export type Delta = Partial<Record<keyof Counts, number>>

export class LedgerStore {
  readonly #storage: DurableObjectStorage
  #upstream: UpstreamState
  /** The same, as it is stored. */
  #text: string
  #failing = false

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
    const [row] = storage.sql
      .exec<{ destination: string }>('SELECT destination FROM ledger')
      .toArray()
    // A newer version may know more fields than the row was written with.
    this.#upstream = { ...INITIAL_UPSTREAM, ...(row && JSON.parse(row.destination)) }
    this.#text = JSON.stringify(this.#upstream)
    if (!row) storage.sql.exec('INSERT INTO ledger VALUES (1, 0, 0, 0, 0, 0, ?)', this.#text)
  }

  read(): Ledger {
    const { accepted, delivered, dead, quarantined, erased } = this.#storage.sql
      .exec<Counts>('SELECT accepted, delivered, dead, quarantined, erased FROM ledger')
      .one()
    const pending = accepted - delivered - dead - quarantined - erased
    return { accepted, delivered, pending, dead, quarantined, erased }
  }

  /** AEP's state as last written: at least every change of its status is (see `UpstreamWatch`). */
  get upstream(): UpstreamState {
    return this.#upstream
  }

  /** Whether the last write failed. */
  get failing(): boolean {
    return this.#failing
  }

  /** Runs `write` and moves the counters in one transaction; if it throws, neither has happened. */
  change(delta: Delta, upstream: UpstreamState, write: () => void): void {
    const { accepted = 0, delivered = 0, dead = 0, quarantined = 0, erased = 0 } = delta
    // Mostly nothing new is known of AEP since the last write.
    const text = upstream === this.#upstream ? this.#text : JSON.stringify(upstream)
    this.#failing = true
    this.#storage.transactionSync(() => {
      write()
      this.#storage.sql.exec(
        `UPDATE ledger SET accepted = accepted + ?, delivered = delivered + ?, dead = dead + ?,
           quarantined = quarantined + ?, erased = erased + ?, destination = ?`,
        accepted,
        delivered,
        dead,
        quarantined,
        erased,
        text,
      )
    })
    this.#text = text
    this.#failing = false
    this.#upstream = upstream
  }
}

/** One event more or less in this state. `pending` has no counter: it is what the other counters leave. */
export function counted(state: EventState, by: number): Delta {
  return state === 'pending' ? {} : { [state]: by }
}
