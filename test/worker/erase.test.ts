/// <reference types="vite/client" />
/** A privacy request: one person's events are gone from everywhere, nobody else's are, and no new ones are taken. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import security from '../../SECURITY.md?raw'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { utf8Bytes } from '../../src/worker/lib/json.ts'
import { RUNTIME } from '../../src/worker/lib/rim.ts'
import type { StoreRequest } from '../../src/worker/outbox/arrivals.ts'
import type { Outbox } from '../../src/worker/outbox/outbox.ts'
import { LookupHash } from '../../src/worker/outbox/records/lookup.ts'
import conversationSample from '../fixtures/conversation.json'
import offline from '../fixtures/offline-message.json'
import transcript from '../fixtures/transcript.json'
import { refuseWrites } from './outbox-support.ts'
import {
  allStored,
  BY_ITSELF,
  type Clock,
  conversation,
  drainAll,
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
  ;({ clock, aep, relay, logs } = world)
})

const EMAIL = 'canary@example.com'
const erase = async (body: Record<string, unknown>, by = relay) => {
  const answer = await by.command('/erase', body)
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return answer.body
}

/** A canary in every string. */
function withCanaries(value: unknown): unknown {
  if (typeof value === 'string') return `${value} canary`
  if (Array.isArray(value)) return value.map(withCanaries)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withCanaries(each)]))
}

const canaries = () => ({
  transcript: { ...(withCanaries(transcript) as object), visitorEmail: ` ${EMAIL.toUpperCase()}` },
  'offline-message': { ...(withCanaries(offline) as object), email: EMAIL },
  'new-conversation': {
    ...(withCanaries(conversationSample) as object),
    visitor: { UUID: 'canary', email: EMAIL },
  },
})

/** An event that was not tried. */
const storeRequest = (each: number, body: Uint8Array): StoreRequest => {
  const id = each.toString(16).padStart(64, '0')
  const event = { id, kind: 'feedback' as const, source: null, receivedAt: clock.now, body }
  const as = { state: 'pending' as const, error: null, attempt: null, parts: [], madeFor: '' }
  return { ...event, hashes: null, ...as, accepted: null, settings: '' }
}

async function balance() {
  const { body } = await relay.get('/status')
  const { accepted, delivered, pending, dead, quarantined, erased } = body as Record<string, number>
  const parts = [delivered, pending, dead, quarantined, erased] as number[]
  expect(parts.reduce((sum, each) => sum + each, 0)).toBe(accepted)
  return body
}

