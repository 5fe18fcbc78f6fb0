/**
 * `GET /health`: whether webhooks can be taken into custody, and what needs an operator.
 *
 * Promises: never a secret, a count of customers, or personal data. Dead or quarantined events are no reason: they are no
 * fault of the relay. One answer serves an isolate for two seconds, and who asks while it is being made gets the one
 * before, or waits for the first: anyone may ask, and each fresh answer asks the outbox.
 */
import type { Config } from '../config/config.ts'
import { within } from '../lib/bounded.ts'
import type { Rim } from '../lib/rim.ts'
import { FIRST_HEALTH_LOOK_MS, HEALTH_CACHE_MS, STORE_TIMEOUT_MS } from '../limits.ts'
import type { OutboxStub } from '../outbox/outbox.ts'
import { ANSWER_HEADERS } from './problem.ts'

const HEALTH_REASONS = [
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
  rim: Pick<Rim, 'now' | 'timers'>
}

type HealthAnswer = { status: 200 | 503; reasons: readonly HealthReason[] }

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
    const { status, reasons } = await this.#report()
    const body = reasons.length === 0 ? { status: 'ok' } : { status: 'degraded', reasons }
    return Response.json(body, { status, headers: ANSWER_HEADERS })
  }

  /** Why the answer is `degraded`; none where it is `ok`. */
  async reasons(): Promise<readonly HealthReason[]> {
    return (await this.#report()).reasons
  }

  async #report(): Promise<HealthAnswer> {
    const { rim } = this.#deps
    const now = rim.now()
    const isRecent = (ms: number, at: number | null) => at !== null && at <= now && now - at < ms
    const latest = this.#latest
    if (latest && isRecent(HEALTH_CACHE_MS, latest.at)) return latest.report
    if (isRecent(STORE_TIMEOUT_MS, this.#askedAt)) {
      if (latest) return latest.report
      // The very first of an isolate. Each request looks for itself: a promise of another one does not wake it.
      await new Promise<void>((done) => rim.timers.set(done, FIRST_HEALTH_LOOK_MS))
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
    const { config, outbox, rim } = this.#deps
    const found = new Set<HealthReason>()
    // Without a destination, or without a usable key, there is a problem.
    if (config.problems.length > 0) found.add('configuration')
    try {
      const asked = within(STORE_TIMEOUT_MS, outbox().health(), rim.timers)
      const { writable, hold, failing, expiring } = await asked
      if (!writable) found.add('storage')
      if (hold) found.add(hold)
      if (failing) found.add('upstream')
      if (expiring) found.add('expiring')
    } catch {
      found.add('storage')
    }
    const acceptsWebhooks = config.webhookKeys.length > 0 && !found.has('storage')
    const reasons = HEALTH_REASONS.filter((reason) => found.has(reason))
    return { status: acceptsWebhooks ? 200 : 503, reasons }
  }
}
