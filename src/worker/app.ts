/**
 * The routes, in the order in which they are tried. No logic.
 *
 * Webhooks are recognized by their path alone: they are nearly all requests, and a router would cost each a tenth of our own
 * script. The router is made for the first other request, since most isolates never see one. Not strict: trailing slashes are accepted.
 */
import { Hono } from 'hono/tiny'
import { getPath } from 'hono/utils/url'
import { respondFault } from './admin/page/frame.tsx'
import { pageRoutes } from './admin/page/routes.tsx'
import { adminRoutes } from './admin/routes.ts'
import { answerHeaders, problemResponse } from './http/problem.ts'
import { webhook } from './http/webhook.ts'
import { logLine, nameOf } from './log.ts'
import { type AppEnv, servicesOf } from './services.ts'

export function handle(
  request: Request,
  env: Env,
  context: ExecutionContext,
): Response | Promise<Response> {
  const path = getPath(request)
  if (path === '/chatlio' || path.startsWith('/chatlio/')) {
    return webhook(request, path, env, context).catch(fault)
  }
  others ??= otherRoutes()
  return others.fetch(request, env, context)
}

let others: ReturnType<typeof otherRoutes> | null = null

/** All but webhooks. */
export function otherRoutes() {
  const app = new Hono<AppEnv>({ strict: false })
  app.get('/health', (c) => servicesOf(c.env).health.respond())
  app.all('/health', () => problemResponse({ code: 'method-not-allowed', allow: 'GET, HEAD' }))
  app.use('/admin/*', answerHeaders)
  app.route('/admin', pageRoutes())
  app.route('/admin', adminRoutes())
  // A person gets a page, which says no more than the problem does.
  app.notFound((c) =>
    c.req.header('accept')?.includes('text/html')
      ? respondFault(c, 404, 'Nothing here', 'This is the Chatlio relay. Operators: /admin.')
      : problemResponse({ code: 'not-found' }),
  )
  app.onError(fault)
  return app
}

/** A fault of our own is never a 4xx. Its text may quote anything, so only its name is logged. */
function fault(error: unknown): Response {
  logLine('error', { event: 'error', name: nameOf(error) })
  return problemResponse({
    code: 'unavailable',
    detail: 'Something went wrong here. Send it again.',
  })
}
