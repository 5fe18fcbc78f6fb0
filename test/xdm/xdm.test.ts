/** The whole Worker in xdm format: batches, authenticated inlet, what Profile really keeps. */
import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import type { Answer } from '../../src/local-adobe/answer.ts'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import conversationSample from '../fixtures/conversation.json'
import minimal from '../fixtures/conversation-minimal.json'
import offline from '../fixtures/offline-message.json'
import transcript from '../fixtures/transcript.json'
import sparse from '../fixtures/transcript-sparse.json'
import { validator } from '../unit/aep/schema-validator.ts'
import {
  BY_ITSELF,
  type Clock,
  conversation,
  drainAll,
  drainOnce,
  eachTest,
  outbox,
  type Relay,
  startRelay,
  storeEvents,
} from '../worker/support.ts'

let aep: LocalAdobe
let relay: Relay
let clock: Clock
let logs: string[]

eachTest(
  (world) => {
    ;({ logs, clock, aep, relay } = world)
  },
  { mode: 'xdm', strict: true, auth: true, validate: (entity) => violationsOf(entity) },
)

const validate = validator('localtenant')

/** As AEP says it: with the value in the message. */
const violationsOf = (entity: unknown) =>
  validate(entity).map(({ instancePath, keyword, message, data }) => ({
    pointer: `#${instancePath}`,
    keyword,
    message: `${message}, found: ${JSON.stringify(data)}`,
  }))

const post = (fields = {}) => relay.post('feedback', conversation(fields))

const landed = () => aep.lake.map(({ _id }) => _id)
const entity = (index = -1) =>
  aep.lake.at(index)?.record as { body?: { xdmEntity?: Record<string, unknown> } }
const logged = (event: string) =>
  logs.map((line) => JSON.parse(line)).filter((line) => line.event === event)

describe('every documented payload', () => {
  it.each([
    ['transcript', transcript, 'none'],
    ['transcript', sparse, 'email'],
    ['offline-message', offline, 'visitor'],
    ['new-conversation', conversationSample, 'visitor'],
    ['unanswered', conversationSample, 'visitor'],
    ['feedback', minimal, 'visitor'],
    ['auto', minimal, 'visitor'],
  ])(
    '%s is in the lake, and in Profile if it has an identity',
    async (route, payload, identity) => {
      const { status, body } = await relay.post(route, payload)
      expect([status, body.status]).toEqual([200, 'forwarded'])
      expect(landed()).toEqual([body.id])
      expect(aep.profile().kept).toHaveLength(identity === 'none' ? 0 : 1)
      expect(logged('webhook')).toMatchObject([{ identity }])
    },
  )
})

describe('what is too large for one record', () => {
  const long = (messages: number, letters: number) => ({
    conversationUUID: `long-${messages}-${letters}`,
    visitorEmail: 'visitor@example.com',
    endedAt: '2026-01-02T03:04:05Z',
    messages: Array.from({ length: messages }, (_, index) => ({
      text: `${index}: ${'ü'.repeat(letters)}`,
      isVisitorMsg: index % 2 === 0,
    })),
  })

  async function arrivesWhole(payload: ReturnType<typeof long>) {
    const { status, body } = await relay.post('transcript', payload)
    expect([status, body.status]).toEqual([202, 'buffered'])
    await drainAll(clock)
    const ids = landed()
    expect(ids.length).toBeGreaterThan(1)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(new RegExp(`^${body.id}-\\d+$`))
    expect(aep.profile().kept).toHaveLength(ids.length)
    const text = JSON.stringify(aep.lake.map(({ record }) => record))
    for (const letters of [payload.messages[0], payload.messages.at(-1)]) {
      expect(text).toContain(letters?.text.slice(0, 8))
    }
    expect(text.match(/ü/g)).toHaveLength(JSON.stringify(payload).match(/ü/g)?.length ?? 0)
    expect(await outbox().status()).toMatchObject({ accepted: 1, delivered: 1, pending: 0 })
  }

  it('a transcript of 400 messages arrives whole over several events', () =>
    arrivesWhole(long(400, 50)))

  it('a single message of 300 KB arrives whole over several events', () =>
    arrivesWhole(long(1, 150_000)))

  it('answers 200 when all parts got through in time', async () => {
    vi.useRealTimers()
    relay = startRelay({ FORWARD_TIMEOUT_MS: '5000' })
    const { status, body } = await relay.post('transcript', long(40, 300))
    expect([status, body.status]).toEqual([200, 'forwarded'])
    expect(aep.lake.length).toBeGreaterThan(1)
  })

  it('never sends a part again that AEP has accepted, and leaves the split as it was decided', async () => {
    aep.script({ type: 'items', items: [null, 503, null, 429] })
    const { body } = await relay.post('transcript', long(100, 100))
    expect(await drainOnce(clock)).toBe(true)
    const first = landed()
    expect(first).toContain(`${body.id}-0`)
    expect(first).not.toContain(`${body.id}-1`)
    await evictDurableObject(outbox())
    await drainAll(clock)
    const ids = landed()
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toContain(`${body.id}-1`)
    const counts = aep.lake.map(({ record }) => JSON.stringify(record).match(/"count":(\d+)/)?.[1])
    expect(new Set(counts).size).toBe(1)
    expect(ids).toHaveLength(Number(counts[0]))
  })

  it('is dead when one part is refused for good; redrive sends only what AEP has not accepted', async () => {
    // AEP takes others under these settings; acceptances of its own parts do not show that.
    await post()
    await relay.report()
    aep.script({ type: 'items', items: [null, 400] })
    const { body } = await relay.post('transcript', long(100, 100))
    await drainAll(clock)
    expect(await outbox().status()).toMatchObject({ accepted: 1, dead: 1, delivered: 0 })
    const before = landed()
    await relay.command('/redrive', { state: 'dead' })
    await drainAll(clock)
    expect(landed().slice(before.length)).toEqual([`${body.id}-1`])
    expect(await outbox().status()).toMatchObject({ dead: 0, delivered: 1 })
  })
})

