/**
 * The one small value about AEP that isolates and outbox shards hold and exchange: does it take events, may it be
 * asked now, has an operator paused relaying.
 *
 * Promises: merging is commutative, associative and idempotent (the newest wins), so it does not matter who sends the
 * value to whom, how often, or in which order. Times are epoch milliseconds; 0 means never.
 * Accepts: clocks of machines differ by some milliseconds, which can cost one needless attempt or one short wait.
 * Pure: the moment is passed in.
 */
import { MAX_CLOCK_SKEW_MS, MAX_RETRY_AFTER_MS } from '../../limits.ts'
import type { HoldReason } from '../client/verdict.ts'

export type FailureReason = 'upstream' | HoldReason

export type UpstreamFailure = {
  at: number
  /**
   * End of the failed event's previous attempt; on its first attempt, when that one began. An acceptance later than
   * this shows that AEP works, so the failure no longer counts.
   */
  since: number
  reason: FailureReason
  /** When the run of failures with this reason began. */
  firstAt: number
  /** The error behind it, for the log: its code, and the HTTP status if there was one. */
  code: string
  status: number | null
}

export type UpstreamState = {
  /** Newest acceptance. */
  acceptedAt: number
  /** Newest sign that AEP answers at all: an acceptance, or a refusal of one event. */
  answeredAt: number
  failure: UpstreamFailure | null
  /** AEP's newest `Retry-After`: received `at`, no request before `until`. An acceptance does not shorten it. */
  retryAfter: { at: number; until: number } | null
  /** The newest throttled event. Two different ones without an acceptance in between mean that AEP is busy. */
  throttled: { id: string; at: number } | null
  /** The operator's latest command. `at` only orders commands: it is never compared with the clock. */
  pause: { paused: boolean; at: number }
  /** When an operator last resumed: failures and waits from before it count no more. */
  resumedAt: number
}

export const INITIAL_UPSTREAM: UpstreamState = {
  acceptedAt: 0,
  answeredAt: 0,
  failure: null,
  retryAfter: null,
  throttled: null,
  pause: { paused: false, at: 0 },
  resumedAt: 0,
}

export function merge(a: UpstreamState, b: UpstreamState): UpstreamState {
  return {
    acceptedAt: Math.max(a.acceptedAt, b.acceptedAt),
    answeredAt: Math.max(a.answeredAt, b.answeredAt),
    failure: newest(a.failure, b.failure),
    retryAfter: newest(a.retryAfter, b.retryAfter),
    throttled: newest(a.throttled, b.throttled),
    pause: newestPause(a.pause, b.pause),
    resumedAt: Math.max(a.resumedAt, b.resumedAt),
  }
}

/** Of two that happened in the same millisecond, the one that sorts last: a rule that does not depend on the order. */
function newest<Happened extends { at: number }>(
  a: Happened | null,
  b: Happened | null,
): Happened | null {
  if (!a || !b) return a ?? b
  if (a.at !== b.at) return a.at > b.at ? a : b
  return JSON.stringify(a) >= JSON.stringify(b) ? a : b
}

function newestPause(a: UpstreamState['pause'], b: UpstreamState['pause']) {
  if (a.at === b.at) return a.paused ? a : b
  return a.at > b.at ? a : b
}

/**
 * The state as it can be true at `now`. A clock that ran ahead leaves times in the future, which nothing would
 * supersede until the clock gets there: what has happened is dated back to now, and a wait is cut to its maximum.
 * Returns the same object when there is nothing to correct.
 */
