/** Faults of our own, and events that end whatever processes them: none of them stops, stalls or loses another. */
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { AepClient } from '../../src/worker/aep/client/client.ts'
import { LARGE_BODY_BYTES, MAX_BYTES_IN_FLIGHT, MIN_CONCURRENCY } from '../../src/worker/limits.ts'
import type { StoreRequest } from '../../src/worker/outbox/arrivals.ts'
import { inOutbox, refuseWrites, storeLarge, storeRequest } from './outbox-support.ts'
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

describe('an event that our own client fails to send', () => {
  it('is stored as pending with code internal, answered 202, and delivered once it can be sent', async () => {
    vi.spyOn(AepClient.prototype, 'deliverOne').mockRejectedValue(new TypeError())
    const { status, body } = await post()
    expect([status, body.status]).toEqual([202, 'buffered'])
    const { body: event } = await relay.get(`/events/${body.id}`)
    expect(event).toMatchObject({ state: 'pending', lastError: { code: 'internal' } })
    vi.mocked(AepClient.prototype.deliverOne).mockRestore()
    await drainAll(clock)
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

/** A request that is given up goes on in AEP, and would count as one more. */
async function givesNothingUp(): Promise<void> {
  Object.assign(env, { DRAIN_TIMEOUT_MS: '20000' })
  await evictDurableObject(outbox())
}

describe('a large event that ends whatever processes it', () => {
  const storing = () => startRelay({ FORWARD_TIMEOUT_MS: '0' })
  /** Processing has begun so many times, and the object was reset before it ended. */
  const died = (count: number) =>
    inOutbox(async (instance, { storage }) => {
      const sync = vi.spyOn(storage, 'sync').mockRejectedValue(new Error('reset'))
      for (let each = 0; each < count; each += 1) {
        clock.advance(60_000)
        await instance.alarm()
      }
      sync.mockRestore()
    })

  it('is not blamed for restarts while AEP is slow: waiting for an answer is not processing', async () => {
    const { body } = await storing().post('feedback', large('good, and AEP is slow'))
    aep.rule({ answer: { type: 'stall' } })
    for (let restarts = 1; restarts <= 6; restarts += 1) {
      clock.advance(60_000)
      const run = runDurableObjectAlarm(outbox()).catch(() => undefined)
      await vi.waitUntil(() => aep.requests.length === restarts, BY_ITSELF)
      await abortAllDurableObjects()
      await run
    }
    aep.clearRules()
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id])
    expect(await outbox().status()).toMatchObject({ delivered: 1, quarantined: 0, pending: 0 })
  })

  it('goes to quarantine after the fourth time that it never ended, and the others are delivered', async () => {
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
    await givesNothingUp()
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
  })

  it('shares the run with others only up to the bytes that may be in flight', async () => {
    const sent = Math.floor(MAX_BYTES_IN_FLIGHT / 900_000) + 3
    for (let each = 0; each < sent; each += 1) {
      await storing().post('feedback', conversation({ message: `${each} ${'x'.repeat(900_000)}` }))
    }
    await givesNothingUp()
    aep.set({ latencyMs: 20 })
    await drainAll(clock)
    expect(aep.lake).toHaveLength(sent)
    expect(aep.peak).toBeLessThanOrEqual(Math.floor(MAX_BYTES_IN_FLIGHT / 900_000))
  })
})

describe('storage that cannot be written', () => {
  /** As on a full disk: nothing is inserted any more, and nothing changed. */
  async function fillDisk(): Promise<() => Promise<void>> {
    const statement = /^\s*(INSERT|UPDATE)/
    await inOutbox((_, { storage }) => {
      const real = storage.sql.exec.bind(storage.sql)
      vi.spyOn(storage.sql, 'exec').mockImplementation(((query: string, ...bindings: unknown[]) => {
        if (statement.test(query)) throw new Error('database or disk is full: SQLITE_FULL')
        return real(query, ...bindings)
      }) as typeof storage.sql.exec)
    })
    return () =>
      inOutbox((_, { storage }) => {
        vi.mocked(storage.sql.exec).mockRestore()
      })
  }
  /** An isolate that calls the object inside it: workerd prints every rejection that travels by RPC as uncaught. */
  const inside = (variables = {}) =>
    startRelay({
      OUTBOX: {
        getByName: () => ({
          store: (request: StoreRequest) => inOutbox((instance) => instance.store(request)),
          storeAndWait: (request: StoreRequest, waitMs: number) =>
            inOutbox((instance) => instance.storeAndWait(request, waitMs)),
          health: () => outbox().health(),
          exchange: () => Promise.reject(new Error('not now')),
        }),
      },
      ...variables,
    })

  it('makes /health 503 with storage while webhooks get 503, and 200 again once they can be stored', async () => {
    relay = inside({ FORWARD_TIMEOUT_MS: '0' })
    aep.rule({ answer: { type: 'status', status: 503 } })
    expect((await post()).status).toBe(202)
    expect((await relay.health()).status).toBe(200)
    const empty = await fillDisk()
    expect((await post()).status).toBe(503)
    clock.advance(3_000)
    const sick = await relay.health()
    expect([sick.status, sick.body.reasons]).toEqual([503, expect.arrayContaining(['storage'])])
    // Nor is it called writable when nobody stores any more, and the probe is all there is.
    clock.advance(120_000)
    expect((await relay.health()).body.reasons).toContain('storage')
    await empty()
    clock.advance(120_000)
    expect((await relay.health()).status).toBe(200)
  })

  it('is not vouched for by a smaller event, nor by one that is stored already, once a larger one was refused', async () => {
    const writable = await inOutbox(async (instance, { storage }) => {
      const isWritable = async () => (await instance.health()).writable
      await instance.store(storeRequest(1))
      storage.sql.exec(`CREATE TRIGGER nearly_full BEFORE INSERT ON events
        WHEN length(NEW.body) > 100000 BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
      const large = storeRequest(2, { body: new Uint8Array(200_000).fill(32) })
      await expect(instance.store(large)).rejects.toThrow()
      const answers = [await isWritable()]
      await instance.store(storeRequest(3))
      answers.push(await isWritable())
      storage.sql.exec('DROP TRIGGER nearly_full')
      storage.sql.exec(`CREATE TRIGGER full BEFORE INSERT ON events
        BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
      await expect(instance.store(storeRequest(4))).rejects.toThrow()
      await instance.store(storeRequest(1))
      answers.push(await isWritable())
      storage.sql.exec('DROP TRIGGER full')
      await instance.store(large)
      return [...answers, await isWritable()]
    })
    expect(writable).toEqual([false, false, false, true])
  })

  it('is tried at most once a minute, however many ask, and not while stores succeed', async () => {
    const probes = await inOutbox(async (instance, { storage }) => {
      const exec = vi.spyOn(storage.sql, 'exec')
      const count = () => exec.mock.calls.filter(([query]) => query.includes('zeroblob')).length
      await Promise.all(Array.from({ length: 20 }, () => instance.health()))
      const first = count()
      clock.advance(61_000)
      await instance.store(storeRequest(1))
      await instance.health()
      const stored = count()
      clock.advance(61_000)
      await instance.health()
      await instance.health()
      return [first, stored, count()]
    })
    expect(probes).toEqual([1, 1, 2])
  })

  it('costs no event that AEP would take: it is asked, in store-first and while the breaker is open', async () => {
    const storeFirst = inside({ FORWARD_TIMEOUT_MS: '0' })
    const open = inside()
    aep.script({ type: 'status', status: 503 })
    await open.post('feedback', conversation())
    const empty = await fillDisk()
    for (const each of [storeFirst, open]) {
      expect(await each.post('feedback', conversation())).toMatchObject({
        status: 200,
        body: { status: 'forwarded' },
      })
    }
    // In parts as well, all of them or none.
    for (const isolate of [storeFirst, open]) {
      const small = inside({
        FORWARD_TIMEOUT_MS: isolate === open ? '5000' : '0',
        MAX_EVENT_BYTES: '5000',
      })
      const before = aep.lake.length
      const long = conversation({ message: 'long '.repeat(3_000) })
      expect((await small.post('feedback', long)).body.status).toBe('forwarded')
      expect(aep.lake.length - before).toBeGreaterThan(2)
      aep.script({ type: 'normal' }, { type: 'status', status: 503 })
      const other = conversation({ message: 'long '.repeat(3_000) })
      expect((await small.post('feedback', other)).status).toBe(503)
    }
    aep.rule({ answer: { type: 'status', status: 503 } })
    expect((await storeFirst.post('feedback', conversation())).status).toBe(503)
    await empty()
  })

  it('shows in the log which delivered events could not be written down', async () => {
    aep.rule({ answer: { type: 'status', status: 503 }, times: 1 })
    const { body } = await post()
    const mend = await refuseWrites('UPDATE ON ledger')
    await drainOnce(clock)
    expect(lines('not-recorded')).toMatchObject([{ id: body.id, outcome: 'delivered' }])
    await mend()
    await drainAll(clock)
    // At least once, and under the same _id.
    expect(new Set(aep.lake.map(({ _id }) => _id))).toEqual(new Set([body.id]))
  })
})

/** Thrown by `fetch`, in the words of workerd. */
const RUNTIME = [
  'Too many subrequests by single Worker invocation.',
  'Worker exceeded CPU time limit.',
]

describe('an exception of the runtime', () => {
  const throwing = (when: (body: string) => boolean, message: string) =>
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      if (when(String(init?.body))) throw new Error(message)
      return aep.fetch(input as string, init as RequestInit)
    })

  it.each(RUNTIME)('in a request is nobody’s failure: %s', async (message) => {
    throwing((body) => body.includes('unlucky'), message)
    const { status, body } = await post({ message: 'unlucky' })
    expect([status, body.status]).toEqual([202, 'buffered'])
    expect((await relay.health()).body).toEqual({ status: 'ok' })
    expect(lines('upstream')).toEqual([])
    expect((await post()).body.status).toBe('forwarded')
  })

  it('in the invocation that sends costs no strike, and the event is sent again under the same _id', async () => {
    const { body } = await startRelay({ FORWARD_TIMEOUT_MS: '0' }).post(
      'feedback',
      conversation({ message: 'unlucky' }),
    )
    throwing((text) => text.includes('unlucky'), String(RUNTIME[0]))
    for (let each = 0; each < 40; each += 1) {
      clock.advance(3_600_000)
      expect((await post()).body.status).toBe('forwarded')
      await runDurableObjectAlarm(outbox())
    }
    expect(await outbox().status()).toMatchObject({ pending: 1, dead: 0, hold: null })
    expect(lines('upstream')).toEqual([])
    expect((await relay.get(`/events/${body.id}`)).body.attempts).toBeGreaterThan(35)
    throwing(() => false, '')
    await drainAll(clock)
    expect(aep.lake.filter(({ _id }) => _id === body.id)).toHaveLength(1)
  })

  it('ends the run, and the next one comes after a wait', async () => {
    await storeEvents(20)
    throwing(() => true, String(RUNTIME[0]))
    await runDurableObjectAlarm(outbox())
    // What was under way at that moment, and nothing more.
    expect(vi.mocked(globalThis.fetch).mock.calls.length).toBeLessThanOrEqual(MIN_CONCURRENCY)
    expect(lines('drain-failed')).toHaveLength(1)
    throwing(() => false, '')
    await drainAll(clock)
    expect(aep.lake).toHaveLength(20)
  })
})

describe('an outbox that is reset while it stores', () => {
  const failing = (errors: readonly object[]) => {
    const left = [...errors]
    const store = async (request: StoreRequest) => {
      const error = left.shift()
      if (error) throw Object.assign(new Error('not this time'), error)
      return outbox().store(request)
    }
    const exchange = () => Promise.reject(new Error('not now'))
    return startRelay({
      FORWARD_TIMEOUT_MS: '0',
      OUTBOX: { getByName: () => ({ store, exchange }) },
    })
  }
  const RESET = { durableObjectReset: true }

  it.each([
    ['once is asked again', [RESET], 202],
    ['twice is not asked a third time', [RESET, RESET], 503],
    ['by overload is not asked again', [{ overloaded: true }], 503],
  ])('%s', async (_, errors, status) => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    expect((await failing(errors).post('feedback', conversation())).status).toBe(status)
    const { accepted } = await outbox().status()
    expect(accepted).toBe(status === 202 ? 1 : 0)
  })
})

