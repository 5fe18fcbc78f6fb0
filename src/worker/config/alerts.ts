/**
 * Where alerts go. An address that does not parse closes its own door: relaying goes on, and the problem names the
 * variable. The webhook's and the heartbeat's addresses are secrets, since anyone who has them can post there.
 */
import * as v from 'valibot'
import { httpUrl } from './destination.ts'
import type { ReadVariable } from './variables.ts'

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