describe('batches', () => {
  it('fill a request up to 100 messages', async () => {
    const ids = await storeEvents(250)
    await drainAll(clock)
    expect(new Set(landed())).toEqual(new Set(ids))
    expect(aep.requests.map(({ path, ids }) => [path, ids.length])).toEqual([
      ['/collection/batch/local-inlet', 100],
      ['/collection/batch/local-inlet', 100],
      ['/collection/batch/local-inlet', 50],
    ])
  })

  it('fill a request up to just under 1 MB', async () => {
    const ids = await storeEvents(100, () => ({
      message: 'x'.repeat(9_000),
      visitor: { UUID: 'v' },
    }))
    aep.set({ latencyMs: 0 })
    await drainAll(clock)
    expect(new Set(landed())).toEqual(new Set(ids))
    for (const { bytes } of aep.requests) expect(bytes).toBeLessThan(1_000_000)
    expect(aep.requests.length).toBeLessThanOrEqual(2)
  })

  it.each(['A', 'B', 'C'] as const)(
    'per-item failures in dialect %s are told apart by position: refused, throttled, failed, accepted',
    async (dialect) => {
      const ids = await storeEvents(5)
      aep.script({ type: 'items', items: [null, 400, 429, 503, null], dialect })
      expect(await drainOnce(clock)).toBe(true)
      expect(landed()).toEqual([ids[0], ids[4]])
      expect(await outbox().status()).toMatchObject({ delivered: 2, dead: 1, pending: 2 })
      expect((await relay.get(`/events/${ids[1]}`)).body.state).toBe('dead')
      await drainAll(clock)
      expect(new Set(landed())).toEqual(new Set([ids[0], ids[4], ids[2], ids[3]]))
    },
  )

  it.each<[string, Answer]>([
    ['a short answer', { type: 'miscount' }],
    ['too long an answer', { type: 'miscount', by: 1 }],
    ['no JSON', { type: 'garbage', garbage: 'html' }],
    ['a broken connection', { type: 'reset' }],
    ['nothing in time', { type: 'stall' }],
    ['500', { type: 'status', status: 500 }],
    ['403', { type: 'status', status: 403 }],
  ])('%s to a whole batch loses nothing', async (_, answer) => {
    const ids = await storeEvents(12)
    aep.script(answer, answer)
    await drainAll(clock)
    expect(new Set(landed())).toEqual(new Set(ids))
    expect(await outbox().status()).toMatchObject({ delivered: 12, pending: 0, dead: 0 })
  })

  it.each([400, 413])(
    'a whole batch refused with %i is halved until the culprit stands alone',
    async (status) => {
      const ids = await storeEvents(20, (index) => (index === 13 ? { message: 'culprit' } : {}))
      aep.rule({ containing: 'culprit', whole: true, answer: { type: 'status', status } })
      await drainAll(clock)
      expect(new Set(landed())).toEqual(new Set(ids.filter((_, index) => index !== 13)))
      expect((await relay.get(`/events/${ids[13]}`)).body).toMatchObject({ state: 'dead' })
    },
  )

  it.each<[string, Answer]>([
    ['500', { type: 'status', status: 500 }],
    ['no answer', { type: 'stall' }],
  ])('an event that gives its whole batch %s takes no other with it', async (_, answer) => {
    // A dozen times. What times out for want of a processor is only sent again.
    Object.assign(env, { FORWARD_TIMEOUT_MS: '20', DRAIN_TIMEOUT_MS: '20' })
    const ids = await storeEvents(30, (index) => (index === 7 ? { message: 'poison' } : {}))
    aep.rule({ containing: 'poison', whole: true, answer })
    for (let runs = 0; runs < 60 && (await outbox().status()).delivered < 29; runs += 1) {
      await drainOnce(clock)
    }
    expect(new Set(landed())).toEqual(new Set(ids.filter((_, index) => index !== 7)))
    expect(await outbox().status()).toMatchObject({ delivered: 29, pending: 1, dead: 0 })
    // Once tried, it is sent alone, whatever else waits.
    aep.reset()
    aep.rule({ containing: 'poison', whole: true, answer })
    for (let rounds = 0; rounds < 3; rounds += 1) {
      await storeEvents(4)
      clock.advance(60_000)
      await drainAll(clock, 3).catch(() => undefined)
    }
    const poisoned = aep.requests.filter((request) => request.ids.includes(ids[7] ?? ''))
    expect(poisoned.length).toBeGreaterThan(2)
    for (const request of poisoned) expect(request.ids).toHaveLength(1)
  })
})

