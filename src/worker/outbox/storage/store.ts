/**
 * Changes the events of a shard in SQLite: every statement that writes them.
 *
 * Promises: a change and its ledger entry are one transaction. Storing and delivering an event writes five rows in all
 * (three to store it, two to forget it).
 * Never reads the clock, calls AEP or sets the alarm: the callers do.
 */

import type { AttemptError } from '../../aep/client/verdict.ts'
import type { UpstreamState } from '../../aep/upstream/state.ts'
import type { StoredKind } from '../../chatlio/kind.ts'
import type { EventState, StoredError, StoreRequest } from '../state.ts'
import type { Delta, LedgerStore } from './ledger.ts'
import { type EventReader, PER_MS, type PendingEvent, type Place, type Tries } from './reader.ts'
import { resolveState } from './resolve-state.ts'

/** A failed attempt as stored. `nextAt`: epoch ms of the next one; `null` if it is dead or quarantined. */
export type FailedTry = Tries & {
  nextAt: number | null
  /** Whether `nextAt` follows AEP's `Retry-After`. */
  askedToWait: boolean
  error: StoredError | AttemptError
  answer: string | null
}

export class EventStore {
  readonly #sql: SqlStorage
  readonly #ledger: LedgerStore
  readonly #reader: EventReader
  readonly #upstream: () => UpstreamState

  /** `upstream`: AEP's state, written in the same row as the counters, so it costs no extra row. */
  constructor(
    sql: SqlStorage,
    ledger: LedgerStore,
    reader: EventReader,
    upstream: () => UpstreamState,
  ) {
    this.#sql = sql
    this.#ledger = ledger
    this.#reader = reader
    this.#upstream = upstream
  }

