/**
 * `GET /health`: whether webhooks can be taken into custody, and what an operator should look at.
 * Asks every shard. Never a secret, a count of customers, or personal data; dead or quarantined events are no
 * reason, since nothing is wrong with the relay.
 */
import { activeFailure } from '../aep/upstream/state.ts'
import type { Services } from '../services.ts'

export const HEALTH_REASONS = [
  'configuration',
  'credentials',
  'rejecting',
  'paused',
  'upstream',
  'expiring',
  /** A shard did not answer. */
  'storage',
] as const
export type HealthReason = (typeof HEALTH_REASONS)[number]

export async function health({ config, shards, relay }: Services): Promise<Response> {
  const found = new Set<HealthReason>()
  if (config.webhookKeys.length === 0 || !config.destination) found.add('configuration')
  try {
    for (const shard of await shards.all((each) => each.health(relay.state))) {
      relay.mergeUpstream(shard.upstream)
      if (!shard.writable) found.add('storage')
      if (shard.hold) found.add(shard.hold)
      if (shard.failing) found.add('upstream')
      if (shard.expiring) found.add('expiring')
    }
  } catch {
    found.add('storage')
  }
  if (activeFailure(relay.state)?.reason === 'upstream') found.add('upstream')
  const takesWebhooks = config.webhookKeys.length > 0 && !found.has('storage')
  const reasons = HEALTH_REASONS.filter((reason) => found.has(reason))
  const body = reasons.length === 0 ? { status: 'ok' } : { status: 'degraded', reasons }
  return Response.json(body, { status: takesWebhooks ? 200 : 503 })
}
