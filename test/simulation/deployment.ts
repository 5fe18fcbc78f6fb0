/** Settings of a plan as the environment of a Worker. */
import type { Settings } from './plan.ts'

export const KEYS = ['simulated-webhook-key-one', 'simulated-webhook-key-two'] as const
export const TOKEN = 'simulated-operators-token'

/** `stub`: of the outbox. */
export function environmentOf(settings: Settings, deployment: number, stub: () => object): Env {
  const { format, tenant, flow, token, forwardMs, maxEventBytes, redact, keys } = settings
  const env = {
    WEBHOOK_KEYS: keys.map((key) => `shop-${key}:${KEYS[key]}`).join(','),
    ADMIN_TOKEN: TOKEN,
    AEP_ENDPOINT: `https://dcs.adobedc.net/collection/${format}-${tenant}`,
    AEP_FLOW_ID: flow,
    AEP_FORMAT: format,
    AEP_ORG_ID: 'ACME@AdobeOrg',
    AEP_DATASET_ID: 'dataset',
    AEP_READ_CLIENT_ID: 'reader',
    AEP_READ_CLIENT_SECRET: 'client-secret-of-the-reader',
    FORWARD_TIMEOUT_MS: String(forwardMs),
    MAX_EVENT_BYTES: String(maxEventBytes),
    REDACT: redact,
    COMPLETE_HOURS: String(settings.completeHours),
    ALERT_WEBHOOK_URL: 'https://alerts.example/hook',
    ALERT_HEARTBEAT_URL: 'https://alerts.example/beat',
    CF_VERSION_METADATA: { id: `deployment-${deployment}`, tag: '', timestamp: '' },
    ...(format === 'xdm' && {
      AEP_SCHEMA_ID: `https://ns.adobe.com/${tenant}/schemas/chatlio`,
      AEP_TENANT: tenant,
    }),
    ...(token && { AEP_CLIENT_ID: 'client', AEP_CLIENT_SECRET: 'client-secret-of-acme' }),
    OUTBOX: { getByName: stub },
  }
  return env as unknown as Env
}
