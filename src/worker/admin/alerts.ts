/** `GET /admin/alerts`; `POST /admin/alerts/test`. */
import { type AppContext, servicesOf } from '../services.ts'
import { operatorOf } from './action.ts'
import { readAlerts, sendTestAlert } from './operations/alerts.ts'

export async function listAlerts(c: AppContext): Promise<Response> {
  return c.json(await readAlerts(servicesOf(c.env)))
}

export async function testAlert(c: AppContext): Promise<Response> {
  return c.json(await sendTestAlert(servicesOf(c.env), operatorOf(c)))
}
