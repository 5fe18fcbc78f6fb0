/**
 * The events in custody: one table, and every statement that changes it. (What operators see of it: `list.ts`; the records of
 * split ones: `parts.ts`; how many there are: `ledger.ts`.)
 *
 * Promises: a change and its count happen in one transaction, or not at all; storing an event again changes nothing, unless
 * `stateOnArrival` says so; no statement reads more rows than a few beyond those it returns.
 * Never looks at the clock, at AEP or at the alarm.
 * Accepts: a body is written again when its event changes its state, which few events do. What changes with each attempt
 * has a row of its own (`attempts`).
 */
import type { StoredKind } from '../chatlio/kind.ts'
import { MAX_KEPT_ATTEMPTS, MAX_RETRY_AFTER_MS } from '../limits.ts'
import type { History } from './blame.ts'
import {
  type AcceptedEvent,
  type ArrivingEvent,
  type Eraser,
  type EventEnd,
  type EventState,
  type Located,
  type ParkedState,
  PER_MS,
  type Place,
  type Reason,
  reasonOf,
  type SentEvent,
  type StoredAttempt,
  type StoredEvent,
  stateOnArrival,
} from './event.ts'
import { Ledger } from './ledger.ts'
import { Parts } from './parts.ts'
import { ATTEMPT_COLUMNS, EVENT_COLUMNS } from './schema.ts'

export class Events {
  readonly ledger: Ledger
  readonly parts: Parts
  readonly #storage: DurableObjectStorage
  readonly #sql: SqlStorage
  readonly #left: (id: string, end: EventEnd) => void

  /** `left`: called for each event that is delivered, parked or erased, once that is written; it may not have been pending. */
  constructor(storage: DurableObjectStorage, left: (id: string, end: EventEnd) => void) {
    this.ledger = new Ledger(storage.sql)
    this.parts = new Parts(storage)
    this.#storage = storage
    this.#sql = storage.sql
    this.#left = left
  }

