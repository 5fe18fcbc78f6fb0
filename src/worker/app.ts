/** The routes, in the order in which they are tried. No logic. */
import { Hono } from 'hono/quick'
import { respondFault } from './admin/page/frame.tsx'
import { page } from './admin/page/routes.tsx'
import { admin } from './admin/routes.ts'
import { answerHeaders, problemResponse } from './http/problem.ts'
import { webhook } from './http/webhook.ts'
import { logLine } from './log.ts'
import { servicesOf } from './services.ts'

/**
 * `hono/quick`: the default router compiles all operators' routes at the first match, which the first webhook of an isolate pays
 * for. Not strict: trailing slashes are accepted.
 */
export const app = new Hono<{ Bindings: Env }>({ strict: false })

app.all('/chatlio', webhook)
app.all('/chatlio/*', webhook)

app.get('/health', (c) => servicesOf(c.env).health.respond())
app.all('/health', () => problemResponse({ code: 'method-not-allowed', allow: 'GET, HEAD' }))

app.use('/admin/*', answerHeaders)
app.route('/admin', page)
app.route('/admin', admin)

/** A person gets a page, which says no more than the problem does. */
app.notFound((c) =>
  c.req.header('accept')?.includes('text/html')
    ? respondFault(c, 404, 'Nothing here', 'This is the Chatlio relay. Operators: /admin.', '')
    : problemResponse({ code: 'not-found' }),
)

/** A fault of our own is never a 4xx. Its text may quote anything, so only its name is logged. */
app.onError((error) => {
  logLine('error', { event: 'error', name: error.name })
  return problemResponse({
    code: 'unavailable',
    detail: 'Something went wrong here. Send it again.',
  })
})
