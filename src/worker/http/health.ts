/**
 * `GET /health`: whether webhooks can be taken into custody, and what needs an operator.
 *
 * Promises: never a secret, a count of customers, or personal data. Dead or quarantined events are no reason: they say
 * nothing about the relay. One answer serves an isolate for two seconds, since anyone may ask and each fresh answer
 * asks every shard.
 */
import { activeFailure } from '../aep/upstream/state.ts'
import type { Config } from '../config/config.ts'
import { HEALTH_CACHE_MS } from '../limits.ts'
import type { Shards } from '../outbox/shards.ts'
import type { Relay } from '../relay.ts'
import { ANSWER_HEADERS } from './response-headers.ts'

export const HEALTH_REASONS = [
  'configuration',
  'credentials',
  'rejecting',
  'paused',
  'upstream',
  'expiring',
  /** A shard did not answer, or could not write. */
  'storage',
] as const
export type HealthReason = (typeof HEALTH_REASONS)[number]

type Report = { status: 200 | 503; body: { status: string; reasons?: HealthReason[] } }

/** One per isolate and configuration. */
export class HealthCheck {
  readonly #config: Config
  readonly #shards: Shards
  readonly #relay: Relay
  readonly #now: () => number
  #latest: { at: number; report: Report } | null = null

  constructor(config: Config, shards: Shards, relay: Relay, now: () => number) {
    this.#config = config
    this.#shards = shards
    this.#relay = relay
    this.#now = now
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

  async #report(): Promise<Report> {
    const now = this.#now()
    // A report from the future is one from before the clock was set back.
    const age = this.#latest ? now - this.#latest.at : -1
    if (!this.#latest || age < 0 || age >= HEALTH_CACHE_MS) {
      this.#latest = { at: now, report: await this.#check() }
    }
    return this.#latest.report
  }

  async #check(): Promise<Report> {
    const { webhookKeys, destination, problems } = this.#config
    const found = new Set<HealthReason>()
    const keysAreWrong = problems.some(({ variable }) => variable === 'WEBHOOK_KEYS')
    if (keysAreWrong || !destination) found.add('configuration')
    try {
      for (const shard of await this.#shards.all((each) => each.health(this.#relay.state))) {
        this.#relay.mergeUpstream(shard.upstream)
        if (!shard.writable) found.add('storage')
        if (shard.hold) found.add(shard.hold)
        if (shard.failing) found.add('upstream')
        if (shard.expiring) found.add('expiring')
      }
    } catch {
      found.add('storage')
    }
    if (activeFailure(this.#relay.state)?.reason === 'upstream') found.add('upstream')
    const acceptsWebhooks = webhookKeys.length > 0 && !found.has('storage')
    const reasons = HEALTH_REASONS.filter((reason) => found.has(reason))
    return {
      status: acceptsWebhooks ? 200 : 503,
      body: reasons.length === 0 ? { status: 'ok' } : { status: 'degraded', reasons },
    }
  }
}
