/**
 * Headers of every answer. `no-store`: answers hold ids and payloads, and the webhook key is in the URL. `nosniff`: a
 * browser must not take a stored body for a page.
 */
import type { MiddlewareHandler } from 'hono'

/** For answers that are made here. Webhooks are answered with these: a middleware would be one more step on each. */
export const ANSWER_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** For answers that Hono makes; one that says itself how long it may be kept, such as a script, stays as it is. */
export const answerHeaders: MiddlewareHandler = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(ANSWER_HEADERS)) {
    if (!c.res.headers.has(name)) c.res.headers.set(name, value)
  }
}
