/** The outbox over time: outages of hours, crashes, age. The clock is the test's own. */
import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import type { StoreRequest } from '../../src/worker/outbox/arrivals.ts'
import { alarmAt, idOf, inOutbox, refuseWrites, storeRequest } from './outbox-support.ts'
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

const HOUR = 3_600_000

let aep: LocalAdobe
let relay: Relay
let clock: Clock
let logs: string[]

eachTest((world) => {
  ;({ logs, clock, aep, relay } = world)
})

/** Another deployment runs, with these variables, while `work` lasts. */
async function deployed(variables: Record<string, string>, work: () => Promise<void>) {
  const before = { ...env } as Record<string, unknown>
  Object.assign(env, variables)
  await evictDurableObject(outbox())
  try {
    await work()
  } finally {
    Object.assign(env, before)
  }
}

const post = (fields = {}) => relay.post('feedback', conversation(fields))
const lines = (event: string) =>
  logs.map((line) => JSON.parse(line)).filter((line) => line.event === event)

/** The events that are really there: the ledger's `pending` is what the other counters leave. */
const stored = async () => ((await relay.get('/events?state=pending')).body.events as []).length

describe('custody', () => {
  it('still holds an event after an eviction, and delivers what came, byte for byte', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const payload = conversation({ message: 'kept \ud83d\udce6', unknown: { deep: [1, null] } })
    const { body } = await relay.post('feedback', payload)
    await evictDurableObject(outbox())
    expect(await outbox().status()).toMatchObject({ accepted: 1, pending: 1 })
    aep.clearRules()
    await drainAll(clock)
    expect(aep.lake).toHaveLength(1)
    expect(aep.lake[0]?.record).toMatchObject({
      ...payload,
      _id: body.id,
      eventType: 'chatlio.feedback',
    })
  })

  it('remembers a hold, its beginning and a pause over an eviction', async () => {
    aep.rule({ answer: { type: 'status', status: 401 } })
    await post()
    const since = clock.now
    clock.advance(5_000)
    await evictDurableObject(outbox())
    expect((await outbox().status()).hold).toEqual({ reason: 'credentials', since })
    await relay.command('/pause')
    await evictDurableObject(outbox())
    expect((await outbox().status()).hold).toEqual({ reason: 'paused', since: clock.now })
  })

  it('asks at once after a deploy, which may have mended what is held, and not after any other restart', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.9)
    aep.rule({ answer: { type: 'status', status: 404 } })
    await post()
    for (let probes = 0; probes < 4; probes += 1) await drainOnce(clock)
    expect((await outbox().status()).hold).toMatchObject({ reason: 'configuration' })
    const { nextAttemptAt } = await outbox().status()
    expect(nextAttemptAt).toBeGreaterThan(clock.now + 5_000)
    await evictDurableObject(outbox())
    expect((await outbox().status()).nextAttemptAt).toBe(nextAttemptAt)
    clock.advance(1_000)
    aep.clearRules()
    await deployed({ AEP_FLOW_ID: 'another-flow' }, async () => {
      expect((await outbox().status()).nextAttemptAt).toBe(clock.now)
      await drainAll(clock)
      expect(aep.lake).toHaveLength(1)
    })
  })

  it('counts an event once, however often it is posted', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const payload = conversation()
    const first = await relay.post('feedback', payload)
    const second = await relay.post('feedback', payload)
    expect(second.body).toEqual(first.body)
    expect(await outbox().status()).toMatchObject({ accepted: 1, pending: 1 })
    expect(await stored()).toBe(1)
  })

  it('tells apart the same body posted to two routes', async () => {
    const payload = conversation()
    const [first, second] = [
      await relay.post('feedback', payload),
      await relay.post('unanswered', payload),
    ]
    expect(first.body.id).not.toBe(second.body.id)
  })

  it('answers 503 and not 2xx when storage refuses the write, and takes the event the next time', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await post()
    const mend = await refuseWrites('INSERT ON events')
    // Calls the object's own `store` inside it: workerd prints every rejection that travels by RPC as uncaught.
    const store = (request: StoreRequest) => inOutbox((instance) => instance.store(request))
    const payload = conversation()
    const exchange = () => Promise.reject(new Error('not now'))
    const broken = startRelay({ OUTBOX: { getByName: () => ({ store, exchange }) } })
    const refused = await broken.post('feedback', payload)
    expect([refused.status, refused.body.code]).toEqual([503, 'unavailable'])
    expect(refused.response.headers.get('retry-after')).toBeTruthy()
    expect(await outbox().status()).toMatchObject({ accepted: 1, pending: 1 })
    await mend()
    expect((await relay.post('feedback', payload)).body.status).toBe('buffered')
    aep.clearRules()
    await drainAll(clock)
    expect(aep.lake).toHaveLength(2)
  })

  it('writes seven rows for an event that is stored, found by two of its fields, and delivered', async () => {
    const body = new TextEncoder().encode(JSON.stringify(conversation()))
    const total = await inOutbox(async (instance, { storage }) => {
      // The first of an object settles what it knows of AEP, and its alarm.
      await instance.store(storeRequest(1))
      await instance.alarm()
      const real = storage.sql.exec.bind(storage.sql)
      const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = []
      vi.spyOn(storage.sql, 'exec').mockImplementation(((query: string, ...bindings: unknown[]) => {
        const cursor = real(query, ...bindings)
        cursors.push(cursor)
        return cursor
      }) as typeof storage.sql.exec)
      await instance.store(
        storeRequest(2, { body, hashes: `v${'1'.repeat(32)} e${'2'.repeat(32)}` }),
      )
      await instance.alarm()
      return cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0)
    })
    expect(aep.lake.map(({ _id }) => _id)).toEqual([idOf(1), idOf(2)])
    expect(total).toBeLessThanOrEqual(7)
  })
})

