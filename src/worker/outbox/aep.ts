/**
 * What is known of AEP: one small value, which the outbox alone changes.
 *
 * `after` says what it is once something has happened; `known.ts` what follows from it. Isolates report, and hold a copy.
 *
 * Promises: every wait is bounded, whatever the clock did; while AEP fails it gets one probe at a time, at most one a
 * second; a refusal begins a hold only when AEP accepts nothing else, and never ends one.
 * Pure: moments are epoch milliseconds, 0 is never; randomness and backoff are passed in.
 */
import type { HoldReason } from '../aep/client/verdict.ts'
import { MAX_RETRY_AFTER_MS, QUIET_MS, REFUSALS_TO_HOLD } from '../limits.ts'
import {
  type Attempt,
  type AttemptOutcome,
  attemptOutcome,
  blame,
  type Failed,
  fullJitterMs,
  isThrottled,
  isTooLarge,
  type Policy,
} from './blame.ts'

/** Plain JSON. */
export type Aep = {
  /** Grows with each change: of two copies, the one with the larger is newer. */
  version: number
  /** When that was. */
  changedAt: number
  /** The deployment that wrote it; another one tries at once. */
  deployment: string | null
  /** Since when the configuration cannot be used; `null` when it can. */
  unusableSince: number | null
  pause: { paused: boolean; at: number }
  /** Newest acceptance of a whole event. */
  acceptedAt: number
  /** Newest sign that AEP answers: an acceptance, also of a part, or a refusal. */
  answeredAt: number
  /** While AEP fails, in whatever way but by refusing everything. */
  failure: DestinationFailure | null
  /** Waits in a row that each were longer than the last. */
  failures: number
  /** While AEP fails or refuses everything: no probe before this. */
  retryAt: number
  /** Newest probe. */
  probedAt: number
  /** AEP's `Retry-After`: no request before this. */
  notBefore: number
  /** The newest event throttled at the destination's account. */
  throttled: { id: string; at: number } | null
  refusals: Refusals
}

type DestinationFailure = {
  reason: 'upstream' | HoldReason
  /** When the run of failures with this reason began. */
  since: number
  /** Newest. */
  at: number
  /** An acceptance later than this shows that AEP works after all. */
  validFrom: number
  code: string
  status: number | null
}

/** Under one set of settings: those under any other say nothing. */
type Refusals = {
  settings: string
  /** Since when events are sent under them. */
  from: number
  /** The newest acceptance under them; `null`: never. `beganAt`: the latest beginning of an accepted attempt. */
  accepted: { beganAt: number; at: number } | null
  /** The newest refusals of distinct events, newest first, at most three. */
  newest: readonly { id: string; at: number; status: number | null }[]
  /** Newest refusal of any event. */
  refusedAt: number
  /** Since when AEP refuses everything, and which refusals were not the events' fault: those from `takenBackFrom` on. */
  hold: { since: number; takenBackFrom: number } | null
}

export const INITIAL_AEP: Aep = {
  version: 0,
  changedAt: 0,
  deployment: null,
  unusableSince: null,
  pause: { paused: false, at: 0 },
  acceptedAt: 0,
  answeredAt: 0,
  failure: null,
  failures: 0,
  retryAt: 0,
  probedAt: 0,
  notBefore: 0,
  throttled: null,
  refusals: noRefusals('', 0),
}

function noRefusals(settings: string, from: number): Refusals {
  return { settings, from, accepted: null, newest: [], refusedAt: 0, hold: null }
}

export type Happened =
  /** An attempt ended: one of the outbox, or one that a request made before it stored its event. */
  | { what: 'attempt'; attempt: Attempt }
  /** An isolate's newest acceptance, and the settings that it sends under. */
  | { what: 'report'; accepted: { beganAt: number; at: number }; settings: string }
  /** A probe leaves. */
  | { what: 'probe' }
  /** A probe was allowed, and there is no event that can be sent. */
  | { what: 'no-probe' }
  /** An event was stored, or came back. */
  | { what: 'arrival' }
  | { what: 'pause' }
  | { what: 'resume' }
  /** The object starts. `usable`: the configuration parses. `deployment`: the id of the Worker's version. */
  | { what: 'start'; settings: string; usable: boolean; deployment: string | null }
  /** Nothing is pending any more. */
  | { what: 'nothing-pending' }
  /** Time has passed: an alarm, or the cron trigger. */
  | { what: 'time' }

