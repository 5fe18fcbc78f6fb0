/** The last 24 hours, hour by hour, from the counters of webhooks. Pure. */

/** What became of webhooks: what an operator tells apart at a glance. */
export const SERIES = ['straight through', 'stored', 'set aside', 'refused or suppressed'] as const

export type Hour = {
  at: string
  /** In the order of `SERIES`. */
  counts: readonly number[]
  /** Delivered from the store. */
  drained: number
  /** Events waiting at the end of the hour. */
  waiting: number
}

export type Point = { at: string; outcome: string; count: number }

const HOUR_MS = 3_600_000
const SERIES_OF: { readonly [outcome: string]: number } = {
  forwarded: 0,
  buffered: 1,
  'dead-lettered': 2,
  quarantined: 2,
  suppressed: 3,
  refused: 3,
}

/** Where the first of them begins: hours are shown whole, but for the present one. */
export const firstHour = (now: number) => (Math.floor(now / HOUR_MS) - 23) * HOUR_MS

export type Waiting = { pending: number; oldestPendingAt: string | null }

/**
 * What waited is counted backwards from what waits now: less what was stored since, and more what was delivered since. What
 * waited before the oldest that still waits has been delivered since. Events that were set aside, erased or redriven
 * meanwhile make it an estimate.
 */
export function hoursOf(
  points: readonly Point[],
  { pending, oldestPendingAt }: Waiting,
  now: number,
): Hour[] {
  const oldest = oldestPendingAt === null ? Number.POSITIVE_INFINITY : Date.parse(oldestPendingAt)
  const last = Math.floor(now / HOUR_MS)
  const hours: Hour[] = []
  let waiting = pending
  let drainedSince = 0
  for (let hour = last; hour > last - 24; hour -= 1) {
    const at = new Date(hour * HOUR_MS).toISOString()
    const counts = SERIES.map(() => 0)
    let drained = 0
    for (const point of points) {
      if (Math.floor(Date.parse(point.at) / HOUR_MS) !== hour) continue
      const series = SERIES_OF[point.outcome]
      if (series === undefined) drained += point.count
      else counts[series] = (counts[series] ?? 0) + point.count
    }
    hours.unshift({ at, counts, drained, waiting })
    drainedSince += drained
    waiting = Math.max(waiting - (counts[1] ?? 0) + drained, 0)
    if (hour * HOUR_MS <= oldest) waiting = Math.min(waiting, drainedSince)
  }
  return hours
}
