import { reset } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { compress } from '../compress.ts'
import conversationSample from '../fixtures/conversation.json'
import minimal from '../fixtures/conversation-minimal.json'
import offline from '../fixtures/offline-message.json'
import transcript from '../fixtures/transcript.json'
import sparse from '../fixtures/transcript-sparse.json'
import { captureLogs, conversation, KEY, type Relay, startAep, startRelay } from './support.ts'

let aep: LocalAdobe
let relay: Relay
let logs: string[]

beforeEach(() => {
  logs = captureLogs()
  aep = startAep()
  relay = startRelay()
})
afterEach(async () => {
  vi.useRealTimers()
  await reset()
})

const lastRecord = () => aep.lake.at(-1)?.record as Record<string, unknown>

describe('every documented payload arrives in AEP', () => {
  it.each([
    ['transcript', transcript, 'chatlio.transcript'],
    ['transcript', sparse, 'chatlio.transcript'],
    ['offline-message', offline, 'chatlio.offlineMessage'],
    ['new-conversation', conversationSample, 'chatlio.newConversation'],
    ['unanswered', conversationSample, 'chatlio.unanswered'],
    ['feedback', minimal, 'chatlio.feedback'],
    ['auto', transcript, 'chatlio.transcript'],
    ['auto', offline, 'chatlio.offlineMessage'],
    ['auto', minimal, 'chatlio.conversation'],
  ])('%s', async (route, payload, eventType) => {
    const { status, body } = await relay.post(route, payload)
    expect(status).toBe(200)
    expect(body).toEqual({ status: 'forwarded', id: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(aep.requests).toHaveLength(1)
    expect(lastRecord()).toMatchObject({
      _id: body.id,
      eventType,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      receivedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
  })

  it("leaves the paths of Adobe's sample mapping as they are", async () => {
    await relay.post('new-conversation', minimal)
    expect(lastRecord()).toMatchObject(minimal)
  })

  it("never takes the age of the visitor's record for the event's time", async () => {
    const before = Date.now()
    await relay.post('unanswered', conversationSample)
    expect(Date.parse(String(lastRecord().timestamp))).toBeGreaterThanOrEqual(before)
    await relay.post('transcript', transcript)
    expect(lastRecord().timestamp).toBe('2018-05-19T16:14:32.000Z')
  })

  it('sends lone surrogates and NULs on as valid JSON', async () => {
    const body = '{"visitor":{"UUID":"u"},"message":"a\\u0000b\\ud800c","conversationUUID":"c"}'
    expect((await relay.post('feedback', body)).status).toBe(200)
    expect(lastRecord().message).toBe('a\u0000b\ud800c')
  })

  it('names the dataflow in the header and asks AEP once', async () => {
    await relay.post('feedback', conversation())
    expect(aep.requests).toMatchObject([
      { method: 'POST', path: '/collection/local-inlet', flowIdHeader: 'local-flow' },
    ])
  })
})

describe('who may post', () => {
  it.each(['', '?key=', '?key=wrong', `?key=${KEY}x`, `?KEY=${KEY}`])(
    'refuses %j before it reads anything',
    async (query) => {
      const { status, body, response } = await relay.send(`/chatlio/feedback${query}`, {
        method: 'POST',
        body: JSON.stringify(conversation()),
      })
      expect(status).toBe(401)
      expect(body).toMatchObject({ status: 401, code: 'unauthorized' })
      expect(body.id).toBeUndefined()
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(aep.requests).toHaveLength(0)
    },
  )

  it('takes each of several keys, so that one can be replaced without a gap', async () => {
    for (const key of ['test-webhook-key-number-one', 'test-webhook-key-number-two']) {
      const { status } = await relay.send(`/chatlio/feedback?key=${key}`, {
        method: 'POST',
        body: JSON.stringify(conversation()),
      })
      expect(status).toBe(200)
    }
  })

  it.each([
    [undefined, /none is set/],
    ['', /none is set/],
    ['short', /too short/],
    ['shop:short', /key 1 is too short/],
    ['change-me-to-a-long-random-key', /key 1 is a placeholder/],
    ['short,your-key-of-twenty-characters', /key 1 is too short.*key 2 is a placeholder/],
    ['["test-webhook-key-number-one"]', /key 1 has quotes or brackets/],
  ])(
    'lets nobody in when WEBHOOK_KEYS is %j, and says why without its value',
    async (WEBHOOK_KEYS, why) => {
      const closed = startRelay({ WEBHOOK_KEYS })
      const { status, body, response } = await closed.post('feedback', conversation())
      expect(status).toBe(503)
      expect(body.code).toBe('unavailable')
      expect(body.detail).toMatch(why)
      for (const key of WEBHOOK_KEYS?.split(',') ?? []) {
        if (key !== '' && key !== 'short') expect(body.detail).not.toContain(key)
      }
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(aep.requests).toHaveLength(0)
      expect((await closed.health()).status).toBe(503)
    },
  )

  it('lets in with the other keys while one cannot be used, and says so on /health', async () => {
    const rotating = startRelay({ WEBHOOK_KEYS: `short\n${KEY}` })
    expect((await rotating.post('feedback', conversation())).status).toBe(200)
    expect(await rotating.health()).toMatchObject({
      status: 200,
      body: { status: 'degraded', reasons: ['configuration'] },
    })
  })

  it.each([
    ['a blank', '%20'],
    ['a line end', '%0D%0A'],
    ['a tab', '%09'],
  ])('forgives %s around the key in a pasted URL', async (_, blank) => {
    for (const key of [`${KEY}${blank}`, `${blank}${KEY}`]) {
      const { status } = await relay.send(`/chatlio/feedback?key=${key}`, {
        method: 'POST',
        body: JSON.stringify(conversation()),
      })
      expect(status).toBe(200)
    }
  })
})

describe('what is refused, in the order of the checks', () => {
  const bad = { method: 'PATCH', headers: { 'content-type': 'image/png' }, body: '{' }

  it('no keys, then key, then kind, then method, then content type', async () => {
    const closed = startRelay({ WEBHOOK_KEYS: '' })
    expect((await closed.send('/chatlio/nothing', bad)).status).toBe(503)
    expect((await relay.send('/chatlio/nothing', bad)).status).toBe(401)
    const unknown = await relay.send(`/chatlio/nothing?key=${KEY}`, bad)
    expect([unknown.status, unknown.body.code]).toEqual([404, 'unknown-kind'])
    const method = await relay.send(`/chatlio/feedback?key=${KEY}`, bad)
    expect([method.status, method.body.code]).toEqual([405, 'method-not-allowed'])
    expect(method.response.headers.get('allow')).toBe('POST')
    const type = await relay.send(`/chatlio/feedback?key=${KEY}`, { ...bad, method: 'POST' })
    expect([type.status, type.body.code]).toEqual([415, 'unsupported-media-type'])
  })

  it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])('%s is not a webhook', async (method) => {
    const { response } = await relay.send(`/chatlio?key=${KEY}`, { method })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('POST')
  })

  it('conversation and auto are kinds of events, not routes', async () => {
    for (const route of ['conversation', 'auto/', 'transcript/more']) {
      expect((await relay.send(`/chatlio/${route}?key=${KEY}`, { method: 'POST' })).status).toBe(
        404,
      )
    }
  })

  it.each([
    'application/json',
    'Application/JSON; charset=utf-8',
    'application/vnd.chatlio.v1+json',
    'text/plain',
    '',
  ])('takes JSON as content type %j', async (type) => {
    expect((await relay.post('feedback', conversation(), { 'content-type': type })).status).toBe(
      200,
    )
  })

  it.each(['application/xml', 'text/html', 'multipart/form-data', 'application/jsonx', 'json'])(
    'refuses content type %j',
    async (type) => {
      const { status } = await relay.post('feedback', conversation(), { 'content-type': type })
      expect(status).toBe(415)
    },
  )

  it('refuses a body over 1.5 MiB while reading, with no length told', async () => {
    const chunk = new TextEncoder().encode('x'.repeat(65_536))
    let chunks = 0
    const body = new ReadableStream({
      pull(controller) {
        chunks += 1
        if (chunks > 1_000) controller.close()
        else controller.enqueue(chunk)
      },
    })
    const { status, body: problem } = await relay.send(`/chatlio/feedback?key=${KEY}`, {
      method: 'POST',
      body,
    })
    expect([status, problem.code]).toEqual([413, 'payload-too-large'])
    expect(chunks).toBeLessThan(40)
  })

  it('takes a body of exactly 1.5 MiB and refuses one byte more', async () => {
    const frame = JSON.stringify(conversation({ message: '' }))
    const filled = (bytes: number) =>
      frame.replace('"message":""', `"message":"${'x'.repeat(bytes - frame.length)}"`)
    expect((await relay.post('feedback', filled(1_572_864))).status).toBeLessThan(300)
    expect((await relay.post('feedback', filled(1_572_865))).status).toBe(413)
  })

  it.each([
    ['no JSON', '{"visitor":'],
    ['nothing', ''],
    ['not UTF-8', new Uint8Array([0x22, 0xff, 0x22])],
  ])('answers 400 to %s, and keeps it', async (_, bytes) => {
    const { status, body } = await relay.post('feedback', bytes)
    expect([status, body.code]).toEqual([400, 'malformed-json'])
    const kept = await relay.get(`/events/${body.id}`)
    expect(kept.body).toMatchObject({ state: 'quarantined', kind: 'feedback' })
    expect(kept.body.lastError).toMatchObject({ code: 'malformed-json', status: null })
  })

  it('takes a byte order mark', async () => {
    expect((await relay.post('feedback', `\uFEFF${JSON.stringify(conversation())}`)).status).toBe(
      200,
    )
  })

  it('answers 422 naming the places, and keeps what came', async () => {
    const payload = { visitor: { UUID: 5 }, message: ['x'] }
    const { status, body } = await relay.post('feedback', payload)
    expect([status, body.code]).toEqual([422, 'invalid-payload'])
    expect(body.issues).toEqual([
      { path: 'visitor.UUID', message: 'expected a non-empty string' },
      { path: 'message', message: 'expected a string' },
    ])
    expect((await relay.get(`/events/${body.id}`)).body).toMatchObject({
      state: 'quarantined',
      payload,
    })
    expect(aep.requests).toHaveLength(0)
  })

  it('knows what it cannot tell the kind of as auto', async () => {
    const { status, body } = await relay.post('auto', { nothing: 'known' })
    expect(status).toBe(422)
    expect((await relay.get(`/events/${body.id}`)).body.kind).toBe('auto')
  })

  it('survives a hundred thousand brackets', async () => {
    const deep = `{"visitor":{"UUID":"u"},"conversationUUID":"deep","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    const { status, body } = await relay.post('feedback', deep)
    expect(status).toBe(422)
    // Too deep to be written as JSON again, so operators get the text.
    expect((await relay.get(`/events/${body.id}`)).body.payload).toBe(deep)
    const { response } = await relay.get('/export?state=quarantined')
    const line = JSON.parse(new TextDecoder().decode(await response.bytes()))
    expect(line).toMatchObject({ id: body.id, payload: deep })
    expect((await relay.command('/redrive', { state: 'quarantined' })).body).toMatchObject({
      stillInvalid: 1,
    })
  })

  it('answers 422 to a body of absurdly many values, and keeps it', async () => {
    const text = `{"conversationUUID":"many","messages":[${'{},'.repeat(499_999)}{}]}`
    const { status, body } = await relay.post('transcript', text)
    expect([status, body.code]).toEqual([422, 'too-many-values'])
    expect(aep.requests).toHaveLength(0)
    const kept = await relay.get('/events?state=quarantined')
    expect(kept.body.events).toMatchObject([
      {
        id: body.id,
        kind: 'transcript',
        bytes: text.length,
        lastError: { code: 'too-many-values', status: null, message: 'more than 100000 values' },
      },
    ])
    const redriven = await relay.command('/redrive', { state: 'quarantined' })
    expect(redriven.body).toEqual({ matched: 1, redriven: 0, stillInvalid: 1 })
  })

  it('answers 404 elsewhere, and 405 with Allow to a changing method on /health', async () => {
    expect((await relay.send('/')).body.code).toBe('not-found')
    const { response } = await relay.send('/health', { method: 'POST' })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })
})

describe.each(['gzip', 'deflate'] as const)('a webhook compressed with %s', (encoding) => {
  const bytes = new TextEncoder().encode(JSON.stringify(conversation()))
  const headers = { 'content-encoding': encoding }

  it('arrives as the same event as the plain one', async () => {
    const plain = await relay.post('feedback', bytes)
    const compressed = await relay.post('feedback', await compress(bytes, encoding), headers)
    expect([compressed.status, compressed.body]).toEqual([200, plain.body])
    expect(aep.lake[1]?.record).toMatchObject(JSON.parse(new TextDecoder().decode(bytes)))
  })

  it('is stored decoded', async () => {
    const invalid = new TextEncoder().encode('{"visitor":{}}')
    const { status, body } = await relay.post(
      'feedback',
      await compress(invalid, encoding),
      headers,
    )
    expect([status, body.code]).toEqual([422, 'invalid-payload'])
    expect((await relay.get(`/events/${body.id}`)).body).toMatchObject({
      bytes: invalid.length,
      payload: { visitor: {} },
    })
  })

  it('may have up to 1.5 MiB decoded, and 50 MB in 50 kB are refused', async () => {
    const frame = JSON.stringify(conversation({ message: '' }))
    const filled = (length: number) =>
      new TextEncoder().encode(
        frame.replace('"message":""', `"message":"${'x'.repeat(length - frame.length)}"`),
      )
    const post = async (body: Uint8Array) =>
      (await relay.post('feedback', await compress(body, encoding), headers)).status
    expect(await post(filled(1_572_864))).toBeLessThan(300)
    expect(await post(filled(1_572_865))).toBe(413)
    expect(await post(new Uint8Array(50_000_000))).toBe(413)
  })

  it('is quarantined as malformed when it cannot be decoded, with its bytes as they came', async () => {
    const broken = (await compress(bytes, encoding)).subarray(0, -3)
    for (const sent of [broken, bytes]) {
      const { status, body } = await relay.post('feedback', sent, headers)
      expect([status, body.code]).toEqual([400, 'malformed-json'])
      const kept = await relay.get(`/events/${body.id}/body`)
      expect(new Uint8Array(await kept.response.arrayBuffer())).toEqual(sent)
    }
    expect(aep.requests).toHaveLength(0)
  })
})

it.each(['br', 'zstd', 'gzip, gzip'])(
  'refuses content encoding %j, and says which it takes',
  async (encoding) => {
    const headers = { 'content-encoding': encoding }
    const { status, body, response } = await relay.post('feedback', conversation(), headers)
    expect([status, body.code]).toEqual([415, 'unsupported-media-type'])
    expect(response.headers.get('accept-encoding')).toBe('gzip, deflate')
  },
)

describe('every answer', () => {
  it('may neither be stored by a cache nor taken for another type', async () => {
    const broken = startRelay({ OUTBOX: {} })
    const { id } = (await relay.post('feedback', '{')).body
    const answers = [
      await relay.post('feedback', conversation()),
      await relay.post('feedback', '{'),
      await relay.post('nothing', conversation()),
      await relay.send('/chatlio/feedback', { method: 'POST' }),
      await relay.send(`/chatlio?key=${KEY}`, { method: 'HEAD' }),
      await relay.health(),
      await relay.send('/health', { method: 'DELETE' }),
      await relay.send('/'),
      await relay.send('/admin/status'),
      await relay.get('/status'),
      await relay.get(`/events/${id}`),
      await relay.get(`/events/${id}/body`),
      await relay.erase(String(id)),
      await broken.get('/status'),
    ]
    expect(answers.map(({ status }) => status)).toEqual([
      200, 400, 404, 401, 405, 200, 405, 404, 401, 200, 200, 200, 204, 503,
    ])
    for (const { response } of answers) {
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    }
  })
})

describe('log lines', () => {
  const lines = () =>
    logs.map((line) => JSON.parse(line)).filter(({ event }) => event === 'webhook')
  const fingerprintOf = async (key: string) =>
    new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key)))
      .toHex()
      .slice(0, 6)

  it('name the key of every admitted request by its fingerprint, and no key of others', async () => {
    const second = 'test-webhook-key-number-two'
    for (const [path, body] of [
      [`/chatlio/feedback?key=${KEY}`, JSON.stringify(conversation())],
      [`/chatlio/feedback?key=${second}`, '{'],
      [`/chatlio/nothing?key=${second}`, '{'],
      ['/chatlio/feedback?key=wrong', '{'],
    ] as const) {
      await relay.send(path, { method: 'POST', body })
    }
    const fingerprints = [await fingerprintOf(KEY), await fingerprintOf(second)]
    expect(lines().map(({ key }) => key)).toEqual([
      fingerprints[0],
      fingerprints[1],
      fingerprints[1],
      undefined,
    ])
  })

  it('of a quarantined event hold its first issues', async () => {
    const messages = Array.from({ length: 50 }, () => ({ text: 7 }))
    await relay.post('transcript', { messages })
    expect(lines()).toMatchObject([
      {
        outcome: 'quarantined',
        code: 'invalid-payload',
        issues: [0, 1, 2].map((index) => ({
          path: `messages.${index}.text`,
          message: 'expected a string',
        })),
      },
    ])
  })

  it('are no warning where the settings say to store first', async () => {
    const warn = vi.spyOn(console, 'warn')
    await startRelay({ FORWARD_TIMEOUT_MS: '0' }).post('feedback', conversation())
    expect(lines()).toMatchObject([{ outcome: 'buffered', status: 202, code: 'store-first' }])
    expect(warn).not.toHaveBeenCalled()
    await startRelay({ AEP_ENDPOINT: undefined }).post('feedback', conversation())
    expect(warn).toHaveBeenCalled()
  })

  it('one JSON line per webhook, and nothing else on the healthy path', async () => {
    const { body } = await relay.post('feedback', conversation())
    expect(logs.map((line) => JSON.parse(line))).toEqual([
      {
        event: 'webhook',
        id: body.id,
        kind: 'feedback',
        outcome: 'forwarded',
        status: 200,
        upstreamStatus: 200,
        ms: expect.any(Number),
        bytes: expect.any(Number),
        key: expect.stringMatching(/^[0-9a-f]{6}$/),
      },
    ])
  })
})
