/**
 * One webhook, from its URL to its answer and its one log line: who may post, and how its bytes come into custody.
 *
 * Order of the checks: 503 (no usable key), 401, 404, 405, 415, 413, 400, 422. Nothing of a request is read before its key
 * is known to be good.
 * Promises: reads no more than the limit, compressed or not; everything that could be read is passed on, valid or not, so that
 * a change on Chatlio's side loses nothing. A compressed body is decoded first: its id and the stored bytes are those of the
 * decoded body. One that cannot be decoded goes to quarantine as malformed, with its bytes as they came; so does what comes
 * under another type than JSON.
 */
import { getQueryParam } from 'hono/utils/url'
import { eventId, type Reading, readEvent, readEventOrNull } from '../chatlio/event.ts'
import { type EventKind, ROUTES, type Route } from '../chatlio/kind.ts'
import { hasTrait, subjectOf } from '../chatlio/person.ts'
import type { Config } from '../config/config.ts'
import { SAMPLES_AGENT } from '../drift/detector.ts'
import { readUpTo } from '../lib/bounded.ts'
import { type Compression, decompress } from '../lib/decompress.ts'
import { type ParsedText, parseJson } from '../lib/json.ts'
import { rimOf } from '../lib/rim.ts'
import { MAX_BODY_BYTES, MAX_LOGGED_ISSUES } from '../limits.ts'
import { type Level, logLine, nameOf } from '../log.ts'
import type { Unsupported } from '../outbox/event.ts'
import type { RelayResult } from '../relay.ts'
import type { Answered } from '../report.ts'
import { type Services, servicesOf } from '../services.ts'
import type { KeyHolder } from './auth.ts'
import { ANSWER_HEADERS, problemResponse, type Refusal } from './problem.ts'

/** What came of a webhook. */
type Result = Awaited<ReturnType<typeof ingest>>

/** `path`: of its URL. */
export function webhook(
  request: Request,
  path: string,
  env: Env,
  context: ExecutionContext,
): Promise<Response> {
  const answered = answer(request, path, env, context)
  // When the sender disconnects, the runtime cancels the request; its event must reach custody all the same.
  context.waitUntil(answered)
  return answered
}

async function answer(
  request: Request,
  path: string,
  env: Env,
  context: ExecutionContext,
): Promise<Response> {
  const receivedAt = rimOf(env).now()
  const services = servicesOf(env)
  const { rim, webhookKeys, reporter } = services
  const key = getQueryParam(request.url, 'key')
  const presented = typeof key === 'string' ? key : undefined
  const holder = await webhookKeys.find(presented)
  const stranger = holder ? null : await webhookKeys.fingerprintOf(presented)
  const route = ROUTES.get(path.replace(/^\/chatlio\/?/, '').replace(/\/$/, ''))
  const admitted = admit(route, request.method, holder, services.config)
  const result: Result =
    typeof admitted === 'string'
      ? await ingest(request, admitted, receivedAt, holder?.name ?? null, services)
      : { outcome: 'refused', kind: route ?? 'auto', refusal: admitted }
  const response = toResponse(result)
  const endedAt = rim.now()
  const ms = endedAt - receivedAt
  logWebhook(result, response.status, ms, holder)
  reporter.record({
    at: endedAt,
    ms,
    key: holder?.fingerprint ?? null,
    source: holder?.name ?? null,
    stranger,
    uninformed: 'isInformed' in result && !result.isInformed,
    ...countedAs(result, receivedAt, endedAt),
  })
  // Without anything like a key they are counted with the next webhook: by themselves they cost the outbox nothing.
  if (holder || stranger !== null) {
    reporter.afterAnswer(endedAt, (work) => context.waitUntil(work))
  }
  return response
}

/** The route to ingest for, or the refusal. */
function admit(
  route: Route | undefined,
  method: string,
  holder: KeyHolder | null,
  { webhookKeysFault }: Config,
): Route | Refusal {
  if (webhookKeysFault) {
    const detail = `${webhookKeysFault} Webhooks are refused until this is corrected.`
    return { code: 'unavailable', detail }
  }
  if (!holder) return { code: 'unauthorized', realm: 'webhook' }
  if (!route) return { code: 'unknown-kind' }
  return method === 'POST' ? route : { code: 'method-not-allowed', allow: 'POST' }
}

