/**
 * Judges AEP's answer to one event, or to a batch: each verdict is named by the next step.
 *
 * Promises: every answer gets a verdict; only a 2xx whose body is a JSON object counts as accepted. A failure that the
 * event cannot have caused (a refused token, a wrong address) never counts against it.
 * Pure: the time is passed in.
 */
import { isTimeout } from '../../lib/bounded.ts'
import { isObject, type JsonObject, jsonIn, utf8Bytes } from '../../lib/json.ts'
import { KEPT_ANSWER_BYTES, MAX_REPORT_CHARACTERS, MAX_RETRY_AFTER_MS } from '../../limits.ts'

/** Why an attempt failed. `message` is safe to log: it holds no personal data. `status`: `null` without an answer. */
export type AttemptError = { code: ErrorCode; status: number | null; message: string }

export type ErrorCode =
  | 'rejected'
  /** 413: it speaks of one event, never of the settings. */
  | 'too-large'
  | 'unknown-answer'
  | 'credentials'
  | 'configuration'
  | 'throttled'
  | 'unavailable'
  | 'timeout'
  | 'network'
  /** No token: `status` is that of IMS. */
  | 'token'
  /** A fault of the relay. */
  | 'internal'

export type HoldReason = 'credentials' | 'configuration'

export type Failure = {
  error: AttemptError
  /** AEP's answer, cut to `KEPT_ANSWER_BYTES`; shown only to an operator who asks for this one event. */
  answer: string | null
  retryAfterMs: number | null
}

export type Verdict =
  /** AEP has it: forget it. */
  | { verdict: 'accepted'; status: number }
  /** AEP may have it: send it again with the same `_id`. */
  | ({ verdict: 'unknown' } & Failure)
  /** The same bytes would get the same answer: keep it for an operator. */
  | ({ verdict: 'rejected' } & Failure)
  /** A fault of the settings, not of the event: keep all events until it is corrected. */
  | ({ verdict: 'held'; reason: HoldReason } & Failure)
  /** Send it again later. */
  | ({ verdict: 'deferred' } & Failure)

/** The runtime ended the attempt (a limit of its own, a reset, overload): nobody's failure. Send it again in another run. */
type Aborted = { verdict: 'aborted' } & Failure

/** How an attempt ended. */
export type Ending = Verdict | Aborted

/** What the runtime says of itself (workers/observability/errors, durable-objects/best-practices/error-handling). */
const RUNTIME =
  /too many (subrequests|api requests)|exceeded (its )?(cpu|memory)|overloaded|durable object.* reset/i

/** An invocation ended without saying how its request did. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

export function isAbort(thrown: unknown): boolean {
  if (thrown instanceof Interrupted) return true
  const { message = '', durableObjectReset = false, overloaded = false } = Object(thrown)
  return durableObjectReset === true || overloaded === true || RUNTIME.test(String(message))
}

/** `body`: the text read so far. `complete`: whether that is the whole body. `retryAfter`: the header's value. */
export type HttpAnswer = {
  status: number
  retryAfter: string | null
  body: string
  complete: boolean
}

/** `now`: epoch ms, needed for a `Retry-After` that is a date. */
export function judge(answer: HttpAnswer, now: number): Verdict {
  const json = jsonOf(answer)
  const status = statusOf(answer, json)
  const isOk = status >= 200 && status < 300
  if (isOk && json) return { verdict: 'accepted', status }
  const { code, ...verdict } = isOk ? UNCLEAR : judged(status)
  const error = { code, status, message: safeReport(json, status) }
  const kept = { answer: cut(answer.body), retryAfterMs: retryAfterMs(answer.retryAfter, now) }
  return { ...verdict, error, ...kept }
}

type Judged = { code: ErrorCode } & (
  | { verdict: 'unknown' | 'rejected' | 'deferred' }
  | { verdict: 'held'; reason: HoldReason }
)

const UNCLEAR: Judged = { verdict: 'unknown', code: 'unknown-answer' }
const REFUSED: Judged = { verdict: 'rejected', code: 'rejected' }
const FORBIDDEN: Judged = { verdict: 'held', reason: 'credentials', code: 'credentials' }
const BUSY: Judged = { verdict: 'deferred', code: 'throttled' }

/** What a status other than 2xx means. */
const BY_STATUS: { readonly [status: number]: Judged } = {
  ...{ 400: REFUSED, 422: REFUSED, 413: { verdict: 'rejected', code: 'too-large' } },
  ...{ 401: FORBIDDEN, 403: FORBIDDEN, 408: BUSY, 429: BUSY },
}

function judged(status: number): Judged {
  if (status >= 500) return { verdict: 'deferred', code: 'unavailable' }
  return BY_STATUS[status] ?? { verdict: 'held', reason: 'configuration', code: 'configuration' }
}

/**
 * What the answer to a batch says of each of its messages (MULTI: "A response is returned for each element of the request
 * messages array"), `count` verdicts in their order; or `bisect`: AEP refused the whole batch, perhaps because of a single
 * message. Entries are matched by position, and only if their count is right, because the id in an entry may have another form
 * or be missing; a message counts as accepted only if its own entry reports no failure.
 */
