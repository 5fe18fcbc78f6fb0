/** Corrects times that a clock left in the future: nothing may wait until the clock has caught up. */
import { MAX_CLOCK_SKEW_MS, MAX_RETRY_AFTER_MS } from '../../limits.ts'
import { correctRefusals, refusalsAhead } from './refusals.ts'
import type { UpstreamState } from './state.ts'

/**
 * The state as it can be true at `now`. A clock that ran ahead leaves times in the future, which nothing would
 * supersede until the clock gets there: what has happened is dated back to now, and a wait is cut to its maximum.
 * Returns the same object when there is nothing to correct.
 */
export function correctClock(state: UpstreamState, now: number): UpstreamState {
  const { acceptedAt, answeredAt, failure, retryAfter, throttled, resumedAt, refusals } = state
  const latest = now + MAX_CLOCK_SKEW_MS
  const isAhead =
    Math.max(acceptedAt, answeredAt, resumedAt, failure?.at ?? 0, throttled?.at ?? 0) > latest ||
    refusalsAhead(refusals) > latest ||
    (retryAfter !== null &&
      (retryAfter.at > latest || retryAfter.until - retryAfter.at > MAX_RETRY_AFTER_MS))
  if (!isAhead) return state
  const past = (at: number) => Math.min(at, now)
  return {
    acceptedAt: past(acceptedAt),
    answeredAt: past(answeredAt),
    failure: failure && {
      ...failure,
      at: past(failure.at),
      since: past(failure.since),
      firstAt: past(failure.firstAt),
    },
    retryAfter: retryAfter && correctWait(retryAfter, now),
    throttled: throttled && { ...throttled, at: past(throttled.at) },
    pause: state.pause,
    resumedAt: past(resumedAt),
    refusals: correctRefusals(refusals, now),
  }
}

/** A wait as long as AEP asked for, from now on where it was asked for in the future. */
function correctWait({ at, until }: { at: number; until: number }, now: number) {
  const begun = Math.min(at, now)
  return { at: begun, until: begun + Math.min(until - at, MAX_RETRY_AFTER_MS) }
}
