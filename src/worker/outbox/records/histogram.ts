/**
 * Durations as a small histogram: four buckets to each doubling, so that a percentile is right to a fifth of its value,
 * and two histograms add up. Pure.
 */

/** Counts by bucket; only buckets that hold something. */
export type Histogram = { [bucket: number]: number }

const BUCKETS_PER_DOUBLING = 4

/** About 45 days: longer waits count as this. */
const MAX_BUCKET = 128

export function addDuration(histogram: Histogram, ms: number): void {
  const bucket = bucketOf(ms)
  histogram[bucket] = (histogram[bucket] ?? 0) + 1
}

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

function bucketOf(ms: number): number {
  if (!(ms > 1)) return 0
  return Math.min(Math.ceil(Math.log2(ms) * BUCKETS_PER_DOUBLING), MAX_BUCKET)
}
