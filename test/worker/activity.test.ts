/** How many, answered what, how fast; which webhook key; and which operator did what. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { addCounts, counted, percentile } from '../../src/worker/outbox/records/activity.ts'
import {
  type Clock,
  conversation,
  drainAll,
  drainOnce,
  eachTest,
  KEY,
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

/** An event that is sent in two parts. */
function inTwoParts(): Record<string, unknown> {
  Object.assign(env, { MAX_EVENT_BYTES: '20000' })
  relay = startRelay()
  return conversation({ message: 'long '.repeat(6_000) })
}

type Point = {
  at: string
  kind: string
  outcome: string
  count: number
  p50Ms: number
  p99Ms: number
}
async function points(query = ''): Promise<Point[]> {
  const { body } = await relay.get(`/activity${query}`)
  expect(body.lowerBound).toBe(true)
  return body.points as Point[]
}
async function counts(query = ''): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const { outcome, count } of await points(query)) {
    sums[outcome] = (sums[outcome] ?? 0) + count
  }
  return sums
}

async function oneOfEach(): Promise<void> {
  await relay.post('feedback', conversation())
  await relay.post('feedback', { wrong: 1 })
  await relay.post('feedback', '{')
  await relay.post('feedback', conversation(), { 'content-type': 'image/png' })
  aep.script({ type: 'status', status: 422 }, { type: 'status', status: 503 })
  await relay.post('feedback', conversation())
  await relay.post('feedback', conversation())
  await relay.report()
}

describe('GET /admin/activity', () => {
  it('counts every answer once, and what the outbox delivers as drained', async () => {
    await oneOfEach()
    const answered = { forwarded: 1, quarantined: 3, 'dead-lettered': 1, buffered: 1 }
    expect(await counts()).toEqual(answered)
    await drainAll(clock)
    expect(await counts()).toEqual({ ...answered, drained: 1 })
    const { body } = await relay.get('/status')
    expect(body).toMatchObject({ forwarded: 1, suppressed: 0, accepted: 5, delivered: 1 })
  })

  it('has the same sums by minute, hour and day, also after minutes have become hours', async () => {
    for (let each = 0; each < 5; each += 1) {
      await relay.post('feedback', conversation())
      clock.advance(50 * 60_000)
    }
    await relay.report()
    const range = `?from=${new Date(clock.now - 86_400_000).toISOString()}`
    for (const step of ['minute', 'hour', 'day']) {
      expect(await counts(`${range}&step=${step}`)).toEqual({ forwarded: 5 })
    }
    expect((await points(`${range}&step=minute`)).length).toBe(5)
    clock.advance(49 * 3_600_000)
    await relay.scheduled()
    expect(await counts(`${range}&step=minute`)).toEqual({})
    expect(await counts(`${range}&step=hour`)).toEqual({ forwarded: 5 })
    clock.advance(91 * 86_400_000)
    await relay.scheduled()
    expect(await counts(`${range}&step=day`)).toEqual({})
  })

  it('stays right for an hour that has been shown before, however often, and when more is added to it', async () => {
    clock.set(Math.ceil(clock.now / 3_600_000) * 3_600_000)
    const [from, to] = [clock.now, clock.now + 7_200_000].map((ms) => new Date(ms).toISOString())
    const shown = () => points(`?from=${from}&to=${to}&step=hour`)
    await relay.post('feedback', conversation())
    await relay.report()
    const first = await shown()
    expect(first).toMatchObject([{ at: from, outcome: 'forwarded', count: 1 }])
    expect(await shown()).toEqual(first)
    expect(await points(`?from=${from}&to=${to}&step=day`)).toMatchObject([{ count: 1 }])
    expect(await shown()).toEqual(first)
    clock.advance(600_000)
    await relay.post('feedback', conversation())
    await relay.report()
    expect(await shown()).toMatchObject([{ at: from, outcome: 'forwarded', count: 2 }])
    clock.advance(3_600_000)
    await relay.post('feedback', conversation())
    await relay.report()
    expect((await shown()).map(({ count }) => count)).toEqual([2, 1])
  })

  it.each(['?step=week', '?from=yesterday', '?to=2026-13-01'])('refuses %s', async (query) => {
    const { status, body } = await relay.get(`/activity${query}`)
    expect([status, body.code]).toEqual([400, 'invalid-request'])
  })

  it('gives percentiles that are right to a fifth', () => {
    const histogram = {}
    const row = { minute: 0, kind: 'transcript', outcome: 'forwarded', source: null } as const
    for (let ms = 1; ms <= 1_000; ms += 1) addCounts(histogram, counted(row, ms).histogram)
    expect(percentile(histogram, 0.5)).toBeGreaterThanOrEqual(500)
    expect(percentile(histogram, 0.5)).toBeLessThanOrEqual(600)
    expect(percentile(histogram, 0.99)).toBeGreaterThanOrEqual(990)
    expect(percentile(histogram, 0.99)).toBeLessThanOrEqual(1_190)
    expect(percentile({}, 0.5)).toBeNull()
  })
})

