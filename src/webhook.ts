/**
 * The webhook routes: who may post, the order of the checks, the answer and the one log line.
 *
 * Order: 503 (no keys set), 401, 404, 405, then what `ingest` checks: 415, 413, 400, 422. Nothing of a request is
 * read before its key is known to be good.
 */
import { holdsKey } from './auth.ts'
import { isRouteKind, type Route } from './chatlio/kind.ts'
import { type AppContext, type Services, servicesOf } from './context.ts'
import { type Ingested, ingest, type Refused } from './ingest.ts'
import { type Level, logLine } from './log.ts'
import { problemResponse, type Refusal } from './problem.ts'

type Result = Ingested | Refused

export function webhook(c: AppContext): Promise<Response> {
  const startedAt = Date.now()
  const services = servicesOf(c.env)
  const answered = answer(c, services, startedAt)
  // A sender who hangs up cancels its request; what it sent is taken care of all the same.
  c.executionCtx.waitUntil(answered)
  return answered
}

async function answer(c: AppContext, services: Services, startedAt: number): Promise<Response> {
  const result = await admit(c, services)
  const response = toResponse(result)
  logWebhook(result, response.status, Date.now() - startedAt)
  const { relay } = services
  if (result.outcome !== 'refused' && relay.isRefreshDue()) {
    c.executionCtx.waitUntil(relay.refresh())
  }
  return response
}

async function admit(c: AppContext, { config, relay }: Services): Promise<Result> {
  const segment = c.req.path.replace(/^\/chatlio\/?/, '').replace(/\/$/, '')
  const route: Route | null = segment === '' ? 'auto' : isRouteKind(segment) ? segment : null
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
    custody: (received, reading) => relay.take(received, reading),
  })
}

const UNAVAILABLE: Refusal = {
  code: 'unavailable',
  detail: 'The event could neither be relayed nor stored. Send it again.',
}

function toResponse(result: Result): Response {
  switch (result.outcome) {
    case 'forwarded':
      return Response.json({ status: result.outcome, id: result.id })
    case 'buffered':
    case 'dead-lettered':
      return Response.json({ status: result.outcome, id: result.id }, { status: 202 })
    case 'quarantined':
      return problemResponse(result.refusal ?? UNAVAILABLE)
    case 'unavailable':
      return problemResponse(UNAVAILABLE)
    case 'refused':
      return problemResponse(result.refusal)
  }
}

function logWebhook(result: Result, status: number, ms: number): void {
  const level: Level = status >= 500 ? 'error' : status === 200 ? 'log' : 'warn'
  const { kind, outcome } = result
  if (outcome === 'refused') {
    logLine(level, { event: 'webhook', kind, outcome, status, ms, code: result.refusal.code })
    return
  }
  const { id, upstreamStatus, bytes, code, identity } = result
  logLine(level, {
    event: 'webhook',
    id,
    kind,
    outcome,
    status,
    upstreamStatus,
    ms,
    bytes,
    code,
    identity,
  })
}