  /** Stores them in one transaction. Returns where each of them is, and in which state it really is. */
  store(arrivals: readonly ArrivingEvent[]): (Place & { isNew: boolean })[] {
    return this.#storage.transactionSync(() => {
      const { stored, free } = this.#look(arrivals)
      let added = 0
      const places = arrivals.map((arrival) => {
        const held = stored.get(arrival.id)
        const place = held ? this.#merge(held, arrival) : this.#insert(free(arrival), arrival)
        if (!held) added += 1
        stored.set(arrival.id, place)
        return { ...place, isNew: !held }
      })
      if (added > 0) this.ledger.count({ accepted: added })
      return places
    })
  }

  #insert(position: number, arrival: ArrivingEvent): Place {
    const { id, kind, source, receivedAt, hashes, body, state, parts, madeFor, attempt } = arrival
    const { code, path } = causeIn(state, attempt)
    this.#write(INSERT_EVENT, EVENT_COLUMNS, {
      ...{ position, id, state, kind, source, received_at: receivedAt, hashes, code, path },
      ...{ begun: 0, body: body.slice().buffer },
    })
    if (parts.length > 0) this.parts.split(position, parts, madeFor, 0)
    if (attempt) this.#writeAttempt(position, attempt)
    return { position, state }
  }

  #merge({ position, state }: Place, { kind, attempt, ...arriving }: ArrivingEvent): Place {
    const next = stateOnArrival(state, arriving.state)
    if (next === state) return { position, state }
    if (next === 'pending') this.requeue(position, kind, attempt)
    else this.park(position, next, attempt)
    return { position, state: next }
  }

  /** Where these are stored, by id, and a free position for each moment of receipt. */
  #look(arrivals: readonly ArrivingEvent[]) {
    const stored = new Map<string, Place>()
    const next = new Map<number, number>()
    const asked = JSON.stringify(arrivals.map(({ id, receivedAt }) => [id, receivedAt]))
    for (const { id, ms, position, state, last } of this.#sql.exec<Looked>(LOOK, asked)) {
      next.set(ms, Math.max((last ?? -1) + 1, ms * PER_MS))
      if (position !== null && state !== null) stored.set(id, { position, state })
    }
    const free = ({ receivedAt }: ArrivingEvent): number => {
      for (let ms = receivedAt; ; ms += 1) {
        const position = next.get(ms) ?? this.#firstFree(ms)
        next.set(ms, position + 1)
        // A millisecond that is full: the next one.
        if (position < (ms + 1) * PER_MS) return position
      }
    }
    return { stored, free }
  }

  #firstFree(ms: number): number {
    const query = 'SELECT MAX(position) AS n FROM events WHERE position BETWEEN ? AND ?'
    const last = this.#number(query, ms * PER_MS, ms * PER_MS + PER_MS - 1)
    return Math.max((last ?? -1) + 1, ms * PER_MS)
  }

  find(id: string): Place | null {
    return this.#place('SELECT position, state FROM events WHERE id = ?', id)
  }

  at(position: number): Place | null {
    return this.#place('SELECT position, state FROM events WHERE position = ?', position)
  }

  read(position: number): StoredEvent | null {
    const [row] = this.#sql.exec<StoredRow>(READ, position).toArray()
    return row ? toStored(row) : null
  }

  /** Events never tried, oldest first, after a position. */
  untried(after: number, limit: number): Located[] {
    return this.#located(`${UNTRIED} AND position > ? ORDER BY position LIMIT ?`, after, limit)
  }

  newestUntried(limit: number): Located[] {
    return this.#located(`${UNTRIED} ORDER BY position DESC LIMIT ?`, limit)
  }

  /** Tried events whose wait is over, longest over first. */
  due(now: number, limit: number): Located[] {
    // Mostly no wait is over, and that is the cheaper question.
    const first = this.nextDueAt()
    if (first === null || first > now) return []
    return this.#located(`${TRIED} next_at <= ? ORDER BY next_at, position LIMIT ?`, now, limit)
  }

  /** Tried events, whether their wait is over or not, in the order in which it ends. */
  waiting(limit: number): Located[] {
    return this.#located(`${TRIED} next_at IS NOT NULL ORDER BY next_at, position LIMIT ?`, limit)
  }

  nextDueAt(): number | null {
    return this.#number('SELECT MIN(next_at) AS n FROM attempts WHERE next_at IS NOT NULL')
  }

  newestPending(): number | null {
    return this.#number("SELECT MAX(position) AS n FROM events WHERE state = 'pending'")
  }

  oldestPendingAt(): number | null {
    return this.#number(
      "SELECT received_at AS n FROM events WHERE state = 'pending' ORDER BY position LIMIT 1",
    )
  }

  oldestAt(): number | null {
    return this.#number('SELECT received_at AS n FROM events ORDER BY position LIMIT 1')
  }

  /** The oldest events received before a moment, whatever their state. */
  receivedBefore(ms: number, limit: number): Located[] {
    return this.#located(RECEIVED_BEFORE, ms * PER_MS, limit)
  }

  /** Those of these events that are still pending: no operator has taken them away meanwhile, nor has their age. */
  stillPending<Event extends { position: number; id: string }>(events: readonly Event[]): Event[] {
    const asked = JSON.stringify(events.map(({ position, id }) => [position, id]))
    return [...this.#sql.exec<{ key: number }>(STILL_PENDING, asked)].flatMap(
      ({ key }) => events[key] ?? [],
    )
  }

  /** AEP has them: those that are still pending leave, in one transaction. Returns these. */
  accepted(events: readonly SentEvent[]): AcceptedEvent[] {
    const pending = this.stillPending(events)
    if (pending.length === 0) return []
    const positions = pending.map(({ position }) => position)
    const records = this.parts.counts(positions)
    this.#storage.transactionSync(() => {
      this.#forget(positions)
      this.ledger.count({ delivered: pending.length })
    })
    for (const { id } of pending) this.#left(id, 'delivered')
    return pending.map((event) => ({ ...event, records: records.get(event.position) ?? 1 }))
  }

  /** An attempt has failed, and the event stays pending. */
  failed(position: number, attempt: StoredAttempt): void {
    this.#writeAttempt(position, attempt)
  }

  /** It waits for an operator. */
  park(position: number, state: ParkedState, attempt: StoredAttempt | null): void {
    const { code, path } = causeIn(state, attempt)
    const parked = this.#storage.transactionSync(() => {
      if (attempt) this.#writeAttempt(position, { ...attempt, nextAt: null })
      return this.#sql.exec<{ id: string }>(PARK, state, code, path, position).toArray()
    })
    for (const { id } of parked) this.#left(id, state)
  }

  /**
   * Pending again, with a clean slate apart from `attempt`. Parts that AEP has not accepted stay; where the settings have
   * changed meanwhile, it is split anew, under new ids.
   */
  requeue(position: number, kind: StoredKind, attempt: StoredAttempt | null = null): void {
    this.#storage.transactionSync(() => {
      this.#sql.exec(REQUEUE, kind, position)
      this.parts.splitAnew(position)
      this.#sql.exec('DELETE FROM attempts WHERE position = ?', position)
      if (attempt) this.#writeAttempt(position, attempt)
    })
  }

  /**
   * Dead events that AEP refused from a moment on (413 apart) along with everything else are pending again, as tried, and
   * due at once. At most `limit` of them after position `after`; returns their positions.
   */
  takeBackRefusals(from: number, now: number, after: number, limit: number): number[] {
    return this.#storage.transactionSync(() => {
      const rows = this.#sql.exec<{ position: number }>(REFUSED_SINCE, after, from, limit)
      const positions = [...rows].map(({ position }) => position)
      const list = JSON.stringify(positions)
      this.#sql.exec(TAKE_BACK, list)
      this.#sql.exec(DUE_AGAIN, now, list)
      return positions
    })
  }

  /** Erases events of any state: what is in their rows is overwritten at its size, then the rows go. */
  erase(positions: readonly number[], by: Eraser): void {
    if (positions.length === 0) return
    const erased = this.#storage.transactionSync(() => {
      for (const overwrite of OVERWRITE) this.#sql.exec(overwrite, JSON.stringify(positions))
      const forgotten = this.#forget(positions)
      this.ledger.count({ [by]: forgotten.length })
      return forgotten
    })
    for (const { id } of erased) this.#left(id, 'erased')
  }

  /** AEP's kept answer goes, the event stays. */
  eraseAnswer(position: number): void {
    this.#sql.exec(OVERWRITE_ANSWER, position)
    this.#sql.exec('UPDATE attempts SET answer = NULL WHERE position = ?', position)
  }

  /** How often processing this event has begun and not ended. */
  begun(position: number): number {
    return this.#number('SELECT begun AS n FROM events WHERE position = ?', position) ?? 0
  }

  begin(position: number): void {
    this.#sql.exec('UPDATE events SET begun = begun + 1 WHERE position = ?', position)
  }

  end(position: number): void {
    this.#sql.exec('UPDATE events SET begun = 0 WHERE position = ?', position)
  }

  /** Cuts waits that are longer than any can be: a clock that ran ahead wrote them. `capMs`: the longest backoff. */
  correctWaits(now: number, capMs: number): void {
    this.#sql.exec(CORRECT_WAITS, now, capMs, Math.max(capMs, MAX_RETRY_AFTER_MS))
  }

  #writeAttempt(position: number, attempt: StoredAttempt): void {
    const { attempts, strikes, struckAt, throttles, triedAt, nextAt, answer } = attempt
    const { code, status, message } = attempt.error
    const isAttempt = attempts > 0 && triedAt !== null
    this.#write(WRITE_ATTEMPT, ATTEMPT_COLUMNS, {
      ...{ position, attempts, strikes, struck_at: struckAt, throttles },
      ...{ refused: attempt.refused ? 1 : 0, tried_at: triedAt, next_at: nextAt },
      ...{ asked_to_wait: attempt.askedToWait ? 1 : 0, code, status, message, answer },
      history: JSON.stringify(isAttempt ? [[triedAt, code, status]] : []),
    })
  }

  /** Returns those that there were. */
  #forget(positions: readonly number[]): { id: string }[] {
    const list = JSON.stringify(positions)
    for (const forget of FORGET_SIDE_ROWS) this.#sql.exec(forget, list)
    return this.#sql.exec<{ id: string }>(FORGET_EVENTS, list).toArray()
  }

  #write<Columns extends object>(
    statement: string,
    columns: Columns,
    row: Record<keyof Columns, SqlStorageValue>,
  ): void {
    const names = Object.keys(columns) as (keyof Columns)[]
    this.#sql.exec(statement, ...names.map((name) => row[name]))
  }

  #place(query: string, of: string | number): Place | null {
    return this.#sql.exec<Place>(query, of).toArray()[0] ?? null
  }

  #located(query: string, ...bindings: number[]): Located[] {
    return this.#sql.exec<Located>(query, ...bindings).toArray()
  }

  #number(query: string, ...bindings: number[]): number | null {
    const [row] = this.#sql.exec<{ n: number | null }>(query, ...bindings).toArray()
    return row?.n ?? null
  }
}

