/**
 * Headers of every answer. `no-store`: answers hold ids and payloads, and the webhook key is in the URL. `nosniff`: a
 * browser must not take a stored body for a page.
 */
import type { MiddlewareHandler } from 'hono'

export const responseHeaders: MiddlewareHandler = async (c, next) => {
  await next()
  c.res.headers.set('cache-control', 'no-store')
  c.res.headers.set('x-content-type-options', 'nosniff')
}
