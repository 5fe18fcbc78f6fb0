/** What an attempt that has failed means for its event. Pure: moment, policy and randomness are passed in. */
import type { Verdict } from '../../aep/client/verdict.ts'
import {
  type AttemptInfo,
  type Blamed,
  blame,
  isFailed,
  isThrottled,
  throttlesAfter,
} from '../../aep/upstream/blame.ts'
import type { UpstreamState } from '../../aep/upstream/state.ts'
import { MAX_STRIKES } from '../../limits.ts'
import type { StoreRequest } from '../state.ts'
import type { Tries } from '../storage/reader.ts'
import type { FailedTry } from '../storage/tries.ts'
import { type Backoff, fullJitterMs } from './backoff.ts'

export const NO_TRIES: Omit<Tries, 'refused'> = {
  attempts: 0,
  strikes: 0,
  throttles: 0,
  triedAt: null,
}

/** AEP's word on an event that it did not accept. */
export type FailedVerdict = Exclude<Verdict, { verdict: 'accepted' }>

export type AttemptOutcome =
  /** Refused for good, or out of strikes: for an operator. */
  { end: 'dead'; tried: FailedTry } | { end: 'retry'; tried: FailedTry; blamed: Blamed }

export type AttemptContext = {
  /** When it ended, in epoch milliseconds. */
  at: number
  attempt: AttemptInfo
  /** The event's earlier tries; `null` when there are none. */
  tries: Tries | null
  /** AEP as known before this attempt's verdict. */
  state: UpstreamState
  /** AEP refuses everything, as this verdict has just confirmed: the setting is wrong, not the event. */
  rejecting: boolean
  backoff: Backoff
  random: () => number
}

export function attemptOutcome(verdict: FailedVerdict, context: AttemptContext): AttemptOutcome {
  const { at, attempt, tries, state, rejecting, backoff, random } = context
  const { error, answer } = verdict
  const strikes = tries?.strikes ?? 0
  const tried: FailedTry = {
    attempts: (tries?.attempts ?? 0) + 1,
    strikes,
    throttles: 0,
    triedAt: at,
    nextAt: null,
    askedToWait: false,
    error,
    answer,
  }
  if (!isFailed(verdict)) {
    if (!rejecting || error.status === 413) return { end: 'dead', tried }
    const nextAt = at + fullJitterMs(1, backoff, random)
    return { end: 'retry', blamed: 'upstream', tried: { ...tried, nextAt } }
  }

  const blamed = blame(verdict, attempt, state)
  tried.throttles = throttlesAfter(verdict, attempt, state)
  if (blamed === 'upstream') {
    // AEP's backoff decides; this short wait only keeps the event from being tried in a circle.
    return {
      end: 'retry',
      blamed,
      tried: { ...tried, nextAt: at + fullJitterMs(1, backoff, random) },
    }
  }
  if (isThrottled(verdict)) {
    const { retryAfterMs } = verdict
    const waitMs = retryAfterMs ?? fullJitterMs(tried.throttles, backoff, random)
    const nextAt = at + waitMs
    return { end: 'retry', blamed, tried: { ...tried, nextAt, askedToWait: retryAfterMs !== null } }
  }
  tried.strikes = strikes + (attempt.previousAt === null ? 0 : 1)
  if (tried.strikes >= MAX_STRIKES) return { end: 'dead', tried }
  const nextAt = at + fullJitterMs(tried.strikes + 1, backoff, random)
  return { end: 'retry', blamed, tried: { ...tried, nextAt } }
}

/** The attempt that a request made before it stored the event. The outbox does not repeat it at once. */
export function tryOfRequest(
  { attempt, error, state }: StoreRequest,
  backoff: Backoff,
  random: () => number,
): FailedTry | null {
  const untried = { ...NO_TRIES, askedToWait: false }
  if (!attempt) return error && { ...untried, nextAt: null, error, answer: null }
  return {
    ...untried,
    attempts: 1,
    throttles: attempt.error.code === 'throttled' ? 1 : 0,
    triedAt: attempt.at,
    nextAt: state === 'pending' ? attempt.at + fullJitterMs(1, backoff, random) : null,
    error: attempt.error,
    answer: attempt.answer,
  }
}

/** While AEP refuses everything, its refusal of one event is no reason to give that event up. */
export function withoutRefusal(request: StoreRequest): StoreRequest {
  const isRefusal = request.state === 'dead' && request.attempt?.error.status !== 413
  return isRefusal ? { ...request, state: 'pending' } : request
}