describe('/health', () => {
  it('asks the outbox once for 100 who ask at once, the very first of an isolate', async () => {
    const health = vi.fn(() => outbox().health())
    const asked = startRelay({ OUTBOX: { getByName: () => ({ health }) } })
    const answers = await Promise.all(Array.from({ length: 100 }, () => asked.health()))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(health).toHaveBeenCalledOnce()
    clock.advance(2_500)
    await Promise.all(Array.from({ length: 100 }, () => asked.health()))
    expect(health).toHaveBeenCalledTimes(2)
  })
})

describe('an action on many events', () => {
  it('by their ids takes as many at a time as it may take bytes', async () => {
    const ids = await storeLarge(10)
    const all = { kind: null, code: null, path: null, from: 0, end: Number.MAX_SAFE_INTEGER }
    const filter = { state: 'quarantined' as const, ...all }
    const request = { filter, ids, dryRun: true, limit: 50 }
    const sizes: number[] = []
    for (let after: number | null = -1; after !== null; ) {
      const page = await outbox().redrive({ ...request, after })
      sizes.push(page.matched)
      after = page.next
    }
    expect(sizes).toEqual([5, 5])
    expect((await relay.command('/redrive', { state: 'quarantined', ids })).body).toMatchObject({
      matched: 10,
      stillInvalid: 10,
    })
  })

  it('that have expired together lets others in between, as bulk actions do', async () => {
    await storeLarge(12)
    const order = await inOutbox(async (instance, { storage }) => {
      clock.advance(31 * 86_400_000)
      const left = () =>
        storage.sql.exec('SELECT 1 FROM events WHERE length(body) > 1000').toArray().length
      const waking = instance.wake()
      const whenStored = instance.store(storeRequest(99)).then(left)
      await waking
      return [await whenStored, left()]
    })
    expect(order).toEqual([7, 0])
  })
})