type Looked = { id: string; ms: number; last: number | null } & {
  [Column in keyof Place]: Place[Column] | null
}

function causeIn(
  state: EventState,
  attempt: StoredAttempt | null,
): Reason | { code: null; path: null } {
  return state === 'pending' ? { code: null, path: null } : reasonOf(attempt?.error ?? null)
}

type StoredRow = Omit<StoredEvent, 'body' | 'history'> &
  Omit<History, 'attempts' | 'refused'> & {
    body: ArrayBuffer
    attempts: number | null
    refused: number
  }

function toStored(row: StoredRow): StoredEvent {
  const { attempts, strikes, struckAt, throttles, triedAt, refused, body, ...event } = row
  const past = { strikes, struckAt, throttles, triedAt, refused: refused === 1 }
  const history = attempts === null ? null : { attempts, ...past }
  return { ...event, body: new Uint8Array(body), history }
}

// Statements are made once: SQLite's are looked up by their text.

const placeholders = (columns: object) => Object.keys(columns).map(() => '?')

const INSERT_EVENT = `INSERT INTO events (${Object.keys(EVENT_COLUMNS)})
  VALUES (${placeholders(EVENT_COLUMNS)})`

const OTHERS = Object.keys(ATTEMPT_COLUMNS).filter(
  (name) => name !== 'position' && name !== 'history',
)

