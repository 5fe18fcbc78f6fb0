/**
 * What is known of AEP: one small value, which the outbox alone changes.
 *
 * `after` says what it is once something has happened, `known` what follows from it at a moment: whether AEP may be
 * asked, why everything waits, whether a refusal may kill. Isolates report, and hold a copy.
 *
 * Promises: every wait is bounded, whatever the clock did; while AEP fails it gets one probe at a time, at most one a
 * second; a refusal begins a hold only when AEP accepts nothing else, and never ends one.
 * Pure: moments are epoch milliseconds, 0 is never; randomness and backoff are passed in.
 */
import type { HoldReason } from '../aep/client/verdict.ts'
import { MAX_RETRY_AFTER_MS, PROBE_INTERVAL_MS, QUIET_MS, REFUSALS_TO_HOLD } from '../limits.ts'
import {
  type Attempt,
  attemptOutcome,
  blame,
  fullJitterMs,
  isThrottled,
  isTooLarge,
  type Outcome,
  type Policy,
} from './blame.ts'

/** Plain JSON. */
export type Aep = {
  /** Grows with each change: of two copies, the one with the larger is newer. */
  version: number
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

export type DestinationFailure = {
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
export type Refusals = {
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
  const next = step(before, happened, now, policy)
  const held = withHold(next, now)
  if (held === aep) return aep
  return { ...held, version: Math.max(aep.version + 1, now) }
}

/** An attempt's end, for what is known of AEP and for its event. Of those of one request, acceptances come first. */
export function afterAttempt(
  aep: Aep,
  attempt: Attempt,
  now: number,
  policy: Policy,
): { aep: Aep; outcome: Outcome } {
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
    case 'report': {
      const { accepted, settings } = happened
      const at = Math.min(accepted.at, now)
      const beganAt = Math.min(accepted.beganAt, at)
      return settings === aep.refusals.settings ? withAcceptance(aep, beganAt, at) : aep
    }
    case 'probe':
      return { ...aep, probedAt: now }
    case 'no-probe':
      return isFailing(aep) ? waitingLonger(aep, now, policy) : aep
    case 'arrival':
      return withArrival(aep, now)
    case 'pause':
      return { ...aep, pause: { paused: true, at: Math.max(now, aep.pause.at + 1) } }
    case 'resume':
      return resumed(aep, now)
    case 'start':
      return started(aep, happened, now)
    case 'nothing-pending':
      return aep.refusals.hold ? settled({ ...aep, refusals: withoutHold(aep.refusals) }) : aep
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
  if (ending.verdict === 'accepted') {
    return isPart ? withAnswer(aep, endedAt) : withAcceptance(aep, beganAt, endedAt)
  }
  if (ending.verdict === 'rejected') return withRefusal(aep, attempt, now, policy)
  if (blame(ending, attempt, aep) === 'event') return aep
  const stale =
    aep.answeredAt > endedAt || (!aep.pause.paused && aep.pause.at >= endedAt && aep.pause.at > 0)
  return stale ? aep : withFailure(aep, attempt, ending, now, policy)
}

/** AEP answers, so it is not failing. */
function withAnswer(aep: Aep, at: number): Aep {
  const answered = { ...aep, answeredAt: Math.max(aep.answeredAt, at) }
  return aep.failure && at >= aep.failure.at ? settled({ ...answered, failure: null }) : answered
}

function withAcceptance(aep: Aep, beganAt: number, at: number): Aep {
  const { refusals, failure } = aep
  const accepted = {
    beganAt: Math.max(beganAt, refusals.accepted?.beganAt ?? 0),
    at: Math.max(at, refusals.accepted?.at ?? 0),
  }
  const known = { ...refusals, accepted }
  return settled({
    ...aep,
    acceptedAt: Math.max(aep.acceptedAt, at),
    answeredAt: Math.max(aep.answeredAt, at),
    failure: failure && (at > failure.validFrom || at >= failure.at) ? null : failure,
    refusals: accepted.beganAt > refusals.refusedAt ? withoutHold(known) : known,
  })
}

function withRefusal(aep: Aep, attempt: Attempt, now: number, policy: Policy): Aep {
  const { id, endedAt: at, ending, history, beganAt } = attempt
  const answered = withAnswer(aep, at)
  if (isTooLarge(attempt) || ending.verdict !== 'rejected') return answered
  const { refusals } = answered
  // What an earlier hold gave back is refused once more when that is over: no sign of a wrong setting.
  const counts = !history.refused || refusals.hold !== null || refusals.accepted === null
  if (!counts) return answered
  const others = refusals.newest.filter((each) => each.id !== id)
  const newest = [{ id, at, status: ending.error.status }, ...others]
    .sort((a, b) => b.at - a.at)
    .slice(0, REFUSALS_TO_HOLD)
  const refused = {
    ...answered,
    refusals: { ...refusals, newest, refusedAt: Math.max(refusals.refusedAt, at) },
  }
  return refusals.hold && beganAt >= refused.retryAt ? waitingLonger(refused, now, policy) : refused
}

function withFailure(
  aep: Aep,
  attempt: Attempt,
  failed: Extract<Attempt['ending'], { verdict: 'unknown' | 'held' | 'deferred' }>,
  now: number,
  policy: Policy,
): Aep {
  const { id, beganAt, endedAt, history } = attempt
  const throttled = isThrottled(failed)
  const reason = failed.verdict === 'held' ? failed.reason : 'upstream'
  const { failure: last } = aep
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
  const asked = failed.retryAfterMs === null ? 0 : now + failed.retryAfterMs
  const failing: Aep = {
    ...aep,
    failure,
    notBefore: Math.max(aep.notBefore, asked),
    throttled: throttled ? { id, at: endedAt } : aep.throttled,
  }
  // Those that were under way when the wait began end while it runs: they are one failure.
  return isFailing(aep) && beganAt < aep.retryAt ? failing : waitingLonger(failing, now, policy)
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
  return settled({
    ...aep,
    pause: { paused: false, at: Math.max(now, aep.pause.at + 1) },
    failure: null,
    notBefore: 0,
    throttled: null,
    refusals: withoutHold(aep.refusals),
  })
}

/** A deployment may have mended what fails: it is tried at once. Any other start goes on waiting. */
function started(aep: Aep, start: Extract<Happened, { what: 'start' }>, now: number): Aep {
  const { settings, usable, deployment } = start
  const same = settings === aep.refusals.settings
  const unusableSince = usable ? null : (aep.unusableSince ?? now)
  const deployed = deployment !== aep.deployment || !same
  if (!deployed && unusableSince === aep.unusableSince) return aep
  return settled({
    ...aep,
    deployment,
    unusableSince,
    refusals: same ? aep.refusals : noRefusals(settings, now),
    ...(deployed ? { retryAt: 0, failures: 0 } : {}),
  })
}

/** Without a failure and a hold there is nothing to wait for. */
function settled(aep: Aep): Aep {
  return isFailing(aep) ? aep : { ...aep, failures: 0, retryAt: 0 }
}

function isFailing({ failure, refusals }: Aep): boolean {
  return failure !== null || refusals.hold !== null
}

function withoutHold(refusals: Refusals): Refusals {
  return { ...refusals, newest: [], hold: null }
}

/** When the hold `rejecting` begins if nothing is accepted until then; `null` when too little has been refused. */
function rejectingFrom({ refusals }: Aep): number | null {
  const { newest, accepted, hold } = refusals
  const first = newest[REFUSALS_TO_HOLD - 1]
  if (hold || !first) return null
  if (!accepted) return first.at
  return accepted.beganAt > first.at ? null : accepted.at + QUIET_MS
}

function withHold(aep: Aep, now: number): Aep {
  const from = rejectingFrom(aep)
  if (from === null || from > now) return aep
  const { refusals } = aep
  const takenBackFrom = Math.max(refusals.from, refusals.accepted?.beganAt ?? 0)
  return { ...aep, refusals: { ...refusals, hold: { since: now, takenBackFrom } } }
}

/**
 * What a clock that ran ahead left in the value: what happened is dated back to now, a planned moment is brought to its
 * own maximum. The same object when there is nothing to correct.
 */
export function corrected(aep: Aep, now: number, { backoff }: Policy): Aep {
  const { failure, throttled, refusals, pause } = aep
  const latest = Math.max(
    aep.acceptedAt,
    aep.answeredAt,
    aep.probedAt,
    aep.unusableSince ?? 0,
    pause.at,
    failure?.at ?? 0,
    throttled?.at ?? 0,
    refusals.from,
    refusals.refusedAt,
    refusals.accepted?.at ?? 0,
    refusals.hold?.since ?? 0,
  )
  const [retryAt, notBefore] = [now + backoff.capMs, now + MAX_RETRY_AFTER_MS]
  if (latest <= now && aep.retryAt <= retryAt && aep.notBefore <= notBefore) return aep
  const past = (at: number) => Math.min(at, now)
  return {
    ...aep,
    unusableSince: aep.unusableSince === null ? null : past(aep.unusableSince),
    pause: { ...pause, at: past(pause.at) },
    acceptedAt: past(aep.acceptedAt),
    answeredAt: past(aep.answeredAt),
    failure: failure && {
      ...failure,
      since: past(failure.since),
      at: past(failure.at),
      validFrom: past(failure.validFrom),
    },
    retryAt: Math.min(aep.retryAt, retryAt),
    probedAt: past(aep.probedAt),
    notBefore: Math.min(aep.notBefore, notBefore),
    throttled: throttled && { ...throttled, at: past(throttled.at) },
    refusals: {
      ...refusals,
      from: past(refusals.from),
      accepted: refusals.accepted && {
        beganAt: past(refusals.accepted.beganAt),
        at: past(refusals.accepted.at),
      },
      newest: refusals.newest.map((each) => ({ ...each, at: past(each.at) })),
      refusedAt: past(refusals.refusedAt),
      hold: refusals.hold && {
        since: past(refusals.hold.since),
        takenBackFrom: past(refusals.hold.takenBackFrom),
      },
    },
  }
}

/** Why everything waits, for an operator. */
export type Hold = { reason: 'paused' | 'rejecting' | HoldReason; since: number }

/** Everything that follows from the value at a moment: derived once, and handed around. */
export type Known = {
  hold: Hold | null
  /** AEP fails, refuses everything, or has asked for a wait: `/health` says `upstream`. */
  failing: boolean
  /** `open`: any number of requests. `probe`: one, to ask whether AEP works again. */
  gate: 'open' | 'probe' | 'closed'
  /** The earliest moment at which AEP may be asked, which may be past; `null` while only an operator can change that. */
  mayAskAt: number | null
  /** AEP refuses everything: probes take the newest events first. */
  rejecting: boolean
  /** While it does: events refused from here on under these settings become pending again; otherwise `null`. */
  refusedFrom: number | null
  /** When time alone changes something: `after` with `time` must be called then. */
  nextThoughtAt: number | null
  /** AEP fails, and this is no hold: an outage. */
  outageSince: number | null
  /** What is behind a hold or an outage, for the log. */
  cause: { code: string; status: number | null } | null
}

export function known(value: Aep, now: number, policy: Policy): Known {
  const aep = corrected(value, now, policy)
  const { failure, refusals, pause } = aep
  const failing = isFailing(aep)
  const stopped = pause.paused || aep.unusableSince !== null
  const probeAt = failing ? Math.max(aep.retryAt, aep.probedAt + PROBE_INTERVAL_MS) : 0
  const mayAskAt = Math.max(aep.notBefore, probeAt)
  const [refused] = refusals.newest
  return {
    hold: holdOf(aep),
    failing: failing || aep.notBefore > now,
    gate: stopped || mayAskAt > now ? 'closed' : failing ? 'probe' : 'open',
    mayAskAt: stopped ? null : mayAskAt,
    rejecting: refusals.hold !== null,
    refusedFrom: refusals.hold?.takenBackFrom ?? null,
    nextThoughtAt: rejectingFrom(aep),
    outageSince: failure?.reason === 'upstream' ? failure.since : null,
    cause: refusals.hold
      ? { code: 'rejected', status: refused?.status ?? null }
      : failure && { code: failure.code, status: failure.status },
  }
}

function holdOf({ pause, unusableSince, refusals, failure }: Aep): Hold | null {
  if (pause.paused) return { reason: 'paused', since: pause.at }
  if (unusableSince !== null) return { reason: 'configuration', since: unusableSince }
  if (refusals.hold) return { reason: 'rejecting', since: refusals.hold.since }
  if (!failure || failure.reason === 'upstream') return null
  return { reason: failure.reason, since: failure.since }
}

/** Whether a change must be on disk before anyone hears of it. Acceptances and probes may be old after a restart. */
export function mustPersist(before: Aep, next: Aep): boolean {
  if (before === next) return false
  const lasting = ({ refusals, ...aep }: Aep) => {
    const ever = refusals.accepted !== null
    const times = { version: 0, acceptedAt: 0, answeredAt: 0, probedAt: 0 }
    return JSON.stringify({ ...aep, ...times, refusals: { ...refusals, accepted: ever } })
  }
  return lasting(before) !== lasting(next)
}