describe('webhook keys', () => {
  it('are shown by fingerprint, each with its last use', async () => {
    const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(KEY))
    const fingerprint = new Uint8Array(hash).toHex().slice(0, 6)
    await relay.post('feedback', conversation())
    await relay.report()
    const { keys } = (await relay.get('/status')).body
    expect(keys).toEqual([
      { fingerprint, name: null, lastUsedAt: new Date(clock.now).toISOString() },
      { fingerprint: expect.stringMatching(/^[0-9a-f]{6}$/), name: null, lastUsedAt: null },
    ])
  })
})

describe('what AEP has acknowledged', () => {
  it('is counted in its own count, where a split event is several', async () => {
    const long = inTwoParts()
    await relay.post('feedback', conversation())
    await relay.post('feedback', long)
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', { ...long, each: 2 })
    aep.clearRules()
    await drainAll(clock)
    await relay.report()
    expect(aep.lake.length).toBeGreaterThan(4)
    for (const step of ['minute', 'hour'] as const) {
      const rows = await outbox().activity(0, Number.MAX_SAFE_INTEGER, step)
      const sum = (outcome: string) =>
        rows.filter((row) => row.outcome === outcome).map(({ records }) => records)
      const all = [...sum('forwarded'), ...sum('drained')].map(Number)
      expect(all.reduce((a, b) => a + b, 0)).toBe(aep.lake.length)
      expect(sum('buffered')).toEqual([undefined])
    }
    clock.advance(7_200_000)
    await relay.scheduled()
    const [row] = await outbox().activity(0, clock.now, 'day')
    expect(row?.records).toBeGreaterThan(0)
  })
})

describe('a part of an event that AEP accepts hours before the last one', () => {
  it('is counted when AEP accepts it, as AEP counts it', async () => {
    const long = inTwoParts()
    await relay.post('feedback', conversation())
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', long)
    aep.clearRules()
    // For two hours AEP accepts one of its parts only.
    aep.rule({ containing: '"index":1', answer: { type: 'status', status: 503 } })
    await drainOnce(clock)
    const landedFirst = aep.lake.length
    clock.advance(7_200_000)
    aep.clearRules()
    await drainAll(clock)
    expect(landedFirst).toBe(2)
    const rows = await outbox().activity(0, Number.MAX_SAFE_INTEGER, 'hour')
    const drained = rows.filter(({ outcome }) => outcome === 'drained')
    expect(drained.map(({ count }) => count)).toEqual([0, 1])
    expect(drained.map(({ records }) => records)).toEqual([
      landedFirst - 1,
      aep.lake.length - landedFirst,
    ])
  })
})

describe('GET /admin/log', () => {
  it('says who did what, the newest first, in pages, and nothing of whom', async () => {
    // A refusal is the event's own once AEP has taken others.
    await relay.post('feedback', conversation())
    aep.rule({ answer: { type: 'status', status: 422 } })
    const { body } = await relay.post('feedback', conversation())
    await relay.command('/pause')
    await relay.command('/resume')
    await relay.command('/redrive', { state: 'dead', dryRun: true })
    await relay.command('/redrive', { state: 'dead' })
    await relay.erase(String(body.id))
    await relay.command('/erase', { email: 'ada@example.com' })
    const log = async (query: string) => {
      const page = (await relay.get(`/log${query}`)).body
      return { entries: page.entries as { action: string }[], cursor: page.cursor }
    }
    const { entries } = await log('')
    const actions = ['erase', 'delete', 'redrive', 'resume', 'pause']
    expect(entries.map(({ action }) => action)).toEqual(actions)
    expect(entries[2]).toEqual({
      at: expect.stringMatching(/Z$/),
      by: 'token',
      action: 'redrive',
      counts: { matched: 1, redriven: 1, stillInvalid: 0 },
      filter: { state: 'dead' },
    })
    expect(JSON.stringify(entries)).not.toMatch(/ada@|[0-9a-f]{64}/)
    const first = await log('?limit=2')
    const rest = await log(`?limit=10&cursor=${first.cursor}`)
    expect([...first.entries, ...rest.entries].map(({ action }) => action)).toEqual(actions)
    clock.advance(91 * 86_400_000)
    await relay.scheduled()
    expect((await log('')).entries).toEqual([])
  })
})
