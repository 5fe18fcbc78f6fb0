/**
 * What a shard knows that may be worth an alert, at one run of the cron trigger.
 * Codes, counts and moments only: nothing of an event, and nothing that AEP wrote. Times are epoch milliseconds.
 */
import { activeFailure, type Hold, holdOf, type UpstreamState } from '../../aep/upstream/state.ts'
import type { StoredKind } from '../../chatlio/kind.ts'
import { DAY_MS, EXPIRY_WARNING_MS } from '../../limits.ts'
import type { EventState } from '../state.ts'

/** Events refused for the same reason. `place`: the field, by its documented name; empty where that is not known. */
export type Cause = {
  state: Exclude<EventState, 'pending'>
  kind: StoredKind
  code: string
  status: number | null
  place: string
  /** Tells apart refusals of AEP whose reports differ, without repeating them. */
  report: string
  count: number
}

/** `upTo`: how far the shard's record of refusals has been read. */
export type Refusals = { causes: Cause[]; upTo: number }

export type ShardFacts = {
  /** Why everything waits, a pause left aside; `code` and `status` are those of AEP's answer, where there was one. */
  hold: { reason: Hold['reason']; since: number; code: string | null; status: number | null } | null
  pausedSince: number | null
  pending: number
  oldestPendingAt: number | null
  /** Events whose time is over within the warning, and within a day; counted up to a limit. */
  expiring: { soon: number; today: number; oldestAt: number | null }
  writable: boolean
  refusals: Refusals
}

export function holdFacts(state: UpstreamState): Pick<ShardFacts, 'hold' | 'pausedSince'> {
  const { pause } = state
  const hold = holdOf({ ...state, pause: { ...pause, paused: false } })
  const answer = hold && answerBehind(hold.reason, state)
  return {
    hold: hold && { ...hold, code: answer?.code ?? null, status: answer?.status ?? null },
    pausedSince: pause.paused ? pause.at : null,
  }
}

/** What AEP answered, as far as it is known. */
function answerBehind(reason: Hold['reason'], state: UpstreamState) {
  if (reason === 'rejecting') {
    const [newest] = state.refusals.newest
    return { code: 'rejected', status: newest?.status ?? null }
  }
  const failure = activeFailure(state)
  return failure?.reason === reason ? failure : null
}

/** How long before they are erased events are worth a warning: shorter where they are kept for a short time only. */
export function warnings(retentionMs: number): { soonMs: number; todayMs: number } {
  return {
    soonMs: Math.min(EXPIRY_WARNING_MS, retentionMs / 2),
    todayMs: Math.min(DAY_MS, retentionMs / 4),
  }
}