/** Relays or stores an event; an invalid one goes to quarantine. `source`: the name of the caller's key. */
async function ingest(
  request: Request,
  route: Route,
  receivedAt: number,
  source: string | null,
  { config, rim, relay, reporter, drift }: Services,
) {
  const { headers } = request
  const read = await readBody(request)
  if ('code' in read) return { outcome: 'refused' as const, kind: route, refusal: read }
  const { body, parsed } = read
  const id = await eventId(route, body, parsed, receivedAt, rim.sha256)
  const arrival = { id, kind: route, receivedAt }
  if (config.optOutTrait !== null && hasTrait(parsed, config.optOutTrait)) {
    // It is neither stored nor relayed, and leaves no receipt.
    const kind = readEventOrNull(arrival, parsed)?.kind ?? route
    return { outcome: 'opted-out' as const, kind, id }
  }
  // Once the body has arrived, however long that took.
  const isInformed = await reporter.ready()
  let reading: Reading | null = null
  let fault: unknown
  try {
    reading = readEvent(arrival, parsed)
  } catch (thrown) {
    fault = thrown
  }
  const kind = reading?.kind ?? route
  const subject = subjectOf({ kind, parsed, body, isValid: reading?.outcome === 'valid' })
  const received = { id, kind, source, receivedAt, body, subject }
  const isJson = isAcceptedMediaType(headers.get('content-type'))
  const judged: Reading | Unsupported | null =
    reading && !isJson ? { outcome: 'unsupported-media-type', kind } : reading
  const result = judged
    ? await relay.accept(received, judged)
    : await relay.acceptUnread(received, fault)
  const isSample = headers.get('user-agent') === SAMPLES_AGENT
  if (reading && result.outcome !== 'suppressed' && !isSample) {
    try {
      drift.observe(reading, parsed, id, receivedAt)
    } catch (thrown) {
      // What became of the event is settled: a fault of the observer must not change the answer.
      logLine('error', { event: 'error', name: nameOf(thrown) })
    }
  }
  return {
    ...result,
    id,
    kind,
    /** Of the stored body. */
    bytes: body.length,
    subject,
    /** The answer to an event in quarantine. */
    refusal: judged && refusalOf(judged, id),
    /** The isolate knew of pauses, holds and suppressions. */
    isInformed,
  }
}

type Body = { body: Uint8Array; parsed: ParsedText }

async function readBody(request: Request): Promise<Body | Refusal> {
  const compression = compressionOf(request.headers.get('content-encoding'))
  if (compression === undefined) {
    return { code: 'unsupported-media-type', header: 'content-encoding' }
  }
  try {
    const { bytes, complete } = await readUpTo(request, MAX_BODY_BYTES)
    if (!complete) return { code: 'payload-too-large' }
    if (!compression) return { body: bytes, parsed: parseJson(bytes) }
    const decompressed = await decompress(bytes, compression, MAX_BODY_BYTES)
    if (decompressed === 'too-large') return { code: 'payload-too-large' }
    if (decompressed === 'broken') return { body: bytes, parsed: { ok: false } }
    return { body: decompressed.bytes, parsed: parseJson(decompressed.bytes) }
  } catch {
    // The sender disconnected before the body was complete: only the log line records this.
    return { code: 'malformed-json' }
  }
}

/** `null`: not compressed. `undefined`: any other encoding, or several of them, one inside the other. */
export function compressionOf(header: string | null): Compression | null | undefined {
  return COMPRESSIONS.get(header?.trim().toLowerCase() ?? '')
}

const COMPRESSIONS = new Map<string, Compression | null>([
  ['', null],
  ['identity', null],
  ['gzip', 'gzip'],
  ['deflate', 'deflate'],
  // The same under its old name (RFC 9110, 8.4.1.3).
  ['x-gzip', 'gzip'],
])

