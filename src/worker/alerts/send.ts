/**
 * Posts to the alert webhook and pings the heartbeat.
 *
 * Promises: one request each, with a deadline, that follows no redirect; failures are reported in our words, which repeat
 * neither the address (it is a secret) nor the answer.
 */
import type { AlertWebhook } from '../config/extras.ts'
import type { Rim } from '../lib/rim.ts'
import { Deadline, isTimeout } from '../lib/timeout.ts'
import { ALERT_TIMEOUT_MS } from '../limits.ts'

type Network = Pick<Rim, 'fetch' | 'timers'>

/** `null`: all of them got through; otherwise why one did not. The rest is then not sent. */
export async function postAlert(
  { url }: AlertWebhook,
  bodies: readonly unknown[],
  network: Network,
): Promise<string | null> {
  for (const body of bodies) {
    const error = await request(
      url,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      },
      network,
    )
    if (error !== null) return error
  }
  return null
}

/** `/fail` behind the path says that the relay runs, and is not well. */
export function ping(url: string, isWell: boolean, network: Network): Promise<string | null> {
  const address = new URL(url)
  if (!isWell) address.pathname = `${address.pathname.replace(/\/+$/, '')}/fail`
  return request(address.href, { method: 'GET' }, network)
}

async function request(
  url: string,
  init: RequestInit,
  { fetch, timers }: Network,
): Promise<string | null> {
  const deadline = new Deadline(ALERT_TIMEOUT_MS, { aborts: true, timers })
  try {
    const { signal } = deadline
    const response = await deadline.limit(fetch(url, { ...init, redirect: 'manual', signal }))
    // Never read: the answer may be anything.
    await response.body?.cancel()
    if (response.ok) return null
    return `it answered ${response.status}`
  } catch (thrown) {
    return isTimeout(thrown)
      ? `it did not answer within ${ALERT_TIMEOUT_MS / 1_000} s`
      : 'no connection to it'
  } finally {
    deadline.end()
  }
}
