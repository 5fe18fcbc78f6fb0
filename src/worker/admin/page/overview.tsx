/** `GET /admin`. */
import { toIso } from '../../chatlio/timestamp.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import { readActivity } from '../operations/activity.ts'
import { readCauses } from '../operations/causes.ts'
import { readStatus } from '../operations/status.ts'
import { readFlash } from './flash.ts'
import { respond } from './respond.tsx'
import { firstHour, hoursOf } from './views/hours.ts'
import { Overview } from './views/overview.tsx'
import { sentences } from './views/state.ts'

export async function showOverview(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const now = Date.now()
  const [status, { points }, causes, reasons] = await Promise.all([
    readStatus(services),
    readActivity(services, { step: 'hour', from: firstHour(now) }),
    readCauses(services),
    services.health.reasons(),
  ])
  const { pending, hold } = status
  const letsIn = services.config.webhookKeys.length > 0
  const said = sentences({ reasons, pending, hold, letsIn })
  const { flash } = readFlash(c)
  return respond(
    c,
    { title: said[0]?.title ?? '', place: '/admin', flash, refreshes: true },
    <Overview
      status={status}
      sentences={said}
      hours={hoursOf(points, status, now)}
      causes={causes}
      now={toIso(now)}
    />,
  )
}
