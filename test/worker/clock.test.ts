/** A clock that ran ahead and is set right: nothing waits until the clock has caught up. */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { storeRequest } from './outbox-support.ts'
import { type Clock, conversation, eachTest, outbox, type Relay } from './support.ts'

let aep: LocalAdobe
let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ clock, aep, relay } = world)
})

const post = (fields = {}) => relay.post('feedback', conversation(fields))
const HOUR = 3_600_000

/** Runs the alarm at the moments it asks for, for at most so long by a clock that is now right. */
async function drainFor(ms: number, right: { now: number }): Promise<void> {
  const until = right.now + ms
  for (let runs = 0; runs < 100; runs += 1) {
    const { nextAttemptAt } = await outbox().status()
    if (nextAttemptAt === null || nextAttemptAt > until) return
    right.now = Math.max(right.now, nextAttemptAt)
    vi.setSystemTime(right.now)
    await runDurableObjectAlarm(outbox())
  }
}

describe.each([
  ['two minutes', 120_000],
  ['six hours', 6 * HOUR],
])('a clock that was %s ahead', (_, ahead) => {
  it.each([
    ['503', { type: 'status', status: 503 }, 120_000],
    ['401', { type: 'status', status: 401 }, 120_000],
    // What AEP asked for may have been as long as any of its waits.
    ['429 with Retry-After', { type: 'status', status: 429, retryAfter: 30 }, HOUR + 120_000],
  ] as const)(
    'after %s: everything is delivered within the longest wait',
    async (_, answer, ms) => {
      const right = { now: clock.now }
      vi.setSystemTime(right.now + ahead)
      aep.rule({ answer, times: 3 })
      await post()
      await post()
      vi.setSystemTime(right.now)
      for (let each = 0; each < 5; each += 1) await post()
      await relay.scheduled()
      await drainFor(ms, right)
      expect(aep.lake).toHaveLength(7)
      expect(await outbox().status()).toMatchObject({ pending: 0, hold: null })
    },
  )

  it('new webhooks are forwarded again, and /health is ok', async () => {
    const right = { now: clock.now }
    vi.setSystemTime(right.now + ahead)
    aep.rule({ answer: { type: 'status', status: 503 }, times: 1 })
    await post()
    vi.setSystemTime(right.now)
    await relay.scheduled()
    await drainFor(120_000, right)
    // The isolate may take its own old failure for a new one, once; then its one attempt a window goes through.
    await post()
    right.now += 61_000
    vi.setSystemTime(right.now)
    expect((await post()).body.status).toBe('forwarded')
    await drainFor(120_000, right)
    expect((await relay.health()).body).toEqual({ status: 'ok' })
  })

  it('a resume opens at once, though the pause is from the future', async () => {
    const right = { now: clock.now }
    vi.setSystemTime(right.now + ahead)
    await relay.command('/pause')
    vi.setSystemTime(right.now)
    await post()
    expect(aep.lake).toHaveLength(0)
    await relay.command('/resume')
    await drainFor(1_000, right)
    expect(aep.lake).toHaveLength(1)
    expect((await relay.command('/pause')).body.hold).toMatchObject({ reason: 'paused' })
  })
})

describe('an operator’s resume', () => {
  it.each([
    ['a Retry-After', { type: 'status', status: 429, retryAfter: 3_600 }],
    ['a backoff', { type: 'status', status: 503 }],
    ['a hold', { type: 'status', status: 404 }],
  ] as const)('opens now, whatever remains of %s', async (_, answer) => {
    aep.rule({ answer, times: 1 })
    await post()
    await relay.command('/resume')
    const { nextAttemptAt } = await outbox().status()
    expect(nextAttemptAt).toBeLessThanOrEqual(clock.now + 1_000)
    clock.set(nextAttemptAt ?? 0)
    await runDurableObjectAlarm(outbox())
    expect(aep.lake).toHaveLength(1)
  })

  it('is closed again by the next answer', async () => {
    aep.rule({ answer: { type: 'status', status: 429, retryAfter: 3_600 } })
    await post()
    await relay.command('/resume')
    clock.set((await outbox().status()).nextAttemptAt ?? 0)
    await runDurableObjectAlarm(outbox())
    expect((await outbox().status()).nextAttemptAt).toBeGreaterThan(clock.now + 3_000_000)
  })
})

describe('an isolate whose clock is sixty days behind', () => {
  it('costs no event: what it stores is kept as long as any other', async () => {
    await outbox().store(storeRequest(1, { receivedAt: clock.now - 60 * 24 * HOUR }))
    await relay.scheduled()
    expect(await outbox().status()).toMatchObject({ pending: 1, erased: 0 })
  })
})