describe('an outage', () => {
  it.each([
    [4, 500],
    [1, 403],
    [1, 404],
  ])(
    'of %i hours of %is makes nothing dead, and everything is delivered after it',
    async (hours, status) => {
      aep.rule({ answer: { type: 'status', status } })
      for (let each = 0; each < 8; each += 1) await post()
      const end = clock.now + hours * HOUR
      const asked = aep.requests.length
      await inOutbox(async (instance) => {
        while (clock.now < end) {
          clock.set(Number(instance.status().nextAttemptAt))
          await instance.alarm()
        }
      })
      const probes = aep.requests.length - asked
      expect(aep.peak).toBe(1)
      // Waits between probes reach RETRY_CAP_MS: a minute at most, half of one on average.
      expect(probes).toBeGreaterThan(58 * hours)
      expect(probes).toBeLessThan(208 * hours)
      expect(await outbox().status()).toMatchObject({ accepted: 8, pending: 8, dead: 0 })
      aep.clearRules()
      await drainAll(clock)
      expect(await outbox().status()).toMatchObject({ delivered: 8, pending: 0, hold: null })
      expect(new Set(aep.lake.map(({ _id }) => _id)).size).toBe(8)
    },
  )

  it('never probes with the same event twice while another waits', async () => {
    aep.rule({ answer: { type: 'status', status: 500 } })
    for (let each = 0; each < 3; each += 1) await post()
    aep.reset()
    aep.rule({ answer: { type: 'status', status: 500 } })
    for (let probes = 0; probes < 30; probes += 1) await drainOnce(clock)
    const tried = aep.requests.flatMap(({ ids }) => ids)
    expect(tried).toHaveLength(30)
    for (let each = 1; each < tried.length; each += 1) expect(tried[each]).not.toBe(tried[each - 1])
    expect(new Set(tried).size).toBe(3)
  })
})

describe('never asleep with work to do', () => {
  it('an alarm handler that fails twenty times in a row still delivers afterwards', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await post()
    aep.clearRules()
    const mend = await refuseWrites('DELETE ON events', 'broken')
    for (let failures = 0; failures < 20; failures += 1) {
      clock.advance(60_000)
      expect(await runDurableObjectAlarm(outbox())).toBe(true)
    }
    expect(lines('drain-failed')).toHaveLength(20)
    await mend()
    clock.advance(60_000)
    expect(await runDurableObjectAlarm(outbox())).toBe(true)
    expect(await outbox().status()).toMatchObject({ delivered: 1, pending: 0 })
  })

  it('an alarm that is lost is set again by the constructor', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await post()
    await inOutbox((_, { storage }) => storage.deleteAlarm())
    await evictDurableObject(outbox())
    await outbox().status()
    expect(await alarmAt()).not.toBeNull()
  })

  it('an alarm that is lost is set again by the cron trigger', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await post()
    await inOutbox((_, { storage }) => storage.deleteAlarm())
    await relay.scheduled()
    const alarm = await alarmAt()
    expect(alarm).not.toBeNull()
  })

  it('waits after a run that broke, longer each time and never more than the longest backoff', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1)
    await startRelay({ FORWARD_TIMEOUT_MS: '0' }).post('feedback', conversation())
    const mend = await refuseWrites('DELETE ON events', 'broken')
    const waits: number[] = []
    for (let broken = 0; broken < 8; broken += 1) {
      await runDurableObjectAlarm(outbox())
      const alarm = await alarmAt()
      waits.push(Number(alarm) - clock.now)
      clock.set(Number(alarm))
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
    await mend()
    await runDurableObjectAlarm(outbox())
    expect(await outbox().status()).toMatchObject({ delivered: 1, pending: 0 })
  })

  it('takes up what arrives while another event hangs', async () => {
    relay = startRelay({ FORWARD_TIMEOUT_MS: '0' })
    aep.rule({ containing: 'poison', answer: { type: 'stall' } })
    await post({ message: 'poison' })
    // It hangs for longer than the other takes, on a busy machine too.
    Object.assign(env, { DRAIN_TIMEOUT_MS: '3000' })
    await evictDurableObject(outbox())
    const running = runDurableObjectAlarm(outbox())
    await vi.waitUntil(() => aep.requests.length === 1, BY_ITSELF)
    await post()
    await vi.waitUntil(() => aep.lake.length === 1, BY_ITSELF)
    expect(aep.peak).toBe(2)
    await running
  })
})