describe('a person who is erased', () => {
  it('leaves no trace in any table, whatever state their events were in', async () => {
    const quoting = { title: 'Invalid', report: { message: `found: ${EMAIL}` } }
    await relay.post('new-conversation', canaries()['new-conversation'])
    await relay.report()
    for (const [status, body] of [
      [422, quoting],
      [503, quoting],
    ] as const) {
      aep.rule({ answer: { type: 'status', status, body } })
      for (const [kind, payload] of Object.entries(canaries())) {
        clock.advance(120_000)
        await relay.post(kind, { ...payload, serial: `${status} canary` })
      }
      aep.clearRules()
    }
    await relay.post('feedback', `{"visitor":{"email":"${EMAIL}"`)
    await relay.post('feedback', { visitor: { email: EMAIL, UUID: 7 } })
    await relay.post('transcript', { messages: 'none', note: EMAIL })
    aep.rule({ answer: { type: 'status', status: 503 } })
    const long = conversation({
      visitor: { UUID: 'v', email: EMAIL },
      message: 'long canary '.repeat(90_000),
    })
    expect((await relay.post('feedback', long)).status).toBe(202)
    const others = await relay.post('feedback', conversation({ message: `write to ${EMAIL}` }))
    await relay.post('feedback', conversation({ message: `not x${EMAIL}` }))
    expect(await allStored()).toContain('canary')

    const dry = await erase({ email: EMAIL, dryRun: true })
    expect(dry).toEqual({
      matched: 10,
      erased: 0,
      receipts: 1,
      mentioned: 1,
      suppressedUntil: null,
    })
    const done = await erase({ email: `  ${EMAIL.toUpperCase()} ` })
    expect(done).toEqual({
      matched: 10,
      erased: 10,
      receipts: 1,
      mentioned: 1,
      suppressedUntil: new Date(clock.now + 45 * 86_400_000).toISOString(),
    })
    const left = (await allStored()).replaceAll(`write to ${EMAIL}`, '').replaceAll(`x${EMAIL}`, '')
    expect(left.toLowerCase()).not.toContain('canary')
    expect(await balance()).toMatchObject({ pending: 2, erased: 10 })
    expect(logs.join('\n').toLowerCase()).not.toContain('canary')
    expect((await relay.get(`/events/${others.body.id}`)).status).toBe(200)
    expect(await erase({ email: EMAIL })).toMatchObject({ matched: 0, erased: 0, receipts: 0 })

    aep.clearRules()
    await drainAll(clock)
    expect(await balance()).toMatchObject({ pending: 0, delivered: 2 })
  })

  it('leaves nothing of what was delivered, deleted or indexed before, when an erasure finds no event', async () => {
    const of = (fields: object) =>
      conversation({ visitor: { UUID: 'canary', email: EMAIL }, ...fields })
    const lookup = new LookupHash(await outbox().lookupKey(), RUNTIME.hmac)
    const hashes = [await lookup.of('visitor', 'canary'), await lookup.of('email', EMAIL)]
    // Relayed at once; and long enough ago to be folded.
    await relay.post('feedback', of({}))
    await relay.report()
    clock.advance(7_200_000)
    await relay.scheduled()
    await relay.post('feedback', of({}))
    await relay.report()
    // Delivered by the outbox, in parts too; dead; in quarantine; many, so that they are indexed.
    aep.rule({ answer: { type: 'status', status: 503, body: { title: EMAIL } } })
    await relay.post('feedback', of({ message: 'canary '.repeat(200_000) }))
    // Another's stays, and with it the row of the index.
    await relay.post('feedback', { visitor: { UUID: 'other' }, message: 7 })
    for (let each = 0; each < 520; each += 1) {
      await outbox().store(storeRequest(each, utf8Bytes(JSON.stringify(of({ each })))))
    }
    clock.advance(120_000)
    await relay.scheduled()
    aep.clearRules()
    await drainAll(clock, 600)
    aep.rule({ answer: { type: 'status', status: 422, body: { title: EMAIL } } })
    const { body } = await relay.post('feedback', of({}))
    await relay.erase(String(body.id))
    const odd = await relay.post('feedback', of({ message: 7, [EMAIL]: 'canary' }))
    await relay.erase(String(odd.body.id))
    await relay.scheduled()
    const before = await allStored()
    expect(hashes.every((hash) => before.includes(hash))).toBe(true)

    expect(await erase({ email: EMAIL, suppressDays: 0 })).toMatchObject({
      matched: 0,
      erased: 0,
      receipts: 523,
    })
    expect(await erase({ visitor: 'canary', suppressDays: 0 })).toMatchObject({
      matched: 0,
      receipts: 0,
    })
    const left = await allStored()
    expect(left.toLowerCase()).not.toContain('canary')
    for (const hash of hashes) expect(left).not.toContain(hash.slice(0, 8))
    expect(logs.join('\n').toLowerCase()).not.toContain('canary')
  })

  it.each([
    ['in a form', 'name=Ada&email=canary%40example.com', 'application/x-www-form-urlencoded'],
    ['behind escapes', '{"visitor":{"email":"canary\\u0040example\\u002Ecom"},"message":1}'],
    ['after an escaped line end', '{"message":"write to\\ncanary@example.com'],
    [
      'first of two equal keys',
      '{"visitor":{"email":"canary@example.com","UUID":"v","email":"x@example.com"},"message":1}',
    ],
    ['in emailPretty alone', '{"message":"Hi","emailPretty":"C <canary@example.com>"}'],
    ['in a list', '{"visitor":{"UUID":"v","email":["x@example.com","canary@example.com"]}}'],
    ['in a body of another shape', '[{"who":"canary@example.com"}]'],
    ['quoted', 'To: canary=40example.com'],
  ])('is found %s, erased, and taken no more', async (_, body, type = 'application/json') => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const headers = { 'content-type': type }
    await relay.post('auto', body, headers)
    expect(await relay.command('/find', { email: EMAIL })).toMatchObject({ body: { events: [{}] } })
    expect(await erase({ email: EMAIL })).toMatchObject({ matched: 1, erased: 1 })
    expect(await allStored()).not.toContain('canary')
    for (const isolate of [relay, startRelay()]) {
      const again = await isolate.post('auto', body, headers)
      expect([again.status, again.body.status]).toEqual([202, 'suppressed'])
    }
    expect((await relay.get('/status')).body).toMatchObject({ accepted: 1 })
  })

  it.each([
    ['composed or not', 'andr\u00e9@example.com', 'andre\u0301@example.com'],
    ['in punycode or not', 'canary@b\u00fccher.example', 'canary@xn--bcher-kva.example'],
  ])('is the same %s', async (_, one, other) => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', conversation({ visitor: { UUID: 'v', email: one } }))
    await relay.post('feedback', `{"cut":"${other}`)
    expect(await erase({ email: other })).toMatchObject({ matched: 2, erased: 2 })
    const again = await relay.post('feedback', conversation({ visitor: { UUID: 'v', email: one } }))
    expect(again.body.status).toBe('suppressed')
  })

  it('leaves everyone else’s receipts where they are, should erasing fail', async () => {
    await relay.post('feedback', conversation({ visitor: { UUID: 'canary' } }))
    await relay.report()
    const [delivered = '', late = ''] = await storeEvents(2)
    let isLate = true
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      while (isLate && String(init?.body).includes(late))
        await new Promise((done) => setTimeout(done))
      return aep.fetch(input as string, init as RequestInit)
    })
    const run = runDurableObjectAlarm(outbox())
    await vi.waitFor(async () => expect((await outbox().status()).delivered).toBe(1), BY_ITSELF)
    const allow = await refuseWrites('UPDATE ON reports')
    const { status } = await relay.command('/erase', { visitor: 'canary', suppressDays: 0 })
    expect(status).toBe(503)
    await allow()
    isLate = false
    await run
    expect(await erase({ visitor: 'canary' })).toMatchObject({ receipts: 1 })
    const found = await relay.command('/find', { id: delivered })
    expect(found.body.events).toMatchObject([{ id: delivered, state: 'delivered' }])
  })

  it('is not left in an answer of AEP that is kept with another’s event', async () => {
    const spelled = JSON.stringify({ detail: JSON.stringify({ found: EMAIL.replace('@', '%40') }) })
    aep.rule({ answer: { type: 'status', status: 503, body: { detail: spelled } } })
    await relay.post('feedback', conversation())
    expect(await allStored()).toContain('canary')
    await erase({ email: EMAIL })
    expect(await allStored()).not.toContain('canary')
    expect((await relay.get('/status')).body).toMatchObject({ pending: 1 })
  })

  it('may be in the tables that SECURITY.md names, which are all there are', async () => {
    await relay.scheduled()
    const [, list = ''] = /\| Table \|.*\n\|.*\n((?:\|.*\n)+)/.exec(security) ?? []
    const named = [...list.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    )
    const tables = await runInDurableObject(outbox(), (_, { storage }) =>
      storage.sql
        .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
        .toArray()
        .map(({ name }) => name)
        .filter((name) => !/^(?:_cf_|sqlite_)/.test(name)),
    )
    expect(named.toSorted()).toEqual(tables.toSorted())
  })

  it('is erased by the visitor id too, and by exactly that', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', conversation({ visitor: { UUID: 'canary-1' } }))
    await relay.post('feedback', conversation({ visitor: { UUID: 'canary-12' } }))
    expect(await erase({ visitor: 'canary-1' })).toMatchObject({ matched: 1, mentioned: 0 })
    expect(await allStored()).toContain('canary-12')
  })

  it('is erased with all of many events', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    for (let each = 0; each < 30; each += 1) {
      await relay.post('feedback', conversation({ visitor: { UUID: 'canary' } }))
    }
    expect(await erase({ visitor: 'canary' })).toMatchObject({ matched: 30, erased: 30 })
    expect(await allStored()).not.toContain('canary')
    const again = await relay.post('feedback', conversation({ visitor: { UUID: 'canary' } }))
    expect([again.status, again.body.status]).toEqual([202, 'suppressed'])
  })

  it('is erased in as many steps as it takes', async () => {
    relay = startRelay({ FORWARD_TIMEOUT_MS: '0' })
    await relay.command('/pause')
    const message = 'long '.repeat(290_000)
    for (let each = 0; each < 9; each += 1) {
      await relay.post('feedback', conversation({ visitor: { UUID: 'canary' }, message }))
    }
    expect(await erase({ visitor: 'canary' })).toMatchObject({ matched: 9, erased: 9 })
    expect(await allStored()).not.toContain('canary')
  })

  it('loses an escaped address as well', async () => {
    await relay.post('feedback', '{"visitor":{"email":"canary\\u0040example.com"},"message":1}')
    expect(await erase({ email: EMAIL })).toMatchObject({ matched: 1, erased: 1 })
  })

  it('keeps the schema of the storage, and relaying', async () => {
    const schema = () =>
      runInDurableObject(outbox(), (_, { storage }) =>
        storage.sql
          .exec<{ sql: string }>(
            'SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name',
          )
          .toArray()
          .map(({ sql }) => sql.replaceAll('"', '').replaceAll(/\s+/g, ' ')),
      )
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', conversation({ visitor: { UUID: 'canary' } }))
    const before = await schema()
    await erase({ visitor: 'canary', suppressDays: 0 })
    expect(await schema()).toEqual(before)
    await relay.post('feedback', conversation({ visitor: { UUID: 'canary' } }))
    aep.clearRules()
    await drainAll(clock)
    expect(aep.lake).toHaveLength(1)
  })
})

