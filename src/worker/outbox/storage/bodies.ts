/**
 * The content of stored events, apart from relaying them: reading it through, hashes that are missing, and overwriting it
 * before its row goes, since Durable Objects refuse SQLite's own `secure_delete`.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import type { Hashes } from '../../receipts/hashes.ts'
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

  /** Some event that was stored without its hashes. SQLite must be told of the index that holds no others, or reads every row. */
  withoutHashes(): Place | null {
    const [row] = this.#sql
      .exec<Place>(
        `SELECT * FROM (SELECT position, 'pending' AS state
           FROM pending INDEXED BY pending_without_hashes WHERE hashes IS NULL LIMIT 1)
         UNION ALL SELECT * FROM (SELECT position, state
           FROM parked INDEXED BY parked_without_hashes WHERE hashes IS NULL LIMIT 1)
         LIMIT 1`,
      )
      .toArray()
    return row ?? null
  }

  /** `false`: the event is not there any more, or has its hashes. */
  setHashes({ position, state }: Place, id: string, hashes: Hashes): boolean {
    const { rowsWritten } = this.#sql.exec(
      `UPDATE ${tableOf(state)} SET hashes = ? WHERE position = ? AND id = ? AND hashes IS NULL`,
      hashes,
      position,
      id,
    )
    return rowsWritten > 0
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
