/**
 * The operators' page: see it, find it, fix it. HTML, forms and redirects; the API beside it does the same in JSON.
 *
 * Promises: shows nothing to anyone who is not admitted; a form from elsewhere changes nothing; every answer is in words,
 * faults too. Accepts: each page asks the outbox anew, and keeps nothing until the next.
 */
import type { MiddlewareHandler } from 'hono'
import { Hono } from 'hono/tiny'
import { STORAGE } from '../../alerts/words.ts'
import { problemResponse } from '../../http/problem.ts'
import { logLine } from '../../log.ts'
import { type AppContext, type AppEnv, servicesOf } from '../../services.ts'
import { COMMANDS, type Command, type CommandName } from '../api.ts'
import { checkForm, readForm } from '../input.ts'
import {
  admit,
  answer,
  commands,
  hasOperators,
  isFromHere,
  nameOperator,
  operatorOf,
} from '../routes.ts'
import { runOnRecord } from '../run/run.ts'
import { formPath, signInAddress, withResult } from './addresses.ts'
import { confirmDelete } from './delete.tsx'
import { showErase } from './erase.tsx'
import { showEvent, showPreview } from './event.tsx'
import { showEvents } from './events.tsx'
import { askAgain, assetResponse, badRequest, respondFault, seeOther } from './frame.tsx'
import { showEntry, showLog } from './log.tsx'
import { showOverview } from './overview.tsx'
import { showFind, showSuppressions } from './person.tsx'
import { showAlerts, showDays, showDrift } from './records.tsx'
import { showSignIn, signIn, signOut } from './sign-in.tsx'

const exists: MiddlewareHandler<AppEnv> = async (c, next) =>
  hasOperators(c) ? next() : problemResponse({ code: 'not-found' })

const admitted: MiddlewareHandler<AppEnv> = async (c, next) => {
  const admission = await admit(c, 'session')
  if (!admission) {
    if (!c.req.header('accept')?.includes('text/html')) {
      return problemResponse({ code: 'unauthorized', realm: 'admin' })
    }
    // A browser keeps a strict cookie back from a link on another site (an alert in Slack): asked again from here, it sends it.
    const fromElsewhere = c.req.method === 'GET' && c.req.header('sec-fetch-site') === 'cross-site'
    return fromElsewhere ? askAgain(c) : seeOther(signInAddress(c.req.method, c.req.url))
  }
  await nameOperator(c, admission)
  return next()
}

const fromHere: MiddlewareHandler<AppEnv> = async (c, next) =>
  (await isFromHere(c))
    ? next()
    : respondFault(c, 403, 'Refused', 'This was sent from another site, so nothing was done.')

/** The form of the ticked ones begins with none. */
const isNoneTicked = (form: URLSearchParams) =>
  form.has('ids') && form.getAll('ids').every((id) => id === '')

const noneTicked = (c: AppContext) =>
  respondFault(c, 400, 'No event is ticked', 'Nothing was done. Go back, tick some, and try again.')

const ticked: MiddlewareHandler<AppEnv> = async (c, next) =>
  isNoneTicked(new URL(c.req.url).searchParams) ? noneTicked(c) : next()

export function pageRoutes() {
  const page = new Hono<AppEnv>({ strict: false })
  page.get('/assets/:name', exists, (c) => assetResponse(c.req.param('name')))
  page.use('/sign-in', exists, fromHere)
  page.get('/sign-in', showSignIn)
  page.post('/sign-in', signIn)
  page.post('/sign-out', exists, fromHere, signOut)
  page.get('/', exists, admitted, showOverview)
  page.use('/ui/*', exists, admitted, fromHere)
  page.get('/ui/events', showEvents)
  page.get('/ui/events/:id', showEvent)
  page.get('/ui/events/:id/preview', showPreview)
  page.get('/ui/events/:id/body', (c) => answer(c, 'body', COMMANDS.body))
  page.get('/ui/delete', ticked, confirmDelete)
  page.get('/ui/export', ticked, (c) => answer(c, 'export', COMMANDS.export))
  page.get('/ui/days', showDays)
  page.get('/ui/support', (c) => answer(c, 'support', COMMANDS.support))
  page.on(['GET', 'POST'], '/ui/find', showFind)
  page.on(['GET', 'POST'], '/ui/erase', showErase)
  page.get('/ui/suppressions', showSuppressions)
  page.get('/ui/drift', showDrift)
  page.get('/ui/alerts', showAlerts)
  page.post('/ui/alerts/test', showAlerts)
  page.get('/ui/log', showLog)
  page.get('/ui/log/:entry', showEntry)
  // Every other command that changes something has a form, and redirects to the page that sent it.
  for (const [name, command] of commands) {
    if (command.method === 'GET') continue
    page.post(formPath(name).replace('{id}', ':id'), (c) => submit(c, name, command))
  }
  page.all('/ui/*', (c) => respondFault(c, 404, 'Not found', 'There is nothing at this address.'))

  /** The text of a fault may quote anything, so only its name is logged. */
  page.onError((error, c) => {
    logLine('error', { event: 'error', name: error.name })
    return respondFault(c, 503, STORAGE.title, `${STORAGE.meaning} ${STORAGE.action}`)
  })
  return page
}

async function submit(c: AppContext, name: CommandName, { takes }: Command): Promise<Response> {
  const form = await readForm(c.req.raw)
  const back = form.get('back')
  form.delete('back')
  if (isNoneTicked(form)) return noneTicked(c)
  const checked = takes ? checkForm(takes, form) : { ok: true as const, output: {} }
  if (!checked.ok) return badRequest(c, checked.detail)
  const input = { ...(checked.output as { dryRun?: boolean }), ...c.req.param() }
  const done = await runOnRecord(servicesOf(c.env), operatorOf(c), name, input as never)
  return seeOther(withResult(back, name, done, input.dryRun === true))
}
