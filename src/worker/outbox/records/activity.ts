/**
 * How many webhooks were answered what, and how long it took: minutes for 48 hours, hours for 90 days. Durations are a small
 * histogram with four buckets to each doubling, so that a percentile is right to a fifth of its value, and two of them add up.
 *
 * Promises: adding writes one row an hour that is added to, whatever is in it. Reading hours and days reads the sums of
 * hours, and the minutes only of an hour that is not whole.
 */
import type { Redacted } from '../../aep/record/redact.ts'
import type { StoredKind } from '../../chatlio/kind.ts'
import { ACTIVITY_HOURS_MS, ACTIVITY_MINUTES_MS, DAY_MS, HOUR_MS } from '../../limits.ts'
import type { Outcome } from '../event.ts'

/** `sums`: of the hour. `minutes`: the same by the minute, empty once they are too old. Both JSON. */
export const ACTIVITY_TABLES = `
CREATE TABLE activity (
  hour INTEGER PRIMARY KEY,
  sums TEXT NOT NULL,
  minutes TEXT NOT NULL
);
`

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
        'INSERT OR REPLACE INTO activity (hour, sums, minutes) VALUES (?, ?, ?)',
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
      .exec<{ rows: string }>(
        `SELECT ${column} AS rows FROM activity WHERE hour >= ? AND hour < ?`,
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

/**
 * Webhooks of one minute, kind, outcome and named key. `minute`: epoch milliseconds of its beginning; `records`: what AEP
 * acknowledged in it. AEP counts each part of a split event, in the minute in which it accepted that part. `redacted`: what
 * was replaced in them by rule, if anything was.
 */
export type CountRow = {
  minute: number
  kind: StoredKind
  outcome: Outcome
  source: string | null
  count: number
  records?: number
  redacted?: Redacted
  histogram: Histogram
}

/** One webhook, which took `ms`. */
export function counted(
  { redacted = {}, ...row }: Omit<CountRow, 'count' | 'histogram'>,
  ms: number,
): CountRow {
  const one = { ...row, count: 1, histogram: { [bucketOf(ms)]: 1 } }
  return Object.keys(redacted).length === 0 ? one : { ...one, redacted }
}

export const STEP_MS = { minute: 60_000, hour: HOUR_MS, day: DAY_MS } as const
export type Step = keyof typeof STEP_MS

/** Rows of one step, kind, outcome and source in one; the oldest first. Leaves the given rows as they are. */
export function summed(rows: Iterable<CountRow>, stepMs: number): CountRow[] {
  const sums: CountSums = new Map()
  for (const row of rows) addRow(sums, row, stepMs)
  return [...sums.values()].sort((a, b) => a.minute - b.minute)
}

/** By step, kind, outcome and source. */
export type CountSums = Map<string, CountRow>

/** Changes `sums`, and leaves the row as it is. */
export function addRow(sums: CountSums, row: CountRow, stepMs: number): void {
  const minute = Math.floor(row.minute / stepMs) * stepMs
  const key = `${minute} ${row.kind} ${row.outcome} ${row.source ?? ''}`
  const sum = sums.get(key)
  if (!sum) {
    sums.set(key, { ...row, minute, histogram: { ...row.histogram } })
    return
  }
  sum.count += row.count
  if (row.records !== undefined) sum.records = (sum.records ?? 0) + row.records
  if (row.redacted) {
    sum.redacted = { ...sum.redacted }
    addCounts(sum.redacted, row.redacted)
  }
  addCounts(sum.histogram, row.histogram)
}

/** Counts by bucket; only buckets that hold something. */
export type Histogram = { [bucket: string]: number }

const BUCKETS_PER_DOUBLING = 4

/** About 45 days: longer waits count as this. */
const MAX_BUCKET = 128

/** Changes `to`. */
export function addCounts<Name extends string>(
  to: { [name in Name]?: number },
  more: { readonly [name in Name]?: number },
): void {
  for (const name in more) to[name] = (to[name] ?? 0) + (more[name] ?? 0)
}

/** `share` between 0 and 1. The upper bound of the bucket that holds it, in milliseconds; `null` when all are empty. */
export function percentile(histogram: Histogram, share: number): number | null {
  const total = Object.values(histogram).reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  let passed = 0
  // In the order of the buckets, since their names are whole numbers.
  for (const [bucket, count] of Object.entries(histogram)) {
    passed += count
    if (passed >= share * total) return Math.round(2 ** (Number(bucket) / BUCKETS_PER_DOUBLING))
  }
  return null
}

/** How many took longer than `ms`, to a tenth of it: the buckets behind the closest end of one. */
export function slowerThan(histogram: Histogram, ms: number): number {
  const end = Math.round(Math.log2(ms) * BUCKETS_PER_DOUBLING)
  const slower = Object.entries(histogram).filter(([bucket]) => Number(bucket) > end)
  return slower.reduce((sum, [, count]) => sum + count, 0)
}

function bucketOf(ms: number): number {
  if (!(ms > 1)) return 0
  return Math.min(Math.ceil(Math.log2(ms) * BUCKETS_PER_DOUBLING), MAX_BUCKET)
}
