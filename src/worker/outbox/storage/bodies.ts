/**
 * The content of stored events, apart from relaying them: reading it through, what it is found by, and overwriting it before
 * its row goes.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import type { HashedEvent } from '../records/event-index.ts'
import type { Hashes } from '../records/lookup.ts'
import type { EventState } from '../state.ts'
import type { Place } from './reader.ts'

export type StoredBody = {
  id: string
  kind: StoredKind
  state: EventState
  receivedAt: number
  body: Uint8Array
  /** AEP's last answer, where one is kept. */
  answer: string | null
}

export class Bodies {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Of every state, oldest first, after a position. */
  places(after: number, limit: number): Place[] {
    return this.#sql
      .exec<Place>(
        `SELECT * FROM (SELECT position, 'pending' AS state FROM pending WHERE position > ?1
           ORDER BY position LIMIT ?2)
         UNION ALL
         SELECT * FROM (SELECT position, state FROM parked WHERE position > ?1
           ORDER BY position LIMIT ?2)
         ORDER BY position LIMIT ?2`,
        after,
        limit,
      )
      .toArray()
  }

  read({ position, state }: Place): StoredBody | null {
    const [row] = this.#sql
      .exec<Omit<StoredBody, 'body' | 'state'> & { body: ArrayBuffer }>(
        `SELECT id, kind, received_at AS receivedAt, body, answer FROM ${tableOf(state)}
         LEFT JOIN tries USING (position) WHERE position = ?`,
        position,
      )
      .toArray()
    return row ? { ...row, state, body: new Uint8Array(row.body) } : null
  }

  /** Hashes of the events between two positions, the oldest first. */
  hashed(after: number, before: number, limit: number): Iterable<HashedEvent> {
    return this.#sql.exec<HashedEvent>(
      `SELECT * FROM (SELECT position, hashes FROM pending WHERE position > ?1 AND position < ?2
         ORDER BY position LIMIT ?3)
       UNION ALL
       SELECT * FROM (SELECT position, hashes FROM parked WHERE position > ?1 AND position < ?2
         ORDER BY position LIMIT ?3)
       ORDER BY position LIMIT ?3`,
      after,
      before,
      limit,
    )
  }

  /** Positions of the events whose id begins so. */
  beginningWith(id: string, limit: number): number[] {
    return this.#sql
      .exec<{ position: number }>(
        `SELECT position FROM pending WHERE id >= ?1 AND id < ?2
         UNION ALL SELECT position FROM parked WHERE id >= ?1 AND id < ?2 LIMIT ?3`,
        id,
        // After every text that begins so.
        `${id}\u{10ffff}`,
        limit,
      )
      .toArray()
      .map(({ position }) => position)
  }

  hashes({ position, state }: Place): Hashes | null {
    const [row] = this.#sql
      .exec<{ hashes: Hashes | null }>(
        `SELECT hashes FROM ${tableOf(state)} WHERE position = ?`,
        position,
      )
      .toArray()
    return row?.hashes ?? null
  }

  /** Zeros of the same length take the very bytes of what they replace. */
  overwrite({ position, state }: Place): void {
    this.#sql.exec(
      `UPDATE ${tableOf(state)} SET body = zeroblob(length(body)),
         hashes = zeroblob(length(hashes)) WHERE position = ?`,
      position,
    )
    this.#sql.exec(
      'UPDATE parts SET record = zeroblob(length(CAST(record AS BLOB))) WHERE position = ?',
      position,
    )
    this.#overwriteAnswer(position)
  }

  blankAnswer(position: number): void {
    this.#overwriteAnswer(position)
    this.#sql.exec('UPDATE tries SET answer = NULL WHERE position = ?', position)
  }

  #overwriteAnswer(position: number): void {
    this.#sql.exec(
      `UPDATE tries SET answer = zeroblob(length(CAST(answer AS BLOB)))
       WHERE position = ? AND answer IS NOT NULL`,
      position,
    )
  }
}

function tableOf(state: EventState): 'pending' | 'parked' {
  return state === 'pending' ? 'pending' : 'parked'
}
