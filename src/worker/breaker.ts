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
  MAX_RETRY_AFTER_MS,
  MIN_SILENCE_MS,
  SILENT_REQUESTS,
  SLOWEST_MEMORY_MS,
} from './limits.ts'
import { type Aep, INITIAL_AEP } from './outbox/aep.ts'
import type { Hold } from './outbox/known.ts'

type BreakerDeps = {
  /** The settings that this isolate sends under (`settingsOf`). */
  settings: string
  /** The shortest time between two requests that try AEP while it fails. It doubles with each that fails. */
  windowMs: number
}

/** A request that is trying AEP. */
export type UnderWay = { readonly beganAt: number }

export class Breaker {
  readonly #deps: BreakerDeps
  #aep: Aep = INITIAL_AEP
  /** The newest acceptance of this isolate. */
  #accepted: { beganAt: number; at: number } | null = null
  /** Its newest answer of AEP: an acceptance or a refusal. */
  #answeredAt = 0
  /** Its newest failure that the outbox does not know of yet, and the wait that AEP asked for with it. */
  #failedAt: number | null = null
  #notBefore = 0
  /** Its failures in a row. */
  #failures = 0
  /** When a request last used the one attempt of a window. */
  #triedAt = 0
  readonly #underWay = new Set<UnderWay>()
  /** The slowest acceptance of each of the last minutes, newest first. */
  #slowest: { minute: number; ms: number }[] = []

  constructor(deps: BreakerDeps) {
    this.#deps = deps
  }

  /** The copy of what the outbox knows. */
  get aep(): Aep {
    return this.#aep
  }

  /** To report. */
  get accepted(): { beganAt: number; at: number } | null {
    return this.#accepted
  }

  /** The outbox has answered what was asked at `askedAt`. A newer answer replaces the copy; an older one says nothing. */
  update(aep: Aep, askedAt: number): void {
    if (aep.version < this.#aep.version) return
    this.#aep = aep
    // That failure was reported with the question, so the outbox has judged it.
    if (this.#failedAt !== null && this.#failedAt <= askedAt) {
      this.#failedAt = null
      this.#notBefore = 0
    }
    if (!this.#isFailing()) this.#failures = 0
  }

  /** Why a request that comes now goes to the outbox; `null`: it may try AEP, which uses the window's one attempt. */
  reasonToStore(now: number): Hold['reason'] | 'upstream' | null {
    this.#correct(now)
    const { pause, refusals, failure, notBefore } = this.#aep
    if (pause.paused) return 'paused'
    if (refusals.hold && refusals.settings === this.#deps.settings) return 'rejecting'
    const reason = failure?.reason ?? 'upstream'
    if (Math.max(notBefore, this.#notBefore) > now) return reason
    if (this.#isSilent(now)) return 'upstream'
    if (!this.#isFailing()) return null
    if (now < this.#windowEndsAt(now)) return reason
    this.#triedAt = now
    return null
  }

  /** A request begins to try AEP. */
  began(now: number): UnderWay {
    const underWay = { beganAt: now }
    this.#underWay.add(underWay)
    return underWay
  }

  ended(underWay: UnderWay, ending: Ending, now: number): void {
    this.#underWay.delete(underWay)
    switch (ending.verdict) {
      case 'aborted':
        return
      case 'accepted':
        this.#answered(now)
        this.#accepted = { beganAt: underWay.beganAt, at: now }
        this.#rememberSlowest(now - underWay.beganAt, now)
        return
      case 'rejected':
        this.#answered(now)
        return
      default:
        this.#failedAt = now
        this.#failures += 1
        if (ending.retryAfterMs) {
          this.#notBefore = Math.max(this.#notBefore, now + ending.retryAfterMs)
        }
    }
  }

  #answered(now: number): void {
    this.#answeredAt = now
    this.#failedAt = null
    this.#failures = 0
  }

  #isFailing(): boolean {
    const { failure } = this.#aep
    if (this.#failedAt !== null) return true
    if (!failure) return false
    const worksAfterAll = (this.#accepted?.at ?? 0) > failure.validFrom
    return !worksAfterAll && this.#answeredAt < failure.at
  }

  /** If nothing more is known of AEP by then, one request may try it again. */
  #windowEndsAt(now: number): number {
    const { windowMs } = this.#deps
    const { failure, acceptedAt, answeredAt } = this.#aep
    const doubledMs = windowMs * 2 ** Math.min(Math.max(this.#failures - 1, 0), 20)
    const waitMs = Math.min(doubledMs, Math.max(windowMs, MAX_BREAKER_WINDOW_MS))
    const known = Math.max(failure?.at ?? 0, acceptedAt, answeredAt)
    const latest = Math.max(known, this.#failedAt ?? 0, this.#triedAt)
    return Math.min(latest, now) + waitMs
  }

  /** Requests wait longer than any that was accepted lately, and none that began with them has had an answer. */
  #isSilent(now: number): boolean {
    let waiting = 0
    for (const underWay of this.#underWay) {
      const waitedMs = now - underWay.beganAt
      // They stand in the order in which they began. Mostly the first has not waited long, and this ends here.
      if (waitedMs <= MIN_SILENCE_MS || waitedMs <= 2 * this.#slowestMs(now)) return false
      // No request tries for so long: its end was missed, or the clock has jumped.
      if (waitedMs > 2 * MAX_FORWARD_TIMEOUT_MS) this.#underWay.delete(underWay)
      else if (underWay.beganAt >= this.#answeredAt) waiting += 1
      if (waiting === SILENT_REQUESTS) return true
    }
    return false
  }

  #rememberSlowest(ms: number, now: number): void {
    const minute = Math.floor(now / 60_000)
    const [latest] = this.#slowest
    if (latest?.minute === minute) latest.ms = Math.max(latest.ms, ms)
    else this.#slowest = [{ minute, ms }, ...this.#slowest].slice(0, SLOWEST_MEMORY_MS / 60_000 + 1)
  }

  #slowestMs(now: number): number {
    const since = Math.floor((now - SLOWEST_MEMORY_MS) / 60_000)
    return this.#slowest.reduce(
      (most, { minute, ms }) => (minute >= since ? Math.max(most, ms) : most),
      0,
    )
  }

  /** A clock that ran ahead and was set back: what happened is not ahead of now, and no wait longer than AEP may ask. */
  #correct(now: number): void {
    this.#notBefore = Math.min(this.#notBefore, now + MAX_RETRY_AFTER_MS)
    const latest = Math.max(this.#answeredAt, this.#failedAt ?? 0, this.#triedAt)
    if (latest <= now) return
    const accepted = this.#accepted
    this.#accepted = accepted && {
      beganAt: Math.min(accepted.beganAt, now),
      at: Math.min(accepted.at, now),
    }
    // An answer of an unknown age: it is not held against what the outbox says.
    this.#answeredAt = 0
    this.#failedAt = this.#failedAt && Math.min(this.#failedAt, now)
    this.#triedAt = Math.min(this.#triedAt, now)
    this.#slowest = []
  }
}