describe('the access token of an authenticated inlet', () => {
  it('is fetched once for all isolates and the outbox, and kept over an eviction', async () => {
    const other = startRelay()
    await Promise.all([post(), post(), other.post('feedback', conversation())])
    await evictDurableObject(outbox())
    expect((await startRelay().post('feedback', conversation())).body.status).toBe('forwarded')
    expect(aep.tokenRequests).toHaveLength(1)
  })

  it('is renewed shortly before it expires', async () => {
    aep.set({ tokenLifetimeS: 3_600 })
    await post()
    clock.advance(3_500_000)
    await post()
    expect(aep.tokenRequests).toHaveLength(1)
    clock.advance(60_000)
    expect((await post()).body.status).toBe('forwarded')
    expect(aep.tokenRequests).toHaveLength(2)
  })

  it.each([401, 403] as const)(
    'revoked in mid-drain, it costs no event and no attempt (%i)',
    async (authRefusal) => {
      aep.set({ authRefusal })
      await post()
      const ids = await storeEvents(150)
      aep.revoke()
      await drainAll(clock)
      expect(landed().slice(1).sort()).toEqual(ids.sort())
      expect(aep.tokenRequests).toHaveLength(2)
      expect(logged('drain').every(({ deferred, held }) => deferred === 0 && held === 0)).toBe(true)
    },
  )

  it('refused even when fresh is a hold, which lifts by itself', async () => {
    aep.rule({ answer: { type: 'status', status: 401 } })
    expect((await post()).body.status).toBe('buffered')
    expect((await relay.get('/status')).body.hold).toMatchObject({ reason: 'credentials' })
    aep.clearRules()
    await drainAll(clock)
    expect(aep.lake).toHaveLength(1)
    expect((await relay.get('/status')).body.hold).toBeNull()
  })

  it.each<[string, Answer, string | null]>([
    ['IMS down', { type: 'status', status: 503 }, null],
    ['IMS slow', { type: 'normal', delayMs: 300 }, null],
    ['IMS unreachable', { type: 'reset' }, null],
    ['IMS answering nonsense', { type: 'garbage', garbage: 'html' }, null],
    ['a client that IMS does not know', { type: 'status', status: 400 }, 'credentials'],
  ])('%s: events are stored, not lost', async (_, answer, hold) => {
    aep.rule({ on: 'token', answer })
    const { status, body } = await post()
    expect([status, body.status]).toEqual([202, 'buffered'])
    expect(aep.requests).toHaveLength(0)
    const held = (await relay.get('/status')).body.hold as { reason: string } | null
    expect(held?.reason ?? null).toBe(hold)
    aep.clearRules()
    await vi.waitFor(async () => {
      await drainOnce(clock)
      expect(landed()).toEqual([body.id])
    }, BY_ITSELF)
  })

  it('never shows a token or a secret in a log line or an error', async () => {
    aep.rule({ on: 'token', answer: { type: 'status', status: 401, body: 'local-client-secret' } })
    await post()
    aep.clearRules()
    await drainAll(clock)
    await post()
    aep.revoke()
    aep.script({ type: 'status', status: 500 })
    const { body } = await post()
    const shown = JSON.stringify((await relay.get(`/events/${body.id}`)).body)
    for (const line of [...logs, shown]) {
      expect(line).not.toContain('local-client-secret')
      expect(line).not.toMatch(/Bearer|access_token/)
    }
  })
})

it('reads its format, dataset and tenant from the configuration', async () => {
  expect(env.AEP_FORMAT).toBe('xdm')
  await post()
  expect(JSON.stringify(entity())).toContain('_localtenant')
})
