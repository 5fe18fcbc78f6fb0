/** What `/health` asks of a shard: whether anybody should look, never how much is stored. Pure. */
import { activeFailure, holdOf, type UpstreamState } from '../aep/upstream/state.ts'
import { EXPIRY_WARNING_MS } from '../limits.ts'
import type { ShardHealth } from './state.ts'

/** `oldestPendingAt`: epoch milliseconds of receipt, `null` where nothing is pending. */
export function shardHealth(
  state: UpstreamState,
  oldestPendingAt: number | null,
  retentionMs: number,
  now: number,
): ShardHealth {
  const warnMs = Math.min(EXPIRY_WARNING_MS, retentionMs / 2)
  const age = ageOf(oldestPendingAt, now)
  return {
    upstream: state,
    hold: holdOf(state)?.reason ?? null,
    failing: activeFailure(state)?.reason === 'upstream' || state.notBefore > now,
    expiring: age !== null && age >= retentionMs - warnMs,
  }
}

export function ageOf(since: number | null, now: number): number | null {
  return since === null ? null : now - since
}
