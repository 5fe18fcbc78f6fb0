/** What each alert thinks and whether it can be heard, and a test of that. */
import { testBodies } from '../../alerts/message.ts'
import { post } from '../../alerts/send.ts'
import { ALERT_NAMES, readStates } from '../../alerts/state.ts'
import type { Services } from '../../services.ts'
import { isoOrNull } from '../view.ts'
import { logAction } from './log.ts'

export async function readAlerts({ shards }: Services) {
  const { alerts } = readStates(await shards.at(0).alertStates())
  return {
    alerts: ALERT_NAMES.map((name) => {
      const { state, since, lastSentAt, lastError } = alerts[name]
      return { name, state, since: isoOrNull(since), lastSentAt: isoOrNull(lastSentAt), lastError }
    }),
  }
}

/** `error` says in our words why it did not get through. */
export async function sendTestAlert(
  services: Services,
  by: string,
): Promise<{ sent: boolean; error?: string }> {
  const { webhook, publicUrl } = services.config.alerts
  if (!webhook) {
    return { sent: false, error: 'ALERT_WEBHOOK_URL is not set, or is not a URL' }
  }
  const bodies = testBodies(webhook, publicUrl, Date.now())
  const error = await post(webhook, bodies, (url, init) => fetch(url, init))
  await logAction(services, by, 'test-alert', { sent: error === null ? 1 : 0 })
  return error === null ? { sent: true } : { sent: false, error }
}
