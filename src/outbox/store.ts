/**
 * The events of a shard in SQLite: every statement that changes them.
 *
 * Promises: a change and its count happen in one transaction, or not at all; no statement reads more rows than it
 * returns or changes, however many are stored. A delivered event costs five rows written in all (stored 3, forgotten 2).
 * Never looks at the clock, at AEP or at the alarm: that is `Outbox`'s.
 */
import type { DestinationState } from '../aep/destination.ts'
import type { AttemptError } from '../aep/verdict.ts'
import type { StoredKind } from '../chatlio/kind.ts'
import { arrive, heldAfter } from './arrive.ts'
import type { Delta, LedgerStore } from './ledger.ts'
import type { EventState, StoredError, StoreRequest } from './state.ts'

/** Positions per millisecond of receipt. 4096 × today's epoch milliseconds stays below 2^53. */
const PER_MS = 4096

export type Tries = { attempts: number; strikes: number; triedAt: number | null }

export type PendingEvent = {
  position: number
  id: string
  kind: StoredKind
  receivedAt: number
  body: Uint8Array
  /** `null`: never tried. */
  tries: Tries | null
}

export type FailedTry = Tries & {
  nextAt: number | null
  error: StoredError | AttemptError
  answer: string | null
}

/** One record of an event that is too large for one. */
export type Part = { part: number; record: string }

type Place = { position: number; state: EventState }

export class EventStore {
  readonly #sql: SqlStorage
  readonly #ledger: LedgerStore
  readonly #destination: () => DestinationState

  constructor(sql: SqlStorage, ledger: LedgerStore, destination: () => DestinationState) {
    this.#sql = sql
    this.#ledger = ledger
    this.#destination = destination
  }

