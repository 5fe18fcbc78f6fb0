/**
 * The webhook routes: who may post, the order of the checks, the answer, and the one log line.
 *
 * Order: 503 (no usable key), 401, 404, 405, then the checks of `ingest`: 415, 413, 400, 422. Nothing of a request is
 * read before its key is known to be good.
 */
import { getQueryParam } from 'hono/utils/url'
import type { Redacted } from '../aep/record/redact.ts'
import { type EventKind, ROUTES, type Route } from '../chatlio/kind.ts'
import type { Config } from '../config/config.ts'
import { SAMPLES_AGENT } from '../drift/detector.ts'
import { rimOf } from '../lib/rim.ts'
import { MAX_LOGGED_ISSUES } from '../limits.ts'
import { type Level, logLine } from '../log.ts'
import type { Answered } from '../report.ts'
import { servicesOf } from '../services.ts'
import type { KeyHolder } from './auth.ts'
import { type Ingested, ingest, type OptedOut, type Refused } from './ingest.ts'
import { ANSWER_HEADERS, problemResponse, type Refusal } from './problem.ts'

type Result = Ingested | OptedOut | Refused

/** `path`: of its URL. */
export function webhook(
  request: Request,
  path: string,
  env: Env,
  context: ExecutionContext,
): Promise<Response> {
  const answered = answer(request, routeOf(path), env, context, rimOf(env).now())
  // When the sender disconnects, the runtime cancels the request; its event must reach custody all the same.
  context.waitUntil(answered)
  return answered
}

async function answer(
  request: Request,
  route: Route | null,
  env: Env,
  context: ExecutionContext,
  at: number,
): Promise<Response> {
  const { config, rim, relay, webhookKeys, drift, reporter } = servicesOf(env)
  const presented = keyIn(request.url)
  const holder = await webhookKeys.find(presented)
  const key = holder?.fingerprint ?? null
  const source = holder?.name ?? null
  const stranger = holder ? null : await webhookKeys.fingerprintOf(presented)
  const admitted = admit(route, request.method, key, config)
  const result: Result =
    typeof admitted === 'string'
      ? await ingest(request, admitted, at, {
          acceptor: relay,
          source,
          optOut: config.optOutTrait,
          sha256: rim.sha256,
          reporter,
          observe: (reading, parsed, id) => {
            const isSample = request.headers.get('user-agent') === SAMPLES_AGENT
            if (!isSample) drift.observe(reading, parsed, id, at)
          },
        })
      : { outcome: 'refused', kind: route ?? 'auto', refusal: admitted }
  const response = toResponse(result)
  const endedAt = rim.now()
  logWebhook(result, response.status, endedAt - at, holder)
  const caller = { key, source, stranger }
  const uninformed = 'isInformed' in result && !result.isInformed
  const answered = { at: endedAt, ms: endedAt - at, ...caller, uninformed }
  reporter.record({ ...answered, ...countedAs(result, endedAt) })
  // Without anything like a key they are counted with the next webhook: by themselves they cost the outbox nothing.
  if (key !== null || stranger !== null)
    reporter.afterAnswer(endedAt, (work) => context.waitUntil(work))
  return response
}

const NOTHING: Redacted = {}

/** Nobody can be let in while no key is usable: that is no webhook of a good key that was lost. */
function countedAs(
  result: Result,
  settledAt: number,
): Pick<Answered, 'kind' | 'outcome' | 'receipt' | 'redacted'> {
  const { kind, outcome } = result
  if (outcome === 'refused') {
    const { code } = result.refusal
    const isStranger = code === 'unauthorized' || code === 'unavailable'
    const counted = isStranger ? 'unauthorized' : 'refused'
    return { kind, outcome: counted, receipt: null, redacted: NOTHING }
  }
  if (outcome === 'opted-out' || !result.direct) {
    return { kind, outcome, receipt: null, redacted: NOTHING }
  }
  const { id, receivedAt, bytes, subject, direct } = result
  // Only a valid event goes directly, and its kind is known then.
  const receipt = { id, kind: kind as EventKind, receivedAt, settledAt, bytes, subject }
  return { kind, outcome, receipt, redacted: direct.redacted }
}

function keyIn(url: string): string | undefined {
  const key = getQueryParam(url, 'key')
  return typeof key === 'string' ? key : undefined
}

/** `null`: no such route. */
function routeOf(path: string): Route | null {
  return ROUTES.get(path.replace(/^\/chatlio\/?/, '').replace(/\/$/, '')) ?? null
}

/** The route to ingest for, or the refusal. `key`: fingerprint of the caller's key, `null` if it holds none. */
function admit(
  route: Route | null,
  method: string,
  key: string | null,
  { webhookKeysFault }: Config,
): Route | Refusal {
  if (webhookKeysFault) {
    const detail = `${webhookKeysFault} Webhooks are refused until this is corrected.`
    return { code: 'unavailable', detail }
  }
  if (key === null) return { code: 'unauthorized', realm: 'webhook' }
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
      return inCustody(200, result)
    case 'buffered':
    case 'dead-lettered':
    case 'suppressed':
      return inCustody(202, result)
    case 'opted-out':
      return inCustody(202, { outcome: 'suppressed', id: result.id })
    case 'quarantined':
      return problemResponse(result.refusal ?? UNAVAILABLE)
    case 'unavailable':
      return problemResponse(UNAVAILABLE)
    case 'refused':
      return problemResponse(result.refusal)
  }
}

/** Made once: headers given as an object are parsed for every answer. */
const JSON_HEADERS = new Headers({ ...ANSWER_HEADERS, 'content-type': 'application/json' })

function inCustody(status: number, { outcome, id }: Pick<Ingested, 'outcome' | 'id'>): Response {
  const body = JSON.stringify({ status: outcome, id })
  return new Response(body, { status, headers: JSON_HEADERS })
}

function logWebhook(result: Result, status: number, ms: number, holder: KeyHolder | null): void {
  const level = levelOf(result, status)
  const { kind, outcome } = result
  if (outcome === 'opted-out') {
    logLine('log', { event: 'webhook', kind, outcome, status, ms })
    return
  }
  const caller = { key: holder?.fingerprint, source: holder?.name ?? undefined }
  if (outcome === 'refused') {
    const { code } = result.refusal
    logLine(level, { event: 'webhook', kind, outcome, status, ms, code, ...caller })
    return
  }
  const { id, upstreamStatus, bytes, code, identity, refusal } = result
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
    issues:
      refusal?.code === 'invalid-payload' ? refusal.issues.slice(0, MAX_LOGGED_ISSUES) : undefined,
    identity,
    ...caller,
  })
}

/** A warning is something to look into: an event that is stored because the settings say so is not. */
function levelOf(result: Result, status: number): Level {
  if (status >= 500) return 'error'
  if (status === 200) return 'log'
  return result.outcome === 'buffered' && result.code === 'store-first' ? 'log' : 'warn'
}
