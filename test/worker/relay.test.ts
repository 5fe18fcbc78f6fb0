/** What AEP answers, and what becomes of the event: the verdict table, through the whole Worker. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Answer } from '../../src/local-adobe/answer.ts'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { HEALTH_CACHE_MS } from '../../src/worker/limits.ts'
import {
  type Clock,
  conversation,
  drainAll,
  eachTest,
  outbox,
  type Relay,
  startRelay,
} from './support.ts'

let aep: LocalAdobe
let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ clock, aep, relay } = world)
})

const post = () => relay.post('feedback', conversation())

describe('2xx', () => {
  it.each([200, 201, 202, 207])('%i with a JSON object is an acceptance', async (status) => {
    aep.script({ type: 'status', status, body: { inletId: 'x' }, recorded: true })
    expect(await post()).toMatchObject({ status: 200, body: { status: 'forwarded' } })
  })

  it.each(['empty', 'text', 'html', 'array', 'null', 'truncated'] as const)(
    'with %s for a body is no acceptance: the event is sent again under the same _id',
    async (garbage) => {
      aep.script({ type: 'garbage', garbage })
      const { status, body } = await post()
      expect([status, body.status]).toEqual([202, 'buffered'])
      expect((await relay.get(`/events/${body.id}`)).body.lastError).toMatchObject({
        code: 'unknown-answer',
        status: 200,
      })
      await drainAll(clock)
      expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id])
    },
  )
})

describe('refused for good', () => {
  /** AEP takes others under these settings. */
  beforeEach(async () => {
    await post()
    await relay.report()
  })

  it.each([
    [400, 'rejected'],
    [413, 'too-large'],
    [422, 'rejected'],
  ])('%i is a dead letter, with AEP’s report', async (status, code) => {
    aep.script({
      type: 'status',
      status,
      body: {
        title: 'Invalid XDM Message Format',
        report: {
          cause: {
            _streamingValidation: [
              {
                causingExceptions: [
                  { keyword: 'type', pointerToViolation: '#/_id', message: 'found: secret@x.org' },
                ],
              },
            ],
          },
        },
      },
    })
    const { status: answered, body } = await post()
    expect([answered, body.status]).toEqual([202, 'dead-lettered'])
    const { body: event } = await relay.get(`/events/${body.id}`)
    expect(event).toMatchObject({ state: 'dead', attempts: 1, nextAttemptAt: null })
    expect(event.lastError).toEqual({
      code,
      status,
      message: 'Invalid XDM Message Format: type at #/_id',
    })
    expect(event.answer).toContain('secret@x.org')
    await drainAll(clock)
    expect(aep.requests).toHaveLength(2)
  })

  it('shows that AEP answers: the next webhook is relayed inside its request', async () => {
    aep.script({ type: 'status', status: 503 }, { type: 'status', status: 400 })
    await post()
    clock.advance(3_000)
    expect((await post()).body.status).toBe('dead-lettered')
    expect((await post()).body.status).toBe('forwarded')
  })
})

describe('refused under settings that AEP has never taken anything under', () => {
  it.each([
    [400, 'buffered'],
    [413, 'dead-lettered'],
    [422, 'buffered'],
  ])('%i is %s: a setting can cause the one, only the event the other', async (status, outcome) => {
    aep.script({ type: 'status', status })
    expect((await post()).body.status).toBe(outcome)
  })
})