describe('a backlog', () => {
  it('drains by itself when AEP is back, oldest first, with nothing posted meanwhile', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const ids: unknown[] = []
    for (let each = 0; each < 30; each += 1) {
      clock.advance(7)
      ids.push((await post()).body.id)
    }
    aep.clearRules()
    await drainAll(clock)
    const first = aep.lake.slice(0, 12).map(({ _id }) => ids.indexOf(_id))
    expect(Math.max(...first)).toBeLessThan(20)
    expect(await outbox().status()).toMatchObject({
      delivered: 30,
      pending: 0,
      oldestPendingAt: null,
    })
    expect(lines('drain').at(-1)).toMatchObject({
      pending: 0,
      nextAttemptAt: null,
    })
  })
})

describe('requests under way', () => {
  /** How many were under way at once, while events of a backlog were sent. */
  async function peakOf(count: number, variables: Record<string, string> = {}): Promise<number> {
    await storeEvents(count)
    Object.assign(env, { DRAIN_TIMEOUT_MS: '5000', ...variables })
    await evictDurableObject(outbox())
    aep.set({ latencyMs: 20 })
    await drainAll(clock)
    return aep.peak
  }

  it('begin at six, and grow while AEP takes what comes, up to DELIVERY_CONCURRENCY', async () => {
    expect(await peakOf(6)).toBeLessThanOrEqual(6)
    const peak = await peakOf(80, { DELIVERY_CONCURRENCY: '11' })
    expect(peak).toBe(11)
  })

  it.each([
    ['throttles', { type: 'status', status: 429 }],
    ['fails', { type: 'status', status: 503 }],
  ] as const)('are six again at most once AEP %s', async (_, answer) => {
    await peakOf(60)
    expect(aep.peak).toBeGreaterThan(8)
    const ids = await storeEvents(40)
    clock.advance(1_000)
    aep.rule({ answer })
    await drainOnce(clock)
    aep.clearRules()
    const before = vi.mocked(globalThis.fetch).mock.calls.length
    const left = () => vi.mocked(globalThis.fetch).mock.calls.length - before
    let firstWave: number | null = null
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      // The first asks whether AEP works again; those after it leave together.
      if (left() > 1) {
        await vi.waitUntil(() => left() > 2, BY_ITSELF)
        // One too many would be there by now.
        await new Promise((resolve) => setTimeout(resolve, 100))
        firstWave ??= left() - 1
      }
      return aep.fetch(input as string, init as RequestInit)
    })
    clock.advance(61_000)
    await drainOnce(clock)
    expect(firstWave).toBeGreaterThan(1)
    expect(firstWave).toBeLessThanOrEqual(7)
    vi.mocked(globalThis.fetch).mockImplementation((input, init) =>
      aep.fetch(input as string, init as RequestInit),
    )
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual(expect.arrayContaining(ids))
  })
})

describe('age', () => {
  it('erases any stored event when its days are over, and counts it', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await post()
    await relay.post('feedback', { wrong: 'shape' })
    clock.advance(20 * 24 * HOUR)
    await relay.scheduled()
    expect(await outbox().status()).toMatchObject({ pending: 1, quarantined: 1, erased: 0 })
    expect((await relay.health()).body.reasons).not.toContain('expiring')
    clock.advance(3.5 * 24 * HOUR)
    expect((await relay.health()).body.reasons).toContain('expiring')
    clock.advance(7 * 24 * HOUR)
    await relay.scheduled()
    expect(await outbox().status()).toMatchObject({
      accepted: 2,
      pending: 0,
      quarantined: 0,
      erased: 2,
    })
    expect(lines('expired')).toMatchObject([{ erased: 2 }])
  })

  it('makes /health say so for an event in quarantine too', async () => {
    await relay.post('feedback', { wrong: 1 })
    expect((await relay.health()).body).toEqual({ status: 'ok' })
    clock.advance(24 * 24 * HOUR)
    expect((await relay.health()).body.reasons).toEqual(['expiring'])
  })
})