/** The value once something has happened; the same object when that changes nothing. */
export function after(aep: Aep, happened: Happened, now: number, policy: Policy): Aep {
  const before = corrected(aep, now, policy)
  const next = withHold(step(before, happened, now, policy), now, policy)
  if (next === aep) return aep
  // By the clock, since a restart may forget changes that were not written down.
  return { ...next, version: Math.max(aep.version + 1, now), changedAt: now }
}

/** An attempt's end, for what is known of AEP and for its event. Of those of one request, acceptances come first. */
export function afterAttempt(
  aep: Aep,
  attempt: Attempt,
  now: number,
  policy: Policy,
): { aep: Aep; outcome: AttemptOutcome } {
  const next = after(aep, { what: 'attempt', attempt }, now, policy)
  const { hold, accepted, settings } = next.refusals
  const outcome = attemptOutcome(notAhead(attempt, now), {
    seen: corrected(aep, now, policy),
    sparesRefused: hold !== null || accepted === null || attempt.settings !== settings,
    rejecting: hold !== null,
    policy,
  })
  return { aep: next, outcome }
}

function step(aep: Aep, happened: Happened, now: number, policy: Policy): Aep {
  switch (happened.what) {
    case 'attempt':
      return attempted(aep, notAhead(happened.attempt, now), now, policy)
    case 'report':
      return reported(aep, happened, now)
    case 'probe':
      return { ...aep, probedAt: now }
    case 'no-probe':
      return isFailing(aep) ? waitingLonger(aep, now, policy) : aep
    case 'arrival':
      return withArrival(aep, now)
    case 'pause':
      if (aep.pause.paused) return aep
      return { ...aep, pause: { paused: true, at: Math.max(now, aep.pause.at + 1) } }
    case 'resume':
      return resumed(aep, now)
    case 'start':
      return started(aep, happened, now)
    case 'nothing-pending':
      return aep.refusals.hold ? withoutVainWait(aep, withoutHold(aep.refusals)) : aep
    case 'time':
      return aep
  }
}

/** What happened is never ahead of now, whatever the clock of the isolate says. */
function notAhead(attempt: Attempt, now: number): Attempt {
  const { beganAt, endedAt, history } = attempt
  if (endedAt <= now && beganAt <= endedAt && (history.triedAt ?? 0) <= beganAt) return attempt
  const ended = Math.min(endedAt, now)
  const began = Math.min(beganAt, ended)
  const triedAt = history.triedAt === null ? null : Math.min(history.triedAt, began)
  return { ...attempt, beganAt: began, endedAt: ended, history: { ...history, triedAt } }
}

function attempted(aep: Aep, attempt: Attempt, now: number, policy: Policy): Aep {
  const { ending, beganAt, endedAt, isPart } = attempt
  // Under other settings, or ended by the runtime: it says nothing of AEP.
  if (attempt.settings !== aep.refusals.settings || ending.verdict === 'aborted') return aep
  switch (ending.verdict) {
    case 'accepted':
      return isPart ? withAnswer(aep, endedAt) : withAcceptance(aep, beganAt, endedAt)
    case 'rejected':
      return withRefusal(aep, attempt, ending.error.status, now, policy)
    default:
      return blame(ending, attempt, aep) === 'event'
        ? aep
        : withFailure(aep, attempt, ending, now, policy)
  }
}

/** An isolate repeats its newest acceptance until it has a newer one. */
function reported(aep: Aep, report: Extract<Happened, { what: 'report' }>, now: number): Aep {
  const { accepted, settings } = aep.refusals
  const at = Math.min(report.accepted.at, now)
  const beganAt = Math.min(report.accepted.beganAt, at)
  if (report.settings !== settings) return aep
  const isKnown = accepted !== null && at <= accepted.at && beganAt <= accepted.beganAt
  return isKnown ? aep : withAcceptance(aep, beganAt, at)
}

/** AEP answers, so it is not failing. */
function withAnswer(aep: Aep, at: number): Aep {
  const { failure } = aep
  const answered = { ...aep, answeredAt: Math.max(aep.answeredAt, at) }
  return withoutVainWait(failure && at >= failure.at ? { ...answered, failure: null } : answered)
}

