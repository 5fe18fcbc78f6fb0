/** What is kept of the attempts on a stored event: one row, written anew after each. */
import type { AttemptError } from '../../aep/client/verdict.ts'
import type { StoredError } from '../state.ts'
import type { Tries } from './reader.ts'

export type FailedTry = Omit<Tries, 'refused'> & {
  nextAt: number | null
  /** `nextAt` is what AEP's `Retry-After` asked for. */
  askedToWait: boolean
  error: StoredError | AttemptError
  answer: string | null
}

export class TryStore {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  write(position: number, tried: FailedTry): void {
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

  /**
   * Cuts waits that are longer than any can be: a clock that ran ahead wrote them. `capMs`: the longest backoff,
   * `askedMs`: the longest wait that AEP can ask for.
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
}
