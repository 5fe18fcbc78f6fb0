/**
 * What an answer of AEP means for the event that was sent, named by what to do next.
 *
 * Promises: every answer has a verdict; only a 2xx that reads like AEP's own counts as accepted. What the event
 * cannot have caused (a token, a wrong address) never counts against it.
 * Pure: the moment is passed in.
 */
import { isObject } from '../../lib/json.ts'
import { utf8Bytes } from '../../lib/json-text.ts'
import { KEPT_ANSWER_BYTES, MAX_RETRY_AFTER_MS } from '../../limits.ts'
import { safeReport } from './report.ts'

/** Why an attempt failed, in our words. `message` holds no personal data; AEP's full answer is kept apart. */
export type AttemptError = { code: ErrorCode; status: number | null; message: string }

export type ErrorCode =
  | 'rejected'
  | 'unknown-answer'
  | 'credentials'
  | 'configuration'
  | 'throttled'
  | 'unavailable'
  | 'timeout'
  | 'network'
  /** IMS gave no token: `status` is the one that IMS answered. */
  | 'token'
  /** A fault of our own. */
  | 'internal'

export type HoldReason = 'credentials' | 'configuration'

export type Failure = {
  error: AttemptError
  /** AEP's answer as it came, cut; only ever shown to an operator who asks for this one event. */
  answer: string | null
  retryAfterMs: number | null
}

export type Verdict =
  /** Forget it: AEP has it. */
  | { verdict: 'accepted'; status: number }
  /** Send it again with the same `_id`: AEP may have it. */
  | ({ verdict: 'unknown' } & Failure)
  /** Same bytes, same answer: keep it for an operator. */
  | ({ verdict: 'rejected' } & Failure)
  /** No event can cause this: keep all until somebody or something has mended it. */
  | ({ verdict: 'held'; reason: HoldReason } & Failure)
  /** Send it again later. */
  | ({ verdict: 'deferred' } & Failure)

/** What came back. `body` is the answer's text as far as it was read, `complete` whether that was all. */
export type Answer = { status: number; retryAfter: string | null; body: string; complete: boolean }

export function judge(answer: Answer, now: number): Verdict {
  const json = parse(answer)
  const status = statusOf(answer, json)
  if (status >= 200 && status < 300) {
    return isObject(json)
      ? { verdict: 'accepted', status }
      : { verdict: 'unknown', ...failure('unknown-answer', answer, json, now) }
  }
  switch (status) {
    case 400:
    case 413:
    case 422:
      return { verdict: 'rejected', ...failure('rejected', answer, json, now) }
    case 401:
    case 403:
      return {
        verdict: 'held',
        reason: 'credentials',
        ...failure('credentials', answer, json, now),
      }
    case 408:
    case 429:
      return { verdict: 'deferred', ...failure('throttled', answer, json, now) }
  }
  return status < 500
    ? {
        verdict: 'held',
        reason: 'configuration',
        ...failure('configuration', answer, json, now),
      }
    : { verdict: 'deferred', ...failure('unavailable', answer, json, now) }
}

/** The status of a 2xx is that of its body, where the body says that it failed. */
function statusOf({ status }: Answer, json: unknown): number {
  if (status < 200 || status > 299 || !isObject(json)) return status
  const stated = Number(json.status ?? json.statusCode)
  return Number.isInteger(stated) && stated >= 400 && stated <= 599 ? stated : status
}

/** No answer at all, or none in time. `cause` is what `fetch` threw; only its name is looked at. */
export function noAnswer(cause: unknown): Verdict {
  const name = cause instanceof Error ? cause.name : ''
  const timeout = name === 'TimeoutError' || name === 'AbortError'
  const error: AttemptError = timeout
    ? { code: 'timeout', status: null, message: 'AEP did not answer in time' }
    : { code: 'network', status: null, message: 'no connection to AEP' }
  return { verdict: 'deferred', error, answer: null, retryAfterMs: null }
}

function failure(code: ErrorCode, answer: Answer, json: unknown, now: number): Failure {
  return {
    error: {
      code,
      status: statusOf(answer, json),
      message: safeReport(json, statusOf(answer, json)),
    },
    answer: cut(answer.body),
    retryAfterMs: retryAfterMs(answer.retryAfter, now),
  }
}

function parse(answer: Answer): unknown {
  if (!answer.complete) return undefined
  try {
    return JSON.parse(answer.body)
  } catch {
    return undefined
  }
}

function cut(body: string): string | null {
  if (body === '') return null
  const bytes = utf8Bytes(body)
  if (bytes.length <= KEPT_ANSWER_BYTES) return body
  // Not fatal: a code point cut in two at the end is dropped with `slice`.
  return new TextDecoder().decode(bytes.slice(0, KEPT_ANSWER_BYTES)).replace(/\uFFFD$/, '')
}

/** Seconds or an HTTP date (RFC 9110 10.2.3), in milliseconds from now; `null` where absent or unreadable. */
export function retryAfterMs(header: string | null, now: number): number | null {
  const text = header?.trim()
  if (!text) return null
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : httpDate(text) - now
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}

/** All three forms of an HTTP date begin with a weekday; `Date.parse` alone would take "1.5" for a month. */
function httpDate(text: string): number {
  return /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? Date.parse(text) : Number.NaN
}
