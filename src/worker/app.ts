/** Routes, and the order of what stands before them. No logic. */
import { Hono } from 'hono'
import { admin } from './admin/routes.ts'
import { health } from './http/health.ts'
import { problemResponse } from './http/problem.ts'
import { webhook } from './http/webhook.ts'
import { logLine } from './log.ts'
import { servicesOf } from './services.ts'

/** Not strict: a pasted URL with a slash too many is still that URL. */
export const app = new Hono<{ Bindings: Env }>({ strict: false })

app.all('/chatlio', webhook)
app.all('/chatlio/*', webhook)

app.get('/health', (c) => health(servicesOf(c.env)))
app.all('/health', () => problemResponse({ code: 'method-not-allowed', allow: 'GET, HEAD' }))

app.route('/admin', admin)

app.notFound(() => problemResponse({ code: 'not-found' }))

/** A fault of our own is never a 4xx, and its text may quote anything: only its name is told. */
app.onError((error) => {
  logLine('error', { event: 'error', name: error.name })
  return problemResponse({
    code: 'unavailable',
    detail: 'Something went wrong here. Send it again.',
  })
})
