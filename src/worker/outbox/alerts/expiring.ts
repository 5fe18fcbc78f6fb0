/** How many events are about to be erased because of their age. Reads as many rows as it counts, and no more than a limit. */
import { MAX_COUNTED_EXPIRING } from '../../limits.ts'
import { PER_MS } from '../storage/reader.ts'
import { type ShardFacts, warnings } from './facts.ts'

export function expiringFacts(
  sql: SqlStorage,
  oldestAt: number | null,
  retentionMs: number,
  now: number,
): ShardFacts['expiring'] {
  const { soonMs, todayMs } = warnings(retentionMs)
  const receivedBefore = (ms: number) => {
    if (oldestAt === null || oldestAt > ms) return 0
    return Number(
      sql
        .exec(
          `SELECT COUNT(*) AS n FROM (
             SELECT * FROM (SELECT 1 FROM pending WHERE position <= ?1 LIMIT ?2)
             UNION ALL SELECT * FROM (SELECT 1 FROM parked WHERE position <= ?1 LIMIT ?2))`,
          (ms + 1) * PER_MS - 1,
          MAX_COUNTED_EXPIRING + 1,
        )
        .one().n,
    )
  }
  return {
    soon: receivedBefore(now - retentionMs + soonMs),
    today: receivedBefore(now - retentionMs + todayMs),
    oldestAt,
  }
}
