/** Send: turns a status and a body into a Response. */
import type { Answer } from './answer.ts'

const NULL_BODY_STATUSES = [204, 205, 304]

/** Sends text unchanged, anything else as JSON, and null as an empty body. */
export function send(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): Response {
  if (body === null || NULL_BODY_STATUSES.includes(status)) {
    return new Response(null, { status, headers })
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const contentType = text.startsWith('<') ? 'text/html' : 'application/json'
  return new Response(text, { status, headers: { 'content-type': contentType, ...headers } })
}

export function sendStatus(
  answer: Extract<Answer, { type: 'status' }>,
  documentedBody: unknown,
  now: number,
): Response {
  const { status, body, location } = answer
  const headers: Record<string, string> = {}
  if (status === 405) headers.allow = 'POST'
  if (status > 300 && status < 400 && status !== 304) headers.location = location ?? '/moved'
  if (answer.retryAfter !== undefined) headers['retry-after'] = retryAfter(answer, now)
  const content = body === undefined ? documentedBody : body
  return send(status, content, { ...headers, ...answer.headers })
}

function retryAfter(
  { retryAfter: value, retryAfterForm }: Extract<Answer, { type: 'status' }>,
  now: number,
): string {
  return retryAfterForm === 'date' && typeof value === 'number'
    ? new Date(now + value * 1000).toUTCString()
    : String(value)
}
