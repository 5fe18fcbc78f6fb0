/**
 * What is kept of the attempts on a stored event: one row, written anew after each, with the history of them all:
 * `[[at, code, status], …]`, the first and the latest.
 */
import type { AttemptError } from '../../aep/client/verdict.ts'
import { MAX_KEPT_TRIES } from '../../limits.ts'
import type { StoredError } from '../state.ts'
import type { Tries } from './reader.ts'

export type FailedTry = Omit<Tries, 'refused'> & {
  nextAt: number | null
  /** `nextAt` is what AEP's `Retry-After` asked for. */
  askedToWait: boolean
  error: StoredError | AttemptError
  answer: string | null
}

/** A note that is no further attempt (an event that could not be encoded) leaves the history as it is. */
const WRITE = `
  INSERT INTO tries (position, attempts, strikes, throttles, tried_at, next_at, asked_to_wait,
    code, status, message, answer, history)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (position) DO UPDATE SET attempts = excluded.attempts, strikes = excluded.strikes,
    throttles = excluded.throttles, tried_at = excluded.tried_at, next_at = excluded.next_at,
    asked_to_wait = excluded.asked_to_wait, code = excluded.code, status = excluded.status,
    message = excluded.message, answer = excluded.answer,
    history = CASE WHEN excluded.attempts = attempts AND excluded.tried_at IS tried_at THEN history
      ELSE json_insert(
      CASE WHEN json_array_length(history) < ${MAX_KEPT_TRIES} THEN history
        ELSE json_remove(history, '$[1]') END,
      '$[#]', json_extract(excluded.history, '$[0]')) END`

export class TryStore {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  write(position: number, tried: FailedTry): void {
    const { attempts, triedAt, error } = tried
    const isTry = attempts > 0 && triedAt !== null
    this.#sql.exec(
      WRITE,
      position,
      attempts,
      tried.strikes,
      tried.throttles,
      triedAt,
      tried.nextAt,
      tried.askedToWait ? 1 : 0,
      error.code,
      error.status,
      error.message,
      tried.answer,
      JSON.stringify(isTry ? [[triedAt, error.code, error.status]] : []),
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
