/**
 * Counts of webhooks by minute, kind and outcome, with how long they took: a small histogram with four buckets to each
 * doubling, so that a percentile is right to a fifth of its value, and two of them add up. Pure.
 */
import type { Redacted } from '../../aep/record/redact.ts'
import type { StoredKind } from '../../chatlio/kind.ts'
import { REDACT_RULES } from '../../config/config.ts'
import type { Outcome } from '../event.ts'

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

export const STEP_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const
export type Step = keyof typeof STEP_MS

/** Rows of one step, kind, outcome and source in one; the oldest first. Leaves the given rows as they are. */
export function summed(rows: readonly CountRow[], stepMs: number): CountRow[] {
  const sums = new Map<string, CountRow>()
  for (const row of rows) {
    const minute = Math.floor(row.minute / stepMs) * stepMs
    const key = `${minute} ${row.kind} ${row.outcome} ${row.source ?? ''}`
    const sum = sums.get(key)
    if (sum) {
      sum.count += row.count
      if (row.records !== undefined) sum.records = (sum.records ?? 0) + row.records
      if (row.redacted) sum.redacted = addedUp(sum.redacted, row.redacted)
      addHistogram(sum.histogram, row.histogram)
    } else sums.set(key, { ...row, minute, histogram: { ...row.histogram } })
  }
  return [...sums.values()].sort((a, b) => a.minute - b.minute)
}

function addedUp(sum: Redacted = {}, more: Redacted): Redacted {
  const both = { ...sum }
  for (const rule of REDACT_RULES) {
    const count = (both[rule] ?? 0) + (more[rule] ?? 0)
    if (count > 0) both[rule] = count
  }
  return both
}

/** Counts by bucket; only buckets that hold something. */
export type Histogram = { [bucket: number]: number }

const BUCKETS_PER_DOUBLING = 4

/** About 45 days: longer waits count as this. */
const MAX_BUCKET = 128

export function addHistogram(to: Histogram, more: Histogram): Histogram {
  for (const [bucket, count] of Object.entries(more)) {
    to[Number(bucket)] = (to[Number(bucket)] ?? 0) + count
  }
  return to
}

/** `share` between 0 and 1. The upper bound of the bucket that holds it, in milliseconds; `null` when all are empty. */
export function percentile(histogram: Histogram, share: number): number | null {
  const buckets = Object.entries(histogram).map(
    ([bucket, count]) => [Number(bucket), count] as const,
  )
  const total = buckets.reduce((sum, [, count]) => sum + count, 0)
  if (total === 0) return null
  let passed = 0
  for (const [bucket, count] of buckets.sort(([a], [b]) => a - b)) {
    passed += count
    if (passed >= share * total) return Math.round(2 ** (bucket / BUCKETS_PER_DOUBLING))
  }
  return null
}

/** How many took longer than `ms`, to a tenth of it: the buckets behind the closest end of one. */
export function slowerThan(histogram: Histogram, ms: number): number {
  const end = Math.round(Math.log2(ms) * BUCKETS_PER_DOUBLING)
  return Object.entries(histogram).reduce(
    (sum, [bucket, count]) => sum + (Number(bucket) > end ? count : 0),
    0,
  )
}

function bucketOf(ms: number): number {
  if (!(ms > 1)) return 0
  return Math.min(Math.ceil(Math.log2(ms) * BUCKETS_PER_DOUBLING), MAX_BUCKET)
}