describe('held: no event can cause this', () => {
  it.each([
    [401, 'credentials'],
    [403, 'credentials'],
    [301, 'configuration'],
    [302, 'configuration'],
    [307, 'configuration'],
    [404, 'configuration'],
    [405, 'configuration'],
    [410, 'configuration'],
    [402, 'configuration'],
    [451, 'configuration'],
  ])('%i holds everything with reason %s until it works again', async (status, reason) => {
    aep.rule({ answer: { type: 'status', status } })
    const first = await post()
    expect([first.status, first.body.status]).toEqual([202, 'buffered'])
    const held = await relay.get('/status')
    expect(held.body).toMatchObject({ pending: 1, dead: 0, hold: { reason } })
    expect((await relay.health()).body).toEqual({ status: 'degraded', reasons: [reason] })
    // Others go straight to the outbox.
    const asked = aep.requests.length
    expect((await post()).body.status).toBe('buffered')
    expect(aep.requests).toHaveLength(asked)
    aep.clearRules()
    await drainAll(clock)
    expect(aep.lake).toHaveLength(2)
    expect((await relay.get('/status')).body).toMatchObject({
      delivered: 2,
      pending: 0,
      hold: null,
    })
    clock.advance(HEALTH_CACHE_MS)
    expect((await relay.health()).body).toEqual({ status: 'ok' })
  })

  it('follows no redirect', async () => {
    aep.script({ type: 'status', status: 307, location: 'http://127.0.0.1:8788/elsewhere' })
    await post()
    expect(aep.requests.map(({ path }) => path)).toEqual(['/collection/local-inlet'])
  })
})

describe('deferred: again later', () => {
  it('the outbox can abort what is late, since it goes on; a request leaves that to its own end', async () => {
    aep.script({ type: 'status', status: 503 })
    await post()
    await drainAll(clock)
    const signals = vi.mocked(fetch).mock.calls.map(([, init]) => init?.signal ?? null)
    expect(signals).toEqual([null, expect.any(AbortSignal)])
  })

  it.each<[string, Answer, string]>([
    ['408', { type: 'status', status: 408 }, 'throttled'],
    ['429', { type: 'status', status: 429 }, 'throttled'],
    ['500', { type: 'status', status: 500 }, 'unavailable'],
    ['501', { type: 'status', status: 501 }, 'unavailable'],
    ['502', { type: 'status', status: 502 }, 'unavailable'],
    ['503', { type: 'status', status: 503 }, 'unavailable'],
    ['504', { type: 'status', status: 504 }, 'unavailable'],
    ['a reset connection', { type: 'reset' }, 'network'],
    ['a reset in the body', { type: 'reset', where: 'body' }, 'network'],
    ['no answer', { type: 'stall' }, 'timeout'],
    ['an answer that never ends', { type: 'stall', where: 'body' }, 'timeout'],
  ])('%s', async (_, answer, code) => {
    aep.script(answer)
    const { status, body } = await post()
    expect([status, body.status]).toEqual([202, 'buffered'])
    const { body: event } = await relay.get(`/events/${body.id}`)
    expect(event).toMatchObject({ state: 'pending', attempts: 1, lastError: { code } })
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id])
  })

  it('sends an event again whose acceptance was lost on the way, under the same _id', async () => {
    aep.script({ type: 'reset', recorded: true })
    const { body } = await post()
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id, body.id])
    expect(aep.profile().kept).toHaveLength(1)
  })

  it.each([
    ['seconds', 'seconds' as const],
    ['an HTTP date', 'date' as const],
  ])(
    'asks nothing before the Retry-After of AEP is over, told in %s',
    async (_, retryAfterForm) => {
      aep.script({ type: 'status', status: 503, retryAfter: 1_800, retryAfterForm })
      const at = clock.now
      await post()
      const { nextAttemptAt } = await outbox().status()
      expect(Math.abs(Number(nextAttemptAt) - (at + 1_800_000))).toBeLessThan(1_000)
      clock.advance(1_700_000)
      expect((await post()).body.status).toBe('buffered')
      expect(aep.requests).toHaveLength(1)
      await drainAll(clock)
      expect(aep.lake).toHaveLength(2)
    },
  )

  it('takes no Retry-After for longer than an hour', async () => {
    aep.script({ type: 'status', status: 429, retryAfter: 86_400 })
    const at = clock.now
    await post()
    expect((await outbox().status()).nextAttemptAt).toBe(at + 3_600_000)
  })
})

