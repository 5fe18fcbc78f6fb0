/** Faults of our own, and events that end whatever processes them: none of them stops, stalls or loses another. */
import { runInDurableObject } from 'cloudflare:test'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { LARGE_BODY_BYTES, MAX_BYTES_IN_FLIGHT } from '../../src/worker/limits.ts'
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
let logs: string[]

eachTest((world) => {
  ;({ logs, clock, aep, relay } = world)
})

const post = (fields = {}) => relay.post('feedback', conversation(fields))
const lines = (event: string) =>
  logs.map((line) => JSON.parse(line)).filter((line) => line.event === event)

describe('an event that our own encoder fails on', () => {
  beforeEach(() => {
    const stringify = JSON.stringify
    vi.spyOn(JSON, 'stringify').mockImplementation((...args: Parameters<typeof stringify>) => {
      const text = stringify(...args)
      if (text?.includes('"eventType"') && text.includes('unencodable')) throw new RangeError()
      return text
    })
  })

  it('is stored as pending with code internal, and answered 202', async () => {
    const { status, body } = await post({ message: 'unencodable' })
    expect(status).toBe(202)
    expect(body).toMatchObject({ status: 'buffered' })
    const { body: event } = await relay.get(`/events/${body.id}`)
    expect(event).toMatchObject({ state: 'pending', lastError: { code: 'internal' } })
  })

  it('is delivered once it can be encoded', async () => {
    const { body } = await post({ message: 'unencodable' })
    await drainOnce(clock)
    vi.mocked(JSON.stringify).mockRestore()
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id])
  })

  it('is not probed in a circle while AEP fails and nothing else is pending', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const { body: good } = await post()
    for (let each = 0; each < 5; each += 1) await post({ message: `unencodable ${each}` })
    await relay.erase(String(good.id))
    logs.length = 0
    for (let runs = 0; runs < 20; runs += 1) await drainOnce(clock)
    // Each of 20 runs sets each of the 5 events aside at most once, and then waits.
    expect(lines('not-encoded').length).toBeLessThanOrEqual(20 * 5)
    const { nextAttemptAt } = await outbox().status()
    expect(nextAttemptAt).toBeGreaterThan(clock.now)
  })

  it('holds up no good event behind it, while AEP fails and after', async () => {
    aep.rule({ answer: { type: 'status', status: 503 }, forMs: 60_000 })
    for (let each = 0; each < 5; each += 1) await post({ message: `unencodable ${each}` })
    const { body } = await post({ message: 'good' })
    clock.advance(60_001)
    for (let runs = 0; runs < 10 && aep.lake.length === 0; runs += 1) await drainOnce(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id])
  })
})

describe('an event that our own reader fails on', () => {
  const breakReader = () => {
    const { trim } = String.prototype
    return vi.spyOn(String.prototype, 'trim').mockImplementation(function (this: string) {
      if (this.startsWith('unreadable')) throw new RangeError('quoting a body')
      return trim.call(this)
    })
  }
  const visitor = { UUID: 'visitor', email: 'unreadable' }

  it('is stored as pending with code internal, answered 202, and delivered once it can be read', async () => {
    const broken = breakReader()
    const { status, body } = await relay.post('auto', conversation({ visitor }))
    expect([status, body.status]).toEqual([202, 'buffered'])
    expect(lines('webhook')).toMatchObject([{ id: body.id, outcome: 'buffered', code: 'internal' }])
    expect(logs.join()).not.toContain('quoting')
    broken.mockRestore()
    const { body: event } = await relay.get(`/events/${body.id}`)
    expect(event).toMatchObject({ state: 'pending', lastError: { code: 'internal' } })
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id])
  })

  it('stops no other event of a redrive', async () => {
    await relay.post('feedback', { visitor: { email: visitor.email } })
    await relay.post('feedback', { wrong: 1 })
    const broken = breakReader()
    const { body } = await relay.command('/redrive', { state: 'quarantined' })
    broken.mockRestore()
    expect(body).toEqual({ matched: 2, redriven: 0, stillInvalid: 2 })
  })
})

const large = (text: string) => conversation({ message: `${text} ${'x'.repeat(LARGE_BODY_BYTES)}` })

