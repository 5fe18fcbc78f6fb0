/**
 * Every refusal, named by what the sender should do about it, and one exhaustive map of them to HTTP:
 * `application/problem+json` (RFC 9457) with a stable `code`.
 * Never repeats anything of the request, apart from the id computed from it, the places of its issues and, to an
 * operator, the name of an unknown parameter.
 */

import type { MiddlewareHandler } from 'hono'
import type { Issue } from '../chatlio/event.ts'
import { ACCEPTED_ENCODINGS } from '../lib/decompress.ts'
import { UNAVAILABLE_RETRY_AFTER_SECONDS } from '../limits.ts'

export type Refusal =
  /** Send it again later: it could neither be relayed nor stored, or no webhook key is usable. */
  | { code: 'unavailable'; detail: string }
  | { code: 'unauthorized'; realm: 'webhook' | 'admin' }
  /** An operator's browser sent this from a page that is not ours. */
  | { code: 'forbidden' }
  | { code: 'unknown-kind' }
  | { code: 'not-found' }
  | { code: 'method-not-allowed'; allow: string }
  /** `header`: the one whose value is not accepted. Under another type a body is stored, under another encoding it is not. */
  | { code: 'unsupported-media-type'; header: 'content-type'; id: string }
  | { code: 'unsupported-media-type'; header: 'content-encoding' }
  | { code: 'payload-too-large'; limitBytes: number }
  /** With an `id`, these are of an event that is stored in quarantine. */
  | { code: 'malformed-json'; id?: string }
  | { code: 'too-many-values'; id?: string; limit: number }
  | { code: 'invalid-payload'; id?: string; issues: readonly Issue[] }
  /** For operators: `detail` names the parameter and the expected value. */
  | { code: 'invalid-request'; detail: string }

/** The HTTP form of a refusal. */
type Wire = {
  status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 422 | 503
  title: string
  detail: string
  headers?: Record<string, string>
}

export function problemResponse(refusal: Refusal): Response {
  const { status, title, detail, headers } = toWire(refusal)
  const body = {
    type: 'about:blank',
    title,
    status,
    detail,
    code: refusal.code,
    ...('id' in refusal && { id: refusal.id }),
    ...('issues' in refusal && { issues: refusal.issues }),
  }
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...ANSWER_HEADERS, 'content-type': 'application/problem+json', ...headers },
  })
}

export function toWire(refusal: Refusal): Wire {
  switch (refusal.code) {
    case 'unavailable':
      return {
        status: 503,
        title: 'Service Unavailable',
        detail: refusal.detail,
        headers: { 'retry-after': String(UNAVAILABLE_RETRY_AFTER_SECONDS) },
      }
    case 'unauthorized':
      return refusal.realm === 'webhook'
        ? { status: 401, title: 'Unauthorized', detail: 'The URL needs ?key= with a valid key.' }
        : {
            status: 401,
            title: 'Unauthorized',
            detail: 'Send the admin token as Authorization: Bearer.',
            headers: { 'www-authenticate': 'Bearer' },
          }
    case 'forbidden':
      return { status: 403, title: 'Forbidden', detail: 'This must come from the page itself.' }
    case 'unknown-kind':
      return {
        status: 404,
        title: 'Not Found',
        detail:
          'The path after /chatlio/ must be transcript, offline-message, new-conversation, unanswered or feedback.',
      }
    case 'not-found':
      return { status: 404, title: 'Not Found', detail: 'There is nothing at this address.' }
    case 'method-not-allowed':
      return {
        status: 405,
        title: 'Method Not Allowed',
        detail: `This route accepts ${refusal.allow}.`,
        headers: { allow: refusal.allow },
      }
    case 'payload-too-large':
      return {
        status: 413,
        title: 'Content Too Large',
        detail: `A webhook body may have up to ${refusal.limitBytes} bytes.`,
      }
    case 'unsupported-media-type':
      return refusal.header === 'content-type'
        ? { status: 415, title: 'Unsupported Media Type', detail: 'Send application/json.' }
        : {
            status: 415,
            title: 'Unsupported Media Type',
            detail: 'Send the body as it is, or compressed once with gzip or deflate.',
            headers: { 'accept-encoding': ACCEPTED_ENCODINGS },
          }
    case 'malformed-json':
      return {
        status: 400,
        title: 'Bad Request',
        detail: 'The body is not JSON in UTF-8.',
      }
    case 'too-many-values':
      return {
        status: 422,
        title: 'Unprocessable Content',
        detail: `The JSON may have up to ${refusal.limit} object members and array elements.`,
      }
    case 'invalid-payload':
      return {
        status: 422,
        title: 'Unprocessable Content',
        detail: 'The JSON does not have the documented shape: see issues.',
      }
    case 'invalid-request':
      return { status: 400, title: 'Bad Request', detail: refusal.detail }
  }
}

/** For answers that are made here. Webhooks are answered with these: a middleware would be one more step on each. */
export const ANSWER_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** For answers that Hono makes; one that says itself how long it may be kept, such as a script, stays as it is. */
export const answerHeaders: MiddlewareHandler = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(ANSWER_HEADERS)) {
    if (!c.res.headers.has(name)) c.res.headers.set(name, value)
  }
}
