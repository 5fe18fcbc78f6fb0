/**
 * The operators' page: see it, find it, fix it. HTML, forms and redirects; the API beside it does the same in JSON. Here are
 * its routes, and signing in with the admin token, and out.
 *
 * Promises: shows nothing to anyone who is not admitted; a form from elsewhere changes nothing; every answer is in words,
 * faults too. The token is compared in constant time, and neither kept nor shown; wrong ones are slowed by the binding
 * `SIGN_IN_LIMIT`, where there is one.
 * Accepts: each page asks the outbox anew, and keeps nothing until the next. The limit counts everyone of one Cloudflare
 * location together, so a stranger's guessing can keep operators there from signing in; their sessions, the API and Access
 * go on.
 */
import type { MiddlewareHandler } from 'hono'
import { Hono } from 'hono/tiny'
import { STORAGE } from '../../alerts/words.ts'
import { sessionCookie } from '../../http/auth.ts'
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
import { run } from '../run/run.ts'
import { formPath, ownPage, signInAddress, withResult } from './addresses.ts'
import { showErase, showSuppressions } from './erase.tsx'
import { showEvent, showPreview } from './event.tsx'
import { confirmDelete, showEvents, showFind } from './events.tsx'
import { askAgain, assetResponse, badRequest, respond, respondFault, seeOther } from './frame.tsx'
import { showOverview } from './overview.tsx'
import { Button, Field, Hidden } from './parts.tsx'
import { showAlerts, showDays, showDrift, showEntry, showLog } from './records.tsx'

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
  page.get('/sign-in', (c) => showSignIn(c, ownPage(c.req.query('next'))))
  page.post('/sign-in', signIn)
  page.post('/sign-out', exists, fromHere, () =>
    seeOther('/admin/sign-in', { 'set-cookie': sessionCookie('') }),
  )
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
    if (command.route.startsWith('GET')) continue
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
  const done = await run(servicesOf(c.env), operatorOf(c), name, input as never)
  return seeOther(withResult(back, name, done, input.dryRun === true))
}

async function signIn(c: AppContext): Promise<Response> {
  const { adminKeys, sessions, rim } = servicesOf(c.env)
  if (!adminKeys || !sessions) return showSignIn(c, '/admin', 401)
  const form = await readForm(c.req.raw)
  const next = ownPage(form.get('next'))
  // A deployment may have no such binding, a named environment for instance.
  const limit = (c.env as Partial<Env>).SIGN_IN_LIMIT
  if (limit && !(await limit.limit({ key: 'sign-in' })).success) {
    // The period of the binding in wrangler.toml.
    c.header('retry-after', '60')
    return showSignIn(c, next, 429, 'Too many attempts. Try again in a minute.')
  }
  if ((await adminKeys.find(form.get('token')?.trim())) === null) {
    return showSignIn(c, next, 401, 'This is not the admin token.')
  }
  return seeOther(next, { 'set-cookie': sessionCookie(await sessions.start(rim.now())) })
}

/** The only page that anyone may see. `next`: the page to show then. */
function showSignIn(c: AppContext, next: string, status: 200 | 401 | 429 = 200, fault?: string) {
  return respond(
    c,
    { title: 'Sign in' },
    <>
      <h1>Sign in</h1>
      {fault && (
        <p class="card bad" role="alert">
          {fault}
        </p>
      )}
      {servicesOf(c.env).adminKeys ? (
        <form method="post" action="/admin/sign-in">
          <Hidden values={{ next }} />
          <Field
            label="Admin token"
            name="token"
            type="password"
            autocomplete="current-password"
            required
          />
          <p class="row">
            <Button look="main">Sign in</Button>
          </p>
          <p class="soft">
            The secret ADMIN_TOKEN of the Worker. You stay signed in for 12 hours, in this browser.
          </p>
        </form>
      ) : (
        <p>
          Cloudflare Access signs operators in, and it has not done so for this address: an Access
          application must cover the path <code>/admin</code>, and ACCESS_AUD be its audience.
        </p>
      )}
    </>,
    status,
  )
}