export function correctClock(state: UpstreamState, now: number): UpstreamState {
  const { acceptedAt, answeredAt, failure, retryAfter, throttled, resumedAt } = state
  const latest = now + MAX_CLOCK_SKEW_MS
  const isAhead =
    Math.max(acceptedAt, answeredAt, resumedAt, failure?.at ?? 0, throttled?.at ?? 0) > latest ||
    (retryAfter !== null &&
      (retryAfter.at > latest || retryAfter.until > latest + MAX_RETRY_AFTER_MS))
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
    retryAfter: retryAfter && {
      at: past(retryAfter.at),
      until: Math.min(retryAfter.until, now + MAX_RETRY_AFTER_MS),
    },
    throttled: throttled && { ...throttled, at: past(throttled.at) },
    pause: state.pause,
    resumedAt: past(resumedAt),
  }
}

/** The latest failure, unless something newer supersedes it: AEP is failing, or everything is on hold. */
export function activeFailure(state: UpstreamState): UpstreamFailure | null {
  const { failure } = state
  if (!failure) return null
  const superseded =
    state.acceptedAt > failure.since ||
    state.answeredAt > failure.at ||
    state.resumedAt >= failure.at
  return superseded ? null : failure
}

/** No request before this moment: AEP's `Retry-After`, unless an operator resumed since. 0 when there is none. */
export function notBefore({ retryAfter, resumedAt }: UpstreamState): number {
  return retryAfter && retryAfter.at > resumedAt ? retryAfter.until : 0
}

export function afterAcceptance(state: UpstreamState, at: number): UpstreamState {
  return {
    ...state,
    acceptedAt: Math.max(state.acceptedAt, later(state, at)),
    answeredAt: Math.max(state.answeredAt, later(state, at)),
  }
}

/** AEP refused one event: it answers, but this is no sign that another would get through. */
export function afterRejection(state: UpstreamState, at: number): UpstreamState {
  return { ...state, answeredAt: Math.max(state.answeredAt, later(state, at)) }
}

/** What is learnt after a failure comes after it, in the same millisecond too. */
function later({ failure }: UpstreamState, at: number): number {
  return failure?.at === at ? at + 1 : at
}

export function afterFailure(
  state: UpstreamState,
  failure: Omit<UpstreamFailure, 'firstAt'>,
): UpstreamState {
  const active = activeFailure(state)
  const firstAt = active?.reason === failure.reason ? active.firstAt : failure.at
  return { ...state, failure: newest(state.failure, { ...failure, firstAt }) }
}

/** AEP throttled the event `id`, and asked for a wait of `retryAfterMs` if it said so. */
export function afterThrottle(
  state: UpstreamState,
  id: string,
  retryAfterMs: number | null,
  at: number,
): UpstreamState {
  const asked = retryAfterMs === null ? null : { at, until: at + retryAfterMs }
  return {
    ...state,
    throttled: newest(state.throttled, { id, at }),
    retryAfter: laterWait(state.retryAfter, asked),
  }
}

/** A shorter `Retry-After` does not cut a longer one that is still running. */
function laterWait(a: UpstreamState['retryAfter'], b: UpstreamState['retryAfter']) {
  if (!a || !b) return a ?? b
  return { at: Math.max(a.at, b.at), until: Math.max(a.until, b.until) }
}

/** An operator's pause or resume at `now`. A resume opens at once: holds, failures and waits from before it end. */
export function afterCommand(state: UpstreamState, paused: boolean, now: number): UpstreamState {
  const pause = { paused, at: Math.max(now, state.pause.at + 1) }
  if (paused) return { ...state, pause }
  const latest = Math.max(now, state.failure?.at ?? 0, state.retryAfter?.at ?? 0)
  return { ...state, pause, resumedAt: Math.max(state.resumedAt, latest) }
}

/** Why everything waits, for an operator: a pause first, then the reason of the active failure. */
export type Hold = { reason: 'paused' | HoldReason; since: number }

export function holdOf(state: UpstreamState): Hold | null {
  if (state.pause.paused) return { reason: 'paused', since: state.pause.at }
  const failure = activeFailure(state)
  return failure && failure.reason !== 'upstream'
    ? { reason: failure.reason, since: failure.firstAt }
    : null
}
