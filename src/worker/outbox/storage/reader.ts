/**
 * Queries the events of a shard in SQLite: every statement that the outbox needs to find its next work. (`listing.ts`
 * has those for operators, `store.ts` those that write.)
 *
 * Promises: each statement reads only a few rows more than it returns, however many are stored.
 * A position is a unique number that orders events by receipt. Times are epoch milliseconds, sizes are bytes.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import type { EventState } from '../state.ts'

/** Positions for each millisecond of receipt. 4096 × today's epoch milliseconds stays below 2^53. */
export const PER_MS = 4096

/**
 * The history of an event's attempts. `strikes`: failures blamed on the event. `throttles`: how often in a row AEP
 * throttled it while accepting other events in between. `triedAt`: the end of the latest attempt.
 */
export type Tries = {
  attempts: number
  strikes: number
  throttles: number
  triedAt: number | null
}

export type PendingEvent = {
  position: number
  id: string
  kind: StoredKind
  receivedAt: number
  body: Uint8Array
  /** `null`: never tried. */
  tries: Tries | null
}

/** The position of an event, and the size of its body. */
export type Located = { position: number; bytes: number }

/** One record of a split event, as JSON text without an envelope. `part`: its index. */
export type StoredPart = { part: number; record: string }

export type Place = { position: number; state: EventState }

export class EventReader {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** `null` if no event is stored under the id. */
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

  /** The parts that AEP has not accepted yet, in order. Empty if the event is not split, or not encoded yet. */
  parts(position: number): StoredPart[] {
    return this.#sql
      .exec<StoredPart>('SELECT part, record FROM parts WHERE position = ? ORDER BY part', position)
      .toArray()
      .map(({ part, record }) => ({ part, record: withoutEnvelope(record) }))
  }

  /** How many attempts to process this large event started and never finished. */
  unfinishedTries(position: number): number {
    return this.#number('SELECT tries AS n FROM unfinished WHERE position = ?', position) ?? 0
  }

  /** Events received before `ms`, in any state: up to `limit` pending and `limit` others, oldest first. */
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

  /** Events without an attempt, oldest first, starting after a position. */
  untried(after: number, limit: number): Located[] {
    return this.#located(
      `SELECT position, length(body) AS bytes FROM pending WHERE position > ? AND NOT EXISTS
         (SELECT 1 FROM tries WHERE tries.position = pending.position)
       ORDER BY position LIMIT ?`,
      after,
      limit,
    )
  }

  /** Tried events that are due, the longest overdue first. */
  due(now: number, limit: number): Located[] {
    return this.#located(
      `SELECT position, length(body) AS bytes FROM tries JOIN pending USING (position)
       WHERE next_at <= ? ORDER BY next_at, position LIMIT ?`,
      now,
      limit,
    )
  }

  /** Tried events, due or not, in the order in which they become due. */
  waiting(limit: number): Located[] {
    return this.#located(
      `SELECT position, length(body) AS bytes FROM tries JOIN pending USING (position)
       WHERE next_at IS NOT NULL ORDER BY next_at, position LIMIT ?`,
      limit,
    )
  }

  /** The highest position of a pending event; `null` if none is pending. */
  lastPending(): number | null {
    return this.#number('SELECT MAX(position) AS n FROM pending')
  }

  /** When the first tried event becomes due; `null` if none waits. */
  nextDueAt(): number | null {
    return this.#number('SELECT MIN(next_at) AS n FROM tries WHERE next_at IS NOT NULL')
  }

  /** When the oldest pending event was received; `null` if none is pending. */
  oldestPendingAt(): number | null {
    return this.#number('SELECT received_at AS n FROM pending ORDER BY position LIMIT 1')
  }

  /** When the oldest event in any state was received; `null` if none is stored. */
  oldestAt(): number | null {
    return this.#number(
      `SELECT MIN(n) AS n FROM (
         SELECT * FROM (SELECT received_at AS n FROM pending ORDER BY position LIMIT 1)
         UNION ALL SELECT * FROM (SELECT received_at AS n FROM parked ORDER BY position LIMIT 1))`,
    )
  }

  /** False if the event was parked or erased since it was read. */
  stillPending({ position, id }: PendingEvent): boolean {
    const [row] = this.#sql
      .exec('SELECT 1 FROM pending WHERE position = ? AND id = ?', position, id)
      .toArray()
    return row !== undefined
  }

  /** `null` if no pending event is at the position. */
  readPending(position: number): PendingEvent | null {
    const [row] = this.#sql
      .exec<{
        id: string
        kind: StoredKind
        receivedAt: number
        body: ArrayBuffer
        attempts: number | null
        strikes: number | null
        throttles: number | null
        triedAt: number | null
      }>(
        `SELECT id, kind, received_at AS receivedAt, body, attempts, strikes, throttles,
           tried_at AS triedAt
         FROM pending LEFT JOIN tries USING (position) WHERE position = ?`,
        position,
      )
      .toArray()
    if (!row) return null
    const { id, kind, receivedAt, attempts, strikes, throttles, triedAt } = row
    const tries =
      attempts === null
        ? null
        : { attempts, strikes: strikes ?? 0, throttles: throttles ?? 0, triedAt }
    return { position, id, kind, receivedAt, body: new Uint8Array(row.body), tries }
  }

  /** Reads a dead or quarantined event; `null` if none is at the position. */
  readParked(position: number): Omit<PendingEvent, 'tries'> | null {
    const [row] = this.#sql
      .exec<{ id: string; kind: StoredKind; receivedAt: number; body: ArrayBuffer }>(
        'SELECT id, kind, received_at AS receivedAt, body FROM parked WHERE position = ?',
        position,
      )
      .toArray()
    return row ? { ...row, position, body: new Uint8Array(row.body) } : null
  }

  /** The highest position in use from `first` to `last`; `null` if all are free. */
  lastPosition(first: number, last: number): number | null {
    return this.#number(
      `SELECT MAX(n) AS n FROM (
         SELECT MAX(position) AS n FROM pending WHERE position BETWEEN ?1 AND ?2
         UNION ALL SELECT MAX(position) FROM parked WHERE position BETWEEN ?1 AND ?2)`,
      first,
      last,
    )
  }

  #located(query: string, ...bindings: number[]): Located[] {
    return this.#sql.exec<Located>(query, ...bindings).toArray()
  }

  #number(query: string, ...bindings: number[]): number | null {
    const [row] = this.#sql.exec<{ n: number | null }>(query, ...bindings).toArray()
    return row?.n ?? null
  }
}

/** Earlier versions stored parts inside an envelope. Strips it, because sending adds the current one. */
function withoutEnvelope(stored: string): string {
  const entity = ',"xdmEntity":'
  return stored.startsWith('{"header":')
    ? stored.slice(stored.indexOf(entity) + entity.length, -'}}'.length)
    : stored
}
