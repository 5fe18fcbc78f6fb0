/**
 * Decides in an isolate whether a request may try AEP itself, or goes straight to the outbox.
 *
 * It holds a copy of what the outbox knows of AEP, and what this isolate has seen since. An outage costs one waiting
 * request a window, not one a webhook; and since that one asks AEP, recovery is noticed even when the outbox has
 * nothing to ask with. When AEP falls silent, the requests under way say so before the first of them times out.
 * Pure but for its own memory: moments (epoch milliseconds) are passed in; no timers.
 */
import type { Ending } from './aep/client/verdict.ts'
import {
  MAX_BREAKER_WINDOW_MS,
  MAX_FORWARD_TIMEOUT_MS,
  MIN_SILENCE_MS,
  SILENT_REQUESTS,
  SLOWEST_MEMORY_MS,
} from './limits.ts'
import { type Aep, type Hold, INITIAL_AEP, known } from './outbox/aep.ts'
import { isThrottled, type Policy } from './outbox/blame.ts'

export type BreakerDeps = {
  /** The settings that this isolate sends under (`settingsOf`). */
  settings: string
  /** The shortest time between two requests that try AEP while it fails. It doubles with each that fails. */
  windowMs: number
  policy: Policy
}

/** A request that is trying AEP. */
export type UnderWay = { readonly beganAt: number }

export class Breaker {
  readonly #deps: BreakerDeps
  #aep: Aep = INITIAL_AEP
  #accepted: { beganAt: number; at: number } | null = null
  /** This isolate's newest failure that the outbox has not answered yet. */
  #failedAt: number | null = null
  #failures = 0
  #notBefore = 0
  #answeredAt = 0
  /** When a request last used the one attempt of a window. */
  #triedAt = 0
  readonly #underWay = new Set<UnderWay>()
  /** The slowest acceptance of each of the last minutes. */
  #slowest: { minute: number; ms: number }[] = []

  constructor(deps: BreakerDeps) {
    this.#deps = deps
  }

  /** The copy of what the outbox knows. */
  get aep(): Aep {
    return this.#aep
  }

  /** This isolate's newest acceptance, to report. */
  get accepted(): { beganAt: number; at: number } | null {
    return this.#accepted
  }

  /** The outbox has answered what was asked at `askedAt`. A newer answer replaces the copy; an older one says nothing. */
  heard(aep: Aep, askedAt: number): void {
    if (aep.version < this.#aep.version) return
    this.#aep = aep
    if (this.#failedAt !== null && this.#failedAt <= askedAt) {
      this.#failedAt = null
      this.#notBefore = 0
    }
    if (!this.#isFailing()) this.#failures = 0
  }

  /** Why a request that comes now goes to the outbox; `null` when it may try AEP, which then counts as the window's. */
  reasonToStore(now: number): Hold['reason'] | 'upstream' | null {
    const { hold, gate } = known(this.#aep, now, this.#deps.policy)
    const reason = hold?.reason ?? 'upstream'
    if (hold?.reason === 'paused') return reason
    if (gate !== 'open' && hold?.reason === 'rejecting' && this.#sameSettings()) return reason
    if (Math.max(this.#aep.notBefore, this.#notBefore) > now) return reason
    if (this.#isSilent(now)) return 'upstream'
    if (!this.#isFailing()) return null
    if (now < this.#nextAt(now)) return reason
    this.#triedAt = now
    return null
  }

  /** A request begins to try AEP. */
  began(now: number): UnderWay {
    const underWay = { beganAt: now }
    this.#underWay.add(underWay)
    return underWay
  }

  /** It ended; `null`: without asking AEP. */
  ended(underWay: UnderWay, ending: Ending | null, now: number): void {
    this.#underWay.delete(underWay)
    if (!ending || ending.verdict === 'aborted') return
    if (ending.verdict === 'accepted' || ending.verdict === 'rejected') {
      this.#answered(underWay, ending.verdict === 'accepted', now)
      return
    }
    this.#failedAt = now
    this.#failures += 1
    if (isThrottled(ending)) this.#notBefore = now + (ending.retryAfterMs ?? 0)
  }

  #answered({ beganAt }: UnderWay, accepted: boolean, now: number): void {
    this.#answeredAt = now
    this.#failedAt = null
    this.#failures = 0
    if (!accepted) return
    this.#accepted = { beganAt, at: now }
    const minute = Math.floor(now / 60_000)
    const [latest] = this.#slowest
    if (latest?.minute === minute) latest.ms = Math.max(latest.ms, now - beganAt)
    else this.#slowest = [{ minute, ms: now - beganAt }, ...this.#slowest].slice(0, 6)
  }

  #sameSettings(): boolean {
    return this.#aep.refusals.settings === this.#deps.settings
  }

  #isFailing(): boolean {
    if (this.#failedAt !== null) return true
    const { failure } = this.#aep
    return failure !== null && this.#answeredAt < failure.at
  }

  #nextAt(now: number): number {
    const { windowMs } = this.#deps
    const { failure, acceptedAt, answeredAt } = this.#aep
    const doubled = windowMs * 2 ** Math.min(Math.max(this.#failures - 1, 0), 20)
    const waitMs = Math.min(doubled, Math.max(windowMs, MAX_BREAKER_WINDOW_MS))
    const latest = Math.max(failure?.at ?? 0, acceptedAt, answeredAt, this.#failedAt ?? 0)
    return Math.min(Math.max(latest, this.#triedAt), now) + waitMs
  }

  #isSilent(now: number): boolean {
    let waiting = 0
    for (const underWay of this.#underWay) {
      const { beganAt } = underWay
      const waitedMs = now - beganAt
      if (waitedMs <= MIN_SILENCE_MS || waitedMs <= 2 * this.#slowestMs(now)) break
      // No request tries for longer: its end has been missed, or the clock has jumped.
      if (waitedMs > 2 * MAX_FORWARD_TIMEOUT_MS) this.#underWay.delete(underWay)
      else if (beganAt >= this.#answeredAt) waiting += 1
      if (waiting >= SILENT_REQUESTS) return true
    }
    return false
  }

  #slowestMs(now: number): number {
    const since = Math.floor((now - SLOWEST_MEMORY_MS) / 60_000)
    return this.#slowest.reduce(
      (most, { minute, ms }) => (minute >= since ? Math.max(most, ms) : most),
      0,
    )
  }
}
