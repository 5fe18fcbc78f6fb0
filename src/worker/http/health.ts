/**
 * `GET /health`: whether webhooks can be taken into custody, and what needs an operator.
 *
 * Promises: never a secret, a count of customers, or personal data. Dead or quarantined events are no reason: they are no
 * fault of the relay. One answer serves an isolate for two seconds, and who asks while it is being made gets the one
 * before, or waits for the first: anyone may ask, and each fresh answer asks the outbox.
 */
import type { Config } from '../config/config.ts'
import { type Timers, within } from '../lib/bounded.ts'
import { FIRST_HEALTH_LOOK_MS, HEALTH_CACHE_MS, STORE_TIMEOUT_MS } from '../limits.ts'
import type { OutboxStub } from '../outbox/outbox.ts'
import { ANSWER_HEADERS } from './problem.ts'

export const HEALTH_REASONS = [
  'configuration',
  'credentials',
  'rejecting',
  'paused',
  'upstream',
  'expiring',
  /** The outbox did not answer, or could not write. */
  'storage',
] as const
export type HealthReason = (typeof HEALTH_REASONS)[number]

type HealthDeps = {
  config: Config
  outbox: () => OutboxStub
  now: () => number
  timers: Timers
  wait: (ms: number) => Promise<void>
}

type HealthAnswer = { status: 200 | 503; body: { status: string; reasons?: HealthReason[] } }

/** One per isolate and configuration. */
export class HealthCheck {
  readonly #deps: HealthDeps
  #latest: { at: number; report: HealthAnswer } | null = null
  /** Since when an answer is being made. */
  #askedAt: number | null = null

  constructor(deps: HealthDeps) {
    this.#deps = deps
  }

  async respond(): Promise<Response> {
    const { status, body } = await this.#report()
    return Response.json(body, { status, headers: ANSWER_HEADERS })
  }

  /** Whether the answer is `ok`. */
  async isWell(): Promise<boolean> {
    return (await this.reasons()).length === 0
  }

  /** Why the answer is `degraded`. */
  async reasons(): Promise<readonly HealthReason[]> {
    return (await this.#report()).body.reasons ?? []
  }

  async #report(): Promise<HealthAnswer> {
    const now = this.#deps.now()
    const isRecent = (ms: number, at: number | null) => at !== null && at <= now && now - at < ms
    const latest = this.#latest
    if (latest && isRecent(HEALTH_CACHE_MS, latest.at)) return latest.report
    if (isRecent(STORE_TIMEOUT_MS, this.#askedAt)) {
      if (latest) return latest.report
      // The very first of an isolate. Each request looks for itself: a promise of another one does not wake it.
      await this.#deps.wait(FIRST_HEALTH_LOOK_MS)
      return this.#report()
    }
    this.#askedAt = now
    try {
      const report = await this.#check()
      this.#latest = { at: now, report }
      return report
    } finally {
      this.#askedAt = null
    }
  }

  async #check(): Promise<HealthAnswer> {
    const { config, outbox } = this.#deps
    const { webhookKeys, destination } = config
    const found = new Set<HealthReason>()
    if (webhookKeys.length === 0 || !destination || config.problems.length > 0) {
      found.add('configuration')
    }
    try {
      const { writable, hold, failing, expiring } = await within(
        STORE_TIMEOUT_MS,
        outbox().health(),
        this.#deps.timers,
      )
      if (!writable) found.add('storage')
      if (hold) found.add(hold)
      if (failing) found.add('upstream')
      if (expiring) found.add('expiring')
    } catch {
      found.add('storage')
    }
    const acceptsWebhooks = webhookKeys.length > 0 && !found.has('storage')
    const reasons = HEALTH_REASONS.filter((reason) => found.has(reason))
    return {
      status: acceptsWebhooks ? 200 : 503,
      body: reasons.length === 0 ? { status: 'ok' } : { status: 'degraded', reasons },
    }
  }
}