export function judgeBatch(answer: HttpAnswer, count: number, now: number): Verdict[] | 'bisect' {
  const { status } = answer
  if (status === 400 || status === 413 || status === 422) return 'bisect'
  const isOk = status >= 200 && status < 300
  const responses = isOk ? jsonOf(answer)?.responses : null
  if (Array.isArray(responses) && responses.length === count) {
    return responses.map((entry) => judgeEntry(entry, answer, now))
  }
  // A 2xx without one entry per message is judged like one without JSON: AEP may have any of the messages.
  const verdict = judge(isOk ? { ...answer, complete: false } : answer, now)
  return Array.from({ length: count }, () => verdict)
}

/** Adobe's pages show three forms: `statusCode`, `status` with an `xactionId`, `status` without one. */
function judgeEntry(entry: unknown, answer: HttpAnswer, now: number): Verdict {
  const unreadable = { ...answer, status: 200, body: '', complete: false }
  if (!isObject(entry)) return judge(unreadable, now)
  const stated = entry.status ?? entry.statusCode
  if (stated === undefined || stated === null) return { verdict: 'accepted', status: answer.status }
  const status = Number(stated)
  if (!Number.isInteger(status) || status < 200 || status > 599) return judge(unreadable, now)
  return judge({ ...answer, status, body: JSON.stringify(entry), complete: true }, now)
}

/** The HTTP status, or the status in the body of a 2xx if that reports a failure. */
function statusOf({ status }: HttpAnswer, json: JsonObject | null): number {
  if (status < 200 || status > 299 || !json) return status
  const stated = Number(json.status ?? json.statusCode)
  return Number.isInteger(stated) && stated >= 400 && stated <= 599 ? stated : status
}

/** How an attempt without an answer ended. `thrown` by `fetch`; of its text only what the runtime says of itself is read. */
export function noAnswer(thrown: unknown): Ending {
  const nothing = { answer: null, retryAfterMs: null }
  if (isAbort(thrown)) {
    const error: AttemptError = { code: 'internal', status: null, message: 'ended by the runtime' }
    return { verdict: 'aborted', error, ...nothing }
  }
  const error: AttemptError = isTimeout(thrown)
    ? { code: 'timeout', status: null, message: 'AEP did not answer in time' }
    : { code: 'network', status: null, message: 'no connection to AEP' }
  return { verdict: 'deferred', error, ...nothing }
}

/** The JSON object in a body; `null` if the body was not read to its end, or holds no JSON object. */
export function jsonOf({ body, complete }: HttpAnswer): JsonObject | null {
  const json = complete ? jsonIn(body) : null
  return isObject(json) ? json : null
}

function cut(body: string): string | null {
  if (body === '') return null
  const bytes = utf8Bytes(body)
  if (bytes.length <= KEPT_ANSWER_BYTES) return body
  // Not fatal: a code point that is cut in two decodes to U+FFFD, which `replace` drops.
  return new TextDecoder().decode(bytes.slice(0, KEPT_ANSWER_BYTES)).replace(/\uFFFD$/, '')
}

/** `Retry-After`, in seconds or as an HTTP date (RFC 9110 10.2.3), in ms from `now`; `null` if absent or unreadable. */
export function retryAfterMs(header: string | null, now: number): number | null {
  const text = header?.trim()
  if (!text) return null
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : httpDate(text) - now
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}

/** All three forms of an HTTP date begin with a weekday; `Date.parse` alone would accept "1.5" as a month. */
function httpDate(text: string): number {
  return /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? Date.parse(text) : Number.NaN
}

/** AEP itself stops after five ("once five errors are encountered", VAL). */
const MAX_VIOLATIONS = 5

/** Without a JSON object in AEP's answer it names the status only. */
export function safeReport(answer: JsonObject | null, status: number): string {
  const fallback = `AEP answered ${status}`
  if (!answer) return fallback
  const title = short(answer.title) ?? fallback
  const report = isObject(answer.report) ? answer.report : {}
  const cause = isObject(report.cause) ? report.cause._streamingValidation : undefined
  const violations = Array.isArray(cause) ? cause.flatMap((node) => violationsOf(node, 0)) : []
  return violations.length === 0
    ? title
    : `${title}: ${violations.slice(0, MAX_VIOLATIONS).join(', ')}`
}

/** The violations of a node and its causes, each as `keyword at pointer`. */
function violationsOf(node: unknown, depth: number): string[] {
  if (!isObject(node) || depth > 8) return []
  const nested = Array.isArray(node.causingExceptions) ? node.causingExceptions : []
  const keyword = short(node.keyword)
  const own = keyword ? [`${keyword} at ${short(node.pointerToViolation) ?? '#'}`] : []
  return [
    ...own,
    ...nested.slice(0, MAX_VIOLATIONS).flatMap((each) => violationsOf(each, depth + 1)),
  ]
}

function short(text: unknown): string | undefined {
  return typeof text === 'string' && text !== '' ? text.slice(0, MAX_REPORT_CHARACTERS) : undefined
}
