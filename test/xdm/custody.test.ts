/** Batches, parts and tokens under trouble: what AEP has taken is on record when it is taken, and nothing hammers it. */
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import type { Settings } from '../../src/local-adobe/settings.ts'
import { Envelope } from '../../src/worker/aep/client/client.ts'
import { BATCH_COOLDOWN_MS } from '../../src/worker/limits.ts'
import { inOutbox, refuseWrites } from '../worker/outbox-support.ts'
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
  { mode: 'xdm', auth: true },
)

const logged = (event: string) =>
  logs.map((line) => JSON.parse(line)).filter((line) => line.event === event)

/** The deployment goes on with other variables, and AEP with them. */
async function deploy(
  variables: Record<string, string>,
  settings: Partial<Settings>,
): Promise<void> {
  Object.assign(env, variables)
  aep.set(settings)
  await evictDurableObject(outbox())
  relay = startRelay()
}

describe('a split event', () => {
  const long = () => ({ message: 'a long message '.repeat(3_000) })
  const SCHEMA = 'https://ns.adobe.com/othertenant/schemas/chatlio'
  const toOtherTenant = () =>
    deploy(
      { AEP_TENANT: 'othertenant', AEP_SCHEMA_ID: SCHEMA },
      { tenant: 'othertenant', schemaId: SCHEMA },
    )
  const records = () => aep.lake.map(({ record }) => JSON.stringify(record))
  const landed = () => aep.lake.map(({ _id }) => String(_id))
  const countOf = (record: string) => Number(/"count":(\d+)/.exec(record)?.[1])

  /** Split, and its parts stored; AEP has accepted so many of them. */
  async function storeParts(accepted: number): Promise<string> {
    const [id = ''] = await storeEvents(1, long)
    aep.script({
      type: 'items',
      items: Array.from({ length: 50 }, (_, i) => (i < accepted ? null : 503)),
    })
    await drainOnce(clock)
    expect(landed()).toEqual(Array.from({ length: accepted }, (_, index) => `${id}-${index}`))
    aep.script()
    return id
  }

  it('is sent with today’s envelope: a dataset that has been corrected counts for parts, too', async () => {
    const id = await storeParts(1)
    await deploy({ AEP_DATASET_ID: 'another-dataset' }, { datasetId: 'another-dataset' })
    await drainAll(clock)
    expect(new Set(landed()).size).toBe(countOf(String(records()[0])))
    expect(landed().every((each) => each.startsWith(`${id}-`))).toBe(true)
    for (const { header } of aep.lake.slice(1)) {
      expect(header).toMatchObject({ datasetId: 'another-dataset' })
    }
  })

  it('is split anew for another tenant when AEP has noted none of its parts, under ids of its own', async () => {
    const id = await storeParts(0)
    await toOtherTenant()
    await drainAll(clock)
    // AEP may have taken one without our knowing.
    expect(landed()).toContain(`${id}-r1-0`)
    for (const record of records()) {
      expect(record).toContain('_othertenant')
      expect(record).not.toContain('_localtenant')
    }
    expect(await outbox().status()).toMatchObject({ delivered: 1, pending: 0, dead: 0 })
  })

  it('dies as settings-changed when AEP has some of them; a redrive splits it anew, under ids of its own', async () => {
    const id = await storeParts(2)
    await toOtherTenant()
    await drainAll(clock)
    expect(aep.lake).toHaveLength(2)
    expect((await relay.get(`/events/${id}`)).body).toMatchObject({
      state: 'dead',
      lastError: { code: 'settings-changed', status: null },
    })
    const { body } = await relay.command('/redrive', { state: 'dead' })
    expect(body).toMatchObject({ redriven: 1 })
    await drainAll(clock)
    const anew = aep.lake.slice(2)
    const count = countOf(JSON.stringify(anew[0]?.record))
    expect(anew.map(({ _id }) => _id)).toEqual(
      Array.from({ length: count }, (_, index) => `${id}-r1-${index}`),
    )
    for (const { record } of anew) expect(JSON.stringify(record)).toContain(`"of":"${id}"`)
    expect(await outbox().status()).toMatchObject({ delivered: 1, pending: 0, dead: 0 })
  })

  it('sends no further part once it has been erased', async () => {
    // Each part takes a request of its own.
    vi.spyOn(Envelope.prototype, 'batchLength').mockReturnValue(1)
    const [id = ''] = await storeEvents(1, long)
    let erased: Promise<unknown> | null = null
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      const response = await aep.fetch(input as string, init as RequestInit)
      if (String(input).includes('/collection/')) erased ??= relay.erase(id)
      await erased
      return response
    })
    await drainAll(clock)
    expect(landed()).toEqual([`${id}-0`])
    expect(await outbox().status()).toMatchObject({ erased: 1, pending: 0 })
  })

  it('has the answer to each request on record before the next one leaves', async () => {
    vi.spyOn(Envelope.prototype, 'batchLength').mockReturnValue(1)
    const [id = ''] = await storeEvents(1, long)
    let requests = 0
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      if (!String(input).includes('/collection/'))
        return aep.fetch(input as string, init as RequestInit)
      requests += 1
      // The object is gone when its third request is under way: what the first two were answered is not.
      if (requests === 3) await abortAllDurableObjects()
      return aep.fetch(input as string, init as RequestInit)
    })
    clock.advance(1_000)
    await runDurableObjectAlarm(outbox()).catch(() => undefined)
    await drainAll(clock)
    const sent = landed()
    expect(sent.filter((each) => each === `${id}-0` || each === `${id}-1`)).toHaveLength(2)
    expect(new Set(sent).size).toBe(countOf(String(records()[0])))
  })
})

