/**
 * The one small value about the destination that isolates and outbox shards hold and exchange: is AEP taking
 * events, may it be asked now, has an operator paused it.
 *
 * Promises: merging is commutative, associative and idempotent (the newest wins), so it does not matter who tells
 * whom, how often, or in which order. Times are epoch milliseconds; 0 means never.
 * Accepts: clocks of machines differ by some milliseconds, which can cost one needless attempt or one short wait.
 * Pure: the moment is passed in.
 */
import type { HoldReason } from '../client/verdict.ts'

export type FailureReason = 'upstream' | HoldReason

export type UpstreamFailure = {
  at: number
  /** When the event that failed was tried before; on its first try, when that began. An acceptance after this blames the event. */
  since: number
  reason: FailureReason
  /** When the run of failures with this reason began. */
  firstAt: number
}

export type UpstreamState = {
  /** Newest acceptance. */
  acceptedAt: number
  /** Newest sign that AEP answers at all: an acceptance, or a refusal of one event. */
  answeredAt: number
  failure: UpstreamFailure | null
  /** From AEP's `Retry-After`; an acceptance does not shorten it. */
  notBefore: number
  /** The operator's last word. A resume also lifts a hold: failures before it count no more. */
  pause: { paused: boolean; at: number }
}

export const INITIAL_UPSTREAM: UpstreamState = {
  acceptedAt: 0,
  answeredAt: 0,
  failure: null,
  notBefore: 0,
  pause: { paused: false, at: 0 },
}

export function merge(a: UpstreamState, b: UpstreamState): UpstreamState {
  return {
    acceptedAt: Math.max(a.acceptedAt, b.acceptedAt),
    answeredAt: Math.max(a.answeredAt, b.answeredAt),
    failure: newestFailure(a.failure, b.failure),
    notBefore: Math.max(a.notBefore, b.notBefore),
    pause: newestPause(a.pause, b.pause),
  }
}

function newestFailure(a: UpstreamFailure | null, b: UpstreamFailure | null) {
  if (!a || !b) return a ?? b
  if (a.at !== b.at) return a.at > b.at ? a : b
  // The same moment: any rule will do that does not depend on who is asked.
  if (a.since !== b.since) return a.since > b.since ? a : b
  if (a.reason !== b.reason) return a.reason < b.reason ? a : b
  return a.firstAt <= b.firstAt ? a : b
}

function newestPause(a: UpstreamState['pause'], b: UpstreamState['pause']) {
  if (a.at === b.at) return a.paused ? a : b
  return a.at > b.at ? a : b
}

/** The failure that nothing has overtaken: AEP is taken to be failing, or holding everything. */
export function activeFailure(state: UpstreamState): UpstreamFailure | null {
  const { failure } = state
  if (!failure) return null
  const overtaken =
    state.acceptedAt > failure.since ||
    state.answeredAt > failure.at ||
    (!state.pause.paused && state.pause.at >= failure.at)
  return overtaken ? null : failure
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
  const standing = activeFailure(state)
  const firstAt = standing?.reason === failure.reason ? standing.firstAt : failure.at
  const newest = { ...failure, firstAt }
  return { ...state, failure: newestFailure(state.failure, newest) }
}

export function afterRetryAfter(state: UpstreamState, notBefore: number): UpstreamState {
  return { ...state, notBefore: Math.max(state.notBefore, notBefore) }
}

/** Why everything waits, for an operator: a pause first, then what AEP or the configuration holds against us. */
export type Hold = { reason: 'paused' | HoldReason; since: number }

export function holdOf(state: UpstreamState): Hold | null {
  if (state.pause.paused) return { reason: 'paused', since: state.pause.at }
  const failure = activeFailure(state)
  return failure && failure.reason !== 'upstream'
    ? { reason: failure.reason, since: failure.firstAt }
    : null
}
