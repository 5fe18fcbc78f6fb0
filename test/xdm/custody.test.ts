/** Batches, parts and tokens under trouble: what AEP has taken is on record when it is taken, and nothing hammers it. */
import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { BATCH_REST_MS } from '../../src/worker/limits.ts'
import {
  type Clock,
  conversation,
  drainAll,
  drainOnce,
  eachTest,
  outbox,
  type Relay,
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

describe('a split event', () => {
  const long = { message: 'a long message '.repeat(3_000) }
  const partsOf = () =>
    runInDurableObject(outbox(), (_, { storage }) =>
      storage.sql
        .exec<{ part: number; record: string }>('SELECT part, record FROM parts ORDER BY part')
        .toArray(),
    )
  /** A try that AEP refuses, so that the parts are stored and the first is still there. */
  async function storeParts(): Promise<void> {
    await storeEvents(1, () => long)
    aep.script({ type: 'status', status: 503 })
    await drainOnce(clock)
    expect((await partsOf()).length).toBeGreaterThan(2)
  }

  it('is stored as records alone: the envelope is that of the day it is sent', async () => {
    await storeParts()
    for (const { record } of await partsOf()) {
      expect(record).not.toContain('imsOrgId')
      expect(Object.keys(JSON.parse(record))).toContain('_id')
    }
  })

  it('is sent with today’s envelope, though an earlier version stored it with a wrong one', async () => {
    await storeParts()
    const parts = await partsOf()
    await runInDurableObject(outbox(), (_, { storage }) => {
      for (const { part, record } of parts) {
        const header = '{"schemaRef":{"id":"x"},"imsOrgId":"x","datasetId":"wrong-dataset"}'
        const old = `{"header":${header},"body":{"xdmMeta":{"schemaRef":{"id":"x"}},"xdmEntity":${record}}}`
        storage.sql.exec('UPDATE parts SET record = ? WHERE part = ?', old, part)
      }
    })
    aep.set({ strict: true })
    await drainAll(clock)
    expect(aep.lake).toHaveLength(parts.length)
    for (const { header } of aep.lake) expect(header).toMatchObject({ datasetId: 'local-dataset' })
    expect(aep.lake.map(({ record }) => record)).toEqual(
      parts.map(({ record }) => JSON.parse(record)),
    )
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

    clock.advance(BATCH_REST_MS)
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

describe('an acceptance whose own words are a refusal', () => {
  it.each([
    ['status', 400, 'dead-lettered'],
    ['statusCode', 503, 'buffered'],
  ])('is judged by %s %i', async (field, status, outcome) => {
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) =>
      String(input).includes('/ims/token/')
        ? aep.fetch(input as string, init as RequestInit)
        : Response.json({ inletId: 'local-inlet', [field]: status }),
    )
    const { body } = await relay.post('feedback', conversation())
    expect(body.status).toBe(outcome)
  })
})
