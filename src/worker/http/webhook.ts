/**
 * The webhook routes: who may post, the order of the checks, the answer and the one log line.
 *
 * Order: 503 (no keys set), 401, 404, 405, then what `ingest` checks: 415, 413, 400, 422. Nothing of a request is
 * read before its key is known to be good.
 */

import { isRouteKind, type Route } from '../chatlio/kind.ts'
import type { Config } from '../config/config.ts'
import { type Level, logLine } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type AppContext, servicesOf } from '../services.ts'
import { holdsKey } from './auth.ts'
import { type Ingested, ingest, type Refused } from './ingest.ts'
import { problemResponse, type Refusal } from './problem.ts'
import { reportDrift } from './report-drift.ts'

type Result = Ingested | Refused

export function webhook(c: AppContext): Promise<Response> {
  const answered = answer(c, Date.now())
  // A sender who hangs up cancels its request; what it sent is taken care of all the same.
  c.executionCtx.waitUntil(answered)
  return answered
}

async function answer({ env, req, executionCtx }: AppContext, at: number): Promise<Response> {
  const { config, relay, drift, shards, metrics } = servicesOf(env)
  const route = routeOf(req.path)
  const keyHeld = await holdsKey(req.query('key'), config.webhookKeys)
  const admitted = admit(route, req.method, keyHeld, config)
  const result: Result =
    typeof admitted === 'string'
      ? await ingest(req.raw, admitted, at, relay, (reading, parsed, id) =>
          drift.saw(reading, parsed, id, at),
        )
      : { outcome: 'refused', kind: route ?? 'auto', refusal: admitted }
  const response = toResponse(result)
  const endedAt = Date.now()
  logWebhook(result, response.status, endedAt - at)
  measure(metrics, result, response.status, endedAt - at)
  if (result.outcome !== 'refused' && relay.isRefreshDue(endedAt)) {
    executionCtx.waitUntil(relay.refresh())
  }
  const reports = drift.takeReports(endedAt)
  if (reports.length > 0) executionCtx.waitUntil(reportDrift(shards, reports))
  return response
}

/** `null`: no such route. */
function routeOf(path: string): Route | null {
  const segment = path.replace(/^\/chatlio\/?/, '').replace(/\/$/, '')
  if (segment === '') return 'auto'
  return isRouteKind(segment) ? segment : null
}

function admit(
  route: Route | null,
  method: string,
  keyHeld: boolean,
  { webhookKeys }: Config,
): Route | Refusal {
  if (webhookKeys.length === 0) {
    return { code: 'unavailable', detail: 'WEBHOOK_KEYS is not set up.' }
  }
  if (!keyHeld) return { code: 'unauthorized', realm: 'webhook' }
  if (!route) return { code: 'unknown-kind' }
  return method === 'POST' ? route : { code: 'method-not-allowed', allow: 'POST' }
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

function measure(metrics: Metrics, result: Result, status: number, ms: number): void {
  const { kind, outcome } = result
  if (outcome === 'refused') {
    const { code } = result.refusal
    metrics.webhook({
      kind,
      outcome,
      status,
      upstreamStatus: null,
      code,
      identity: '',
      ms,
      bytes: 0,
    })
    return
  }
  const { upstreamStatus, bytes, code = '', identity = '' } = result
  metrics.webhook({ kind, outcome, status, upstreamStatus, code, identity, ms, bytes })
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
