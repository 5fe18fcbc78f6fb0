import { describe, expect, it } from 'vitest'
import { problemResponse, type Refusal } from '../../src/worker/http/problem.ts'

/** One refusal of each reason, with its status and code in the contract. */
const TABLE: {
  refusal: Refusal
  status: number
  headers?: Record<string, string | RegExp>
  members?: object
}[] = [
  {
    refusal: { code: 'unavailable', detail: 'Send it again.' },
    status: 503,
    headers: { 'retry-after': /^[1-9]\d*$/ },
  },
  { refusal: { code: 'unauthorized', realm: 'webhook' }, status: 401 },
  {
    refusal: { code: 'unauthorized', realm: 'admin' },
    status: 401,
    headers: { 'www-authenticate': 'Bearer' },
  },
  { refusal: { code: 'forbidden' }, status: 403 },
  { refusal: { code: 'unknown-kind' }, status: 404 },
  { refusal: { code: 'not-found' }, status: 404 },
  {
    refusal: { code: 'method-not-allowed', allow: 'GET, HEAD' },
    status: 405,
    headers: { allow: 'GET, HEAD' },
  },
  {
    refusal: { code: 'unsupported-media-type', header: 'content-type', id: 'a1' },
    status: 415,
    members: { id: 'a1' },
  },
  {
    refusal: { code: 'unsupported-media-type', header: 'content-encoding' },
    status: 415,
    headers: { 'accept-encoding': 'gzip, deflate' },
  },
  { refusal: { code: 'payload-too-large' }, status: 413 },
  { refusal: { code: 'malformed-json' }, status: 400 },
  { refusal: { code: 'malformed-json', id: 'id-1' }, status: 400, members: { id: 'id-1' } },
  {
    refusal: { code: 'too-many-values', id: 'id-1' },
    status: 422,
    members: { id: 'id-1' },
  },
  {
    refusal: { code: 'invalid-payload', issues: [] },
    status: 422,
    members: { issues: [] },
  },
  {
    refusal: {
      code: 'invalid-payload',
      id: 'id-1',
      issues: [{ path: 'visitor.UUID', message: 'required, and missing' }],
    },
    status: 422,
    members: {
      id: 'id-1',
      issues: [{ path: 'visitor.UUID', message: 'required, and missing' }],
    },
  },
  { refusal: { code: 'invalid-request', detail: 'limit: 1 to 200' }, status: 400 },
]

async function detailOf(refusal: Refusal): Promise<string> {
  return ((await problemResponse(refusal).json()) as { detail: string }).detail
}

describe('a refusal', () => {
  it.each(TABLE)('is problem+json with a stable code: $refusal.code, $status', async (row) => {
    const { refusal, status, headers = {}, members = {} } = row
    const response = problemResponse(refusal)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    for (const [name, value] of Object.entries(headers)) {
      expect(response.headers.get(name)).toMatch(value)
    }
    expect([...response.headers.keys()].sort()).toEqual(
      ['cache-control', 'content-type', 'x-content-type-options', ...Object.keys(headers)].sort(),
    )
    expect(await response.json()).toEqual({
      type: 'about:blank',
      title: expect.stringMatching(/^[A-Z][A-Za-z ]+$/) as string,
      status,
      detail: expect.stringMatching(/^\S.*\S$/) as string,
      code: refusal.code,
      ...members,
    })
  })

  it('is never a 4xx for a fault of the relay', () => {
    expect(problemResponse({ code: 'unavailable', detail: 'x' }).status).toBe(503)
  })

  it('has the detail that its caller gives', async () => {
    expect(await detailOf({ code: 'unavailable', detail: 'No keys.' })).toBe('No keys.')
    expect(await detailOf({ code: 'invalid-request', detail: 'limit' })).toBe('limit')
  })

  it('states the accepted alternative', async () => {
    expect(await detailOf({ code: 'payload-too-large' })).toContain('1572864')
    expect(await detailOf({ code: 'too-many-values' })).toContain('100000')
    expect(await detailOf({ code: 'method-not-allowed', allow: 'POST' })).toContain('POST')
    for (const kind of ['transcript', 'offline-message', 'new-conversation', 'unanswered']) {
      expect(await detailOf({ code: 'unknown-kind' })).toContain(kind)
    }
    expect(await detailOf({ code: 'unknown-kind' })).toContain('feedback')
  })

  it('encodes any text in its issues as JSON', async () => {
    const issues = [{ path: 'messages.0.text', message: 'expected "a"\n\u2028\uD800' }]
    const response = problemResponse({ code: 'invalid-payload', issues })
    const body: { issues?: unknown } = await response.json()
    // Compared as text, which escapes a lone surrogate.
    expect(JSON.stringify(body.issues)).toBe(JSON.stringify(issues))
  })
})