describe('a large event that ends whatever processes it', () => {
  const storing = () => startRelay({ FORWARD_TIMEOUT_MS: '0' })
  const unfinished = () =>
    runInDurableObject(outbox(), (_, { storage }) =>
      storage.sql.exec<{ tries: number }>('SELECT tries FROM unfinished').toArray(),
    )
  /** So many tries of it have begun, and ended the isolate. */
  const died = (count: number) =>
    runInDurableObject(outbox(), (_, { storage }) => {
      storage.sql.exec('INSERT INTO unfinished SELECT position, ? FROM pending', count)
    })

  it('is on record before each of its tries begins, and no longer when one has ended', async () => {
    await storing().post('feedback', large('large'))
    let seen: unknown
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      seen = await unfinished()
      return aep.fetch(input as string, init as RequestInit)
    })
    await drainAll(clock)
    expect(seen).toEqual([{ tries: 1 }])
    expect(await unfinished()).toEqual([])
    expect(aep.lake).toHaveLength(1)
  })

  it('goes to quarantine after the fourth try that never ended, and the others are delivered', async () => {
    const { body } = await storing().post('feedback', large('hostile'))
    await died(4)
    const { body: good } = await storing().post('feedback', conversation())
    await drainAll(clock)
    expect((await relay.get(`/events/${body.id}`)).body).toMatchObject({
      state: 'quarantined',
      lastError: { code: 'processing-failed' },
    })
    expect(aep.lake.map(({ _id }) => _id)).toEqual([good.id])
    expect(await outbox().status()).toMatchObject({ delivered: 1, quarantined: 1, pending: 0 })
  })

  it('is tried alone after the third, and delivered when that one ends well', async () => {
    const { body } = await storing().post('feedback', large('merely large'))
    await died(3)
    for (let each = 0; each < 5; each += 1) await storing().post('feedback', conversation())
    aep.set({ latencyMs: 20 })
    let alone = true
    let open = 0
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      open += 1
      const isLarge = String(init?.body).includes('merely large')
      try {
        const response = await aep.fetch(input as string, init as RequestInit)
        if (isLarge && open > 1) alone = false
        return response
      } finally {
        open -= 1
      }
    })
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toContain(body.id)
    expect(aep.lake).toHaveLength(6)
    expect(alone).toBe(true)
    expect(await unfinished()).toEqual([])
  })

  it('shares the run with others only up to the bytes that may be in flight', async () => {
    const sent = Math.floor(MAX_BYTES_IN_FLIGHT / 900_000) + 3
    for (let each = 0; each < sent; each += 1) {
      await storing().post('feedback', conversation({ message: `${each} ${'x'.repeat(900_000)}` }))
    }
    aep.set({ latencyMs: 20 })
    await drainAll(clock)
    // One that took too long on a busy machine came twice.
    expect(new Set(aep.lake.map(({ _id }) => _id)).size).toBe(sent)
    expect(aep.peak).toBeLessThanOrEqual(Math.floor(MAX_BYTES_IN_FLIGHT / 900_000))
  })
})

describe('storage that cannot be written', () => {
  const breakWrites = () =>
    runInDurableObject(outbox(), (_, { storage }) => {
      storage.sql.exec(
        `CREATE TRIGGER no_write BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'disk full'); END`,
      )
    })
  const mendWrites = () =>
    runInDurableObject(outbox(), (_, { storage }) => {
      storage.sql.exec('DROP TRIGGER no_write')
    })

  it('makes /health 503 with storage, until a write works again', async () => {
    expect((await relay.health()).status).toBe(200)
    await breakWrites()
    // Inside the object: the runtime prints what an RPC method throws, though its caller handles it.
    await runInDurableObject(outbox(), async (outbox) => {
      await expect(outbox.pause(true, clock.now)).rejects.toThrow('disk full')
    })
    clock.advance(3_000)
    const sick = await relay.health()
    expect(sick.status).toBe(503)
    expect(sick.body.reasons).toContain('storage')
    await mendWrites()
    clock.advance(3_000)
    const well = await relay.health()
    expect(well.status).toBe(200)
  })

  it('shows in the log which delivered events could not be written down', async () => {
    aep.rule({ answer: { type: 'status', status: 503 }, times: 1 })
    const { body } = await post()
    await breakWrites()
    await drainOnce(clock)
    expect(lines('not-recorded')).toMatchObject([{ id: body.id, outcome: 'delivered' }])
    await mendWrites()
    await drainAll(clock)
    // At least once, and under the same _id.
    expect(new Set(aep.lake.map(({ _id }) => _id))).toEqual(new Set([body.id]))
  })
})