  /**
   * Stores an event, or merges it with the one already stored under its id (`resolveState`). Returns its position and
   * resulting state. `tried`: the attempt that the request made; `null` if it made none.
   */
  put(request: StoreRequest, tried: FailedTry | null): Place {
    const stored = this.#reader.find(request.id)
    const state = resolveState(stored?.state ?? null, request.state)
    if (!stored) {
      const position = this.#freePosition(request.receivedAt)
      this.#change({ accepted: 1, ...counted(state, 1) }, () => {
        this.#insert(position, request, state)
        this.#writeParts(position, request.parts)
        if (tried) this.#writeTries(position, tried)
      })
      return { position, state }
    }
    if (state === stored.state) return { position: stored.position, state }
    if (state === 'pending') this.requeue(stored.position, stored.state, request.kind, tried)
    else {
      this.#change({ ...counted(stored.state, -1), ...counted('dead', 1) }, () => {
        this.#sql.exec("UPDATE parked SET state = 'dead' WHERE position = ?", stored.position)
        if (tried) this.#writeTries(stored.position, tried)
      })
    }
    return { position: stored.position, state }
  }

  /** Forgets an event that AEP has accepted, and counts it. */
  delivered(event: PendingEvent): void {
    this.#change({ delivered: 1 }, () => this.#forget('pending', event.position))
  }

  /** Stores the parts of an event, before the first is sent, so that every attempt sends the same ones. */
  split(position: number, records: readonly string[]): void {
    this.#change({}, () => this.#writeParts(position, records))
  }

  /** Forgets a part that AEP has accepted. */
  partDelivered(position: number, part: number): void {
    this.#sql.exec('DELETE FROM parts WHERE position = ? AND part = ?', position, part)
  }

  /** Records a failed attempt; the event stays pending. */
  retryLater(position: number, tried: FailedTry): void {
    this.#writeTries(position, tried)
  }

  /** Counts an attempt to process a large event before it starts, in case it ends the isolate: see `beginLarge`. */
  begin(position: number): void {
    this.#sql.exec(
      `INSERT INTO unfinished VALUES (?, 1)
       ON CONFLICT (position) DO UPDATE SET tries = tries + 1`,
      position,
    )
  }

  /** The attempt counted by `begin` has ended. */
  finish(position: number): void {
    this.#sql.exec('DELETE FROM unfinished WHERE position = ?', position)
  }

  /**
   * Shortens waits that exceed every allowed one, because a clock that ran ahead wrote them. `capMs`: the longest
   * backoff. `askedMs`: the longest `Retry-After` that is honoured.
   */
  correctWaits(now: number, capMs: number, askedMs: number): void {
    this.#sql.exec(
      `UPDATE tries SET next_at = ?1 + CASE asked_to_wait WHEN 1 THEN ?3 ELSE ?2 END
       WHERE next_at > ?1 + ?2 AND (asked_to_wait = 0 OR next_at > ?1 + ?3)`,
      now,
      capMs,
      askedMs,
    )
  }

  /** Moves a pending event to `dead` or `quarantined`, where an operator decides about it. */
  park(position: number, state: 'dead' | 'quarantined', tried: FailedTry): void {
    this.#change(counted(state, 1), () => {
      this.#sql.exec(
        `INSERT INTO parked (position, id, state, kind, received_at, body)
         SELECT position, id, ?2, kind, received_at, body FROM pending WHERE position = ?1`,
        position,
        state,
      )
      this.#sql.exec('DELETE FROM pending WHERE position = ?', position)
      this.#writeTries(position, tried)
    })
  }

  /** Makes a dead or quarantined event pending again. Clears its history; `tried` starts a new one. */
  requeue(position: number, from: EventState, kind: StoredKind, tried: FailedTry | null): void {
    this.#change(counted(from, -1), () => {
      this.#sql.exec(
        `INSERT INTO pending (position, id, kind, received_at, body)
         SELECT position, id, ?2, received_at, body FROM parked WHERE position = ?1`,
        position,
        kind,
      )
      this.#sql.exec('DELETE FROM parked WHERE position = ?', position)
      this.#sql.exec('DELETE FROM tries WHERE position = ?', position)
      this.#sql.exec('DELETE FROM unfinished WHERE position = ?', position)
      if (tried) this.#writeTries(position, tried)
    })
  }

  /** Erases an event in any state, and counts it. */
  erase({ position, state }: Place): void {
    this.#change({ ...counted(state, -1), erased: 1 }, () =>
      this.#forget(state === 'pending' ? 'pending' : 'parked', position),
    )
  }

  #change(delta: Delta, write: () => void): void {
    this.#ledger.change(delta, this.#upstream(), write)
  }

  #insert(position: number, { id, kind, receivedAt, body }: StoreRequest, state: EventState): void {
    const bytes = body.slice().buffer
    if (state === 'pending') {
      this.#sql.exec(
        'INSERT INTO pending VALUES (?, ?, ?, ?, ?)',
        position,
        id,
        kind,
        receivedAt,
        bytes,
      )
    } else {
      this.#sql.exec(
        'INSERT INTO parked VALUES (?, ?, ?, ?, ?, ?)',
        position,
        id,
        state,
        kind,
        receivedAt,
        bytes,
      )
    }
  }

  #forget(table: 'pending' | 'parked', position: number): void {
    this.#sql.exec(`DELETE FROM ${table} WHERE position = ?`, position)
    this.#sql.exec('DELETE FROM tries WHERE position = ?', position)
    this.#sql.exec('DELETE FROM parts WHERE position = ?', position)
    this.#sql.exec('DELETE FROM unfinished WHERE position = ?', position)
  }

  #writeParts(position: number, records: readonly string[]): void {
    for (const [part, record] of records.entries()) {
      this.#sql.exec('INSERT INTO parts VALUES (?, ?, ?)', position, part, record)
    }
  }

  #writeTries(position: number, tried: FailedTry): void {
    this.#sql.exec(
      `INSERT OR REPLACE INTO tries (position, attempts, strikes, throttles, tried_at, next_at,
         asked_to_wait, code, status, message, answer)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      position,
      tried.attempts,
      tried.strikes,
      tried.throttles,
      tried.triedAt,
      tried.nextAt,
      tried.askedToWait ? 1 : 0,
      tried.error.code,
      tried.error.status,
      tried.error.message,
      tried.answer,
    )
  }

  /** The first free position of the millisecond of receipt, or of a later millisecond if that one is full. */
  #freePosition(receivedAt: number): number {
    for (let first = receivedAt * PER_MS; ; first += PER_MS) {
      const last = this.#reader.lastPosition(first, first + PER_MS - 1)
      if (last === null) return first
      if (last + 1 < first + PER_MS) return last + 1
    }
  }
}

/** `pending` is not counted: it is the difference of the other counters. */
function counted(state: EventState, by: number): Delta {
  return state === 'pending' ? {} : { [state]: by }
}
