/**
 * `GET /health`: whether webhooks can be taken into custody, and what an operator should look at.
 * Never a secret, a count of customers, or personal data.
 */
import type { Config } from './config.ts'

export type HealthReason =
  | 'configuration'
  | 'credentials'
  | 'paused'
  | 'upstream'
  | 'expiring'
  | 'storage'

export function health(config: Config): Response {
  const takesWebhooks = config.webhookKeys.length > 0
  const reasons: HealthReason[] = takesWebhooks && config.destination ? [] : ['configuration']
  const body = reasons.length === 0 ? { status: 'ok' } : { status: 'degraded', reasons }
  return Response.json(body, { status: takesWebhooks ? 200 : 503 })
}
