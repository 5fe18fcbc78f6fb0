/**
 * How many webhooks were answered what, and how long it took: minutes for 48 hours, hours for 90 days.
 *
 * Promises: adding writes one row an hour that is added to, whatever is in it. Reading hours and days reads the sums of
 * hours, and the minutes only of an hour that is not whole.
 */
import { ACTIVITY_HOURS_MS, ACTIVITY_MINUTES_MS } from '../../limits.ts'
import { type CountRow, STEP_MS, type Step, summed } from './counts.ts'

/** `sums`: of the hour. `minutes`: the same by the minute, empty once they are too old. Both JSON. */
export const ACTIVITY_TABLES = `
CREATE TABLE activity (
  hour INTEGER PRIMARY KEY,
  sums TEXT NOT NULL,
  minutes TEXT NOT NULL
);
`

type Row = { hour: number; rows: string }

export class ActivityStore {
  readonly #sql: SqlStorage
  /** Minutes before have been dropped. */
  #sweptTo = 0

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Part of the caller's transaction. */
  add(rows: readonly CountRow[]): void {
    for (const [hour, added] of Map.groupBy(rows, ({ minute }) => hourOf(minute))) {
      const range = [hour, hour + STEP_MS.hour] as const
      this.#sql.exec(
        `INSERT INTO activity (hour, sums, minutes) VALUES (?, ?, ?)
         ON CONFLICT (hour) DO UPDATE SET sums = excluded.sums, minutes = excluded.minutes`,
        hour,
        JSON.stringify(summed([...this.#read('sums', ...range), ...added], STEP_MS.hour)),
        JSON.stringify(summed([...this.#read('minutes', ...range), ...added], STEP_MS.minute)),
      )
    }
  }

  /** `from` is included, `to` is not; `minute` of a row is then the beginning of its step. `more`: not stored yet. */
  points(from: number, to: number, step: Step, more: readonly CountRow[]): CountRow[] {
    const isIn = ({ minute }: CountRow) => minute >= from && minute < to
    const rows = more.filter(isIn)
    if (step === 'minute') rows.push(...this.#read('minutes', hourOf(from), to).filter(isIn))
    else {
      const [first, end] = [Math.ceil(from / STEP_MS.hour) * STEP_MS.hour, hourOf(to)]
      // Of hours that are not whole; where their minutes are gone, an hour is in when its beginning is.
      const parts = [...new Set([hourOf(from), end])].filter((hour) => hour < first || hour >= end)
      for (const hour of parts) {
        const minutes = this.#read('minutes', hour, hour + 1)
        rows.push(
          ...(minutes.length > 0 ? minutes : this.#read('sums', hour, hour + 1)).filter(isIn),
        )
      }
      rows.push(...this.#read('sums', first, end))
    }
    return summed(rows, STEP_MS[step])
  }

  /** Drops minutes and hours that are too old. */
  sweep(now: number): void {
    const before = hourOf(now - ACTIVITY_MINUTES_MS)
    if (before <= this.#sweptTo) return
    this.#sql.exec("UPDATE activity SET minutes = '[]' WHERE hour < ? AND minutes <> '[]'", before)
    this.#sql.exec('DELETE FROM activity WHERE hour < ?', now - ACTIVITY_HOURS_MS)
    this.#sweptTo = before
  }

  #read(column: 'sums' | 'minutes', from: number, to: number): CountRow[] {
    return this.#sql
      .exec<Row>(
        `SELECT hour, ${column} AS rows FROM activity WHERE hour >= ? AND hour < ?`,
        from,
        to,
      )
      .toArray()
      .flatMap(({ rows }): CountRow[] => JSON.parse(rows))
  }
}

function hourOf(ms: number): number {
  return Math.floor(ms / STEP_MS.hour) * STEP_MS.hour
}
