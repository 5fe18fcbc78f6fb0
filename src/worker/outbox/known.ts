/**
 * What follows from the value about AEP at a moment (`known`): whether it may be asked, why everything waits, and what the
 * log says of it; and who holds the value (`AepWatch`).
 *
 * Promises: nobody else changes the value; what lasts is on disk before anyone sees it, so that a restart neither forgets
 * a hold nor storms an AEP that is down; what follows is derived once a change, and once more when its time is over. The
 * beginning and the end of a hold and of an outage are log lines.
 * Accepts: mere acceptances are written with the counters, so their times may be old after a restart.
 */
import type { HoldReason } from '../aep/client/verdict.ts'
import { toIso } from '../chatlio/timestamp.ts'
import { PROBE_INTERVAL_MS, REQUEUE_PAGE } from '../limits.ts'
import { logLine } from '../log.ts'
import {
  type Aep,
  after,
  afterAttempt,
  corrected,
  type Happened,
  INITIAL_AEP,
  isFailing,
  mustPersist,
  rejectingFrom,
} from './aep.ts'
import type { Attempt, AttemptOutcome, Policy } from './blame.ts'
import type { Events } from './events.ts'

/** Why everything waits, for an operator. */
export type Hold = { reason: 'paused' | 'rejecting' | HoldReason; since: number }

/** Everything that follows from the value at a moment. */
export type Known = {
  /** When this stops being true if nothing happens. */
  until: number
  hold: Hold | null
  /** AEP is down, or has asked for a wait: `/health` says `upstream`. A hold is not that. */
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
  nextChangeAt: number | null
  /** An outage: AEP fails, and nothing is on hold. */
  outageSince: number | null
  /** What is behind the hold, and behind AEP's failure, for the log: both can last at once. */
  causes: { hold: CodeAndStatus | null; failure: CodeAndStatus | null }
}

type CodeAndStatus = { code: string; status: number | null }

export function known(value: Aep, now: number, policy: Policy): Known {
  const aep = corrected(value, now, policy)
  const { failure, refusals, pause } = aep
  const probing = isFailing(aep)
  const stopped = pause.paused || aep.unusableSince !== null
  const probeAt = probing ? Math.max(aep.retryAt, aep.probedAt + PROBE_INTERVAL_MS) : 0
  const mayAskAt = Math.max(aep.notBefore, probeAt)
  const ahead = [aep.notBefore, mayAskAt].filter((moment) => moment > now)
  return {
    // A value that a clock ran ahead of is corrected anew at each moment.
    until: value.changedAt > now ? now + 1 : Math.min(...ahead, Number.POSITIVE_INFINITY),
    hold: holdOf(aep),
    failing: failure?.reason === 'upstream' || aep.notBefore > now,
    gate: stopped || mayAskAt > now ? 'closed' : probing ? 'probe' : 'open',
    mayAskAt: stopped ? null : mayAskAt,
    rejecting: refusals.hold !== null,
    refusedFrom: refusals.hold?.takenBackFrom ?? null,
    nextChangeAt: rejectingFrom(aep),
    outageSince: failure?.reason === 'upstream' ? failure.since : null,
    causes: {
      hold: holdCauseOf(aep),
      failure: failure && { code: failure.code, status: failure.status },
    },
  }
}

function holdCauseOf({ unusableSince, refusals, failure }: Aep): CodeAndStatus | null {
  if (unusableSince !== null) return { code: 'configuration', status: null }
  if (refusals.hold) return { code: 'rejected', status: refusals.newest[0]?.status ?? null }
  return failure && { code: failure.code, status: failure.status }
}

function holdOf({ pause, unusableSince, refusals, failure }: Aep): Hold | null {
  if (pause.paused) return { reason: 'paused', since: pause.at }
  if (unusableSince !== null) return { reason: 'configuration', since: unusableSince }
  if (refusals.hold) return { reason: 'rejecting', since: refusals.hold.since }
  if (!failure || failure.reason === 'upstream') return null
  return { reason: failure.reason, since: failure.since }
}

type LogLine = { level: 'log' | 'warn'; fields: Parameters<typeof logLine>[1] }

