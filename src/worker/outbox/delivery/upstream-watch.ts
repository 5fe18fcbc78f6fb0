/**
 * What a shard knows of the destination, and when it may ask it again.
 *
 * Promises: every change of mood (failing, held, paused, told to wait) is written down before anybody is told of it,
 * so that a restart neither forgets a hold nor storms a destination that is down. What changes with every single
 * acceptance is not worth a row of its own: it is written with the counters, and after a restart may be old.
 */

import type { Verdict } from '../../aep/client/verdict.ts'
import { type AttemptTimes, afterAttempt } from '../../aep/upstream/blame.ts'
import {
  activeFailure,
  afterFailure,
  type Hold,
  holdOf,
  merge,
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
  /** Failures in a row that were worth a longer wait. */
  #failures = 0
  #countedAt = 0
  #retryAt = 0

  constructor(ledger: LedgerStore, deps: WatchDeps) {
    this.#ledger = ledger
    this.#deps = deps
    this.#state = ledger.destination
  }

  get state(): UpstreamState {
    return this.#state
  }

  get failing(): boolean {
    return activeFailure(this.#state) !== null
  }

  get retryAt(): number {
    return this.#retryAt
  }

  /** After a restart the alarm is what is left of the wait, unless a deploy may just have mended what was waited for. */
  resumeWait(alarmAt: number, usable: boolean): void {
    const failure = activeFailure(this.#state)
    const mayBeMended = usable && failure?.reason === 'configuration'
    if (failure && !mayBeMended) this.#retryAt = alarmAt
  }

  /** Takes in what another has seen, answers what both know now. */
  mergeFrom(theirs: UpstreamState): UpstreamState {
    this.set(merge(this.#state, theirs))
    return this.#state
  }

  recordAttempt(verdict: Verdict, times: AttemptTimes, at: number): void {
    this.set(afterAttempt(this.#state, verdict, times, at))
  }

  /** A configuration that does not parse is a hold like AEP's own: it is lifted by the first acceptance after it is mended. */
  noteConfiguration(usable: boolean): void {
    if (usable || activeFailure(this.#state)?.reason === 'configuration') return
    const at = Math.max(this.#deps.now(), this.#state.pause.at + 1)
    this.set(afterFailure(this.#state, { at, since: at, reason: 'configuration' }))
  }

  /** Also for what is known without asking AEP: an operator's word. */
  set(next: UpstreamState): void {
    const before = this.#state
    if (!sameStatus(before, next)) this.#ledger.change({}, next, () => undefined)
    this.#state = next
    this.#wait(next)
    this.#tell(holdOf(before), holdOf(next))
  }

  /** Failures of one burst count once: the others end while the wait already runs. */
  #wait(state: UpstreamState): void {
    const { now, random, backoff } = this.#deps
    const failure = activeFailure(state)
    if (!failure) {
      this.#failures = 0
      this.#retryAt = 0
    } else if (failure.at > this.#countedAt && now() >= this.#retryAt) {
      this.#failures += 1
      this.#countedAt = failure.at
      this.#retryAt = now() + fullJitterMs(this.#failures, backoff, random)
    }
  }

  #tell(before: Hold | null, after: Hold | null): void {
    if (before?.reason === after?.reason) return
    const { shard } = this.#deps
    if (after) logLine('warn', { event: 'hold', shard, reason: after.reason })
    else logLine('log', { event: 'hold', shard, reason: null, lifted: before?.reason })
  }
}

function sameStatus(a: UpstreamState, b: UpstreamState): boolean {
  const [failure, other] = [activeFailure(a), activeFailure(b)]
  return (
    failure?.reason === other?.reason &&
    failure?.firstAt === other?.firstAt &&
    a.notBefore === b.notBefore &&
    a.pause.at === b.pause.at &&
    a.pause.paused === b.pause.paused
  )
}
