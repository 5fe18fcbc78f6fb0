/**
 * The one small value about AEP that isolates and outbox shards hold and exchange: does it take events, may it be
 * asked now, has an operator paused relaying.
 *
 * This file says what is in it and what it means. `merge.ts` puts two together, `transitions.ts` says how an attempt or
 * an operator changes it, `clock.ts` corrects what a wrong clock left in it. All of it is pure; times are epoch
 * milliseconds, and 0 means never.
 */
import type { HoldReason } from '../client/verdict.ts'
import { isRejecting, noRefusals, type Refusals } from './refusals.ts'

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
  /** Whether AEP refuses single events, or everything. */
  refusals: Refusals
}

export const INITIAL_UPSTREAM: UpstreamState = {
  acceptedAt: 0,
  answeredAt: 0,
  failure: null,
  retryAfter: null,
  throttled: null,
  pause: { paused: false, at: 0 },
  resumedAt: 0,
  refusals: noRefusals(''),
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

/** No request before this moment: AEP's `Retry-After`, unless an operator resumed since; 0 without one. */
export function notBefore({ retryAfter, resumedAt }: UpstreamState): number {
  return retryAfter && retryAfter.at > resumedAt ? retryAfter.until : 0
}

/** Why everything waits, for an operator: a pause first, then refusals of everything, then the active failure. */
export type Hold = { reason: 'paused' | 'rejecting' | HoldReason; since: number }

export function holdOf(state: UpstreamState): Hold | null {
  if (state.pause.paused) return { reason: 'paused', since: state.pause.at }
  if (isRejecting(state.refusals)) return { reason: 'rejecting', since: state.refusals.hold.since }
  const failure = activeFailure(state)
  return failure && failure.reason !== 'upstream'
    ? { reason: failure.reason, since: failure.firstAt }
    : null
}