/** The log lines of a change: a hold or an outage begins or ends. */
export function logLinesOf(before: Known, next: Known, now: number): LogLine[] {
  const lines: LogLine[] = []
  if (before.hold?.reason !== next.hold?.reason) {
    const reason = next.hold?.reason ?? null
    const lifted = before.hold?.reason ?? null
    const fields =
      reason === null ? { lifted } : reason === 'paused' ? {} : fieldsOf(next.causes.hold)
    lines.push({
      level: reason === null ? 'log' : 'warn',
      fields: { event: 'hold', reason, ...fields },
    })
  }
  if (before.outageSince === null && next.outageSince !== null) {
    const cause = fieldsOf(next.causes.failure)
    lines.push({ level: 'warn', fields: { event: 'upstream', status: 'failing', ...cause } })
  }
  if (before.outageSince !== null && next.outageSince === null && !next.hold) {
    const failedForMs = Math.max(now - before.outageSince, 0)
    lines.push({ level: 'log', fields: { event: 'upstream', status: 'recovered', failedForMs } })
  }
  return lines
}

/** The status is AEP's, or that of IMS when IMS gave no token. */
function fieldsOf(cause: CodeAndStatus | null): Omit<LogLine['fields'], 'event'> {
  if (cause === null) return {}
  const { code, status } = cause
  if (status === null) return { code }
  return code === 'token' ? { code, imsStatus: status } : { code, upstreamStatus: status }
}

type WatchDeps = {
  events: Events
  policy: Policy
  now: () => number
}

/** `with-events`: the caller writes events next, and the value with them (`Ledger.save`). */
type Save = 'now' | 'with-events'

export class AepWatch {
  readonly #deps: WatchDeps
  #aep: Aep
  #known: (Known & { at: number }) | null = null

  constructor(deps: WatchDeps) {
    this.#deps = deps
    this.#aep = { ...INITIAL_AEP, ...deps.events.ledger.aep }
  }

  /** For isolates, which hold a copy of it. */
  get aep(): Aep {
    return this.#aep
  }

  known(): Known {
    const { now, policy } = this.#deps
    const at = now()
    const last = this.#known
    if (last && at >= last.at && at < last.until) return last
    this.#known = { ...known(this.#aep, at, policy), at }
    return this.#known
  }

  /** What would be known had nobody paused. */
  besidesPause(): Known {
    const { now, policy } = this.#deps
    const { pause } = this.#aep
    return known({ ...this.#aep, pause: { ...pause, paused: false } }, now(), policy)
  }

  happened(happened: Happened, save: Save = 'now'): void {
    const { now, policy } = this.#deps
    this.#set(after(this.#aep, happened, now(), policy), save)
  }

  /** What an attempt that has ended means for its event. Of those of one request, acceptances come first. */
  attempted(attempt: Attempt, save: Save = 'now'): AttemptOutcome {
    const { now, policy } = this.#deps
    const { aep, outcome } = afterAttempt(this.#aep, attempt, now(), policy)
    this.#set(aep, save)
    return outcome
  }

  /** While AEP refuses everything, what it refused under these settings since its last acceptance was no event's fault. */
  takeBack(): void {
    const { events, now } = this.#deps
    const { refusedFrom, hold } = this.known()
    if (refusedFrom === null || hold === null) return
    let requeued = 0
    for (let after = -1; ; ) {
      const positions = events.takeBackRefusals(refusedFrom, now(), after, REQUEUE_PAGE)
      requeued += positions.length
      const last = positions.at(-1)
      if (last === undefined || positions.length < REQUEUE_PAGE) break
      after = last
    }
    const heldSince = toIso(hold.since)
    if (requeued > 0) logLine('warn', { event: 'requeued', requeued, heldSince })
  }

  #set(next: Aep, save: Save): void {
    const before = this.#aep
    if (next === before) return
    const { events } = this.#deps
    const known = this.known()
    events.ledger.set(next)
    if (save === 'now' && mustPersist(before, next)) events.ledger.save()
    this.#aep = next
    this.#known = null
    const now = this.known()
    for (const { level, fields } of logLinesOf(known, now, this.#deps.now())) logLine(level, fields)
    if (known.refusedFrom === null) this.takeBack()
  }
}