describe('a suppressed person', () => {
  const post = (by = relay) => by.post('feedback', conversation({ visitor: { UUID: 'canary' } }))

  it('is relayed and stored no more once an isolate has refreshed, only counted', async () => {
    const other = startRelay()
    await other.post('feedback', conversation())
    await erase({ visitor: 'canary' })
    await other.report()
    const before = aep.lake.length
    const { status, body } = await post(other)
    expect([status, body]).toEqual([202, { status: 'suppressed', id: expect.any(String) }])
    const invalid = await other.post('feedback', { visitor: { UUID: 'canary' }, message: 1 })
    expect([invalid.status, invalid.body.status]).toEqual([202, 'suppressed'])
    await other.report()
    expect(aep.lake).toHaveLength(before)
    expect((await relay.get('/status')).body).toMatchObject({ suppressed: 2, accepted: 0 })
    expect((await relay.command('/find', { visitor: 'canary' })).body.events).toEqual([])
  })

  it('is known to each of five isolates that have heard nothing yet', async () => {
    await erase({ visitor: 'canary' })
    const before = aep.requests.length
    for (let each = 0; each < 5; each += 1) {
      clock.advance(600_000)
      expect((await post(startRelay())).body.status).toBe('suppressed')
    }
    expect(aep.requests).toHaveLength(before)
  })

  /** Isolates that have heard nothing yet, and an outbox whose calls fail as often, as by a deploy. */
  const restarting = (failures: number) => {
    let left = failures
    const exchange = (...sent: Parameters<Outbox['exchange']>) => {
      left -= 1
      const reset = Object.assign(new Error('reset'), { durableObjectReset: true })
      return left < 0 ? outbox().exchange(...sent) : Promise.reject(reset)
    }
    const store = (request: StoreRequest) => outbox().store(request)
    return startRelay({ OUTBOX: { getByName: () => ({ exchange, store }) } })
  }

  it('is known while the outbox restarts', async () => {
    await erase({ visitor: 'canary' })
    const isolates = Array.from({ length: 12 }, () => restarting(1))
    const statuses: unknown[] = []
    for (let round = 0; round < 10; round += 1) {
      clock.advance(100)
      for (const isolate of isolates) statuses.push((await post(isolate)).body.status)
    }
    expect(statuses).toEqual(Array.from({ length: 120 }, () => 'suppressed'))
  })

  it('is known a second after an outbox that restarts for longer', async () => {
    await erase({ visitor: 'canary' })
    const isolate = restarting(2)
    expect((await post(isolate)).body.status).toBe('forwarded')
    clock.advance(1_000)
    expect((await post(isolate)).body.status).toBe('suppressed')
    await isolate.report()
    expect((await relay.get('/status')).body).toMatchObject({ uninformed: 1, suppressed: 1 })
    expect((await relay.command('/find', { visitor: 'canary' })).body.events).toEqual([])
  })

  it('is not stored by an outbox that knows, whatever the isolate knows', async () => {
    await erase({ visitor: 'canary' })
    aep.rule({ answer: { type: 'status', status: 503 } })
    const fresh = startRelay()
    const { status, body } = await post(fresh)
    expect([status, body.status]).toEqual([202, 'suppressed'])
    expect((await relay.get('/status')).body).toMatchObject({ accepted: 0 })
  })

  it('leaves no receipt of what was on its way', async () => {
    await post()
    await relay.report()
    clock.advance(1_000)
    await post()
    await startRelay().command('/erase', { visitor: 'canary' })
    await relay.report()
    expect((await relay.command('/find', { visitor: 'canary' })).body.events).toEqual([])
  })

  it('is taken again after suppressDays', async () => {
    await erase({ visitor: 'canary', suppressDays: 2 })
    expect((await post()).body.status).toBe('suppressed')
    clock.advance(2 * 86_400_000 + 1)
    expect((await post()).body.status).toBe('forwarded')
    await relay.scheduled()
    expect((await relay.get('/suppressions')).body).toEqual({ count: 0, rows: [] })
  })

  it('is taken again when the suppression is ended, and 404 says that there is none', async () => {
    await erase({ visitor: 'canary' })
    const since = new Date(clock.now).toISOString()
    const until = new Date(clock.now + 45 * 86_400_000).toISOString()
    const id = expect.stringMatching(/^[0-9a-f]{16}$/)
    expect((await relay.get('/suppressions')).body).toEqual({
      count: 1,
      rows: [{ id, since, until }],
    })
    const end = () => relay.remove('/suppressions', { visitor: 'canary' })
    expect((await end()).status).toBe(204)
    expect((await post()).body.status).toBe('forwarded')
    expect((await end()).status).toBe(404)
  })

  it('is not redriven', async () => {
    // A refusal is the event's own once AEP has taken others.
    await relay.post('feedback', conversation())
    aep.script({ type: 'status', status: 422 })
    await post()
    // As after a restore of the storage: the event is back, and so is the suppression.
    await runInDurableObject(outbox(), async (instance: Outbox) => {
      const lookup = new LookupHash(await instance.lookupKey(), RUNTIME.hmac)
      const hash = await lookup.of('visitor', 'canary')
      await instance.suppress(hash, clock.now, clock.now + 1_000_000)
    })
    const { body } = await relay.command('/redrive', { state: 'dead' })
    expect(body).toEqual({ matched: 1, redriven: 0, stillInvalid: 0 })
  })

  it('by suppressDays 0 there is none', async () => {
    expect((await erase({ visitor: 'canary', suppressDays: 0 })).suppressedUntil).toBeNull()
    expect((await post()).body.status).toBe('forwarded')
  })
})

describe('POST /admin/erase', () => {
  it.each([
    [{}, 'exactly one of'],
    [{ email: 'a', visitor: 'b' }, 'exactly one of'],
    [{ email: 'a', suppressDays: 91 }, 'suppressDays'],
    [{ email: 'a', suppressDays: -1 }, 'suppressDays'],
    [{ email: 'a', dryrun: true }, 'dryrun'],
  ])('refuses %j, naming the place and not the value', async (body, named) => {
    const answer = await relay.command('/erase', body)
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid-request'])
    expect(answer.body.detail).toContain(named)
  })
})
