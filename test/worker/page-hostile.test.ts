/** What is hostile does no harm: payloads, addresses, forms from elsewhere, frames. */
import { beforeEach, describe, expect, it } from 'vitest'
import { addressesOf, startBrowser, textOf } from './page-support.ts'
import { conversation, eachTest, KEY, type Relay } from './support.ts'

let relay: Relay
let logs: string[]
let browser: ReturnType<typeof startBrowser>

eachTest((world) => {
  ;({ relay, logs } = world)
})

beforeEach(async () => {
  browser = startBrowser()
  await browser.signIn()
})

const SCRIPT = '</code></pre><script>alert(1)</script><img src=x onerror=alert(1)>"\'&amp;'

/** Stored in quarantine as it came. */
async function store(body: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const answer = await relay.post('transcript', body)
  return String(answer.body.id)
}

/** What stands in the first block of code, as a browser reads it. */
function codeOf(html: string): string {
  const [, code = ''] = /<pre[^>]*><code>(.*?)<\/code><\/pre>/s.exec(html) ?? []
  return code
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
}

describe('a payload', () => {
  it('full of HTML is shown as the text that it is', async () => {
    const body = JSON.stringify({ messages: SCRIPT, [SCRIPT]: 1 })
    const id = await store(body)
    const { html } = await browser.visit(`/admin/ui/events/${id}?payload=1`)
    expect(html).not.toMatch(/<script>|<img/)
    expect(codeOf(html)).toBe(body)
  })

  it.each([
    ['a number that JavaScript would round', '{"messages":12345678901234567890.10}'],
    ['white space and a repeated name', ' {"messages" :1,\n\t"messages":2 }\n'],
    ['emoji, and joined ones', '{"messages":"👩‍👩‍👧 é"}'],
    ['no JSON at all', 'messages=1&x=%00'],
  ])('is shown character by character as it is stored: %s', async (_name, body) => {
    const id = await store(body)
    expect(codeOf((await browser.visit(`/admin/ui/events/${id}?payload=1`)).html)).toBe(body)
  })

  it('with controls, and characters that reorder text, shows them as symbols', async () => {
    const id = await store('{"a":"\u0000\u001b[31m\r\u202egnp.exe\u2066\ufeff"')
    const { html } = await browser.visit(`/admin/ui/events/${id}?payload=1`)
    expect(codeOf(html)).toBe('{"a":"␀␛[31m␍\\u{202e}gnp.exe\\u{2066}\\u{feff}"')
  })

  it('that is not UTF-8 is offered as a download, byte for byte, and never as a page', async () => {
    const bytes = new Uint8Array([0x7b, 0xff, 0x00, 0x0d, 0x3c, 0x62, 0x3e])
    const id = await store(bytes)
    const { html } = await browser.visit(`/admin/ui/events/${id}?payload=1`)
    expect(textOf(html)).toContain('The bytes are not UTF-8, so they can only be downloaded.')
    expect(addressesOf(html)).toContain(`/admin/ui/events/${id}/body`)
    const { response } = await relay.send(`/admin/ui/events/${id}/body`, {
      headers: { cookie: `__Host-admin=${browser.cookie}` },
    })
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
  })

  it('puts no field name of its own on a page unescaped', async () => {
    await relay.post('feedback', conversation({ '<b onclick=alert(1)>': { '"><i>': 1 } }))
    await relay.report()
    const { html } = await browser.visit('/admin/ui/drift')
    expect(html).not.toMatch(/<b onclick|"><i>/)
  })
})

describe('ids and filters that are not ones', () => {
  it.each([
    'state=everything',
    'state=dead&state=pending',
    'state=dead&kind=<script>',
    "state=dead&code=' OR 1=1 --",
    'state=dead&day=2026-02-31',
    'state=dead&day=yesterday',
    'state=dead&cursor=-',
    'state=dead&limit=100000',
    'state=dead&unknown=1',
    `state=dead&path=${'x'.repeat(2_000)}`,
  ])('are refused in words: %s', async (query) => {
    const { status, html } = await browser.visit(`/admin/ui/events?${query}`)
    expect(status).toBe(400)
    expect(textOf(html)).toContain('This cannot be read')
    expect(html).not.toContain('<script>')
  })

  it.each(['x', '%00', '..%2f..%2fstatus', encodeURIComponent(SCRIPT), 'a'.repeat(5_000)])(
    'name no event: %s',
    async (id) => {
      const { status, html } = await browser.visit(`/admin/ui/events/${id}`)
      expect(status).toBe(404)
      expect(html).not.toMatch(/<script>|<img/)
      expect((await browser.visit(`/admin/ui/events/${id}/body`)).status).toBe(404)
    },
  )

  it.each([
    ['/admin/ui/redrive', {}],
    ['/admin/ui/redrive', { state: 'pending' }],
    ['/admin/ui/redrive', { state: 'dead', id: 'x' }],
    ['/admin/ui/redrive', { state: 'dead', by: 'dryRun', value: '1', dryRun: '1' }],
    ['/admin/ui/delete', { state: 'everything' }],
    ['/admin/ui/find', { by: 'email' }],
    ['/admin/ui/find', { by: '__proto__', value: 'x' }],
    ['/admin/ui/find', { by: 'suppressDays', value: 'x' }],
    ['/admin/ui/erase', { by: 'email', value: '' }],
    ['/admin/ui/erase', { by: 'email', value: 'a@b.example', suppressDays: '1e9' }],
    ['/admin/ui/erase', { by: 'conversation', value: 'x', suppressDays: '1' }],
    ['/admin/ui/suppressions/delete', {}],
    ['/admin/ui/drift/accept', { kind: 'feedback', path: 'x', change: 'other' }],
  ] as [string, Record<string, string>][])('change nothing: POST %s %j', async (path, fields) => {
    const { status, html } = await browser.post(path, fields)
    expect(status).toBe(400)
    expect(textOf(html)).toContain('This cannot be read')
  })

  it('take part in no result that the page shows', async () => {
    const query = `done=${encodeURIComponent(SCRIPT)}&matched=1`
    expect((await browser.visit(`/admin?${query}`)).html).not.toContain('class="flash"')
    const { html } = await browser.visit('/admin/ui/events?done=redrive&redriven=<b>&matched=-5')
    expect(textOf(html)).toContain('0 events redriven.')
    expect((await browser.visit('/admin?done=constructor')).status).toBe(200)
  })

  it.each([
    'https://evil.example/admin/ui/log',
    '//evil.example/admin/ui/log',
    '/\\evil.example',
    '/admin/sign-out',
    '/admin/ui/../../chatlio',
    'javascript:alert(1)',
  ])('lead to no page but our own after something was done: %s', async (back) => {
    const { status, headers } = await browser.post('/admin/ui/resume', { back })
    expect([status, headers.get('location')]).toEqual([303, '/admin?done=resume'])
  })

  it('are read no further than a form is long', async () => {
    const value = 'x'.repeat(100_000)
    expect((await browser.post('/admin/ui/find', { by: 'email', value })).status).toBe(400)
    expect((await browser.post('/admin/sign-in', { token: value })).status).toBe(401)
  })
})

describe('a form on another site', () => {
  it.each([
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'same-site', origin: 'https://other.relay.example' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': '', origin: 'https://evil.example' },
    { 'sec-fetch-site': '', origin: 'null' },
    { 'sec-fetch-site': '' },
  ])('does nothing, though the cookie came along: %j', async (headers) => {
    const id = await store('{"messages":1}')
    for (const [path, fields] of [
      ['/admin/ui/pause', {}],
      ['/admin/ui/delete', { state: 'quarantined', ids: id }],
      [`/admin/ui/events/${id}/delete`, {}],
      ['/admin/ui/erase', { by: 'visitor', value: 'v', suppressDays: '1', confirm: '1' }],
      ['/admin/sign-out', {}],
    ] as [string, Record<string, string>][]) {
      const { status, html } = await browser.post(path, fields, headers)
      expect(status).toBe(403)
      expect(textOf(html)).toContain('sent from another site, so nothing was done')
    }
    const { body } = await relay.get('/status')
    expect(body).toMatchObject({ hold: null, quarantined: 1, erased: 0 })
    expect(browser.cookie).not.toBe('')
  })

  it('cannot sign an operator in as somebody else’s', async () => {
    const { status } = await browser.post('/admin/sign-in', {}, { 'sec-fetch-site': 'cross-site' })
    expect(status).toBe(403)
  })

  it('is not needed for what only reads, so no link changes anything', async () => {
    await store('{"messages":1}')
    const before = (await relay.get('/status')).body
    for (const path of [
      '/admin/ui/pause',
      '/admin/ui/redrive?state=quarantined',
      '/admin/sign-out',
    ]) {
      expect([401, 404]).toContain((await browser.visit(path)).status)
    }
    await browser.visit('/admin/ui/delete?state=quarantined')
    expect((await relay.get('/status')).body).toEqual(before)
  })
})

describe('every page', () => {
  const PAGES = [
    '/admin',
    '/admin/sign-in',
    '/admin/ui/events',
    '/admin/ui/events/x',
    '/admin/ui/events?state=x',
    '/admin/ui/find',
    '/admin/ui/erase',
    '/admin/ui/suppressions',
    '/admin/ui/drift',
    '/admin/ui/alerts',
    '/admin/ui/log',
    '/admin/ui/nothing',
  ]

  it.each(PAGES)(
    'is neither framed, kept, indexed nor able to run what is not ours: %s',
    async (path) => {
      const { headers, html } = await browser.visit(path)
      expect(Object.fromEntries(headers)).toMatchObject({
        'content-type': 'text/html; charset=UTF-8',
        'content-security-policy':
          "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        'x-frame-options': 'DENY',
        'cache-control': 'no-store',
        'x-robots-tag': 'noindex',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      })
      expect(html).not.toMatch(/ style=| on[a-z]+=|javascript:|<style/)
    },
  )

  it('loads its style and script from addresses that change with them, to be kept for good', async () => {
    const { html } = await browser.visit('/admin')
    const assets = addressesOf(html).filter((address) => address.startsWith('/admin/assets/'))
    expect(assets).toHaveLength(2)
    for (const address of assets) {
      const { status, headers, html: text } = await browser.visit(address)
      expect([status, headers.get('cache-control')]).toEqual([
        200,
        'public, max-age=31536000, immutable',
      ])
      expect(text.length).toBeGreaterThan(500)
    }
    expect((await browser.visit('/admin/assets/page.00000000.css')).status).toBe(404)
    expect((await browser.visit('/admin/assets/constructor')).status).toBe(404)
  })

  it('shows and logs neither the token nor a webhook key', async () => {
    for (const path of PAGES) expect((await browser.visit(path)).html).not.toContain(KEY)
    expect(logs.join()).not.toMatch(/test-admin-token|test-webhook-key/)
  })
})
