/**
 * Whose fault a failed attempt was: the event's or AEP's, never both.
 *
 * The idea: if AEP has accepted another event since this one was last tried, AEP works, so the event is at fault. A
 * long outage therefore kills nothing, and one poisoned event holds up nothing.
 * Pure: times are epoch milliseconds.
 */
import type { Failure, Verdict } from '../client/verdict.ts'
import type { FailureReason, UpstreamState } from './state.ts'
import { afterAcceptance, afterFailure, afterRejection, afterThrottle } from './transitions.ts'

/** One attempt of one event. */
export type AttemptInfo = {
  id: string
  beganAt: number
  /** When the attempt before it ended; `null` on the first. */
  previousAt: number | null
  /** How often in a row it was throttled before, each time with an acceptance of another event in between. */
  throttles: number
  /** AEP refused it before, and the refusal was taken back by a hold. */
  refusedBefore: boolean
  /** One part of a split event, and not its last: its acceptance says nothing about the settings. */
  isPart: boolean
}

export type Blamed = 'event' | 'upstream'

export type Failed = Extract<Verdict, { verdict: 'unknown' | 'held' | 'deferred' }>

export function isFailed(verdict: Verdict): verdict is Failed {
  return verdict.verdict !== 'accepted' && verdict.verdict !== 'rejected'
}

/** AEP says that it is busy (408, 429), or when to come back. A refused token speaks of IMS, never of the event. */
export function isThrottled({ error, retryAfterMs }: Failure): boolean {
  return error.code === 'throttled' || retryAfterMs !== null
}

/** How often in a row the event has been throttled now, counting only attempts with an acceptance in between. */
export function throttlesAfter(failed: Failed, attempt: AttemptInfo, state: UpstreamState): number {
  if (!isThrottled(failed) || failed.error.code === 'token') return 0
  const between = attempt.previousAt !== null && state.acceptedAt > attempt.previousAt
  return between ? attempt.throttles + 1 : 1
}

export function blame(failed: Failed, attempt: AttemptInfo, state: UpstreamState): Blamed {
  if (isThrottled(failed)) {
    // AEP's word about its own load, until it twice throttles this event and accepts others in between.
    const { throttled } = state
    const another = throttled && throttled.id !== attempt.id && throttled.at >= state.acceptedAt
    return !another && throttlesAfter(failed, attempt, state) >= 2 ? 'event' : 'upstream'
  }
  const acceptedSince =
    attempt.previousAt === null
      ? state.acceptedAt >= attempt.beganAt
      : state.acceptedAt > attempt.previousAt
  return acceptedSince ? 'event' : 'upstream'
}

/** What an attempt that ended `at` says about AEP. */
export function afterAttempt(
  state: UpstreamState,
  verdict: Verdict,
  attempt: AttemptInfo,
  at: number,
): UpstreamState {
  if (verdict.verdict === 'accepted') {
    return afterAcceptance(state, at, attempt.isPart ? null : attempt.beganAt)
  }
  if (verdict.verdict === 'rejected') {
    const { id, refusedBefore: before } = attempt
    return afterRejection(state, at, { id, status: verdict.error.status, before })
  }
  const blamed = blame(verdict, attempt, state)
  if (blamed === 'event') return state
  const throttled = isThrottled(verdict)
  const asked = throttled ? afterThrottle(state, attempt.id, verdict.retryAfterMs, at) : state
  const reason: FailureReason = verdict.verdict === 'held' ? verdict.reason : 'upstream'
  // An acceptance from before AEP said that it is busy does not take that back.
  const since = throttled ? at : (attempt.previousAt ?? attempt.beganAt)
  const { code, status } = verdict.error
  return afterFailure(asked, { at, since, reason, code, status })
}
