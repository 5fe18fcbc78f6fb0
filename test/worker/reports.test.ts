/** What operators read of all events at once: lists, exports, previews, days, the bundle for support. */
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { listedBy, pagedBy, storeLarge } from './outbox-support.ts'
import {
  type Clock,
  conversation,
  drainAll,
  eachTest,
  KEY,
  outbox,
  type Relay,
  startRelay,
  TOKEN,
} from './support.ts'

let aep: LocalAdobe
let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ clock, aep, relay } = world)
})

const DAY = 86_400_000
const HOUR = 3_600_000
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)

const listed = (query: string) => listedBy(relay, query)
const paged = (query: string) => pagedBy(relay, query)

async function lines(query: string) {
  const { status, response } = await relay.get(`/export?${query}`)
  expect(status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/x-ndjson')
  const text = new TextDecoder().decode(await response.bytes())
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** Delivered and stored in turn, a second apart; every third under another kind. */
async function mixed(count: number): Promise<string[]> {
  const ids: string[] = []
  for (let each = 0; each < count; each += 1) {
    clock.advance(1_000)
    const kind = each % 3 === 0 ? 'unanswered' : 'feedback'
    const body = each % 2 === 0 ? conversation() : { ...conversation(), visitor: each }
    ids.push(String((await relay.post(kind, body)).body.id))
  }
  await relay.report()
  return ids
}

describe('GET /admin/events?state=all', () => {
  it('lists stored and delivered events in one order, either way', async () => {
    const ids = await mixed(12)
    expect((await listed('state=all')).map(({ id }) => id)).toEqual(ids)
    const newest = await listed('state=all&order=newest')
    expect(newest.map(({ id }) => id)).toEqual(ids.toReversed())
    expect(newest.slice(0, 2)).toMatchObject([
      { state: 'quarantined' },
      { state: 'delivered', settledAt: expect.stringMatching(/Z$/), via: 'forwarded' },
    ])
    expect(newest[0]).not.toHaveProperty('settledAt')
  })

  it.each(['oldest', 'newest'])('shows each event once over all pages, %s first', async (order) => {
    const ids = await mixed(11)
    const wanted = order === 'newest' ? ids.toReversed() : ids
    for (const limit of [1, 2, 3, 5, 11]) {
      expect(await paged(`state=all&order=${order}&limit=${limit}`)).toEqual(wanted)
    }
  })

  it('filters by kind, source, day, code, path and the beginning of an id', async () => {
    const WEBHOOK_KEYS = `shop:${KEY}`
    const shop = startRelay({ WEBHOOK_KEYS })
    const bought = String((await shop.post('feedback', conversation())).body.id)
    await shop.report()
    clock.advance(DAY)
    const ids = await mixed(4)
    const of = async (query: string) => (await listed(`state=all&${query}`)).map(({ id }) => id)
    expect(await of('source=shop')).toEqual([bought])
    expect(await of(`day=${dayOf(clock.now)}`)).toEqual(ids)
    expect(await of('kind=unanswered')).toEqual([ids[0], ids[3]])
    expect(await of('code=invalid-payload')).toEqual([ids[1], ids[3]])
    expect(await of('path=visitor&kind=feedback')).toEqual([ids[1]])
    for (const id of [bought, ...ids]) expect(await of(`id=${id.slice(0, 12)}`)).toEqual([id])
    expect(await listed(`state=quarantined&id=${ids[1]?.slice(0, 9)}`)).toHaveLength(1)
    const before = await relay.get('/events?state=all&source=No!')
    expect([before.status, before.body.code]).toEqual([400, 'invalid-request'])
    expect((await relay.get('/events?state=all&id=xyz')).body.detail).toContain('id')
    expect((await relay.get('/events?state=all&order=up')).body.detail).toContain('order')
  })
})

describe('POST /admin/redrive', () => {
  it('takes every filter of the list, and the log says which', async () => {
    const shop = startRelay({ WEBHOOK_KEYS: `shop:${KEY}` })
    const wrong = { ...conversation(), visitor: 1 }
    await shop.post('feedback', wrong)
    const ids = await mixed(4)
    const matched = async (filter: object) =>
      (await relay.command('/redrive', { state: 'quarantined', ...filter })).body.matched
    expect(await matched({})).toBe(3)
    expect(await matched({ source: 'shop' })).toBe(1)
    expect(await matched({ id: ids[1]?.slice(0, 10) })).toBe(1)
    expect(await matched({ kind: 'unanswered', path: 'visitor', day: dayOf(clock.now) })).toBe(1)
    const [entry] = (await relay.get('/log')).body.entries as Record<string, unknown>[]
    expect(entry).toMatchObject({
      action: 'redrive',
      counts: { matched: 1 },
      filter: { state: 'quarantined', kind: 'unanswered', path: 'visitor', day: dayOf(clock.now) },
    })
  })
})

describe('GET /admin/export', () => {
  it('gives every match with its payload and AEP’s answer, and is on record', async () => {
    await relay.post('feedback', conversation())
    aep.script({ type: 'status', status: 422, body: { title: 'Bad', detail: 'ours' } })
    const payload = conversation()
    const dead = await relay.post('feedback', payload)
    const wrong = await relay.post('unanswered', '{"no')
    expect(await lines('state=dead')).toMatchObject([
      { id: dead.body.id, state: 'dead', payload, answer: expect.stringContaining('ours') },
    ])
    expect(await lines('state=quarantined&kind=unanswered&code=malformed-json')).toMatchObject([
      { id: wrong.body.id, payload: '{"no', history: [] },
    ])
    expect(await lines('state=dead&path=%23/a')).toEqual([])
    const [entry] = (await relay.get('/log')).body.entries as Record<string, unknown>[]
    expect(entry).toMatchObject({
      action: 'export',
      by: 'token',
      filter: { state: 'dead', path: '#/a' },
    })
    expect((await relay.get('/export')).body).toMatchObject({ code: 'invalid-request' })
  })

  it('gives receipts of delivered ones, and all in their order, over any number of pages', async () => {
    const ids = await mixed(450)
    expect((await lines('state=all')).map(({ id }) => id)).toEqual(ids)
    const delivered = await lines('state=delivered')
    expect(delivered.map(({ id }) => id)).toEqual(ids.filter((_, index) => index % 2 === 0))
    expect(delivered[0]).toMatchObject({ state: 'delivered', settledAt: expect.any(String) })
  })

  it('gives some by their ids: stored ones in full, receipts of the others', async () => {
    const ids = await mixed(6)
    const [delivered = '', stored = ''] = ids
    const query = `&ids=${stored}&ids=${delivered}&ids=none&ids=${stored}`
    expect(await lines(`state=all${query}`)).toMatchObject([
      { id: stored, payload: expect.anything() },
      { id: delivered, state: 'delivered', settledAt: expect.any(String) },
    ])
    expect((await lines(`state=delivered${query}`)).map(({ id }) => id)).toEqual([delivered])
    const [entry] = (await relay.get('/log')).body.entries as Record<string, unknown>[]
    expect(entry).toMatchObject({ action: 'export', filter: { state: 'delivered', ids: '4' } })
    for (const bad of ['state=all&ids=', `state=all&ids=${stored}&kind=feedback`]) {
      expect((await relay.get(`/export?${bad}`)).body).toMatchObject({ code: 'invalid-request' })
    }
  })

  it('gives the receipt of one that was delivered, and has come again and is stored', async () => {
    const body = conversation()
    const { id } = (await relay.post('feedback', body)).body
    await relay.report()
    clock.advance(1_000)
    await startRelay({ FORWARD_TIMEOUT_MS: '0' }).post('feedback', body)
    const receipt = { id, state: 'delivered', settledAt: expect.any(String) }
    const stored = { id, state: 'pending', payload: body }
    expect(await lines('state=delivered')).toMatchObject([receipt])
    expect(await lines(`state=delivered&ids=${id}`)).toMatchObject([receipt])
    expect(await lines('state=pending')).toMatchObject([stored])
    expect(await lines(`state=pending&ids=${id}`)).toMatchObject([stored])
    expect(await lines('state=all')).toMatchObject([receipt, stored])
  })

  it('never holds more than some bodies at once', async () => {
    await storeLarge(9)
    const page = await outbox().exported(
      {
        state: 'quarantined',
        kind: null,
        code: null,
        path: null,
        from: 0,
        end: Number.MAX_SAFE_INTEGER,
      },
      null,
    )
    expect(page.events.length).toBeLessThan(7)
    expect(await lines('state=quarantined')).toHaveLength(9)
  })
})

describe('GET /admin/events/{id}/preview', () => {
  const previewOf = async (id: unknown) => (await relay.get(`/events/${id}/preview`)).body

  it('shows what would be sent, and what is masked in it', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const message = 'my card 4111 1111 1111 1111'
    const { body } = await relay.post('feedback', conversation({ message }))
    expect(await previewOf(body.id)).toMatchObject({
      sendable: true,
      why: null,
      format: 'raw',
      records: [{ _id: body.id, message: 'my card [card]' }],
      masked: [{ path: 'message', text: 'my card [card]' }],
      redacted: { card: 1 },
    })
    expect((await relay.get(`/events/${body.id}`)).body.payload).toMatchObject({ message })
  })

  it('says why nothing would be', async () => {
    const wrong = await relay.post('feedback', { visitor: 1 })
    expect(await previewOf(wrong.body.id)).toMatchObject({ sendable: false, records: [] })
    expect((await previewOf(wrong.body.id)).why).toContain('not a valid event')
    expect((await relay.get('/events/none/preview')).status).toBe(404)
  })
})

describe('GET /admin/support', () => {
  it('has what helps, no secret and no personal data', async () => {
    const person = { visitor: { UUID: 'v-canary', email: 'canary@example.com' } }
    await relay.post('feedback', conversation(person))
    await relay.post('feedback', { ...person, message: { canary: 1 } })
    await relay.command('/pause')
    const { body } = await relay.get('/support')
    expect(body).toMatchObject({
      status: { quarantined: 1, version: {}, destination: { format: 'raw' } },
      health: ['paused'],
      causes: [{ code: 'invalid-payload' }],
      settings: { AEP_ENDPOINT: expect.any(String), WEBHOOK_KEYS: '(set)', ADMIN_TOKEN: '(set)' },
      log: [{ action: 'pause', by: 'token' }],
    })
    for (const secret of [KEY, TOKEN, 'canary']) expect(JSON.stringify(body)).not.toContain(secret)
  })
})

describe('GET /admin/summary', () => {
  it('counts by day, kind and source', async () => {
    const shop = startRelay({ WEBHOOK_KEYS: `shop:${KEY}` })
    await shop.post('feedback', conversation())
    await shop.report()
    clock.advance(DAY)
    await relay.post('feedback', conversation())
    aep.script({ type: 'status', status: 422 }, { type: 'status', status: 503 })
    await relay.post('feedback', conversation())
    await relay.post('unanswered', conversation())
    await relay.send('/chatlio/feedback')
    await relay.report()
    await drainAll(clock)
    const { body } = await relay.get('/summary?days=2')
    expect(body).toMatchObject({
      lowerBound: true,
      days: [
        { day: dayOf(clock.now), received: 3, inAep: 2, refused: 1, lost: 0 },
        {
          day: dayOf(clock.now - DAY),
          received: 1,
          inAep: 1,
          rows: [{ kind: 'feedback', source: 'shop', received: 1, inAep: 1 }],
        },
      ],
    })
    expect((await relay.get('/summary')).body.days).toHaveLength(7)
    expect((await relay.get('/summary?days=0')).body.code).toBe('invalid-request')
    const { points } = (await relay.get(`/activity?source=shop&from=${dayOf(clock.now - DAY)}`))
      .body
    expect(points).toMatchObject([{ source: 'shop', outcome: 'forwarded', count: 1 }])
  })
})

describe('GET /admin/completeness', () => {
  it('says which conversations have no transcript a day later', async () => {
    const start = (conversationUUID: string, kind = 'new-conversation') =>
      relay.post(kind, conversation({ conversationUUID }))
    const missing = await start('one')
    await start('two')
    await start('two', 'unanswered')
    await relay.post('feedback', conversation({ conversationUUID: 'three' }))
    await relay.post('new-conversation', conversation({ conversationUUID: undefined }))
    aep.rule({ answer: { type: 'status', status: 503 } })
    const stored = await start('four')
    aep.clearRules()
    clock.advance(25 * HOUR)
    const transcript = { conversationUUID: 'two', messages: [{ text: 'Hi' }] }
    expect((await relay.post('transcript', transcript)).status).toBeLessThan(300)
    await start('five')
    await relay.report()
    const { body } = await relay.get('/completeness')
    expect(body).toMatchObject({
      available: true,
      hours: 24,
      days: [
        { day: dayOf(clock.now), started: 1, completed: 0, missing: 0 },
        { day: dayOf(clock.now - 25 * HOUR), started: 3, completed: 1, missing: 2, unnamed: 1 },
      ],
    })
    const named = (body.events as { id: string }[]).map(({ id }) => id)
    expect(new Set(named)).toEqual(new Set([missing.body.id, stored.body.id]))
    const off = startRelay({ COMPLETE_HOURS: '0' })
    expect((await off.get('/completeness')).body).toMatchObject({ available: false, days: [] })
  })
})

describe('GET /admin/compared', () => {
  it('says why there is nothing to compare', async () => {
    expect((await relay.get('/compared')).body).toEqual({
      available: false,
      why: expect.stringContaining('AEP_READ_CLIENT_ID'),
      hours: [],
      failures: [],
    })
  })
})

describe('suppressions', () => {
  it('are extended by their opaque id, never shortened, to 90 days at most', async () => {
    await relay.command('/erase', { email: 'ada@example.com', suppressDays: 10 })
    const { body } = await relay.get('/suppressions')
    const [row] = body.rows as { id: string; until: string }[]
    const extend = (id: string | undefined, ms: number) =>
      relay.command('/suppressions', { id, until: new Date(clock.now + ms).toISOString() })
    const longer = await extend(row?.id, 20 * DAY)
    expect(longer.body).toMatchObject({ until: new Date(clock.now + 20 * DAY).toISOString() })
    expect(await extend(row?.id, DAY)).toMatchObject({ body: { until: longer.body.until } })
    expect((await extend(row?.id, 400 * DAY)).body.until).toBe(
      new Date(clock.now + 90 * DAY).toISOString(),
    )
    expect((await extend('0'.repeat(16), DAY)).body.code).toBe('not-found')
    expect((await extend('ada@example.com', DAY)).body.code).toBe('invalid-request')
    const [entry] = (await relay.get('/log')).body.entries as unknown[]
    expect(entry).toMatchObject({ action: 'extend-suppression', counts: { extended: 1 } })
  })
})

describe('POST /admin/screen', () => {
  it('names the records of suppressed people, in either format', async () => {
    await relay.command('/erase', { email: 'Ada@example.com' })
    await relay.command('/erase', { visitor: 'v-1' })
    const map = (ids: object) => ({ identityMap: ids })
    const records = [
      { visitor: { UUID: 'v-1' }, message: 'raw' },
      { visitor: { UUID: 'v-2', email: ' ADA@example.com' } },
      { visitorEmail: 'ada@example.com', messages: [] },
      { visitor: { UUID: 'v-2' }, message: 'about ada@example.com', agentEmail: 'ada@example.com' },
      map({ ChatlioVisitor: [{ id: 'v-1', primary: true }] }),
      map({ Email: [{ id: 'ada@example.com' }], ChatlioVisitor: [{ id: 'v-3' }] }),
      { body: { xdmEntity: { _tenant: { chatlio: { visitor: { email: 'ada@example.com' } } } } } },
      map({ Email: [{ id: 'grace@example.com' }] }),
      {},
    ]
    const { body } = await relay.command('/screen', { records })
    expect(body).toEqual({ indexes: [0, 1, 2, 4, 5, 6] })
    expect((await relay.command('/screen', { records: [] })).body).toEqual({ indexes: [] })
    expect((await relay.command('/screen', { records: [1] })).body.code).toBe('invalid-request')
    expect((await relay.command('/screen', {})).body.detail).toContain('records')
  })
})

describe('what comes under another content type', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }

  it('is stored as it came, named, and sent once it is redriven', async () => {
    const payload = conversation()
    const { status, body } = await relay.post('feedback', payload, form)
    expect([status, body.code]).toEqual([415, 'unsupported-media-type'])
    expect(await listed('state=quarantined&code=unsupported-media-type')).toMatchObject([
      { id: body.id },
    ])
    expect((await relay.get(`/events/${body.id}`)).body).toMatchObject({ payload })
    expect((await relay.command('/redrive', { state: 'quarantined' })).body).toMatchObject({
      redriven: 1,
    })
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id])
  })

  it('stays in quarantine where it is no JSON', async () => {
    const { body } = await relay.post('feedback', 'a=1&b=2', form)
    expect((await relay.get(`/events/${body.id}`)).body.payload).toBe('a=1&b=2')
    expect((await relay.command('/redrive', { state: 'quarantined' })).body).toMatchObject({
      stillInvalid: 1,
    })
  })

  it('is 413 over the limit, 401 without a key, 503 when it cannot be stored, and not stored', async () => {
    const large = await relay.post('feedback', 'x'.repeat(1_600_000), form)
    expect(large.status).toBe(413)
    const init = { method: 'POST', headers: form, body: 'a=1' }
    expect((await relay.send('/chatlio/feedback?key=wrong', init)).status).toBe(401)
    const OUTBOX = {
      getByName: () => new Proxy({}, { get: () => () => Promise.reject(new Error()) }),
    }
    const blind = startRelay({ OUTBOX })
    expect((await blind.post('feedback', 'a=1', form)).status).toBe(503)
    expect((await relay.get('/status')).body).toMatchObject({ accepted: 0 })
  })
})
