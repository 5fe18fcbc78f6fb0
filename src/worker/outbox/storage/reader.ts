/**
 * The events of a shard in SQLite: every statement that looks for the next thing to do. (What operators see:
 * `listing.ts`.)
 *
 * Promises: no statement reads more rows than a few beyond what it returns, however many are stored.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import type { EventState } from '../state.ts'

/** Positions per millisecond of receipt. 4096 × today's epoch milliseconds stays below 2^53. */
export const PER_MS = 4096

/**
 * The attempts on an event so far. `throttles`: how often in a row AEP throttled it, each time with an acceptance of
 * another event in between.
 */
export type Tries = {
  attempts: number
  strikes: number
  throttles: number
  triedAt: number | null
  /** AEP refused it, and a hold took the refusal back. */
  refused: boolean
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

/** One record of an event that is too large for one, as JSON text without an envelope. */
export type StoredPart = { part: number; record: string }

/** Beside its own row an event may have rows in these; mostly it has none. */
export const SIDE_TABLES = ['tries', 'parts', 'unfinished'] as const
export type SideTable = (typeof SIDE_TABLES)[number]

export type Place = { position: number; state: EventState }

export class EventReader {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
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

  /** Parts still to be sent; none where the event is one record, or is not encoded yet. */
  parts(position: number): StoredPart[] {
    return this.#sql
      .exec<StoredPart>('SELECT part, record FROM parts WHERE position = ? ORDER BY part', position)
      .toArray()
      .map(({ part, record }) => ({ part, record: withoutEnvelope(record) }))
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

  /** Whether no operator has taken the event away meanwhile, nor its age. */
  isPending(event: PendingEvent): boolean {
    return this.stillPending([event]).pending.length > 0
  }

  /** Those of these events that are still pending, and which tables hold more of them than `pending` does. */
  stillPending(events: readonly PendingEvent[]): {
    pending: PendingEvent[]
    more: SideTable[]
  } {
    const list = JSON.stringify(events.map(({ position, id }) => [position, id]))
    const rows = this.#sql.exec<Record<'key' | SideTable, number>>(STILL_PENDING, list).toArray()
    return {
      pending: rows.flatMap(({ key }) => events[key] ?? []),
      more: SIDE_TABLES.filter((table) => rows.some((row) => row[table] === 1)),
    }
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
        throttles: number | null
        code: string | null
        triedAt: number | null
      }>(
        `SELECT id, kind, received_at AS receivedAt, body, attempts, strikes, throttles, code,
           tried_at AS triedAt
         FROM pending LEFT JOIN tries USING (position) WHERE position = ?`,
        position,
      )
      .toArray()
    if (!row) return null
    const { id, kind, receivedAt, attempts, strikes, throttles, triedAt, code } = row
    const tries =
      attempts === null
        ? null
        : {
            attempts,
            strikes: strikes ?? 0,
            throttles: throttles ?? 0,
            triedAt,
            refused: code === 'rejected',
          }
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

  #number(query: string, ...bindings: number[]): number | null {
    const [row] = this.#sql.exec<{ n: number | null }>(query, ...bindings).toArray()
    return row?.n ?? null
  }
}

// Made once: a statement is looked up by its text.
const STILL_PENDING = `SELECT key, ${SIDE_TABLES.map(
  (table) => `EXISTS (SELECT 1 FROM ${table} WHERE position = pending.position) AS ${table}`,
)} FROM json_each(?) JOIN pending ON position = value ->> 0 AND pending.id = value ->> 1`

/** Earlier versions stored parts with the envelope of the day; the one that counts is added when they are sent. */
function withoutEnvelope(stored: string): string {
  const entity = ',"xdmEntity":'
  return stored.startsWith('{"header":')
    ? stored.slice(stored.indexOf(entity) + entity.length, -'}}'.length)
    : stored
}
