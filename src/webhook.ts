/**
 * The webhook routes: who may post, the order of the checks, the answer and the one log line.
 *
 * Order: 503 (no keys set), 401, 404, 405, then what `ingest` checks: 415, 413, 400, 422. Nothing of a request is
 * read before its key is known to be good.
 */
import type { Context } from 'hono'
import { holdsKey } from './auth.ts'
import { isRouteKind, type Route } from './chatlio/kind.ts'
import { configOf } from './config.ts'
import { forward } from './forward.ts'
import { type Ingested, ingest, type Refused } from './ingest.ts'
import { type Level, logLine } from './log.ts'
import { problemResponse, type Refusal } from './problem.ts'

type AppContext = Context<{ Bindings: Env }>

export async function webhook(c: AppContext): Promise<Response> {
  const startedAt = Date.now()
  const work = admit(c).then((result) => {
    const response = toResponse(result)
    logWebhook(result, response.status, Date.now() - startedAt)
    return response
  })
  // A sender who hangs up cancels its request; what it sent is relayed all the same.
  c.executionCtx.waitUntil(work)
  return work
}

async function admit(c: AppContext): Promise<Ingested | Refused> {
  const config = configOf(c.env)
  const segment = c.req.path.replace(/^\/chatlio\/?/, '')
  const route: Route | undefined =
    segment === '' ? 'auto' : isRouteKind(segment) ? segment : undefined
  const refused = (refusal: Refusal): Refused => ({
    outcome: 'refused',
    kind: route ?? 'auto',
    refusal,
  })
  if (config.webhookKeys.length === 0) {
    return refused({ code: 'unavailable', detail: 'WEBHOOK_KEYS is not set up.' })
  }
  if (!(await holdsKey(c.req.query('key'), config.webhookKeys))) {
    return refused({ code: 'unauthorized', realm: 'webhook' })
  }
  if (!route) return refused({ code: 'unknown-kind' })
  if (c.req.method !== 'POST') return refused({ code: 'method-not-allowed', allow: 'POST' })
  return ingest(c.req.raw, route, {
    now: Date.now,
    forward: (event) => forward(event, config, { fetch, now: Date.now }),
  })
}

function toResponse(result: Ingested | Refused): Response {
  switch (result.outcome) {
    case 'forwarded':
      return Response.json({ status: result.outcome, id: result.id })
    case 'buffered':
    case 'dead-lettered':
      return Response.json({ status: result.outcome, id: result.id }, { status: 202 })
    case 'unavailable':
      return problemResponse({
        code: 'unavailable',
        detail: 'The event could neither be relayed nor stored. Send it again.',
      })
    case 'quarantined':
    case 'refused':
      return problemResponse(result.refusal)
  }
}

function logWebhook(result: Ingested | Refused, status: number, ms: number): void {
  const refusal = 'refusal' in result ? result.refusal.code : undefined
  const level: Level = status >= 500 ? 'error' : status === 200 ? 'log' : 'warn'
  logLine(level, {
    event: 'webhook',
    id: 'id' in result ? result.id : undefined,
    kind: result.kind,
    outcome: result.outcome,
    status,
    upstreamStatus: 'upstreamStatus' in result ? result.upstreamStatus : undefined,
    ms,
    bytes: 'bytes' in result ? result.bytes : undefined,
    code: refusal ?? ('code' in result ? result.code : undefined),
  })
}
