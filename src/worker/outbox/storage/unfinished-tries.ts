/**
 * Tries of large events that have begun and not ended: a try that ends the isolate leaves its row behind.
 * Promises: a row per large event while it is tried, none otherwise (two rows written for each of its tries).
 */
export class UnfinishedTries {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** How often processing this large event has begun and not ended. */
  count(position: number): number {
    const [row] = this.#sql
      .exec<{ tries: number }>('SELECT tries FROM unfinished WHERE position = ?', position)
      .toArray()
    return row?.tries ?? 0
  }

  /** Processing a large event begins: see `beginLarge`. */
  begin(position: number): void {
    this.#sql.exec(
      `INSERT INTO unfinished VALUES (?, 1)
       ON CONFLICT (position) DO UPDATE SET tries = tries + 1`,
      position,
    )
  }

  finish(position: number): void {
    this.#sql.exec('DELETE FROM unfinished WHERE position = ?', position)
  }
}
