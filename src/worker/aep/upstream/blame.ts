/**
 * Whose fault a failed attempt was: the event's or the destination's, never both.
 *
 * The idea: if AEP has taken another event since this one was last tried, AEP works, and it is the event. A long
 * outage therefore kills nothing, and one poisoned event holds up nothing.
 * Pure: times are epoch milliseconds.
 */

import type { Verdict } from '../client/verdict.ts'
import {
  afterAcceptance,
  afterFailure,
  afterRejection,
  afterRetryAfter,
  type FailureReason,
  type UpstreamState,
} from './state.ts'

/** One attempt: when it began, and when the try before it ended (`null` on the first). */
export type AttemptTimes = { beganAt: number; previousAt: number | null }

export type Blamed = 'event' | 'destination'

export type Failed = Extract<Verdict, { verdict: 'unknown' | 'held' | 'deferred' }>

export function isFailed(verdict: Verdict): verdict is Failed {
  return verdict.verdict !== 'accepted' && verdict.verdict !== 'rejected'
}

export function blame(failed: Failed, times: AttemptTimes, state: UpstreamState): Blamed {
  // 408, 429 and any Retry-After speak of AEP's load, whatever else it has accepted meanwhile.
  if (failed.error.code === 'throttled' || failed.retryAfterMs !== null) return 'destination'
  const acceptedSince =
    times.previousAt === null
      ? state.acceptedAt >= times.beganAt
      : state.acceptedAt > times.previousAt
  return acceptedSince ? 'event' : 'destination'
}

/** What an attempt that ended `at` teaches about the destination. */
export function afterAttempt(
  state: UpstreamState,
  verdict: Verdict,
  times: AttemptTimes,
  at: number,
): UpstreamState {
  if (verdict.verdict === 'accepted') return afterAcceptance(state, at)
  if (verdict.verdict === 'rejected') return afterRejection(state, at)
  const asked =
    verdict.retryAfterMs === null ? state : afterRetryAfter(state, at + verdict.retryAfterMs)
  if (blame(verdict, times, state) === 'event') return asked
  const reason: FailureReason = verdict.verdict === 'held' ? verdict.reason : 'upstream'
  // Load is AEP's own word: no acceptance from before it was said takes it back.
  const isLoad = verdict.error.code === 'throttled' || verdict.retryAfterMs !== null
  const since = isLoad ? at : (times.previousAt ?? times.beganAt)
  return afterFailure(asked, { at, since, reason })
}
