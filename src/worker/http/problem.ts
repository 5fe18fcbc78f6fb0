/**
 * Every refusal, named by what the sender should do about it, and one exhaustive map of them to HTTP:
 * `application/problem+json` (RFC 9457) with a stable `code`.
 * Never repeats anything of the request, apart from the id computed from it, the places of its issues and, to an
 * operator, the name of an unknown parameter.
 */

import type { MiddlewareHandler } from 'hono'
import type { Issue } from '../chatlio/event.ts'
import { ROUTE_KINDS } from '../chatlio/kind.ts'
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

/** As RFC 9110 calls them. */
const TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  503: 'Service Unavailable',
}

/** The HTTP form of a refusal. */
type Wire = { status: keyof typeof TITLES; detail: string; headers?: Record<string, string> }

export function problemResponse(refusal: Refusal): Response {
  const { status, detail, headers } = toWire(refusal)
  const body = {
    type: 'about:blank',
    title: TITLES[status],
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
    case 'unavailable': {
      const headers = { 'retry-after': String(UNAVAILABLE_RETRY_AFTER_SECONDS) }
      return { status: 503, detail: refusal.detail, headers }
    }
    case 'unauthorized': {
      if (refusal.realm === 'webhook') {
        return { status: 401, detail: 'The URL needs ?key= with a valid key.' }
      }
      const headers = { 'www-authenticate': 'Bearer' }
      return { status: 401, detail: 'Send the admin token as Authorization: Bearer.', headers }
    }
    case 'forbidden':
      return { status: 403, detail: 'This must come from the page itself.' }
    case 'unknown-kind': {
      const kinds = `${ROUTE_KINDS.slice(0, -1).join(', ')} or ${ROUTE_KINDS.at(-1)}`
      return { status: 404, detail: `The path after /chatlio/ must be ${kinds}.` }
    }
    case 'not-found':
      return { status: 404, detail: 'There is nothing at this address.' }
    case 'method-not-allowed': {
      const { allow } = refusal
      return { status: 405, detail: `This route accepts ${allow}.`, headers: { allow } }
    }
    case 'payload-too-large':
      return {
        status: 413,
        detail: `A webhook body may have up to ${refusal.limitBytes} bytes.`,
      }
    case 'unsupported-media-type': {
      if (refusal.header === 'content-type')
        return { status: 415, detail: 'Send application/json.' }
      const detail = 'Send the body as it is, or compressed once with gzip or deflate.'
      return { status: 415, detail, headers: { 'accept-encoding': ACCEPTED_ENCODINGS } }
    }
    case 'malformed-json':
      return { status: 400, detail: 'The body is not JSON in UTF-8.' }
    case 'too-many-values':
      return {
        status: 422,
        detail: `The JSON may have up to ${refusal.limit} object members and array elements.`,
      }
    case 'invalid-payload':
      return { status: 422, detail: 'The JSON does not have the documented shape: see issues.' }
    case 'invalid-request':
      return { status: 400, detail: refusal.detail }
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
