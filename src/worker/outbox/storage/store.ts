/**
 * The events of a shard in SQLite: every statement that changes them, but for those that write what arrives
 * (`arrivals.ts`).
 *
 * Promises: a change and its count happen in one transaction, or not at all. An event that is stored and delivered costs
 * five rows written in all (three to store it, two to forget it), and a share of a row for its receipt
 * (`records/reports.ts`). What is erased is overwritten first.
 * Never looks at the clock, at AEP or at the alarm: that is `Outbox`'s.
 */

import type { UpstreamState } from '../../aep/upstream/state.ts'
import type { StoredKind } from '../../chatlio/kind.ts'
import { causeOf } from '../cause.ts'
import type { Delivered } from '../records/reports.ts'
import type { EventState } from '../state.ts'
import { Bodies } from './bodies.ts'
import type { EventIndex } from './event-index.ts'
import { counted, type Delta, type LedgerStore } from './ledger.ts'
import { type EventReader, type PendingEvent, type Place, SIDE_TABLES } from './reader.ts'
import { type FailedTry, TryStore } from './tries.ts'

export class EventStore {
  readonly bodies: Bodies
  readonly tries: TryStore
  readonly #sql: SqlStorage
  readonly #index: EventIndex
  readonly #ledger: LedgerStore
  readonly #reader: EventReader
  readonly #upstream: () => UpstreamState

  /** `upstream` is written along with the counters, so it costs no further row. */
  constructor(
    sql: SqlStorage,
    ledger: LedgerStore,
    reader: EventReader,
    upstream: () => UpstreamState,
    index: EventIndex,
  ) {
    this.bodies = new Bodies(sql)
    this.tries = new TryStore(sql)
    this.#sql = sql
    this.#index = index
    this.#ledger = ledger
    this.#reader = reader
    this.#upstream = upstream
  }

  /** AEP has them: forget those that are still pending, in one transaction. Returns which those were. */
  delivered(events: readonly PendingEvent[]): PendingEvent[] {
    const { pending, more } = this.#reader.stillPending(events)
    if (pending.length === 0) return pending
    const positions = pending.map(({ position }) => position)
    const settled = pending.map((event) => this.#settled(event))
    this.change({ delivered: pending.length }, () => {
      this.#forget(['pending', ...more], positions)
    })
    this.#index.settled(settled)
    return pending
  }

  #settled({ id, kind, receivedAt, position, tries, body }: PendingEvent): Delivered {
    const hashes = this.bodies.hashes({ position, state: 'pending' })
    const attempts = (tries?.attempts ?? 0) + 1
    return { id, kind, source: null, receivedAt, attempts, bytes: body.length, hashes }
  }

  /** Decides, once, into which records an event is split: before the first of them is sent. */
  split(position: number, records: readonly string[]): void {
    this.change({}, () => this.writeParts(position, records))
  }

  partDelivered(position: number, part: number): void {
    this.#sql.exec('DELETE FROM parts WHERE position = ? AND part = ?', position, part)
  }

  /** Stays pending, with a note of the attempt that failed. */
  retryLater(position: number, tried: FailedTry): void {
    this.tries.write(position, tried)
  }

  /** Takes a pending event out of the way, for an operator. */
  park(position: number, state: 'dead' | 'quarantined', tried: FailedTry): void {
    const { code, path } = causeOf(tried.error)
    this.change(counted(state, 1), () => {
      this.#sql.exec(
        `INSERT INTO parked (position, id, state, kind, received_at, body, hashes, code, path)
         SELECT position, id, ?2, kind, received_at, body, hashes, ?3, ?4 FROM pending
         WHERE position = ?1`,
        position,
        state,
        code,
        path,
      )
      this.#sql.exec('DELETE FROM pending WHERE position = ?', position)
      this.tries.write(position, tried)
    })
  }

  /** Pending again, with a clean slate apart from `tried`. */
  requeue(position: number, from: EventState, kind: StoredKind, tried: FailedTry | null): void {
    this.change(counted(from, -1), () => {
      this.#unpark(position)
      this.#sql.exec('UPDATE pending SET kind = ? WHERE position = ?', kind, position)
      this.#sql.exec('DELETE FROM tries WHERE position = ?', position)
      this.#sql.exec('DELETE FROM unfinished WHERE position = ?', position)
      if (tried) this.tries.write(position, tried)
    })
  }

  erase(place: Place): void {
    const { position, state } = place
    this.change({ ...counted(state, -1), erased: 1 }, () => {
      this.bodies.overwrite(place)
      this.#forget([state === 'pending' ? 'pending' : 'parked', ...SIDE_TABLES], [position])
    })
  }

  /** Dead events that AEP refused along with everything else: pending again, as tried, and due at once. */
  takeBackRefusals(positions: readonly number[], now: number): void {
    this.change(counted('dead', -positions.length), () => {
      for (const position of positions) {
        this.#unpark(position)
        this.#sql.exec('UPDATE tries SET next_at = ? WHERE position = ?', now, position)
      }
    })
  }

  #unpark(position: number): void {
    this.#sql.exec(
      `INSERT INTO pending (position, id, kind, received_at, body, hashes)
       SELECT position, id, kind, received_at, body, hashes FROM parked WHERE position = ?`,
      position,
    )
    this.#sql.exec('DELETE FROM parked WHERE position = ?', position)
  }

  /** Runs `write` and moves the counters in one transaction, or does neither and throws. */
  change(delta: Delta, write: () => void): void {
    this.#ledger.change(delta, this.#upstream(), write)
  }

  #forget(tables: readonly (keyof typeof FORGET)[], positions: readonly number[]): void {
    const list = JSON.stringify(positions)
    for (const table of tables) this.#sql.exec(FORGET[table], list)
  }

  writeParts(position: number, records: readonly string[]): void {
    for (const [part, record] of records.entries()) {
      this.#sql.exec('INSERT INTO parts VALUES (?, ?, ?)', position, part, record)
    }
  }
}

// Made once: a statement is looked up by its text.
const FORGET = {
  pending: forgetFrom('pending'),
  parked: forgetFrom('parked'),
  tries: forgetFrom('tries'),
  parts: forgetFrom('parts'),
  unfinished: forgetFrom('unfinished'),
}

function forgetFrom(table: string): string {
  return `DELETE FROM ${table} WHERE position IN (SELECT value FROM json_each(?))`
}
