/**
 * How many webhooks were answered what, and how long it took: minutes for 48 hours, hours for 90 days.
 *
 * Promises: adding reads and writes one row a minute, kind and outcome; nothing is counted in two rows, so a sum over
 * both tables is right at any moment. Whole hours that have been read are remembered as long as the object lives.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import { ACTIVITY_HOURS_MS, ACTIVITY_MINUTES_MS } from '../../limits.ts'
import type { CountRow, Outcome } from '../../receipts/carried.ts'
import { addHistogram, type Histogram } from '../../receipts/histogram.ts'

export const STEP_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const
export type Step = keyof typeof STEP_MS

type Row = { at: number; kind: StoredKind; outcome: Outcome; count: number; histogram: string }

export class ActivityStore {
  readonly #sql: SqlStorage
  /** Sums of whole hours of minutes, by their beginning; until something is added to one. */
  readonly #hours = new Map<number, CountRow[]>()

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Part of the caller's transaction. */
  add(rows: readonly CountRow[]): void {
    for (const row of rows) this.#add('minutes', row)
  }

  /** `from` is included, `to` is not; `minute` of a row is then the beginning of its step. */
  points(from: number, to: number, step: Step): CountRow[] {
    const rows =
      step === 'minute'
        ? this.#between('minutes', from, to)
        : [...this.#hoursOfMinutes(from, to), ...this.#between('hours', from, to)]
    return summed(rows, STEP_MS[step])
  }

  /** Makes hours of minutes that are too old, and forgets hours that are. */
  sweep(now: number): void {
    const before = hourOf(now - ACTIVITY_MINUTES_MS)
    const old = this.#between('minutes', 0, before)
    for (const hour of summed(old, STEP_MS.hour)) this.#add('hours', hour)
    if (old.length > 0) this.#sql.exec('DELETE FROM minutes WHERE at < ?', before)
    for (const hour of this.#hours.keys()) if (hour < before) this.#hours.delete(hour)
    this.#sql.exec('DELETE FROM hours WHERE at < ?', now - ACTIVITY_HOURS_MS)
  }

  /** A page that shows hours is loaded often, and would read every minute of them each time. */
  #hoursOfMinutes(from: number, to: number): CountRow[] {
    const { first, last } = this.#sql
      .exec<{ first: number | null; last: number | null }>(
        'SELECT (SELECT MIN(at) FROM minutes) AS first, (SELECT MAX(at) FROM minutes) AS last',
      )
      .one()
    const rows: CountRow[] = []
    const until = Math.min(to, (last ?? -1) + 1)
    for (let at = Math.max(from, hourOf(first ?? 0)); at < until; ) {
      const end = hourOf(at) + STEP_MS.hour
      const isWhole = at === hourOf(at) && end <= to
      rows.push(...(isWhole ? this.#hour(at) : this.#between('minutes', at, Math.min(end, to))))
      at = end
    }
    return rows
  }

  #hour(at: number): CountRow[] {
    let rows = this.#hours.get(at)
    if (!rows) {
      rows = summed(this.#between('minutes', at, at + STEP_MS.hour), STEP_MS.hour)
      this.#hours.set(at, rows)
    }
    // A sum of these adds to their histograms.
    return rows.map((row) => ({ ...row, histogram: { ...row.histogram } }))
  }

  #add(table: 'minutes' | 'hours', { minute, kind, outcome, count, histogram }: CountRow): void {
    this.#hours.delete(hourOf(minute))
    const [stored] = this.#sql
      .exec<{ histogram: string }>(
        `SELECT histogram FROM ${table} WHERE at = ? AND kind = ? AND outcome = ?`,
        minute,
        kind,
        outcome,
      )
      .toArray()
    const merged = addHistogram(stored ? parse(stored.histogram) : {}, histogram)
    this.#sql.exec(
      `INSERT INTO ${table} (at, kind, outcome, count, histogram) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (at, kind, outcome) DO UPDATE SET count = count + excluded.count,
         histogram = excluded.histogram`,
      minute,
      kind,
      outcome,
      count,
      JSON.stringify(merged),
    )
  }

  #between(table: 'minutes' | 'hours', from: number, to: number): CountRow[] {
    return this.#sql
      .exec<Row>(`SELECT * FROM ${table} WHERE at >= ? AND at < ?`, from, to)
      .toArray()
      .map(({ at, histogram, ...row }) => ({ ...row, minute: at, histogram: parse(histogram) }))
  }
}

/** Rows of one step, kind and outcome in one; the oldest first. Rows given are used up. */
export function summed(rows: readonly CountRow[], stepMs: number): CountRow[] {
  const sums = new Map<string, CountRow>()
  for (const row of rows) {
    const minute = Math.floor(row.minute / stepMs) * stepMs
    const key = `${minute} ${row.kind} ${row.outcome}`
    const sum = sums.get(key)
    if (sum) {
      sum.count += row.count
      addHistogram(sum.histogram, row.histogram)
    } else sums.set(key, { ...row, minute })
  }
  return [...sums.values()].sort((a, b) => a.minute - b.minute)
}

function hourOf(ms: number): number {
  return Math.floor(ms / STEP_MS.hour) * STEP_MS.hour
}

function parse(histogram: string): Histogram {
  return JSON.parse(histogram)
}
