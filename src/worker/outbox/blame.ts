/**
 * Whose fault a failed attempt was, and what it means for its event.
 *
 * If AEP has accepted another event since this one was last attempted, AEP works, so the event is at fault; otherwise
 * the destination is. Never both: a long outage kills nothing, and one poisoned event holds up nothing.
 * Pure: moments (epoch milliseconds), policy and randomness are passed in.
 */
import type { Ending, Failure, Verdict } from '../aep/client/verdict.ts'
import { MAX_RETRY_AFTER_MS, MAX_STRIKES, MIN_STRIKES_MS } from '../limits.ts'

type Backoff = { baseMs: number; capMs: number }
export type Policy = { backoff: Backoff; random: () => number }

/** Neither accepted nor refused. */
export type Failed = Extract<Verdict, { verdict: 'unknown' | 'held' | 'deferred' }>

/** Earlier attempts of an event, as its row keeps them. */
export type History = {
  attempts: number
  /** Failures blamed on the event. */
  strikes: number
  /** When it took the first of them. */
  struckAt: number | null
  /** How often in a row it was throttled, each time with an acceptance of another event in between. */
  throttles: number
  /** When the latest attempt ended. */
  triedAt: number | null
  /** AEP refused it, and that does not count against it. */
  refused: boolean
}

export const NO_HISTORY: History = {
  attempts: 0,
  strikes: 0,
  struckAt: null,
  throttles: 0,
  triedAt: null,
  refused: false,
}

/** An attempt that has ended, of an event, of a request, or of one part of a split event. */
export type Attempt = {
  id: string
  beganAt: number
  endedAt: number
  /** The settings that it was sent under (`settingsOf`). */
  settings: string
  history: History
  /** A part, and not the last one to be accepted: its acceptance is not that of an event. */
  isPart: boolean
  ending: Ending
}

/** What blame has to know of AEP. */
type Seen = { acceptedAt: number; throttled: { id: string; at: number } | null }

type Blamed = 'event' | 'destination' | 'nobody'

/** The event's row after an attempt that was not accepted. */
export type Recorded = History & {
  /** When it may be sent again; `null` when it is dead. */
  nextAt: number | null
  /** `nextAt` is what AEP asked for (at most 1 h ahead), not our own backoff (at most its cap). */
  askedToWait: boolean
  error: Failure['error']
  answer: string | null
}

export type AttemptOutcome =
  | { end: 'accepted' }
  /** Refused for good, or out of strikes: for an operator. */
  | { end: 'dead'; recorded: Recorded }
  | { end: 'retry'; recorded: Recorded; blamed: Blamed }

/** Full jitter (AWS, "Exponential Backoff And Jitter"): so that many waiters do not wake together. */
export function fullJitterMs(failures: number, { backoff, random }: Policy): number {
  const { baseMs, capMs } = backoff
  const exponent = Math.min(Math.max(failures - 1, 0), 40)
  return Math.round(random() * Math.min(capMs, baseMs * 2 ** exponent))
}

/** The event is too large for AEP: it says nothing about the settings. */
export function isTooLarge({ ending }: Attempt): boolean {
  return ending.verdict === 'rejected' && ending.error.status === 413
}

/** AEP says that it is busy (408, 429), or when to come back. A refused token speaks of IMS, never of the event. */
export function isThrottled({ error, retryAfterMs }: Failure): boolean {
  return error.code === 'throttled' || retryAfterMs !== null
}

/** How often in a row the event has been throttled now, counting only attempts with an acceptance in between. */
function throttlesAfter(failed: Failed, { history }: Attempt, { acceptedAt }: Seen): number {
  if (!isThrottled(failed) || failed.error.code === 'token') return 0
  const between = history.triedAt !== null && acceptedAt > history.triedAt
  return between ? history.throttles + 1 : 1
}

/** Of a failure: neither an acceptance, nor a refusal. `seen`: before this attempt ended. */
export function blame(failed: Failed, attempt: Attempt, seen: Seen): 'event' | 'destination' {
  const { acceptedAt, throttled } = seen
  if (isThrottled(failed)) {
    // AEP's word about its own load, until it twice throttles this event and accepts others in between.
    const another = throttled && throttled.id !== attempt.id && throttled.at >= acceptedAt
    return !another && throttlesAfter(failed, attempt, seen) >= 2 ? 'event' : 'destination'
  }
  const { triedAt } = attempt.history
  const works = triedAt === null ? acceptedAt >= attempt.beganAt : acceptedAt > triedAt
  return works ? 'event' : 'destination'
}