describe('the breaker', () => {
  it('lets one request ask per window while AEP fails, and all of them once it answers', async () => {
    aep.rule({ answer: { type: 'stall' } })
    await post()
    for (let each = 0; each < 5; each += 1) await post()
    expect(aep.requests).toHaveLength(1)
    clock.advance(1_000)
    await Promise.all([post(), post(), post()])
    expect(aep.requests).toHaveLength(2)
    // The window has doubled.
    clock.advance(1_000)
    await post()
    expect(aep.requests).toHaveLength(2)
    clock.advance(1_000)
    aep.clearRules()
    expect((await post()).body.status).toBe('forwarded')
    expect((await post()).body.status).toBe('forwarded')
  })

  it('learns from the outbox that AEP is back, and so does /health, with nothing posted', async () => {
    aep.script({ type: 'status', status: 500 })
    await post()
    expect((await relay.health()).body).toEqual({ status: 'degraded', reasons: ['upstream'] })
    await drainAll(clock)
    clock.advance(HEALTH_CACHE_MS)
    expect((await relay.health()).body).toEqual({ status: 'ok' })
    expect((await post()).body.status).toBe('forwarded')
  })

  it('learns that AEP is back in the very millisecond in which it failed', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    aep.script({ type: 'status', status: 401 })
    await post()
    await drainAll(clock)
    expect((await relay.get('/status')).body).toMatchObject({ delivered: 1, hold: null })
    expect((await relay.health()).body).toEqual({ status: 'ok' })
  })

  it('learns from the outbox that AEP is back, by storing', async () => {
    aep.script({ type: 'status', status: 500 })
    await post()
    await drainAll(clock)
    expect(aep.lake).toHaveLength(1)
    await post()
    expect((await post()).body.status).toBe('forwarded')
  })
})

describe('FORWARD_TIMEOUT_MS=0', () => {
  it('stores first, answers 202 at once, and relays from the outbox', async () => {
    relay = startRelay({ FORWARD_TIMEOUT_MS: '0' })
    const { status, body } = await post()
    expect([status, body.status]).toEqual([202, 'buffered'])
    expect(aep.requests).toHaveLength(0)
    expect((await outbox().status()).nextAttemptAt).toBe(clock.now)
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id])
  })
})

describe('a broken AEP configuration', () => {
  it.each([
    { AEP_ENDPOINT: undefined },
    { AEP_ENDPOINT: 'http://dcs.adobedc.net/collection/x' },
    { AEP_FLOW_ID: '' },
    { AEP_FORMAT: 'json' },
    { FORWARD_TIMEOUT_MS: 'soon' },
  ])('costs no event: %j', async (variables) => {
    const broken = startRelay(variables)
    const { status, body } = await broken.post('feedback', conversation())
    expect([status, body.status]).toEqual([202, 'buffered'])
    expect(aep.requests).toHaveLength(0)
    const health = await broken.health()
    expect(health.status).toBe(200)
    expect(health.body).toEqual({ status: 'degraded', reasons: ['configuration'] })
  })
})

describe('a sender that disconnects', () => {
  it('loses nothing that AEP was slow to take', async () => {
    aep.script({ type: 'normal', delayMs: 30 })
    const { createExecutionContext, waitOnExecutionContext } = await import('cloudflare:test')
    const { env } = await import('cloudflare:workers')
    const { default: worker } = await import('../../src/worker/index.ts')
    const ctx = createExecutionContext()
    const kept = vi.spyOn(ctx, 'waitUntil')
    const request = new Request(
      'https://relay.example/chatlio/feedback?key=test-webhook-key-number-one',
      { method: 'POST', body: JSON.stringify(conversation()) },
    )
    // Nobody waits for the answer; only what was given to waitUntil goes on.
    void worker.fetch(request as never, { ...env }, ctx)
    expect(kept).toHaveBeenCalledOnce()
    await waitOnExecutionContext(ctx)
    expect(aep.lake).toHaveLength(1)
  })
})
