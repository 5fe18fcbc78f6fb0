import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { requestToken } from '../../../src/worker/aep/client/ims.ts'
import type { Credentials } from '../../../src/worker/config/destination.ts'
import type { Fetch } from '../../../src/worker/lib/bounded.ts'
import { IMS_TIMEOUT_MS } from '../../../src/worker/limits.ts'

const NOW = Date.parse('2026-11-01T12:00:00.000Z')
const SECRET = 'a-client-secret-that-nobody-may-see'
const TOKEN = 'an-access-token-that-nobody-may-see'

const credentials: Credentials = {
  clientId: 'client-1',
  clientSecret: SECRET,
  scopes: 'openid,AdobeID',
  imsUrl: 'https://ims.example',
}

const request = (fetch: Fetch) => requestToken(credentials, { fetch, now: () => NOW })
const answering = (body: unknown, init: ResponseInit = {}) =>
  request(async () => new Response(typeof body === 'string' ? body : JSON.stringify(body), init))
const issued = (fields: Record<string, unknown> = {}) => ({
  access_token: TOKEN,
  token_type: 'bearer',
  expires_in: 86_399,
  ...fields,
})

describe('a token request', () => {
  it('is one POST of a form, with the secret only in its body', async () => {
    const fetch = vi.fn<Fetch>(async () => new Response(JSON.stringify(issued())))
    await request(fetch)
    expect(fetch).toHaveBeenCalledTimes(1)
    const [url, init] = fetch.mock.calls[0] ?? []
    expect(url).toBe('https://ims.example/ims/token/v3')
    expect(init).toMatchObject({ method: 'POST', redirect: 'manual' })
    expect(new Headers(init?.headers).get('content-type')).toBe('application/x-www-form-urlencoded')
    expect(Object.fromEntries(new URLSearchParams(String(init?.body)))).toEqual({
      client_id: 'client-1',
      client_secret: SECRET,
      grant_type: 'client_credentials',
      scope: 'openid,AdobeID',
    })
  })

  it.each([
    ['a day, in seconds', 86_399, 86_399_000 - 60_000],
    ['ten minutes', 600, 600_000 - 60_000],
    ['a minute: the margin is a tenth of it', 60, 54_000],
    ['a day, in milliseconds', 86_399_000, 86_399_000 - 60_000],
  ])('yields a token to use until shortly before it expires: %s', async (_, lifetime, useMs) => {
    expect(await answering(issued({ expires_in: lifetime }))).toEqual({
      token: { value: TOKEN, obtainedAt: NOW, useUntil: NOW + useMs },
    })
  })
})

describe('an answer without a usable token', () => {
  it.each<[string, unknown]>([
    ['nothing', ''],
    ['a page', '<html></html>'],
    ['JSON cut off', JSON.stringify(issued()).slice(0, -1)],
    ['a list', [issued()]],
    ['no token', issued({ access_token: undefined })],
    ['an empty token', issued({ access_token: '' })],
    ['a token that is not text', issued({ access_token: 7 })],
    ['a token with a line feed', issued({ access_token: 'ey.line\nfeed' })],
    ['a token of 100 kB', issued({ access_token: 'e'.repeat(100_000) })],
    ['a token that cannot be a header value', issued({ access_token: 'clé' })],
    ['no lifetime', issued({ expires_in: undefined })],
    ['a lifetime in a text', issued({ expires_in: '86399' })],
  ])('is a failed request, never a token: %s', async (_, body) => {
    expect(await answering(body)).toMatchObject({ failed: { verdict: 'deferred' } })
  })

  it.each([
    [400, 'held', 'token'],
    [401, 'held', 'token'],
    [403, 'held', 'token'],
    [302, 'held', 'token'],
    [408, 'deferred', 'token'],
    [429, 'deferred', 'token'],
    [500, 'deferred', 'token'],
    [503, 'deferred', 'token'],
  ])('never counts against the event: %i is %s, %s', async (status, verdict, code) => {
    const result = await answering({ error: 'invalid_client' }, { status })
    expect(result).toMatchObject({
      failed: {
        verdict,
        error: { code, status, message: expect.stringMatching(new RegExp(`^IMS .*${status}$`)) },
      },
    })
  })

  it('reports how long IMS asks to wait', async () => {
    const result = await answering('', { status: 429, headers: { 'retry-after': '30' } })
    expect(result).toMatchObject({ failed: { retryAfterMs: 30_000 } })
  })

  it('repeats neither a secret nor the text of IMS', async () => {
    const texts = await Promise.all(
      [200, 400, 500].map((status) => answering(`${SECRET} ${TOKEN}`, { status })),
    )
    expect(JSON.stringify(texts)).not.toMatch(/nobody may see|nobody-may-see/)
  })
})

describe('a token request without an answer', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('resolves to a failure, and never rejects, if the connection breaks', async () => {
    const result = await request(() => Promise.reject(new TypeError('connection reset')))
    expect(result).toMatchObject({
      failed: { verdict: 'deferred', error: { code: 'token', status: null } },
    })
  })

  it('resolves to a failure after the deadline, and aborts the request', async () => {
    let signal: AbortSignal | null | undefined
    const pending = request((_, init) => {
      signal = init.signal
      return new Promise((_resolve, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason))
      })
    })
    await vi.advanceTimersByTimeAsync(IMS_TIMEOUT_MS)
    expect(await pending).toMatchObject({
      failed: { verdict: 'deferred', error: { code: 'token' } },
    })
    expect(signal?.aborted).toBe(true)
  })
})