/** What must be known to say what an attempt means for its event. */
type Judging = {
  /** AEP before the attempt ended. */
  seen: Seen
  /** A refusal kills nothing: it may be the setting's fault. */
  sparesRefused: boolean
  /** AEP refuses everything, so its probes are what waits. */
  rejecting: boolean
  policy: Policy
}

export function attemptOutcome(attempt: Attempt, judging: Judging): AttemptOutcome {
  const { ending, endedAt, history } = attempt
  if (ending.verdict === 'accepted') return { end: 'accepted' }
  const { error, answer } = ending
  const recorded: Recorded = {
    ...history,
    attempts: history.attempts + 1,
    throttles: 0,
    struckAt: firstStruckAt(attempt, judging.policy),
    triedAt: endedAt,
    nextAt: null,
    askedToWait: false,
    error,
    answer,
  }
  if (ending.verdict === 'rejected') return refusedOutcome(attempt, recorded, judging)
  if (ending.verdict === 'aborted') {
    return retry(recorded, 'nobody', history.attempts + 1, judging.policy)
  }
  return failedOutcome(ending, attempt, recorded, judging)
}

function refusedOutcome(attempt: Attempt, recorded: Recorded, judging: Judging): AttemptOutcome {
  const { sparesRefused, rejecting, policy } = judging
  if (!sparesRefused || isTooLarge(attempt)) return { end: 'dead', recorded }
  // In the hold its probes decide who is sent; before it, each event waits by itself.
  return retry({ ...recorded, refused: true }, 'nobody', rejecting ? 1 : recorded.attempts, policy)
}

function failedOutcome(
  failed: Failed,
  attempt: Attempt,
  recorded: Recorded,
  { seen, policy }: Judging,
): AttemptOutcome {
  const throttles = throttlesAfter(failed, attempt, seen)
  const blamed = blame(failed, attempt, seen)
  // The destination's backoff decides; the short wait keeps this event from being sent in a circle.
  if (blamed === 'destination') return retry({ ...recorded, throttles }, blamed, 1, policy)
  if (isThrottled(failed)) {
    const { retryAfterMs } = failed
    if (retryAfterMs === null) return retry({ ...recorded, throttles }, blamed, throttles, policy)
    const nextAt = attempt.endedAt + retryAfterMs
    return { end: 'retry', blamed, recorded: { ...recorded, throttles, nextAt, askedToWait: true } }
  }
  const struck = withStrike(recorded, attempt)
  const lastsMs = attempt.endedAt - (struck.struckAt ?? attempt.endedAt)
  if (struck.strikes >= MAX_STRIKES && lastsMs >= MIN_STRIKES_MS) {
    return { end: 'dead', recorded: struck }
  }
  return retry(struck, blamed, struck.strikes + 1, policy)
}

/**
 * When the first strike was, whatever this attempt ends in: of the time between two attempts no more counts than the longest
 * wait, since a clock that ran days behind at one of them must not make minutes a day.
 */
function firstStruckAt({ history, endedAt }: Attempt, { backoff }: Policy): number | null {
  const { struckAt, triedAt } = history
  if (struckAt === null || triedAt === null) return struckAt
  const longestMs = Math.max(backoff.capMs, MAX_RETRY_AFTER_MS)
  const uncountedMs = Math.max(endedAt - triedAt - longestMs, 0)
  return Math.min(struckAt + uncountedMs, endedAt)
}

/** A first attempt costs none: AEP may have failed for a moment. */
function withStrike(recorded: Recorded, { history, endedAt }: Attempt): Recorded {
  if (history.triedAt === null) return recorded
  return {
    ...recorded,
    strikes: history.strikes + 1,
    struckAt: recorded.struckAt ?? endedAt,
  }
}

function retry(
  recorded: Recorded,
  blamed: Blamed,
  failures: number,
  policy: Policy,
): AttemptOutcome {
  const nextAt = (recorded.triedAt ?? 0) + fullJitterMs(failures, policy)
  return { end: 'retry', blamed, recorded: { ...recorded, nextAt } }
}
