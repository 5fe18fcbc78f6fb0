/** Who gets to see the operators' page, and who does not. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { otherRoutes } from '../../src/worker/app.ts'
import { readSessionCookie, Sessions } from '../../src/worker/http/auth.ts'
import { SESSION_MS } from '../../src/worker/limits.ts'
import { startBrowser, textOf } from './page-support.ts'
import { type Clock, conversation, eachTest, type Relay, startRelay, TOKEN } from './support.ts'

let clock: Clock
let relay: Relay
let logs: string[]

eachTest((world) => {
  ;({ clock, relay, logs } = world)
})

const PAGES = [
  '/admin',
  '/admin/ui/events',
  '/admin/ui/events/x',
  '/admin/ui/events/x/body',
  '/admin/ui/find',
  '/admin/ui/erase',
  '/admin/ui/suppressions',
  '/admin/ui/drift',
  '/admin/ui/alerts',
  '/admin/ui/log',
  '/admin/ui/delete?state=dead',
  '/admin/ui/nothing',
]

const FORMS = [
  '/admin/ui/redrive',
  '/admin/ui/delete',
  '/admin/ui/pause',
  '/admin/ui/resume',
  '/admin/ui/find',
  '/admin/ui/erase',
  '/admin/ui/suppressions/delete',
  '/admin/ui/drift/accept',
  '/admin/ui/alerts/test',
]

describe('signing in', () => {
  it('shows the overview with the token, and nothing after signing out', async () => {
    const browser = startBrowser()
    expect((await browser.visit('/admin')).headers.get('location')).toBe('/admin/sign-in')
    const overview = await browser.signIn()
    expect([overview.status, overview.path]).toEqual([200, '/admin'])
    expect(textOf(overview.html)).toContain('Relaying. No webhook has come yet.')
    expect((await browser.submit('/admin/sign-out')).path).toBe('/admin/sign-in')
    expect((await browser.visit('/admin')).status).toBe(303)
  })

  it('sets a cookie that no script reads, no other site sends, and that is not the token', async () => {
    const browser = startBrowser()
    const { headers } = await browser.post('/admin/sign-in', { token: ` ${TOKEN}\n` })
    expect(headers.get('set-cookie')).toBe(
      `__Host-admin=${browser.cookie}; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict`,
    )
    expect(browser.cookie).toMatch(/^\d+\.[0-9a-f]{64}$/)
  })

  it.each(['', 'wrong', TOKEN.slice(0, -1), `${TOKEN}x`, 'test-webhook-key-number-one'])(
    'says so to a wrong token, %j, and neither repeats nor logs it',
    async (token) => {
      const browser = startBrowser()
      const { status, html } = await browser.post('/admin/sign-in', { token })
      expect(status).toBe(401)
      expect(textOf(html)).toContain('This is not the admin token.')
      if (token !== '') expect(html + logs.join()).not.toContain(token)
      expect(browser.cookie).toBe('')
    },
  )

  it('opens no page to someone who has not', async () => {
    const browser = startBrowser()
    for (const path of PAGES) {
      const { html, headers } = await browser.visit(path)
      const way = path === '/admin' ? '' : `?next=${encodeURIComponent(path)}`
      expect([html, headers.get('location')]).toEqual(['', `/admin/sign-in${way}`])
    }
    for (const path of FORMS) {
      expect((await browser.post(path, {})).headers.get('location')).toBe('/admin/sign-in')
    }
  })

  it('leads on to the page that was asked for, after a wrong token too', async () => {
    const browser = startBrowser()
    const asked = '/admin/ui/events?state=dead&code=rejected'
    const way = (await browser.visit(asked)).headers.get('location') ?? ''
    const nextOf = ({ html }: { html: string }) =>
      /name="next" value="([^"]*)"/.exec(html)?.[1]?.replaceAll('&amp;', '&') ?? ''
    const form = await browser.visit(way)
    const wrong = await browser.submit('/admin/sign-in', { token: 'wrong', next: nextOf(form) })
    expect(wrong.status).toBe(401)
    const { status, path } = await browser.submit('/admin/sign-in', {
      token: TOKEN,
      next: nextOf(wrong),
    })
    expect([status, path]).toEqual([200, asked])
  })

  it.each([
    'https://evil.example/admin/ui/events',
    '//evil.example/admin/ui/events',
    '/\\evil.example/admin/ui/events',
    '/admin/ui/..//evil.example',
    '/admin/uix',
    '/chatlio',
    'javascript:alert(1)',
  ])('leads nowhere but to our own pages: %s', async (next) => {
    const browser = startBrowser()
    const { headers } = await browser.post('/admin/sign-in', { token: TOKEN, next })
    expect(headers.get('location')).toBe('/admin')
  })

  it('asks once more when a link on another site led here, since the browser has kept the cookie back', async () => {
    const browser = startBrowser()
    await browser.signIn()
    const asked = '/admin/ui/events?state=dead&code="<script>'
    const other = await relay.send(asked, {
      headers: { accept: 'text/html', 'sec-fetch-site': 'cross-site' },
    })
    const html = await other.response.text()
    expect(other.status).toBe(200)
    expect(html).toContain('content="0;url=/admin/ui/events?state=dead&amp;code=%22%3Cscript%3E"')
    expect(textOf(html)).not.toContain('Events')
  })

  it('answers a program with 401, and does not send it to a form', async () => {
    const { status, body } = await relay.send('/admin')
    expect([status, body.code]).toEqual([401, 'unauthorized'])
  })

  it('has no page where neither a token nor an audience is set', async () => {
    const browser = startBrowser({ ADMIN_TOKEN: undefined })
    for (const path of [...PAGES, '/admin/sign-in', '/admin/assets/page.00000000.css']) {
      expect((await browser.visit(path)).status).toBe(404)
    }
    for (const path of [...FORMS, '/admin/sign-in', '/admin/sign-out']) {
      expect((await browser.post(path, { token: TOKEN })).status).toBe(404)
    }
  })
})

describe('a session', () => {
  it('ends after twelve hours', async () => {
    const browser = startBrowser()
    await browser.signIn()
    clock.advance(SESSION_MS - 1_000)
    expect((await browser.visit('/admin')).status).toBe(200)
    clock.advance(1_000)
    expect((await browser.visit('/admin')).status).toBe(303)
  })

  it('ends when the token is replaced, also for a stolen cookie', async () => {
    const browser = startBrowser()
    await browser.signIn()
    const thief = startBrowser({ ADMIN_TOKEN: 'another-admin-token-of-some-length' })
    thief.cookie = browser.cookie
    expect((await thief.visit('/admin')).status).toBe(303)
  })

  it('cannot be prolonged, nor made from anything but the token', async () => {
    const browser = startBrowser()
    await browser.signIn()
    const [expiry = '', signature = ''] = browser.cookie.split('.')
    const other = await new Sessions('another-admin-token-of-some-length').start(clock.now)
    for (const forged of [
      `${Number(expiry) + 1}.${signature}`,
      `${expiry}.${signature.toUpperCase()}`,
      `${expiry}.${'0'.repeat(64)}`,
      `${expiry}.`,
      expiry,
      TOKEN,
      other,
      '.'.repeat(4_000),
    ]) {
      browser.cookie = forged
      expect((await browser.visit('/admin')).status).toBe(303)
    }
  })

  it('does not open the API, which wants the token itself', async () => {
    const browser = startBrowser()
    await browser.signIn()
    expect((await browser.visit('/admin/status')).status).toBe(401)
    expect((await browser.post('/admin/pause', {})).status).toBe(401)
  })

  it('is found among other cookies', () => {
    expect(readSessionCookie('a=b; __Host-admin=1.ab; c=d')).toBe('1.ab')
    expect(readSessionCookie('x__Host-admin=1.ab')).toBe('')
    expect(readSessionCookie(undefined)).toBe('')
  })
})

describe('a hundred wrong tokens', () => {
  it('are each refused, and then slowed', async () => {
    const slowed = startRelay()
    const statuses = new Map<number, number>()
    for (let each = 0; each < 100; each += 1) {
      const { response } = await slowed.send('/admin/sign-in', {
        method: 'POST',
        body: new URLSearchParams({ token: `wrong-${each}` }),
        headers: { 'sec-fetch-site': 'same-origin' },
      })
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
      if (response.status === 429) expect(response.headers.get('retry-after')).toBe('60')
      expect(response.headers.get('set-cookie')).toBeNull()
    }
    expect([...statuses.keys()].sort()).toEqual([401, 429])
    expect(statuses.get(429)).toBeGreaterThan(80)
  })

  it('keep nobody out who is signed in, or uses the API', async () => {
    const limit = { limit: async () => ({ success: false }) }
    const browser = startBrowser({ SIGN_IN_LIMIT: limit })
    browser.cookie = await new Sessions(TOKEN).start(clock.now)
    expect((await browser.post('/admin/sign-in', { token: TOKEN })).status).toBe(429)
    expect((await browser.visit('/admin')).status).toBe(200)
    expect((await relay.get('/status')).status).toBe(200)
  })
})

describe('Cloudflare Access', () => {
  const AUD = 'a'.repeat(64)

  /** A request as it arrives behind Access. */
  async function behindAccess(
    path: string,
    init: RequestInit = {},
    { aud = AUD, variables = { ACCESS_AUD: AUD, ADMIN_TOKEN: undefined } as object } = {},
  ) {
    const access = { aud, getIdentity: async () => ({ email: 'operator@example.com' }) }
    const ctx = Object.assign(createExecutionContext(), { access })
    const request = new Request(`https://relay.example${path}`, { redirect: 'manual', ...init })
    return otherRoutes().fetch(request, { ...env, ...variables } as Env, ctx)
  }
  const OWN = { 'sec-fetch-site': 'same-origin' }

  it('lets its users in without a token, to the page and the API', async () => {
    expect((await behindAccess('/admin')).status).toBe(200)
    expect((await behindAccess('/admin/status')).status).toBe(200)
  })

  it('lets nobody in under another audience, or when none is set', async () => {
    expect((await behindAccess('/admin/status', {}, { aud: 'b'.repeat(64) })).status).toBe(401)
    const variables = { ACCESS_AUD: undefined }
    expect((await behindAccess('/admin/status', {}, { variables })).status).toBe(401)
    expect((await behindAccess('/admin/status', {}, { aud: '', variables })).status).toBe(401)
  })

  it('is what the sign-in page refers to when there is no token', async () => {
    const browser = startBrowser({ ACCESS_AUD: AUD, ADMIN_TOKEN: undefined })
    const { html } = await browser.visit('/admin/sign-in')
    expect(textOf(html)).toContain('Cloudflare Access signs operators in')
    expect((await browser.post('/admin/sign-in', { token: TOKEN })).status).toBe(401)
  })

  it('names the operator in the log', async () => {
    const paused = await behindAccess('/admin/ui/pause', { method: 'POST', headers: OWN })
    expect(paused.status).toBe(303)
    const { body } = await relay.get('/log')
    expect(body.entries).toEqual([
      expect.objectContaining({ by: 'operator@example.com', action: 'pause' }),
    ])
  })

  it.each(['/admin/pause', '/admin/ui/pause', '/admin/redrive'])(
    'is not enough for a form from elsewhere: POST %s',
    async (path) => {
      for (const headers of [
        { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
        { 'sec-fetch-site': 'same-site', origin: 'https://other.relay.example' },
        { origin: 'null' },
        {},
      ]) {
        expect((await behindAccess(path, { method: 'POST', headers })).status).toBe(403)
      }
      expect((await relay.get('/status')).body.hold).toBeNull()
    },
  )

  it('asks nothing of a request that carries the token', async () => {
    await relay.post('feedback', conversation())
    expect((await relay.command('/pause')).status).toBe(200)
  })
})