describe('a batch that AEP refuses as a whole', () => {
  it('is on record half by half, before the next request leaves', async () => {
    await storeEvents(8)
    aep.rule({
      containing: 'message',
      whole: true,
      answer: { type: 'status', status: 400 },
      times: 1,
    })
    const delivered: number[] = []
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      delivered.push((await outbox().status()).delivered)
      return aep.fetch(input as string, init as RequestInit)
    })
    await drainAll(clock)
    // Token, batch of eight, first half, second half: by then the first half is written down.
    expect(delivered.at(-1)).toBe(4)
    expect(aep.lake).toHaveLength(8)
  })

  it('is on record for the half that AEP took, when the other half finds no connection', async () => {
    const ids = await storeEvents(8)
    let batches = 0
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      if (!String(input).includes('/batch/')) return aep.fetch(input as string, init as RequestInit)
      batches += 1
      if (batches === 1) return new Response('{}', { status: 400 })
      if (batches === 3) throw new TypeError('Network connection lost')
      return aep.fetch(input as string, init as RequestInit)
    })
    await drainOnce(clock)
    expect(await outbox().status()).toMatchObject({ delivered: 4, pending: 4 })
    expect(aep.lake.map(({ _id }) => _id)).toEqual(ids.slice(0, 4))
  })

  it('sends the second half without the events that were erased meanwhile', async () => {
    const ids = await storeEvents(8)
    let batches = 0
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      if (!String(input).includes('/batch/')) return aep.fetch(input as string, init as RequestInit)
      batches += 1
      if (batches === 1) return new Response('{}', { status: 400 })
      if (batches === 2)
        await Promise.all([relay.erase(String(ids[5])), relay.erase(String(ids[0]))])
      return aep.fetch(input as string, init as RequestInit)
    })
    await drainAll(clock)
    // The first half was under way already.
    expect(aep.lake.map(({ _id }) => _id)).toEqual(ids.filter((_, index) => index !== 5))
    expect(await outbox().status()).toMatchObject({ delivered: 6, erased: 2, pending: 0 })
  })

  it('is not tried again for a while, when AEP takes each of its events alone', async () => {
    await storeEvents(6)
    const refusingBatches = () =>
      vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
        const { messages = [] } = String(input).includes('/batch/')
          ? JSON.parse(String(init?.body))
          : {}
        return messages.length > 1
          ? new Response('{"title":"no batches here"}', { status: 400 })
          : aep.fetch(input as string, init as RequestInit)
      })
    refusingBatches()
    await drainAll(clock)
    expect(await outbox().status()).toMatchObject({ delivered: 6, pending: 0 })
    expect(logged('batches-refused')).toHaveLength(1)

    const before = vi.mocked(globalThis.fetch).mock.calls.length
    await storeEvents(6)
    await drainAll(clock)
    expect(vi.mocked(globalThis.fetch).mock.calls.length - before).toBe(6)

    clock.advance(BATCH_COOLDOWN_MS)
    vi.mocked(globalThis.fetch).mockImplementation((input, init) =>
      aep.fetch(input as string, init as RequestInit),
    )
    const later = aep.requests.length
    await storeEvents(6)
    await drainAll(clock)
    expect(aep.requests.length - later).toBe(1)
  })
})

