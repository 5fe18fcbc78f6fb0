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
import {
  activeFailure,
  afterCommand,
  afterFailure,
  correctClock,
  type Hold,
  holdOf,
  merge,
  notBefore,
  type UpstreamFailure,
  type UpstreamState,
} from '../../aep/upstream/state.ts'
import { logLine } from '../../log.ts'
import type { LedgerStore } from '../storage/ledger.ts'
import { type Backoff, fullJitterMs } from './backoff.ts'

export type WatchDeps = {
  shard: string
  backoff: Backoff
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
    this.#state = correctClock(ledger.upstream, deps.now())
  }

  get state(): UpstreamState {
    this.#state = correctClock(this.#state, this.#deps.now())
    return this.#state
  }

  get failing(): boolean {
    return activeFailure(this.state) !== null
  }

  /** While AEP fails: when it may be asked again. Never further ahead than the longest backoff. */
  get retryAt(): number {
    this.#retryAt = Math.min(this.#retryAt, this.#deps.now() + this.#deps.backoff.capMs)
    return this.#retryAt
  }

  get paused(): boolean {
    return this.#state.pause.paused
  }

  /** AEP's `Retry-After`; 0 when there is none. */
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
    this.#set(merge(this.state, correctClock(theirs, this.#deps.now())))
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
    this.#log(before, next)
  }

  /** Failures of one burst count once: the others end while the wait already runs. */
  #scheduleRetry(state: UpstreamState): void {
    const now = this.#deps.now()
    const failure = activeFailure(state)
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
    return fullJitterMs(this.#failures, this.#deps.backoff, this.#deps.random)
  }

  #log(before: UpstreamState, after: UpstreamState): void {
    const { shard, now } = this.#deps
    logHold(shard, holdOf(before), holdOf(after), activeFailure(after))
    const [ended, begun] = [outageOf(before), outageOf(after)]
    if (begun && !ended) {
      const { code, status: upstreamStatus } = begun
      logLine('warn', { event: 'upstream', shard, status: 'failing', code, upstreamStatus })
    }
    if (ended && !begun && !holdOf(after)) {
      const failedForMs = Math.max(now() - ended.firstAt, 0)
      logLine('log', { event: 'upstream', shard, status: 'recovered', failedForMs })
    }
  }
}

function outageOf(state: UpstreamState): UpstreamFailure | null {
  const failure = activeFailure(state)
  return failure?.reason === 'upstream' ? failure : null
}

function logHold(
  shard: string,
  before: Hold | null,
  after: Hold | null,
  failure: UpstreamFailure | null,
): void {
  if (before?.reason === after?.reason) return
  if (!after) {
    logLine('log', { event: 'hold', shard, reason: null, lifted: before?.reason })
    return
  }
  const cause = after.reason === 'paused' ? null : failure
  logLine('warn', {
    event: 'hold',
    shard,
    reason: after.reason,
    code: cause?.code,
    // The status is AEP's, or that of IMS when IMS gave no token.
    ...(cause?.code === 'token'
      ? { imsStatus: cause.status }
      : { upstreamStatus: cause?.status ?? undefined }),
  })
}

function sameStatus(a: UpstreamState, b: UpstreamState): boolean {
  const [failure, other] = [activeFailure(a), activeFailure(b)]
  return (
    failure?.reason === other?.reason &&
    failure?.firstAt === other?.firstAt &&
    notBefore(a) === notBefore(b) &&
    a.resumedAt === b.resumedAt &&
    a.pause.at === b.pause.at &&
    a.pause.paused === b.pause.paused
  )
}
