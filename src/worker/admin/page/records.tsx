/** Pausing; drift, alerts, and the operators' log. */
import { type AppContext, servicesOf } from '../../services.ts'
import { operatorOf } from '../action.ts'
import { LogSchema } from '../lookup-parameters.ts'
import { readAlerts, sendTestAlert } from '../operations/alerts.ts'
import { acceptDrift, readDrift } from '../operations/drift.ts'
import { readLog } from '../operations/log.ts'
import { setPaused } from '../operations/status.ts'
import { AcceptDriftSchema, checkBody, checkQuery } from '../parameters.ts'
import { badRequest } from './events.tsx'
import { readFlash } from './flash.ts'
import { readForm } from './form.ts'
import { respond, respondFault, seeOther } from './respond.tsx'
import { Alerts, Drift, Log } from './views/records.tsx'

export const pause = (paused: boolean) => async (c: AppContext) => {
  await setPaused(servicesOf(c.env), operatorOf(c), paused)
  return seeOther(`/admin?done=${paused ? 'pause' : 'resume'}`)
}

const DRIFT = '/admin/ui/drift'

export async function showDrift(c: AppContext): Promise<Response> {
  const { flash } = readFlash(c)
  const drift = await readDrift(servicesOf(c.env))
  return respond(c, { title: 'Drift', place: DRIFT, flash }, <Drift {...drift} />)
}

export async function accept(c: AppContext): Promise<Response> {
  const body = checkBody(AcceptDriftSchema, Object.fromEntries(await readForm(c)))
  if (!body.ok) return badRequest(c, body.detail)
  const row = await acceptDrift(servicesOf(c.env), operatorOf(c), body.output)
  return row
    ? seeOther(`${DRIFT}?done=accept`)
    : respondFault(c, 404, 'No such difference', 'It may have been forgotten meanwhile.')
}

/** The result of a test is shown at once: why it failed is a text, and no text goes into an address. */
export async function showAlerts(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const test = c.req.method === 'POST' ? await sendTestAlert(services, operatorOf(c)) : null
  const { alerts } = await readAlerts(services)
  const heard = services.config.alerts.webhook !== null
  return respond(
    c,
    { title: 'Alerts', place: '/admin/ui/alerts' },
    <Alerts alerts={alerts} heard={heard} test={test} />,
  )
}

export async function showLog(c: AppContext): Promise<Response> {
  const query = checkQuery(LogSchema, new URL(c.req.url).searchParams)
  if (!query.ok) return badRequest(c, query.detail)
  const log = await readLog(servicesOf(c.env), query.output)
  return respond(c, { title: 'Log', place: '/admin/ui/log' }, <Log {...log} />)
}
