/**
 * Every refusal, named by what the sender should do about it, and one exhaustive table of them in HTTP:
 * `application/problem+json` (RFC 9457) with a stable `code`.
 * Never repeats anything of the request, apart from the id computed from it, the places of its issues and, to an
 * operator, the name of an unknown parameter.
 */
import type { MiddlewareHandler } from 'hono'
import type { Issue } from '../chatlio/event.ts'
import { ROUTE_KINDS } from '../chatlio/kind.ts'
import { ACCEPTED_ENCODINGS } from '../lib/decompress.ts'
import { MAX_BODY_BYTES, MAX_JSON_VALUES, UNAVAILABLE_RETRY_AFTER_SECONDS } from '../limits.ts'

export type Refusal =
  /** Send it again later: it could neither be relayed nor stored, or no webhook key is usable. */
  | { code: 'unavailable'; detail: string }
  | { code: 'unauthorized'; realm: 'webhook' | 'admin' }
  /** An operator's browser sent this from a page that is not ours. */
  | { code: 'forbidden' }
  | { code: 'unknown-kind' }
  /** `detail`: what is not there, where the address is one of ours. */
  | { code: 'not-found'; detail?: string }
  | { code: 'method-not-allowed'; allow: string }
  /** `header`: the one whose value is not accepted. Under another type a body is stored, under another encoding it is not. */
  | { code: 'unsupported-media-type'; header: 'content-type'; id: string }
  | { code: 'unsupported-media-type'; header: 'content-encoding' }
  | { code: 'payload-too-large' }
  /** With an `id`, these are of an event that is stored in quarantine. */
  | { code: 'malformed-json'; id?: string }
  | { code: 'too-many-values'; id?: string }
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

/** The HTTP form of a refusal: status, detail, headers. */
type Wire = readonly [keyof typeof TITLES, string, Readonly<Record<string, string>>?]

const WIRES: {
  readonly [Code in Refusal['code']]: (refusal: Extract<Refusal, { code: Code }>) => Wire
} = {
  unavailable: ({ detail }) => [
    503,
    detail,
    { 'retry-after': String(UNAVAILABLE_RETRY_AFTER_SECONDS) },
  ],
  unauthorized: ({ realm }) =>
    realm === 'webhook'
      ? [401, 'The URL needs ?key= with a valid key.']
      : [401, 'Send the admin token as Authorization: Bearer.', { 'www-authenticate': 'Bearer' }],
  forbidden: () => [403, 'This must come from the page itself.'],
  'unknown-kind': () => {
    const kinds = `${ROUTE_KINDS.slice(0, -1).join(', ')} or ${ROUTE_KINDS.at(-1)}`
    return [404, `The path after /chatlio/ must be ${kinds}.`]
  },
  'not-found': ({ detail = 'There is nothing at this address.' }) => [404, detail],
  'method-not-allowed': ({ allow }) => [405, `This route accepts ${allow}.`, { allow }],
  'payload-too-large': () => [413, `A webhook body may have up to ${MAX_BODY_BYTES} bytes.`],
  'unsupported-media-type': ({ header }) =>
    header === 'content-type'
      ? [415, 'Send application/json.']
      : [
          415,
          'Send the body as it is, or compressed once with gzip or deflate.',
          { 'accept-encoding': ACCEPTED_ENCODINGS },
        ],
  'malformed-json': () => [400, 'The body is not JSON in UTF-8.'],
  'too-many-values': () => [
    422,
    `The JSON may have up to ${MAX_JSON_VALUES} object members and array elements.`,
  ],
  'invalid-payload': () => [422, 'The JSON does not have the documented shape: see issues.'],
  'invalid-request': ({ detail }) => [400, detail],
}

export function problemResponse(refusal: Refusal): Response {
  const toWire = WIRES[refusal.code] as (refusal: Refusal) => Wire
  const [status, detail, headers] = toWire(refusal)
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

/** For answers that are made here. Webhooks are answered with these: a middleware would be one more step on each. */
export const ANSWER_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** For answers that Hono makes; one that says itself how long it may be kept, such as a script, stays as it is. */
export const answerHeaders: MiddlewareHandler = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(ANSWER_HEADERS)) {
    if (!c.res.headers.has(name)) c.res.headers.set(name, value)
  }
}
