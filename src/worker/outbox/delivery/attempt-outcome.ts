/**
 * What an attempt that has ended means for its event. Pure: moment, policy and randomness are passed in.
 */

import type { Verdict } from '../../aep/client/verdict.ts'
import { type AttemptTimes, type Blamed, blame, isFailed } from '../../aep/upstream/blame.ts'
import type { UpstreamState } from '../../aep/upstream/state.ts'
import { MAX_STRIKES } from '../../limits.ts'
import type { StoreRequest } from '../state.ts'
import type { Tries } from '../storage/reader.ts'
import type { FailedTry } from '../storage/store.ts'
import { type Backoff, fullJitterMs } from './backoff.ts'

export type AttemptOutcome =
  | { end: 'delivered' }
  /** Refused for good, or thirty strikes: for an operator. */
  | { end: 'dead'; tried: FailedTry }
  | { end: 'retry'; tried: FailedTry; blamed: Blamed }

export type AttemptContext = {
  at: number
  times: AttemptTimes
  /** What is known of the event's earlier tries. */
  tries: Tries | null
  /** The destination as known before this attempt's verdict. */
  state: UpstreamState
  backoff: Backoff
  random: () => number
}

export function attemptOutcome(verdict: Verdict, context: AttemptContext): AttemptOutcome {
  if (verdict.verdict === 'accepted') return { end: 'delivered' }
  const { at, times, tries, state, backoff, random } = context
  const { error, answer } = verdict
  const tried = { attempts: (tries?.attempts ?? 0) + 1, triedAt: at, error, answer }
  const strikes = tries?.strikes ?? 0
  if (!isFailed(verdict)) return { end: 'dead', tried: { ...tried, strikes, nextAt: null } }

  const blamed = blame(verdict, times, state)
  if (blamed === 'destination') {
    // The destination's own backoff decides; this short wait only keeps the event from being tried in a circle.
    const nextAt = at + fullJitterMs(1, backoff, random)
    return { end: 'retry', blamed, tried: { ...tried, strikes, nextAt } }
  }
  const struck = strikes + (times.previousAt === null ? 0 : 1)
  if (struck >= MAX_STRIKES)
    return { end: 'dead', tried: { ...tried, strikes: struck, nextAt: null } }
  const nextAt = at + fullJitterMs(struck + 1, backoff, random)
  return { end: 'retry', blamed, tried: { ...tried, strikes: struck, nextAt } }
}

/** The note of the try that a request has made before it came here: not repeated at once, whoever was to blame for it. */
export function tryOfRequest(
  { attempt, error, state }: StoreRequest,
  backoff: Backoff,
  random: () => number,
): FailedTry | null {
  if (!attempt) {
    return error && { attempts: 0, strikes: 0, triedAt: null, nextAt: null, error, answer: null }
  }
  return {
    attempts: 1,
    strikes: 0,
    triedAt: attempt.at,
    nextAt: state === 'pending' ? attempt.at + fullJitterMs(1, backoff, random) : null,
    error: attempt.error,
    answer: attempt.answer,
  }
}
