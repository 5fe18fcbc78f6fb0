/**
 * The operators' page: see it, find it, fix it. HTML, forms and redirects; the API beside it does the same in JSON.
 *
 * Promises: shows nothing to anyone who is not admitted; a form from elsewhere changes nothing; every answer is in words,
 * faults too. Accepts: each page asks the outbox anew, and keeps nothing until the next.
 */
import type { MiddlewareHandler } from 'hono'
import { Hono } from 'hono'
import { STORAGE } from '../../alerts/words.ts'
import { problemResponse } from '../../http/problem.ts'
import { logLine } from '../../log.ts'
import { admit, hasOperators, isFromHere, nameOperator } from '../access.ts'
import { downloadBody } from '../events.ts'
import { notFound } from '../problems.ts'
import { assetResponse } from './assets.ts'
import { confirmDelete, redrive, remove, showEvent, showEvents } from './events.tsx'
import { showOverview } from './overview.tsx'
import { erase, findEvents, showErase, showFind, showSuppressions, unsuppress } from './person.tsx'
import { accept, pause, showAlerts, showDrift, showLog } from './records.tsx'
import { askAgain, respondFault, seeOther } from './respond.tsx'
import { showSignIn, signIn, signOut } from './sign-in.tsx'
import { signInAddress } from './way-back.ts'

type AdminEnv = { Bindings: Env }

export const page = new Hono<AdminEnv>({ strict: false })

const exists: MiddlewareHandler<AdminEnv> = async (c, next) =>
  hasOperators(c) ? next() : notFound()

const admitted: MiddlewareHandler<AdminEnv> = async (c, next) => {
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

const fromHere: MiddlewareHandler<AdminEnv> = async (c, next) =>
  (await isFromHere(c))
    ? next()
    : respondFault(c, 403, 'Refused', 'This was sent from another site, so nothing was done.')

page.get('/assets/:name', exists, (c) => assetResponse(c.req.param('name')))
page.use('/sign-in', exists, fromHere)
page.get('/sign-in', showSignIn)
page.post('/sign-in', signIn)
page.post('/sign-out', exists, fromHere, signOut)
page.get('/', exists, admitted, showOverview)
page.use('/ui/*', exists, admitted, fromHere)
page.get('/ui/events', showEvents)
page.get('/ui/events/:id', showEvent)
page.get('/ui/events/:id/body', downloadBody)
page.post('/ui/redrive', redrive)
page.get('/ui/delete', confirmDelete)
page.post('/ui/delete', remove)
page.post('/ui/pause', pause(true))
page.post('/ui/resume', pause(false))
page.get('/ui/find', showFind)
page.post('/ui/find', findEvents)
page.get('/ui/erase', showErase)
page.post('/ui/erase', erase)
page.get('/ui/suppressions', showSuppressions)
page.post('/ui/suppressions/end', unsuppress)
page.get('/ui/drift', showDrift)
page.post('/ui/drift/accept', accept)
page.get('/ui/alerts', showAlerts)
page.post('/ui/alerts/test', showAlerts)
page.get('/ui/log', showLog)
page.all('/ui/*', (c) => respondFault(c, 404, 'Not found', 'There is nothing at this address.'))

/** The text of a fault may quote anything, so only its name is logged. */
page.onError((error, c) => {
  logLine('error', { event: 'error', name: error.name })
  return respondFault(c, 503, STORAGE.title, STORAGE.action)
})
