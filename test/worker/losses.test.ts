/**
 * The ways in which other relays lose events, each tried here: the title is the fault, the test shows that the event
 * is not lost by it. In xdm format, see `test/xdm`.
 */
import { evictDurableObject } from 'cloudflare:test'
import { expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { fullJitterMs } from '../../src/worker/outbox/blame.ts'
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
let logs: string[]

eachTest((world) => {
  ;({ logs, clock, aep, relay } = world)
})

const post = (fields = {}) => relay.post('feedback', conversation(fields))
const delivered = () => aep.lake.map(({ _id }) => _id)

it('429 not retried', async () => {
  aep.script({ type: 'status', status: 429 })
  const { body } = await post()
  await drainAll(clock)
  expect(delivered()).toEqual([body.id])
})

it.each([502, 503, 504])('%i logged and forgotten', async (status) => {
  aep.script({ type: 'status', status }, { type: 'status', status })
  const { body } = await post()
  await drainAll(clock)
  expect(delivered()).toEqual([body.id])
})

it('bad JSON dropped', async () => {
  const { status, body } = await relay.post('transcript', '{"messages": [')
  expect(status).toBe(400)
  const kept = await relay.get(`/events/${body.id}`)
  expect(kept.body).toMatchObject({ state: 'quarantined', payload: '{"messages": [' })
})

it('status never checked', async () => {
  aep.script({ type: 'status', status: 410 })
  const { body } = await post()
  expect(body.status).toBe('buffered')
  await drainAll(clock)
  expect(delivered()).toEqual([body.id])
})

it('4xx answered for one’s own full queue', async () => {
  const broken = startRelay({ OUTBOX: { getByName: () => ({ store: async () => fail() }) } })
  const fail = () => {
    throw Object.assign(new Error('Too many requests queued'), { overloaded: true })
  }
  aep.script({ type: 'status', status: 503 })
  const { status, body } = await broken.post('feedback', conversation())
  expect([status, body.code]).toEqual([503, 'unavailable'])
})

it('401 window losing everything', async () => {
  aep.rule({ answer: { type: 'status', status: 401 } })
  const ids = []
  for (let each = 0; each < 5; each += 1) ids.push((await post()).body.id)
  aep.clearRules()
  await drainAll(clock)
  expect(new Set(delivered())).toEqual(new Set(ids))
})

it('Retry-After clamped away', async () => {
  aep.script({ type: 'status', status: 503, retryAfter: 900 })
  await post()
  // An acceptance that another isolate has seen meanwhile does not shorten it.
  const other = startRelay()
  await other.post('feedback', conversation())
  const { nextAttemptAt } = await outbox().status()
  expect(Number(nextAttemptAt)).toBeGreaterThanOrEqual(clock.now + 899_000)
})

it('no jitter', () => {
  const policy = (random: number) => ({
    backoff: { baseMs: 1_000, capMs: 60_000 },
    random: () => random,
  })
  const delays = [0, 0.25, 0.5, 1].map((random) => fullJitterMs(4, policy(random)))
  expect(delays).toEqual([0, 2_000, 4_000, 8_000])
  expect(fullJitterMs(50, policy(1))).toBe(60_000)
})

it('events for a paused destination gone', async () => {
  await relay.command('/pause')
  const ids = [(await post()).body.id, (await post()).body.id]
  clock.advance(3_600_000)
  expect(await outbox().status()).toMatchObject({ pending: 2, hold: { reason: 'paused' } })
  expect(aep.requests).toHaveLength(0)
  await relay.command('/resume')
  await drainAll(clock)
  expect(new Set(delivered())).toEqual(new Set(ids))
})

it('dedup that voids at-least-once', async () => {
  // The sender repeats what was delivered before: it is sent again, and Profile drops the copy by its _id.
  const payload = conversation()
  const first = await relay.post('feedback', payload)
  const second = await relay.post('feedback', payload)
  expect([first.body.status, second.body.status]).toEqual(['forwarded', 'forwarded'])
  expect(delivered()).toEqual([first.body.id, first.body.id])
  expect(aep.profile().kept).toHaveLength(1)
})

it('one poisoned event blocking the queue', async () => {
  aep.rule({ answer: { type: 'status', status: 503 } })
  await post({ message: 'poison' })
  const ids = []
  for (let each = 0; each < 3; each += 1) ids.push((await post()).body.id)
  aep.clearRules()
  aep.rule({ containing: 'poison', answer: { type: 'status', status: 500 } })
  await drainAll(clock, 20).catch(() => undefined)
  expect(new Set(delivered())).toEqual(new Set(ids))
})

it('queue not recovering when its store restarts', async () => {
  aep.rule({ answer: { type: 'status', status: 503 } })
  const { body } = await post()
  await evictDurableObject(outbox())
  aep.clearRules()
  await drainAll(clock)
  expect(delivered()).toEqual([body.id])
})

it('redaction so thorough that the cause is gone', async () => {
  aep.script({
    type: 'status',
    status: 400,
    body: { title: 'Invalid XDM Message Format', report: { message: 'value jane@example.com' } },
  })
  const { body } = await post()
  const { body: event } = await relay.get(`/events/${body.id}`)
  expect(event.lastError).toMatchObject({ status: 400, message: 'Invalid XDM Message Format' })
  expect(event.answer).toContain('jane@example.com')
  expect(logs.join()).toContain('"code":"rejected"')
  expect(logs.join()).not.toContain('jane@example.com')
})
