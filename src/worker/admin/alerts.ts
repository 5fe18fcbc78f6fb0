/** `GET /admin/alerts`: what each alert thinks and whether it can be heard; `POST /admin/alerts/test` sends one. */
import { testBodies } from '../alerts/message.ts'
import { post } from '../alerts/send.ts'
import { ALERT_NAMES, readStates } from '../alerts/state.ts'
import { toIso } from '../chatlio/timestamp.ts'
import { type AppContext, servicesOf } from '../services.ts'
import { logAction } from './action.ts'

const iso = (ms: number | null) => (ms === null ? null : toIso(ms))

export async function listAlerts(c: AppContext): Promise<Response> {
  const { alerts } = readStates(await servicesOf(c.env).shards.at(0).alertStates())
  return c.json({
    alerts: ALERT_NAMES.map((name) => {
      const { state, since, lastSentAt, lastError } = alerts[name]
      return { name, state, since: iso(since), lastSentAt: iso(lastSentAt), lastError }
    }),
  })
}

/** `error` says in our words why it did not get through. */
export async function sendTestAlert(c: AppContext): Promise<Response> {
  const { webhook, publicUrl } = servicesOf(c.env).config.alerts
  if (!webhook) {
    return c.json({ sent: false, error: 'ALERT_WEBHOOK_URL is not set, or is not a URL' })
  }
  const bodies = testBodies(webhook, publicUrl, Date.now())
  const error = await post(webhook, bodies, (url, init) => fetch(url, init))
  await logAction(c, 'test-alert', { sent: error === null ? 1 : 0 })
  return c.json(error === null ? { sent: true } : { sent: false, error })
}