describe('a token that cannot be used', () => {
  const answeringToken = (token: string) =>
    vi
      .mocked(globalThis.fetch)
      .mockImplementation(async (input, init) =>
        String(input).includes('/ims/token/')
          ? Response.json({ access_token: token, expires_in: 86_399 })
          : aep.fetch(input as string, init as RequestInit),
      )
  const working = () =>
    vi
      .mocked(globalThis.fetch)
      .mockImplementation((input, init) => aep.fetch(input as string, init as RequestInit))

  it.each([
    ['with a line feed', 'ey.line\nfeed'],
    ['of 100 kB', 'e'.repeat(100_000)],
  ])('%s is a failed token request in words, and delivery resumes by itself', async (_, token) => {
    answeringToken(token)
    const { body } = await relay.post('feedback', conversation())
    expect(body.status).toBe('buffered')
    const { body: event } = await relay.get(`/events/${body.id}`)
    expect(event.lastError).toMatchObject({ code: 'token', message: expect.stringMatching(/^IMS/) })
    working()
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id])
  })

  it.each([
    ['431', () => new Response('', { status: 431 })],
    [
      'a lost connection',
      () => {
        throw new TypeError('Network connection lost')
      },
    ],
  ])('is thrown away when a request with it ends in %s', async (_, answer) => {
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) =>
      String(input).includes('/ims/token/')
        ? aep.fetch(input as string, init as RequestInit)
        : answer(),
    )
    await relay.post('feedback', conversation())
    await drainOnce(clock)
    const asked = aep.tokenRequests.length
    working()
    await drainAll(clock)
    expect(aep.tokenRequests.length).toBeGreaterThan(asked)
    expect(aep.lake).toHaveLength(1)
  })

  it('is asked for again after an hour at most, and at once on a resume, whatever IMS says', async () => {
    aep.scriptToken({ type: 'status', status: 429, retryAfter: 1_000_000_000 })
    await relay.post('feedback', conversation())
    const { nextAttemptAt } = await outbox().status()
    expect(nextAttemptAt).toBeGreaterThan(clock.now + 3_000_000)
    expect(nextAttemptAt).toBeLessThanOrEqual(clock.now + 3_600_000)
    await relay.command('/resume')
    expect((await outbox().status()).nextAttemptAt).toBeLessThanOrEqual(clock.now + 1_000)
    await drainAll(clock)
    expect(aep.lake).toHaveLength(1)
  })

  it('refused by IMS is a hold whose log line names IMS, not AEP', async () => {
    aep.scriptToken({ type: 'status', status: 400 })
    await relay.post('feedback', conversation())
    expect(logged('hold')).toMatchObject([{ reason: 'credentials', code: 'token', imsStatus: 400 }])
    expect(logged('webhook').at(-1)).toMatchObject({ code: 'token', upstreamStatus: null })
  })
})

describe('a disk that is full when a token is asked for', () => {
  it('costs nothing that AEP takes, in its request or later', async () => {
    const [waiting = ''] = await storeEvents(1)
    await inOutbox((_, { storage }) => {
      vi.spyOn(storage.kv, 'put').mockImplementation(() => {
        throw new Error('database or disk is full: SQLITE_FULL')
      })
    })
    const allow = await refuseWrites('INSERT ON events')
    const { body } = await relay.post('feedback', conversation())
    expect(body.status).toBe('forwarded')
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id, waiting])
    await allow()
  })
})

describe('a disk that is full', () => {
  it('keeps an event back whose parts it cannot take, and none behind it, which would make room', async () => {
    const long = { message: 'a long message '.repeat(3_000) }
    const ids = await storeEvents(4, (index) => (index < 2 ? long : {}))
    const parts = await refuseWrites('INSERT ON parts')
    const attempts = await refuseWrites('INSERT ON attempts')
    await drainOnce(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual(ids.slice(2))
    expect(logged('drain-failed')).toHaveLength(1)
    await parts()
    await attempts()
    await drainAll(clock)
    expect((await outbox().status()).delivered).toBe(4)
  })
})

describe('an event that is erased while the outbox waits for a token', () => {
  it.each([
    ['the first', 0],
    ['another, since AEP refuses the one it has', 1],
  ])('leaves no more, and the others of its request do: %s', async (_, refused) => {
    const ids = await storeEvents(3, (index) => ({ visitor: { UUID: `person-${index}` } }))
    // A request that is given up is made again, in another order.
    Object.assign(env, { DRAIN_TIMEOUT_MS: '20000' })
    await evictDurableObject(outbox())
    const sent: string[] = []
    let [hasAsked, isLate] = [false, true]
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      if (String(input).includes('/ims/token/')) {
        hasAsked = aep.tokenRequests.length >= refused
        while (isLate && hasAsked) await new Promise((done) => setTimeout(done))
      } else if (isLate) return new Response('', { status: 401 })
      else sent.push(String(init?.body))
      return aep.fetch(input as string, init as RequestInit)
    })
    const run = runDurableObjectAlarm(outbox())
    await vi.waitFor(() => expect(hasAsked).toBe(true), BY_ITSELF)
    expect((await relay.command('/erase', { visitor: 'person-1' })).body.erased).toBe(1)
    isLate = false
    await run
    await drainAll(clock)
    expect(sent.join()).not.toContain('person-1')
    expect(aep.lake.map(({ _id }) => _id)).toEqual([ids[0], ids[2]])
    expect(logged('drain-failed')).toEqual([])
  })
})

describe('an acceptance whose own words are a refusal', () => {
  it.each([
    ['status', 400, 'dead-lettered'],
    ['statusCode', 503, 'buffered'],
  ])('is judged by %s %i', async (field, status, outcome) => {
    // AEP takes others under these settings.
    await relay.post('feedback', conversation())
    await relay.report()
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) =>
      String(input).includes('/ims/token/')
        ? aep.fetch(input as string, init as RequestInit)
        : Response.json({ inletId: 'local-inlet', [field]: status }),
    )
    const { body } = await relay.post('feedback', conversation())
    expect(body.status).toBe(outcome)
  })
})
