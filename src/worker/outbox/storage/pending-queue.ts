/**
 * Which pending events are next, in SQLite: in the order of their receipt, and in the order in which waits end.
 *
 * Promises: no statement reads more rows than a few beyond what it returns and the tried events among them.
 */

/** Where an event is, and the bytes of its body. */
export type Located = { position: number; bytes: number }

export class PendingQueue {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Events never tried, oldest first, after a position. */
  untried(after: number, limit: number): Located[] {
    return this.#located(
      `SELECT position, length(body) AS bytes FROM pending WHERE position > ? AND NOT EXISTS
         (SELECT 1 FROM tries WHERE tries.position = pending.position)
       ORDER BY position LIMIT ?`,
      after,
      limit,
    )
  }

  /** Events never tried, newest first. */
  newestUntried(limit: number): Located[] {
    return this.#located(
      `SELECT position, length(body) AS bytes FROM pending WHERE NOT EXISTS
         (SELECT 1 FROM tries WHERE tries.position = pending.position)
       ORDER BY position DESC LIMIT ?`,
      limit,
    )
  }

  /** Dead events that AEP refused from a moment on (413 apart), in pages by position. */
  refusedSince(from: number, after: number, limit: number): number[] {
    return this.#sql
      .exec<{ position: number }>(
        `SELECT position FROM parked JOIN tries USING (position)
         WHERE state = 'dead' AND position > ? AND tries.code = 'rejected' AND status <> 413
           AND tried_at >= ?
         ORDER BY position LIMIT ?`,
        after,
        from,
        limit,
      )
      .toArray()
      .map(({ position }) => position)
  }

  /** Tried events whose wait is over, longest over first. */
  due(now: number, limit: number): Located[] {
    // Mostly no wait is over, and that is the cheaper question.
    const first = this.nextDueAt()
    if (first === null || first > now) return []
    return this.#located(
      `SELECT position, length(body) AS bytes FROM tries JOIN pending USING (position)
       WHERE next_at <= ? ORDER BY next_at, position LIMIT ?`,
      now,
      limit,
    )
  }

  /** Tried events, whether their wait is over or not, in the order it ends. */
  waiting(limit: number): Located[] {
    return this.#located(
      `SELECT position, length(body) AS bytes FROM tries JOIN pending USING (position)
       WHERE next_at IS NOT NULL ORDER BY next_at, position LIMIT ?`,
      limit,
    )
  }

  /** The newest position of any pending event. */
  lastPending(): number | null {
    return this.#number('SELECT MAX(position) AS n FROM pending')
  }

  nextDueAt(): number | null {
    return this.#number('SELECT MIN(next_at) AS n FROM tries WHERE next_at IS NOT NULL')
  }

  #located(query: string, ...bindings: number[]): Located[] {
    return this.#sql.exec<Located>(query, ...bindings).toArray()
  }

  #number(query: string, ...bindings: number[]): number | null {
    const [row] = this.#sql.exec<{ n: number | null }>(query, ...bindings).toArray()
    return row?.n ?? null
  }
}
