/**
 * What a shard knows of AEP, and when it may ask it again.
 *
 * Promises: every change of status (failing, held, paused, told to wait) is written down before anyone hears of it, so
 * a restart neither forgets a hold nor storms an AEP that is down. The beginning and the end of an outage and of a
 * hold are log lines. A wrong clock stops nothing: times from the future are corrected whenever the state is read.
 * Accepts: single acceptances are written with the counters, not each in a row, so they may be old after a restart.
 */

import type { Verdict } from '../../aep/client/verdict.ts'
import { type AttemptInfo, afterAttempt } from '../../aep/upstream/blame.ts'
import { correctClock } from '../../aep/upstream/clock.ts'
import { takeIn, underSettings } from '../../aep/upstream/merge.ts'
import { endHold, isRejecting } from '../../aep/upstream/refusals.ts'
import { activeFailure, notBefore, type UpstreamState } from '../../aep/upstream/state.ts'
import { afterCommand, afterFailure } from '../../aep/upstream/transitions.ts'
import { PROBE_INTERVAL_MS } from '../../limits.ts'
import type { LedgerStore } from '../storage/ledger.ts'
import { type Backoff, fullJitterMs } from './backoff.ts'
import { logUpstream } from './upstream-log.ts'

export type WatchDeps = {
  shard: string
  /** The settings that events are sent under (`settingsOf`). */
  settings: string
  backoff: Backoff
  /** Called when everything refused since this moment has to become pending again. */
  rejecting: (hold: { since: number; from: number }) => void
  now: () => number
  random: () => number
}

export class UpstreamWatch {
  readonly #ledger: LedgerStore
  readonly #deps: WatchDeps
  #state: UpstreamState
  /** Consecutive failures that each made the wait longer. */
  #failures = 0
  /** The newest failure among them. */
  #countedAt = 0
  #retryAt = 0

  constructor(ledger: LedgerStore, deps: WatchDeps) {
    this.#ledger = ledger
    this.#deps = deps
    this.#state = underSettings(correctClock(ledger.upstream, deps.now()), deps.settings)
  }

  get state(): UpstreamState {
    this.#state = correctClock(this.#state, this.#deps.now())
    return this.#state
  }

  get failing(): boolean {
    return activeFailure(this.state) !== null || this.rejecting
  }

  /** AEP refuses everything: the setting is wrong, not the events. */
  get rejecting(): boolean {
    return isRejecting(this.#state.refusals)
  }

  /** While AEP fails: when it may be asked again. Never further ahead than the longest backoff. */
  get retryAt(): number {
    this.#retryAt = Math.min(this.#retryAt, this.#deps.now() + this.#deps.backoff.capMs)
    return this.#retryAt
  }

  get paused(): boolean {
    return this.#state.pause.paused
  }

  /** Until when AEP's `Retry-After` runs; 0 without one. */
  get notBefore(): number {
    return notBefore(this.state)
  }

  /** Whether any number of requests may be sent now. */
  isOpen(now: number): boolean {
    return !this.paused && this.notBefore <= now && !this.failing
  }

  /** Whether AEP fails, and one request may ask whether it still does. */
  allowsProbe(now: number): boolean {
    return !this.paused && this.notBefore <= now && this.failing && this.retryAt <= now
  }

  /**
   * After a restart the alarm is what remains of the wait, unless the failure may have been fixed by the deployment
   * that caused the restart.
   */
  resumeWait(alarmAt: number, usable: boolean): void {
    const failure = activeFailure(this.state)
    const mayBeFixed = usable && failure?.reason === 'configuration'
    if (failure && !mayBeFixed) this.#retryAt = alarmAt
  }

  /** Merges in the state of an isolate or another shard. */
  mergeFrom(theirs: UpstreamState): void {
    this.#set(takeIn(this.state, theirs, this.#deps.now()))
  }

  recordAttempt(verdict: Verdict, attempt: AttemptInfo, at: number): void {
    this.#set(afterAttempt(this.state, verdict, attempt, at))
  }

  /** A configuration that does not parse is a hold like AEP's own; the first acceptance after it is fixed lifts it. */
  noteConfiguration(usable: boolean): void {
    const { state } = this
    if (usable || activeFailure(state)?.reason === 'configuration') return
    const at = Math.max(this.#deps.now(), state.resumedAt + 1)
    const failure = { at, since: at, reason: 'configuration', code: 'configuration' } as const
    this.#set(afterFailure(state, { ...failure, status: null }))
  }

  /** An operator's command, given at `now` by the clock of the isolate that took it. */
  command(paused: boolean, now: number): void {
    this.#set(afterCommand(this.state, paused, Math.max(now, this.#deps.now())))
  }

  /** A new event during a hold for refusals is the best probe there is: at once, but at most one a second. */
  probeSoon(): void {
    if (!this.rejecting) return
    const now = this.#deps.now()
    const soon = Math.max(now, this.#state.refusals.refusedAt + PROBE_INTERVAL_MS)
    this.#retryAt = Math.min(this.retryAt, soon)
  }

  /** Nothing is pending any more: there is nothing to ask AEP with. */
  endRejecting(): void {
    if (!this.rejecting) return
    this.#set({ ...this.state, refusals: endHold(this.state.refusals, this.#deps.now()) })
  }

  /** A probe found no event that can be sent: asking again at once would find none either. */
  waitLonger(): void {
    this.#failures += 1
    this.#retryAt = this.#deps.now() + this.#jitterMs()
  }

  #set(next: UpstreamState): void {
    const before = this.#state
    if (!sameStatus(before, next)) this.#ledger.change({}, next, () => undefined)
    this.#state = next
    this.#scheduleRetry(next)
    logUpstream(this.#deps.shard, before, next, this.#deps.now())
    const { hold } = next.refusals
    if (hold.since > before.refusals.hold.since) this.#deps.rejecting(hold)
  }

  /** Failures of one burst count once: the others end while the wait already runs. */
  #scheduleRetry(state: UpstreamState): void {
    const now = this.#deps.now()
    const failure =
      activeFailure(state) ?? (this.rejecting ? { at: state.refusals.refusedAt } : null)
    if (!failure) {
      this.#failures = 0
      this.#retryAt = 0
      return
    }
    this.#countedAt = Math.min(this.#countedAt, now)
    if (failure.at > this.#countedAt && now >= this.retryAt) {
      this.#failures += 1
      this.#countedAt = failure.at
      this.#retryAt = now + this.#jitterMs()
    }
  }

  #jitterMs(): number {
    // At least one, so that the next failure is later than the one that it is counted after.
    return Math.max(1, fullJitterMs(this.#failures, this.#deps.backoff, this.#deps.random))
  }
}

function sameStatus(a: UpstreamState, b: UpstreamState): boolean {
  const [failure, other] = [activeFailure(a), activeFailure(b)]
  return (
    failure?.reason === other?.reason &&
    failure?.firstAt === other?.firstAt &&
    notBefore(a) === notBefore(b) &&
    a.resumedAt === b.resumedAt &&
    a.refusals.hold.since === b.refusals.hold.since &&
    isRejecting(a.refusals) === isRejecting(b.refusals) &&
    a.refusals.newest.length === b.refusals.newest.length &&
    a.pause.at === b.pause.at &&
    a.pause.paused === b.pause.paused
  )
}