/**
 * JSON under any of its names, `text/plain`, or no type at all, since senders differ. Parameters (charset) are ignored:
 * parsing shows whether the bytes are UTF-8.
 */
const ACCEPTED =
  /^\s*(?:(?:application|text)\/json|[\w!#$&^.+-]+\/[\w!#$&^.+-]+\+json|text\/plain)?\s*(?:;|$)/i

/** The value of a parameter, in which a comma separates nothing (RFC 9110, 5.6.4); one without an end goes to the end. */
const QUOTED = /"(?:[^"\\]|\\.?)*(?:"|$)/g

/** Two equal headers arrive as one, with a comma between: a sender and its proxy have both set it. */
export function isAcceptedMediaType(header: string | null): boolean {
  const types = header?.replaceAll(QUOTED, '').split(',') ?? []
  return types.every((type) => ACCEPTED.test(type))
}

function refusalOf(reading: Reading | Unsupported, id: string): Refusal | null {
  switch (reading.outcome) {
    case 'unsupported-media-type':
      return { code: 'unsupported-media-type', header: 'content-type', id }
    case 'malformed':
      return { code: 'malformed-json', id }
    case 'too-many-values':
      return { code: 'too-many-values', id }
    case 'invalid':
      return { code: 'invalid-payload', id, issues: reading.issues }
    case 'valid':
      return null
  }
}

const UNAVAILABLE: Refusal = {
  code: 'unavailable',
  detail: 'The event could neither be relayed nor stored. Send it again.',
}

function toResponse(result: Result): Response {
  switch (result.outcome) {
    case 'refused':
      return problemResponse(result.refusal)
    case 'quarantined':
      return problemResponse(result.refusal ?? UNAVAILABLE)
    case 'unavailable':
      return problemResponse(UNAVAILABLE)
    case 'opted-out':
      return inCustody(202, 'suppressed', result.id)
    case 'forwarded':
      return inCustody(200, result.outcome, result.id)
    case 'buffered':
    case 'dead-lettered':
    case 'suppressed':
      return inCustody(202, result.outcome, result.id)
  }
}

/** Made once: headers given as an object are parsed for every answer. */
const JSON_HEADERS = new Headers({ ...ANSWER_HEADERS, 'content-type': 'application/json' })

function inCustody(httpStatus: number, status: RelayResult['outcome'], id: string): Response {
  return new Response(JSON.stringify({ status, id }), { status: httpStatus, headers: JSON_HEADERS })
}

/** Nobody can be let in while no key is usable: that is no webhook of a good key that was lost. */
function countedAs(
  result: Result,
  receivedAt: number,
  settledAt: number,
): Pick<Answered, 'kind' | 'outcome' | 'receipt' | 'redacted'> {
  const { kind } = result
  if (result.outcome === 'refused') {
    const { code } = result.refusal
    const isStranger = code === 'unauthorized' || code === 'unavailable'
    const outcome = isStranger ? 'unauthorized' : 'refused'
    return { kind, outcome, receipt: null, redacted: {} }
  }
  const { outcome, id } = result
  if (outcome === 'opted-out' || !result.direct) {
    return { kind, outcome, receipt: null, redacted: {} }
  }
  const { bytes, subject, direct } = result
  // Only a valid event goes directly, and its kind is known then.
  const receipt = { id, kind: kind as EventKind, receivedAt, settledAt, bytes, subject }
  return { kind, outcome, receipt, redacted: direct.redacted }
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
  const issues =
    refusal?.code === 'invalid-payload' ? refusal.issues.slice(0, MAX_LOGGED_ISSUES) : undefined
  const went = { id, kind, outcome, status, upstreamStatus, ms, bytes, code, issues, identity }
  logLine(level, { event: 'webhook', ...went, ...caller })
}

/** A warning is something to look into: an event that is stored because the settings say so is not. */
function levelOf(result: Result, status: number): Level {
  if (status >= 500) return 'error'
  if (status === 200) return 'log'
  return result.outcome === 'buffered' && result.code === 'store-first' ? 'log' : 'warn'
}
