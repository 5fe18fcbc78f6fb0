/**
 * Holds what the outbox knows of AEP (`aep.ts`), and lets nobody else change it.
 *
 * Promises: what lasts is on disk before anyone sees it, so that a restart neither forgets a hold nor storms an AEP
 * that is down; what follows from the value is derived once a change and millisecond. The beginning and the end of a hold
 * and of an outage are log lines.
 * Accepts: mere acceptances are written with the counters, so their times may be old after a restart.
 */
import { logLine } from '../log.ts'
import { type Aep, after, afterAttempt, type Happened, INITIAL_AEP, mustPersist } from './aep.ts'
import type { Attempt, AttemptOutcome, Policy } from './blame.ts'
import type { Events } from './events.ts'
import { type Known, known, logLinesOf } from './known.ts'

type WatchDeps = {
  events: Events
  policy: Policy
  now: () => number
  /** AEP refuses everything: events that it refused from this moment on become pending again. */
  takeBack: (refusedFrom: number, heldSince: number) => void
}

/** `with-events`: the caller writes events next, and the value with them (`Ledger.save`). */
type Save = 'now' | 'with-events'

export class AepWatch {
  readonly #deps: WatchDeps
  #aep: Aep
  #known: { at: number; known: Known } | null = null

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
    if (this.#known?.at !== at) this.#known = { at, known: known(this.#aep, at, policy) }
    return this.#known.known
  }

  /** The same as if nobody had paused. */
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

  #set(next: Aep, save: Save): void {
    const before = this.#aep
    if (next === before) return
    const { events, takeBack } = this.#deps
    const known = this.known()
    events.ledger.set(next)
    if (save === 'now' && mustPersist(before, next)) events.ledger.save()
    this.#aep = next
    this.#known = null
    const now = this.known()
    for (const { level, fields } of logLinesOf(known, now, this.#deps.now())) logLine(level, fields)
    if (now.refusedFrom !== null && known.refusedFrom === null) {
      takeBack(now.refusedFrom, now.hold?.since ?? this.#deps.now())
    }
  }
}
