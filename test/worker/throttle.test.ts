/** AEP asks to wait: it is heard by everything that sends, and one event that is always throttled stalls no other. */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import {
  type Clock,
  conversation,
  drainAll,
  drainOnce,
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

const post = (fields = {}) => relay.post('feedback', conversation(fields))

describe('one event that is always throttled', () => {
  it.each([
    ['429 with Retry-After', { type: 'status', status: 429, retryAfter: 15 }],
    ['503 with Retry-After', { type: 'status', status: 503, retryAfter: 15 }],
    ['429', { type: 'status', status: 429 }],
  ] as const)('by %s: after its second time, no good event waits for it', async (_, answer) => {
    aep.rule({ containing: 'poison', answer })
    await post({ message: 'poison' })
    let waited = 0
    for (let second = 0; second < 300; second += 1) {
      clock.advance(1_000)
      const { body } = await post()
      if (body.status !== 'forwarded') waited += 1
      const { nextAttemptAt } = await outbox().status()
      if (nextAttemptAt !== null && nextAttemptAt <= clock.now)
        await runDurableObjectAlarm(outbox())
    }
    // Two waits of 15 s, and what the isolate needs to hear that they are over.
    expect(waited).toBeLessThan(60)
    await drainFor(60_000)
    expect(await outbox().status()).toMatchObject({ pending: 1, dead: 0 })
  })

  async function drainFor(ms: number): Promise<void> {
    const until = clock.now + ms
    for (let runs = 0; runs < 50; runs += 1) {
      const { nextAttemptAt } = await outbox().status()
      if (nextAttemptAt === null || nextAttemptAt > until) return
      await drainOnce(clock)
    }
  }
})

/** An event of many parts, each a request in raw. */
const long = () => conversation({ message: 'long '.repeat(60_000) })

describe('a split event', () => {
  /** The request stores its parts, and the outbox sends them. */
  async function storeLong(): Promise<string> {
    const small = startRelay({ MAX_EVENT_BYTES: '5000', FORWARD_TIMEOUT_MS: '1' })
    const { body } = await small.post('feedback', long())
    expect(body.status).toBe('buffered')
    return String(body.id)
  }

  it('sends no further part while AEP asks to wait', async () => {
    await storeLong()
    aep.rule({ answer: { type: 'status', status: 429, retryAfter: 30 } })
    await drainOnce(clock)
    expect(aep.requests.length).toBe(1)
    expect((await outbox().status()).nextAttemptAt).toBeGreaterThan(clock.now + 29_000)
  })

  it('counts the try that failed at its first part, at once', async () => {
    const id = await storeLong()
    aep.rule({ answer: { type: 'stall' } })
    await drainOnce(clock)
    expect((await relay.get(`/events/${id}`)).body).toMatchObject({ attempts: 1 })
    expect((await relay.health()).body.reasons).toContain('upstream')
    expect(aep.requests.length).toBe(1)
  })

  it('goes on with the part that was not accepted, and sends no part twice', async () => {
    await storeLong()
    aep.script({ type: 'normal' }, { type: 'status', status: 503 })
    await drainAll(clock)
    const indexes = aep.lake.map(({ record }) => (record as { part: { index: number } }).part.index)
    expect(indexes).toEqual([...new Set(indexes)])
    expect(indexes.length).toBeGreaterThan(0)
  })

  it('stops between two parts when an operator pauses, with what AEP has taken on record', async () => {
    const id = await storeLong()
    let paused: Promise<unknown> | null = null
    const { fetch } = globalThis
    globalThis.fetch = (async (...args: Parameters<typeof fetch>) => {
      paused ??= relay.command('/pause')
      await paused
      return fetch(...args)
    }) as typeof fetch
    try {
      await drainOnce(clock)
    } finally {
      globalThis.fetch = fetch
    }
    expect(aep.lake).toHaveLength(1)
    await relay.command('/resume')
    await drainAll(clock)
    const count = (aep.lake[0]?.record as { part: { count: number } } | undefined)?.part.count
    expect(aep.lake).toHaveLength(count ?? -1)
    expect((await relay.get(`/events/${id}`)).status).toBe(404)
  })
})