function withAcceptance(aep: Aep, beganAt: number, at: number): Aep {
  const { failure, refusals } = aep
  const accepted = {
    beganAt: Math.max(beganAt, refusals.accepted?.beganAt ?? 0),
    at: Math.max(at, refusals.accepted?.at ?? 0),
  }
  const known = { ...refusals, accepted }
  const answered: Aep = {
    ...withAnswer(aep, at),
    acceptedAt: Math.max(aep.acceptedAt, at),
    // Reported late, it may be older than a failure and still show that AEP worked after all.
    failure: failure && at <= failure.validFrom && at < failure.at ? failure : null,
  }
  return withoutVainWait(
    answered,
    accepted.beganAt > refusals.refusedAt ? withoutHold(known) : known,
  )
}

function withRefusal(
  aep: Aep,
  attempt: Attempt,
  status: number | null,
  now: number,
  policy: Policy,
): Aep {
  const { id, endedAt: at, history, beganAt } = attempt
  const answered = withAnswer(aep, at)
  const { refusals } = answered
  const { accepted, hold } = refusals
  // Refused before AEP accepted others, and again after that: the event's own fault, and no sign of a wrong setting.
  const isOwn = history.refused && accepted !== null && accepted.beganAt > (history.triedAt ?? 0)
  if (isTooLarge(attempt) || (isOwn && !hold)) return answered
  const others = refusals.newest.filter((each) => each.id !== id)
  const newest = [{ id, at, status }, ...others]
    .sort((a, b) => b.at - a.at)
    .slice(0, REFUSALS_TO_HOLD)
  const refusedAt = Math.max(refusals.refusedAt, at)
  const refused = { ...answered, refusals: { ...refusals, newest, refusedAt } }
  return hold ? afterProbe(refused, aep, beganAt, now, policy) : refused
}

function withFailure(aep: Aep, attempt: Attempt, failed: Failed, now: number, policy: Policy): Aep {
  const { id, beganAt, endedAt, history } = attempt
  const { failure: last, pause } = aep
  // An operator has resumed since: whatever was waited for, AEP is asked anew.
  if (!pause.paused && pause.at > 0 && pause.at >= endedAt) return aep
  const throttled = isThrottled(failed)
  const asked: Aep = throttled
    ? {
        ...aep,
        throttled: { id, at: endedAt },
        notBefore: Math.max(aep.notBefore, endedAt + (failed.retryAfterMs ?? 0)),
      }
    : aep
  // Reported late: AEP has answered since.
  if (aep.answeredAt > endedAt) return asked
  const reason = failed.verdict === 'held' ? failed.reason : 'upstream'
  // An acceptance from before AEP said that it is busy does not take that back.
  const validFrom = throttled ? endedAt : (history.triedAt ?? beganAt)
  const failure: DestinationFailure = {
    reason,
    since: last?.reason === reason ? last.since : endedAt,
    at: Math.max(last?.at ?? 0, endedAt),
    validFrom: Math.max(last?.validFrom ?? 0, validFrom),
    code: failed.error.code,
    status: failed.error.status,
  }
  // A wait grows with failures of the destination, not with the refusals before them.
  const failures = last ? aep.failures : 0
  return afterProbe({ ...asked, failure, failures }, aep, beganAt, now, policy)
}

/** Requests that were under way when a wait began end while it runs: together they are one failure. */
function afterProbe(next: Aep, before: Aep, beganAt: number, now: number, policy: Policy): Aep {
  return isFailing(before) && beganAt < before.retryAt ? next : waitingLonger(next, now, policy)
}

function waitingLonger(aep: Aep, now: number, policy: Policy): Aep {
  const failures = aep.failures + 1
  return { ...aep, failures, retryAt: now + Math.max(1, fullJitterMs(failures, policy)) }
}

/** A new event is the best probe of an AEP that refuses everything. It shortens no other wait. */
function withArrival(aep: Aep, now: number): Aep {
  const waitsForRefusal = aep.refusals.hold !== null && aep.failure === null
  return waitsForRefusal && aep.retryAt > now ? { ...aep, retryAt: now } : aep
}

/** An operator: whatever AEP is waited for, ask it now. */
function resumed(aep: Aep, now: number): Aep {
  const pause = { paused: false, at: Math.max(now, aep.pause.at + 1) }
  const opened = { ...aep, pause, failure: null, notBefore: 0, throttled: null }
  return withoutVainWait(opened, withoutHold(aep.refusals))
}