  /** Stores an event as `arrive` says and answers the state really held. `tried`: the try its request has made. */
  put(request: StoreRequest, tried: FailedTry | null): Place {
    const stored = this.find(request.id)
    const move = arrive(stored?.state ?? null, request.state)
    const state = heldAfter(stored?.state ?? null, request.state)
    if (!stored) {
      const position = this.#freePosition(request.receivedAt)
      this.#change({ accepted: 1, ...counted(state, 1) }, () => {
        this.#insert(position, request, state)
        this.#writeParts(position, request.parts)
        if (tried) this.#writeTries(position, tried)
      })
      return { position, state }
    }
    if (move === 'to-pending') this.revive(stored.position, stored.state, request.kind, tried)
    if (move === 'to-dead') {
      this.#change({ ...counted(stored.state, -1), ...counted('dead', 1) }, () => {
        this.#sql.exec("UPDATE parked SET state = 'dead' WHERE position = ?", stored.position)
        if (tried) this.#writeTries(stored.position, tried)
      })
    }
    return { position: stored.position, state }
  }

  find(id: string): Place | null {
    const [row] = this.#sql
      .exec<Place>(
        `SELECT position, 'pending' AS state FROM pending WHERE id = ?1
         UNION ALL SELECT position, state FROM parked WHERE id = ?1`,
        id,
      )
      .toArray()
    return row ?? null
  }

  /** AEP has it: forget it. */
  delivered(event: PendingEvent): void {
    this.#change({ delivered: 1 }, () => this.#forget('pending', event.position))
  }

  /** Parts still to be sent; none where the event is one record, or is not encoded yet. */
  parts(position: number): Part[] {
    return this.#sql
      .exec<Part>('SELECT part, record FROM parts WHERE position = ? ORDER BY part', position)
      .toArray()
  }

  /** Decides, once, into which records an event is split: before the first of them is sent. */
  split(position: number, records: readonly string[]): void {
    this.#change({}, () => this.#writeParts(position, records))
  }

  partDelivered(position: number, part: number): void {
    this.#sql.exec('DELETE FROM parts WHERE position = ? AND part = ?', position, part)
  }

  failed(position: number, tried: FailedTry): void {
    this.#writeTries(position, tried)
  }

  /** Takes a pending event out of the way, for an operator. */
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

  /** Back to the events that are relayed, with a clean slate but for `tried`. */
  revive(position: number, from: EventState, kind: StoredKind, tried: FailedTry | null): void {
    this.#change(counted(from, -1), () => {
      this.#sql.exec(
        `INSERT INTO pending (position, id, kind, received_at, body)
         SELECT position, id, ?2, received_at, body FROM parked WHERE position = ?1`,
        position,
        kind,
      )
      this.#sql.exec('DELETE FROM parked WHERE position = ?', position)
      this.#sql.exec('DELETE FROM tries WHERE position = ?', position)
      if (tried) this.#writeTries(position, tried)
    })
  }

  erase({ position, state }: Place): void {
    this.#change({ ...counted(state, -1), erased: 1 }, () =>
      this.#forget(state === 'pending' ? 'pending' : 'parked', position),
    )
  }

  /** The oldest events received before a moment, whatever their state. */
  receivedBefore(ms: number, limit: number): Place[] {
    return this.#sql
      .exec<Place>(
        `SELECT * FROM (SELECT position, 'pending' AS state FROM pending WHERE position < ?1
           ORDER BY position LIMIT ?2)
         UNION ALL
         SELECT * FROM (SELECT position, state FROM parked WHERE position < ?1
           ORDER BY position LIMIT ?2)`,
        ms * PER_MS,
        limit,
      )
      .toArray()
  }

  /** Positions of events never tried, oldest first, after a position. */
  untried(after: number, limit: number): number[] {
    return this.#positions(
      `SELECT position FROM pending WHERE position > ? AND NOT EXISTS
         (SELECT 1 FROM tries WHERE tries.position = pending.position)
       ORDER BY position LIMIT ?`,
      after,
      limit,
    )
  }

  /** Positions of tried events whose wait is over, longest over first. */
  due(now: number, limit: number): number[] {
    return this.#positions(
      'SELECT position FROM tries WHERE next_at <= ? ORDER BY next_at, position LIMIT ?',
      now,
      limit,
    )
  }

  /** Positions of tried events, whether their wait is over or not, in the order it ends. */
  waiting(limit: number): number[] {
    return this.#positions(
      'SELECT position FROM tries WHERE next_at IS NOT NULL ORDER BY next_at, position LIMIT ?',
      limit,
    )
  }

  nextDueAt(): number | null {
    return this.#number('SELECT MIN(next_at) AS n FROM tries WHERE next_at IS NOT NULL')
  }

  oldestPendingAt(): number | null {
    return this.#number('SELECT received_at AS n FROM pending ORDER BY position LIMIT 1')
  }

  oldestAt(): number | null {
    return this.#number(
      `SELECT MIN(n) AS n FROM (
         SELECT * FROM (SELECT received_at AS n FROM pending ORDER BY position LIMIT 1)
         UNION ALL SELECT * FROM (SELECT received_at AS n FROM parked ORDER BY position LIMIT 1))`,
    )
  }

  /** Whether an operator or its age has not taken the event away meanwhile. */
  stillPending({ position, id }: PendingEvent): boolean {
    const [row] = this.#sql
      .exec('SELECT 1 FROM pending WHERE position = ? AND id = ?', position, id)
      .toArray()
    return row !== undefined
  }

  readPending(position: number): PendingEvent | null {
    const [row] = this.#sql
      .exec<{
        id: string
        kind: StoredKind
        receivedAt: number
        body: ArrayBuffer
        attempts: number | null
        strikes: number | null
        triedAt: number | null
      }>(
        `SELECT id, kind, received_at AS receivedAt, body, attempts, strikes, tried_at AS triedAt
         FROM pending LEFT JOIN tries USING (position) WHERE position = ?`,
        position,
      )
      .toArray()
    if (!row) return null
    const { id, kind, receivedAt, attempts, strikes, triedAt } = row
    const tries = attempts === null ? null : { attempts, strikes: strikes ?? 0, triedAt }
    return { position, id, kind, receivedAt, body: new Uint8Array(row.body), tries }
  }

  readParked(position: number): Omit<PendingEvent, 'tries'> | null {
    const [row] = this.#sql
      .exec<{ id: string; kind: StoredKind; receivedAt: number; body: ArrayBuffer }>(
        'SELECT id, kind, received_at AS receivedAt, body FROM parked WHERE position = ?',
        position,
      )
      .toArray()
    return row ? { ...row, position, body: new Uint8Array(row.body) } : null
  }

  #change(delta: Delta, write: () => void): void {
    this.#ledger.change(delta, this.#destination(), write)
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
  }

  #writeParts(position: number, records: readonly string[]): void {
    for (const [part, record] of records.entries()) {
      this.#sql.exec('INSERT INTO parts VALUES (?, ?, ?)', position, part, record)
    }
  }

  #writeTries(position: number, tried: FailedTry): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO tries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      position,
      tried.attempts,
      tried.strikes,
      tried.triedAt,
      tried.nextAt,
      tried.error.code,
      tried.error.status,
      tried.error.message,
      tried.answer,
    )
  }

  /** The first free position of the millisecond of receipt, or of a later one when that one is full. */
  #freePosition(receivedAt: number): number {
    for (let first = receivedAt * PER_MS; ; first += PER_MS) {
      const last = this.#number(
        `SELECT MAX(n) AS n FROM (
           SELECT MAX(position) AS n FROM pending WHERE position BETWEEN ?1 AND ?2
           UNION ALL SELECT MAX(position) FROM parked WHERE position BETWEEN ?1 AND ?2)`,
        first,
        first + PER_MS - 1,
      )
      if (last === null) return first
      if (last + 1 < first + PER_MS) return last + 1
    }
  }

  #positions(query: string, ...bindings: number[]): number[] {
    return this.#sql
      .exec<{ position: number }>(query, ...bindings)
      .toArray()
      .map(({ position }) => position)
  }

  #number(query: string, ...bindings: number[]): number | null {
    const [row] = this.#sql.exec<{ n: number | null }>(query, ...bindings).toArray()
    return row?.n ?? null
  }
}

/** `pending` has no counter of its own: it is what the others leave. */
function counted(state: EventState, by: number): Delta {
  return state === 'pending' ? {} : { [state]: by }
}
