/**
 * Lists the events of a shard for operators.
 * Promises: reads only. Pages continue after a position, so that events stored or erased between two pages neither
 * repeat nor hide others.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import type { EventDetail, EventState, Listed, ListFilter, StoredError } from '../state.ts'

type Row = {
  position: number
  id: string
  kind: StoredKind
  state: EventState
  receivedAt: number
  bytes: number
  attempts: number | null
  nextAt: number | null
  code: StoredError['code'] | null
  status: number | null
  message: string | null
}

const COLUMNS = `position, id, kind, received_at AS receivedAt, length(body) AS bytes, attempts,
  next_at AS nextAt, code, status, message`

export class Listing {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** At most `limit` events after position `after`, oldest first. */
  list({ state, kind, code }: ListFilter, after: number, limit: number): Listed[] {
    const from =
      state === 'pending'
        ? "'pending' AS state FROM pending LEFT JOIN tries USING (position) WHERE ?1 = 'pending'"
        : 'state FROM parked LEFT JOIN tries USING (position) WHERE state = ?1'
    return this.#sql
      .exec<Row>(
        `SELECT ${COLUMNS}, ${from} AND position > ?2 AND (?3 IS NULL OR kind = ?3)
           AND (?5 IS NULL OR code = ?5)
         ORDER BY position LIMIT ?4`,
        state,
        after,
        kind,
        limit,
        code,
      )
      .toArray()
      .map(toListed)
  }

  /** The event at a position, whatever its state; `null` if there is none. */
  at(position: number): Listed | null {
    for (const table of ['pending', 'parked']) {
      const state = table === 'pending' ? "'pending' AS state" : 'state'
      const [row] = this.#sql
        .exec<Row>(
          `SELECT ${COLUMNS}, ${state} FROM ${table} LEFT JOIN tries USING (position)
           WHERE position = ?`,
          position,
        )
        .toArray()
      if (row) return toListed(row)
    }
    return null
  }

  /** One event with its body; `null` if it is not stored. */
  get(id: string): EventDetail | null {
    for (const table of ['pending', 'parked']) {
      const state = table === 'pending' ? "'pending' AS state" : 'state'
      const [row] = this.#sql
        .exec<Row & { body: ArrayBuffer; answer: string | null }>(
          `SELECT ${COLUMNS}, ${state}, body, answer FROM ${table} LEFT JOIN tries USING (position)
           WHERE id = ?`,
          id,
        )
        .toArray()
      if (row) {
        const { position: _, ...summary } = toListed(row)
        return { ...summary, body: new Uint8Array(row.body), answer: row.answer }
      }
    }
    return null
  }
}

function toListed(row: Row): Listed {
  const { position, id, kind, state, receivedAt, bytes, attempts, nextAt, code, status, message } =
    row
  const lastError = code === null ? null : { code, status, message: message ?? '' }
  return {
    position,
    id,
    kind,
    state,
    attempts: attempts ?? 0,
    receivedAt,
    nextAttemptAt: nextAt,
    lastError,
    bytes,
  }
}