/** A deployment may have corrected what fails: AEP is asked at once. After any other start the wait continues. */
function started(aep: Aep, start: Extract<Happened, { what: 'start' }>, now: number): Aep {
  const { settings, usable, deployment } = start
  // Without usable settings nothing is sent, so what is known of the last ones stays.
  const same = !usable || settings === aep.refusals.settings
  const unusableSince = usable ? null : (aep.unusableSince ?? now)
  const deployed = deployment !== aep.deployment || !same
  if (!deployed && unusableSince === aep.unusableSince) return aep
  const wait = deployed ? { retryAt: 0, failures: 0 } : {}
  const begun = { ...aep, deployment, unusableSince, ...wait }
  return withoutVainWait(begun, same ? aep.refusals : noRefusals(settings, now))
}

/** With these refusals. Without a failure and a hold there is nothing to wait for. */
function withoutVainWait(aep: Aep, refusals: Refusals = aep.refusals): Aep {
  const next = refusals === aep.refusals ? aep : { ...aep, refusals }
  const waits = next.failures > 0 || next.retryAt > 0
  return isFailing(next) || !waits ? next : { ...next, failures: 0, retryAt: 0 }
}

export function isFailing({ failure, refusals }: Aep): boolean {
  return failure !== null || refusals.hold !== null
}

function withoutHold(refusals: Refusals): Refusals {
  const { newest, hold } = refusals
  return newest.length === 0 && !hold ? refusals : { ...refusals, newest: [], hold: null }
}

/** When the hold `rejecting` begins if nothing is accepted until then; `null` when too little has been refused. */
export function rejectingFrom({ refusals }: Aep): number | null {
  const { newest, accepted, hold } = refusals
  const first = newest[REFUSALS_TO_HOLD - 1]
  if (hold || !first) return null
  if (!accepted) return first.at
  return accepted.beganAt > first.at ? null : accepted.at + QUIET_MS
}

function withHold(aep: Aep, now: number, policy: Policy): Aep {
  const from = rejectingFrom(aep)
  if (from === null || from > now) return aep
  const { refusals } = aep
  const takenBackFrom = Math.max(refusals.from, refusals.accepted?.beganAt ?? 0)
  const held = { ...aep, refusals: { ...refusals, hold: { since: now, takenBackFrom } } }
  return isFailing(aep) ? held : waitingLonger(held, now, policy)
}

/** Moments of what happened, wherever they stand in the value. */
const HAPPENED = new Set([
  ...['at', 'since', 'from', 'acceptedAt', 'answeredAt', 'probedAt', 'refusedAt', 'beganAt'],
  ...['unusableSince', 'validFrom', 'takenBackFrom', 'changedAt'],
])

/**
 * What a clock that ran ahead left in the value: what happened is dated back to now, a planned moment is brought to its
 * own maximum, or to what AEP asked for. The same object when there is nothing to correct.
 */
export function corrected(aep: Aep, now: number, { backoff }: Policy): Aep {
  // Nothing in it is later than its latest change.
  if (aep.changedAt <= now) return aep
  // The moment at which AEP asked is as far ahead.
  const asked = Math.max(aep.notBefore - (aep.throttled?.at ?? 0), 0)
  const planned = new Map([
    ['retryAt', now + backoff.capMs],
    ['notBefore', now + Math.min(asked, MAX_RETRY_AFTER_MS)],
  ])
  let isAhead = false
  const past: Aep = JSON.parse(JSON.stringify(aep), (key, value) => {
    const latest = HAPPENED.has(key) ? now : planned.get(key)
    if (latest === undefined || typeof value !== 'number' || value <= latest) return value
    isAhead = true
    return latest
  })
  return isAhead ? past : aep
}

/**
 * Whether a change must be on disk before anyone sees it: what decides whether and when AEP is asked, and whether a
 * refusal kills. When AEP last accepted or failed may be old after a restart.
 */
export function mustPersist(a: Aep, b: Aep): boolean {
  if (a === b) return false
  const [before, next] = [a.refusals, b.refusals]
  return (
    a.deployment !== b.deployment ||
    a.unusableSince !== b.unusableSince ||
    a.pause !== b.pause ||
    a.failure?.reason !== b.failure?.reason ||
    a.failure?.since !== b.failure?.since ||
    a.retryAt !== b.retryAt ||
    a.notBefore !== b.notBefore ||
    before.settings !== next.settings ||
    before.newest !== next.newest ||
    before.hold !== next.hold ||
    (before.accepted === null) !== (next.accepted === null)
  )
}