/** What is no further attempt (an event that could not be encoded) leaves the history as it is. */
const WRITE_ATTEMPT = `INSERT INTO attempts (${Object.keys(ATTEMPT_COLUMNS)})
  VALUES (${placeholders(ATTEMPT_COLUMNS)})
  ON CONFLICT (position) DO UPDATE SET ${OTHERS.map((name) => `${name} = excluded.${name}`)},
    history = CASE WHEN excluded.attempts = attempts AND excluded.tried_at IS tried_at THEN history
      ELSE json_insert(
        CASE WHEN json_array_length(history) < ${MAX_KEPT_ATTEMPTS} THEN history
          ELSE json_remove(history, '$[1]') END,
        '$[#]', json_extract(excluded.history, '$[0]')) END`

const LOOK = `SELECT value ->> 0 AS id, value ->> 1 AS ms, events.position AS position, state,
    (SELECT MAX(position) FROM events WHERE position BETWEEN (value ->> 1) * ${PER_MS}
      AND (value ->> 1) * ${PER_MS} + ${PER_MS - 1}) AS last
  FROM json_each(?) LEFT JOIN events ON events.id = value ->> 0`

const READ = `SELECT position, id, kind, source, received_at AS receivedAt, hashes, body, attempts,
    strikes, struck_at AS struckAt, throttles, tried_at AS triedAt, refused
  FROM events LEFT JOIN attempts USING (position) WHERE position = ?`

const UNTRIED = `SELECT position, kind, length(body) AS bytes FROM events WHERE state = 'pending'
  AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.position = events.position)`

const RECEIVED_BEFORE = `SELECT position, kind, length(body) AS bytes FROM events WHERE position < ?
  ORDER BY position LIMIT ?`

/** Only pending events have a moment at which they are due. */
const TRIED = `SELECT position, kind, length(body) AS bytes FROM attempts JOIN events USING (position) WHERE`

/** `CROSS`: the few that are asked for come first, or SQLite reads all pending ones. */
const STILL_PENDING = `SELECT key FROM json_each(?) CROSS JOIN events ON position = value ->> 0
  WHERE events.id = value ->> 1 AND state = 'pending'`

const REFUSED_SINCE = `SELECT position FROM events JOIN attempts USING (position)
  WHERE state = 'dead' AND position > ? AND attempts.code = 'rejected' AND status <> 413
    AND tried_at >= ? ORDER BY position LIMIT ?`

const CORRECT_WAITS = `UPDATE attempts
  SET next_at = ?1 + CASE asked_to_wait WHEN 1 THEN ?3 ELSE ?2 END
  WHERE next_at > ?1 + ?2 AND (asked_to_wait = 0 OR next_at > ?1 + ?3)`

const PARK = `UPDATE events SET state = ?, code = ?, path = ? WHERE position = ? RETURNING id`

const REQUEUE = `UPDATE events SET state = 'pending', code = NULL, path = NULL, kind = ?, begun = 0
  WHERE position = ?`

const TAKE_BACK = `UPDATE events SET state = 'pending', code = NULL, path = NULL
  WHERE position IN (SELECT value FROM json_each(?))`

const DUE_AGAIN = `UPDATE attempts SET next_at = ?, refused = 1
  WHERE position IN (SELECT value FROM json_each(?))`

const LISTED = 'position IN (SELECT value FROM json_each(?))'

const FORGET_SIDE_ROWS = ['attempts', 'parts', 'splits'].map(
  (table) => `DELETE FROM ${table} WHERE ${LISTED}`,
)

const FORGET_EVENTS = `DELETE FROM events WHERE ${LISTED} RETURNING id`

const OVERWRITE_ANSWER = `UPDATE attempts SET answer = zeroblob(length(CAST(answer AS BLOB)))
  WHERE position = ? AND answer IS NOT NULL`

const OVERWRITE = [
  `UPDATE events SET body = zeroblob(length(body)), hashes = zeroblob(length(hashes))
   WHERE ${LISTED}`,
  `UPDATE attempts SET answer = zeroblob(length(CAST(answer AS BLOB)))
   WHERE answer IS NOT NULL AND ${LISTED}`,
  `UPDATE parts SET record = zeroblob(length(CAST(record AS BLOB))) WHERE ${LISTED}`,
]
