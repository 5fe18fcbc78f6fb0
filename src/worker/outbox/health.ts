/** What `/health` asks of a shard: whether an operator should look, never how much is stored. Pure. */
import { activeFailure, holdOf, notBefore, type UpstreamState } from '../aep/upstream/state.ts'
import { EXPIRY_WARNING_MS } from '../limits.ts'
import type { ShardHealth } from './state.ts'

export type HealthFacts = {
  /** Whether the latest write became durable. */
  writable: boolean
  /** Epoch milliseconds of receipt of the oldest event in any state; `null` when nothing is stored. */
  oldestAt: number | null
  retentionMs: number
  now: number
}

export function shardHealth(
  state: UpstreamState,
  { writable, oldestAt, retentionMs, now }: HealthFacts,
): ShardHealth {
  const warnMs = Math.min(EXPIRY_WARNING_MS, retentionMs / 2)
  const age = ageOf(oldestAt, now)
  return {
    upstream: state,
    writable,
    hold: holdOf(state)?.reason ?? null,
    failing: activeFailure(state)?.reason === 'upstream' || notBefore(state) > now,
    expiring: age !== null && age >= retentionMs - warnMs,
  }
}

/** Milliseconds since a moment, never negative. */
export function ageOf(since: number | null, now: number): number | null {
  return since === null ? null : Math.max(now - since, 0)
}
