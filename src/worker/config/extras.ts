/**
 * What relaying can do without: where alerts go, and the read-only credential with which the relay compares what AEP counts
 * with what it has sent itself.
 *
 * Promises: nothing here can hold up an event. An address that does not parse closes its own door, and the problem names the
 * variable; what is missing or wrong for reading makes the comparison unavailable and says why. The credential is never used
 * for the inlet. The webhook's and the heartbeat's addresses are secrets, since anyone who has them can post there.
 */
import * as v from 'valibot'
import { type Credentials, httpUrl, type Ims } from './destination.ts'
import { type ConfigProblem, type ReadVariable, text } from './variables.ts'

export type AlertConfig = {
  /** A pending event older than this is worth an alert, in milliseconds. */
  ageMs: number
  /** No webhook for so long, where a week before there were some, is worth an alert, in milliseconds; 0: never. */
  silenceMs: number
  /** `null`: no alerts are sent; their states can be read all the same. */
  webhook: AlertWebhook | null
  /** A dead man's switch; `null`: none is pinged. */
  heartbeatUrl: string | null
  /** The Worker's own address, without a slash at its end; `null`: alerts have no links. */
  publicUrl: string | null
}

/** PagerDuty names no key in its address, so ours does: `?routing_key=…`, or `/integration/KEY/enqueue`. */
export type AlertWebhook =
  | { service: 'slack'; url: string }
  | { service: 'pagerduty'; url: string; routingKey: string }

const PAGERDUTY = /^events(\.eu)?\.pagerduty\.com$/

const webhook = v.pipe(
  httpUrl,
  v.transform((url): AlertWebhook | null => {
    if (!PAGERDUTY.test(url.hostname)) return { service: 'slack', url: url.href }
    const inPath = /^\/integration\/([^/]+)/.exec(url.pathname)?.[1]
    const routingKey = url.searchParams.get('routing_key') || inPath
    return routingKey ? { service: 'pagerduty', url: `${url.origin}/v2/enqueue`, routingKey } : null
  }),
  v.check((found) => found !== null, 'an address with ?routing_key=KEY (PagerDuty)'),
)

export function readAlertUrls(read: ReadVariable): Omit<AlertConfig, 'ageMs' | 'silenceMs'> {
  return {
    webhook: read('ALERT_WEBHOOK_URL', webhook) ?? null,
    heartbeatUrl: read('ALERT_HEARTBEAT_URL', httpUrl)?.href ?? null,
    publicUrl: read('PUBLIC_URL', httpUrl)?.href.replace(/\/+$/, '') ?? null,
  }
}

export const DEFAULT_PLATFORM_URL = 'https://platform.adobe.io'

/** `why`: names what is missing. `platformUrl` has no trailing slash. `flowId`: `null` without a dataflow. */
export type ReadAccess =
  | {
      readonly available: true
      readonly credentials: Credentials
      readonly platformUrl: string
      readonly sandbox: string
      readonly orgId: string
      readonly datasetId: string
      readonly flowId: string | null
    }
  | { readonly available: false; readonly why: string }

/** `flowId`: of the destination, since it may stand in the endpoint. */
export function readAccess(
  read: ReadVariable,
  problems: ConfigProblem[],
  { ims, flowId }: { ims: Ims; flowId: string | null },
): ReadAccess {
  const clientId = read('AEP_READ_CLIENT_ID', text)
  const clientSecret = read('AEP_READ_CLIENT_SECRET', text)
  const orgId = read('AEP_ORG_ID', text)
  const datasetId = read('AEP_DATASET_ID', text)
  const before = problems.length
  const platformUrl = (read('AEP_PLATFORM_URL', httpUrl)?.href ?? DEFAULT_PLATFORM_URL).replace(
    /\/+$/,
    '',
  )
  if (problems.length > before) return { available: false, why: 'AEP_PLATFORM_URL is wrong.' }
  if (!clientId || !clientSecret || !orgId || !datasetId) {
    const needed = { clientId, clientSecret, orgId, datasetId }
    const missing = Object.entries(NAMES).filter(([field]) => !needed[field as keyof typeof needed])
    return { available: false, why: `Not set: ${missing.map(([, name]) => name).join(', ')}.` }
  }
  const credentials = { clientId, clientSecret, ...ims }
  const sandbox = read('AEP_SANDBOX', text) ?? 'prod'
  return { available: true, credentials, platformUrl, sandbox, orgId, datasetId, flowId }
}

const NAMES = {
  clientId: 'AEP_READ_CLIENT_ID',
  clientSecret: 'AEP_READ_CLIENT_SECRET',
  orgId: 'AEP_ORG_ID',
  datasetId: 'AEP_DATASET_ID',
}
