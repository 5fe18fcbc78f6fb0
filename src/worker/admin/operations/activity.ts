/** How many webhooks there were of each kind and outcome, and how long they took: a lower bound. */
import { toIso } from '../../chatlio/timestamp.ts'
import { DAY_MS } from '../../limits.ts'
import { STEP_MS, type Step, summed } from '../../outbox/records/activity.ts'
import { percentile } from '../../outbox/records/histogram.ts'
import type { Services } from '../../services.ts'

/** `from` and `to`: epoch milliseconds; without them the last 24 hours. */
export type ActivityRange = { from?: number | undefined; to?: number | undefined; step: Step }

export async function readActivity({ shards }: Services, range: ActivityRange) {
  const { step, to = Date.now() + 1, from = to - DAY_MS } = range
  const rows = await shards.all((shard) => shard.activity(from, to, step))
  return {
    step,
    lowerBound: true,
    points: summed(rows.flat(), STEP_MS[step]).map(
      ({ minute, kind, outcome, count, histogram }) => ({
        at: toIso(minute),
        kind,
        outcome,
        count,
        p50Ms: percentile(histogram, 0.5),
        p99Ms: percentile(histogram, 0.99),
      }),
    ),
  }
}
