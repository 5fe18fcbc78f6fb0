/** Promise 9, over the wire: what the cron trigger reads of AEP's own counts, what it says of them, and what it leaves alone. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import {
  DAY,
  HOUR,
  MINUTE,
  READ_AND_ALERT,
  type Receiver,
  startReceiver,
} from './alerts-support.ts'
import { startBrowser, textOf } from './page-support.ts'
import {
  type Clock,
  conversation,
  eachTest,
  KEY,
  outbox,
  type Relay,
  startRelay,
} from './support.ts'

const CANARY = 'canary-7f3a'
let aep: LocalAdobe
let clock: Clock
let logs: string[]
let relay: Relay
let receiver: Receiver

eachTest((world) => {
  ;({ aep, clock, logs } = world)
  receiver = startReceiver(aep)
})
beforeEach(() => {
  // The outbox has an environment of its own.
  Object.assign(env, READ_AND_ALERT)
  relay = startRelay(READ_AND_ALERT)
})

const later = (answer: object = {}, more: object = {}) =>
  aep.rule({
    ...more,
    answer: { type: 'failLater', message: `[${CANARY}] is wrong`, ...answer },
  } as Parameters<LocalAdobe['rule']>[0])

/** Returns their ids. */
async function webhooks(count: number, fields: Record<string, unknown> = {}): Promise<string[]> {
  const ids: string[] = []
  for (let sent = 0; sent < count; sent += 1) {
    const { body } = await relay.post('feedback', conversation(fields))
    expect(body.status).toBe('forwarded')
    ids.push(String(body.id))
  }
  await relay.report()
  return ids
}

async function tick(ms = 20 * MINUTE): Promise<void> {
  clock.advance(ms)
  await relay.scheduled()
}

/** From now on the relay sends to, and reads of, another one. */
async function changeDataflow(): Promise<void> {
  const another = { ...READ_AND_ALERT, AEP_FLOW_ID: 'another-flow' }
  Object.assign(env, another)
  await evictDurableObject(outbox())
  relay = startRelay(another)
}

type Compared = {
  available: boolean
  why: string | null
  hours: Record<'at' | 'received' | 'ingested' | 'failed' | 'ours' | 'settled', unknown>[]
  failures: Record<'id' | 'code' | 'pointer' | 'batch' | 'at', string>[]
}
const compared = async (query = '') =>
  (await relay.get(`/compared${query}`)).body as unknown as Compared
const said = () => JSON.stringify(receiver.messages.map(({ body }) => body.text))
const platformPaths = () => aep.platformRequests.map(({ path }) => path)

describe('what AEP refused afterwards', () => {
  it('is counted and named, is one alert, and one resolve after a clean hour', async () => {
    later({}, { every: 3 })
    const ids = await webhooks(20)
    aep.clearRules()
    await tick()
    const { available, why, hours, failures } = await compared()
    expect(available).toBe(true)
    expect(hours.at(-1)).toMatchObject({ received: 20, ingested: 14, failed: 6, ours: 20 })
    const thirds = ids.filter((_, index) => index % 3 === 2)
    expect(failures.map(({ id }) => id).sort()).toEqual(thirds.sort())
    expect(failures[0]).toMatchObject({ code: 'DCVS-1105-400', pointer: '/timestamp' })
    expect(why).toContain('AEP accepted 6 records and refused them afterwards')
    const { days } = (await relay.get('/summary?days=1')).body
    expect(days).toMatchObject([{ received: 20, inAep: 14, refused: 6, lost: 0 }])
    expect(receiver.messages).toHaveLength(1)
    expect(said()).toContain('6 records: DCVS-1105-400 at /timestamp')
    expect(said()).toContain('npm run recover')
    for (let minutes = 0; minutes < 55; minutes += 5) await tick(5 * MINUTE)
    expect(receiver.messages).toHaveLength(1)
    for (let minutes = 0; minutes < 30; minutes += 5) await tick(5 * MINUTE)
    expect(receiver.messages).toHaveLength(2)
    expect(said()).toContain('Resolved: AEP has refused nothing more for an hour')
    expect((await compared()).why).toBeNull()
  })

  it('is not over while AEP does not let its counts be read', async () => {
    later({}, { times: 1 })
    await webhooks(2)
    await tick()
    aep.rule({ on: 'platform', answer: { type: 'status', status: 500 } })
    for (let hours = 0; hours < 3; hours += 1) await tick(HOUR)
    expect(said()).not.toContain('Resolved')
    expect((await compared()).why).toMatch(/refused it afterwards.* Adobe answered 500/)
    aep.clearRules()
    await tick()
    expect(said()).toContain('Resolved')
  })

  it('is said anew for another cause, and not for the same', async () => {
    later()
    await webhooks(1)
    await tick()
    await webhooks(1)
    await tick()
    expect(receiver.messages).toHaveLength(1)
    aep.clearRules()
    later({ pointer: '/eventType' })
    await webhooks(1)
    await tick(40 * MINUTE)
    expect(receiver.messages).toHaveLength(2)
    expect(said()).toContain('/eventType')
  })

  it('is shown by find, with where and why, until it has been sent again', async () => {
    later({}, { times: 1 })
    const [id] = await webhooks(2)
    await tick()
    const { body } = await relay.command('/find', { id })
    expect(body.events).toMatchObject([
      {
        id,
        state: 'failed',
        code: 'DCVS-1105-400',
        pointer: '/timestamp',
        batch: expect.stringMatching(/^01/),
        failedAt: expect.any(String),
      },
    ])
    const browser = startBrowser(READ_AND_ALERT)
    await browser.signIn()
    const page = textOf((await browser.visit(`/admin/ui/events/${id}`)).html)
    expect(page).toMatch(/AEP accepted it.*AEP refused it: \/timestamp, format \(DCVS-1105-400\)/)
    const list = textOf((await browser.visit('/admin/ui/events?state=all')).html)
    expect(list).toMatch(/Failed .*AEP refused it afterwards: \/timestamp, format/)
    const { body: screened } = await relay.command('/screen', { records: [], recovered: [id] })
    expect(screened).toEqual({ indexes: [] })
    expect((await relay.command('/find', { id })).body.events).toMatchObject([
      { state: 'recovered' },
    ])
    const again = textOf((await browser.visit(`/admin/ui/events/${id}`)).html)
    expect(again).toMatch(/AEP refused it: .* It was sent again; whether AEP has kept it/)
    expect(again).not.toContain('not in the dataset')
  })

  it('is forgotten with its person', async () => {
    later()
    const [id] = await webhooks(1, { visitor: { UUID: 'gone' } })
    await tick()
    expect((await compared()).failures).toHaveLength(1)
    await relay.command('/erase', { visitor: 'gone' })
    expect((await compared()).failures).toEqual([])
    const record = { _id: id, identityMap: { ChatlioVisitor: [{ id: 'gone', primary: true }] } }
    const other = { _id: id, visitor: { UUID: 'other' }, messages: [{ text: 'gone' }] }
    const { body } = await relay.command('/screen', { records: [other, record] })
    expect(body.indexes).toEqual([1])
  })

  it('holds no word of AEP and nothing of a visitor, in any row, line or message', async () => {
    later({ pointer: `/visitorTraits/${CANARY}`, code: CANARY })
    await webhooks(2, { email: `${CANARY}@example.com`, message: CANARY })
    aep.set({ failedBody: 'mapped' })
    await tick()
    const text = (_: string, value: unknown) =>
      value instanceof ArrayBuffer ? new TextDecoder('latin1').decode(value) : value
    const rows = await runInDurableObject(outbox(), (_, { storage }) =>
      storage.sql
        .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
        .toArray()
        .filter(({ name }) => !name.startsWith('_cf'))
        .map(({ name }) =>
          JSON.stringify(storage.sql.exec(`SELECT * FROM ${name}`).toArray(), text),
        ),
    )
    expect(rows.join('')).toContain('/visitorTraits/*')
    const seen = [...rows, ...logs, said(), JSON.stringify(await compared())].join('\n')
    expect(seen).not.toContain(CANARY)
    expect(seen).not.toContain('local-reader-secret')
  })
})

describe('what AEP lost', () => {
  it('is an alert once hours are settled, and none where AEP has more', async () => {
    await webhooks(4)
    aep.rule({ times: 3, answer: { type: 'lose' } })
    await webhooks(5)
    await tick()
    expect(receiver.messages).toEqual([])
    for (let hours = 0; hours < 3; hours += 1) await tick(HOUR)
    expect(said()).toContain('AEP has fewer than it acknowledged: 3 records')
    expect((await compared()).hours.find(({ ours }) => ours === 9)).toMatchObject({
      received: 6,
      ingested: 6,
      failed: 0,
      settled: true,
    })
    const { days } = (await relay.get('/summary?days=1')).body
    expect(days).toMatchObject([{ received: 9, inAep: 6, refused: 0, lost: 3 }])
    for (let hours = 0; hours < 4; hours += 1) await tick(HOUR)
    expect(receiver.messages).toHaveLength(2)
    expect(said()).toContain('Resolved')
  })

  it('is not what was sent in the last second of an hour, and counted in the next', async () => {
    await tick(MINUTE)
    const end = Math.ceil(clock.now / HOUR) * HOUR
    clock.set(end - 1_000)
    aep.advance(2_000)
    await webhooks(3)
    for (let hours = 0; hours < 5; hours += 1) await tick(HOUR)
    expect((await compared()).hours.filter(({ ours }) => ours === 3)).toMatchObject([
      { received: 0 },
    ])
    expect(receiver.messages).toEqual([])
  })
})

describe('a dataflow that keeps nothing', () => {
  it('is said within one tick, with the reason as soon as AEP names it', async () => {
    later({ code: 'DCVS-1111-400', pointer: '/_id' })
    await webhooks(3)
    await tick(5 * MINUTE)
    expect((await compared()).why).toMatch(
      /keeps nothing of what it accepts: of 3 records.*npm run verify/,
    )
    await tick()
    expect((await compared()).why).toContain('DCVS-1111-400 at /_id')
    const browser = startBrowser(READ_AND_ALERT)
    await browser.signIn()
    expect(textOf((await browser.visit('/admin')).html)).toMatch(
      /keeps nothing of what it accepts: of 3 records none is in the dataset \(DCVS-1111-400 at \/_id\)/,
    )
  })

  it('counts rows that name no event', async () => {
    later({ code: 'DCVS-1111-400', pointer: '/_id' })
    aep.set({ failedBody: 'cut' })
    await webhooks(3)
    await tick()
    expect(said()).toContain('DCVS-1111-400 at /_id')
  })
})

describe('reading', () => {
  it.each([
    ['403', { type: 'status', status: 403 }, 'View Monitoring', false],
    ['500', { type: 'status', status: 500 }, 'tried again within 15 minutes', true],
  ] as const)(
    'that AEP answers with %s is a sentence, and nothing else',
    async (_, answer, words, available) => {
      aep.rule({ on: 'platform', answer })
      await webhooks(2)
      await tick()
      expect(await compared()).toMatchObject({ available, why: expect.stringContaining(words) })
      const browser = startBrowser(READ_AND_ALERT)
      await browser.signIn()
      const page = textOf((await browser.visit('/admin')).html)
      expect(page).toMatch(/Relaying\..*What AEP has kept is not known/)
      expect(page).toContain(words)
      expect((await relay.health()).body).toEqual({ status: 'ok' })
      expect((await webhooks(2)).length).toBe(2)
      expect((await relay.get('/status')).body.hold).toBeNull()
      expect(receiver.messages).toEqual([])
      aep.clearRules()
      await tick()
      expect(await compared()).toMatchObject({ available: true, why: null })
    },
  )

  it('with a wrong secret says so, and asks AEP nothing', async () => {
    relay = startRelay({ ...READ_AND_ALERT, AEP_READ_CLIENT_SECRET: 'wrong-secret' })
    await tick()
    expect((await compared()).why).toMatch(/Adobe answered 40\d to asking for a token/)
    expect(platformPaths()).toEqual([])
  })

  it('happens once in fifteen minutes, whichever isolate asks', async () => {
    await tick(5 * MINUTE)
    const first = aep.platformRequests.length
    expect(first).toBeGreaterThan(0)
    expect(first).toBeLessThanOrEqual(4)
    const other = startRelay(READ_AND_ALERT)
    await other.scheduled()
    await tick(14 * MINUTE)
    expect(aep.platformRequests).toHaveLength(first)
    await tick(MINUTE)
    expect(aep.platformRequests.length).toBeGreaterThan(first)
  })

  it('sees nothing of another flow in the same dataset', async () => {
    later()
    await aep.fetch('http://127.0.0.1:8788/collection/local-inlet', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-adobe-flow-id': 'foreign' },
      body: JSON.stringify({ _id: 'f'.repeat(64), eventType: 'chatlio.feedback' }),
    })
    await tick()
    const { failures, hours } = await compared()
    expect(failures).toEqual([])
    expect(hours.reduce((sum, { received }) => sum + Number(received), 0)).toBe(0)
    expect(receiver.messages).toEqual([])
  })

  it('goes on where the last left off, until all is read', async () => {
    aep.set({ failedFileRows: 1 })
    later()
    await webhooks(45)
    aep.clearRules()
    await tick()
    const first = (await compared()).failures.length
    expect(first).toBeLessThanOrEqual(20)
    await tick(15 * MINUTE)
    await tick(15 * MINUTE)
    expect((await compared()).failures).toHaveLength(45)
  })

  it('without a credential asks nothing, and says what is not set', async () => {
    Object.assign(env, { AEP_READ_CLIENT_ID: '' })
    relay = startRelay({ ...READ_AND_ALERT, AEP_READ_CLIENT_ID: '' })
    await tick()
    expect(platformPaths()).toEqual([])
    const { available, why } = await compared()
    expect([available, why]).toEqual([false, 'Not set: AEP_READ_CLIENT_ID.'])
  })

  it('begins anew with another dataflow, whose hours are not compared with what went to the first', async () => {
    await webhooks(5)
    await tick()
    await changeDataflow()
    aep.reset()
    await tick(MINUTE)
    for (let hours = 0; hours < 5; hours += 1) await tick(HOUR)
    expect(receiver.messages).toEqual([])
    const { days } = (await relay.get('/summary?days=1')).body
    expect(days).toMatchObject([{ received: 5, inAep: 5, lost: 0 }])
  })

  it('takes nothing that an isolate of before a deploy has read of another dataflow', async () => {
    await tick()
    const hour = { at: clock.now, received: 9, ingested: 0, failed: 9, settled: true }
    const flow = { datasetId: 'local-dataset', flowId: 'another' }
    const read = { failures: [], unnamed: [], cursor: null, more: false, problem: null }
    await outbox().takeLanded({ ...read, flow, hours: [hour] })
    expect((await compared()).hours.filter(({ received }) => received === 9)).toEqual([])
  })

  it('after a clock that ran ahead for days finds at once what it has passed by, and misses nothing', async () => {
    await tick()
    const started = clock.now
    later({}, { times: 1 })
    const [id] = await webhooks(3)
    vi.setSystemTime(started + 2 * DAY)
    aep.advance(-2 * DAY)
    await relay.scheduled()
    vi.setSystemTime(started + 20 * MINUTE)
    aep.advance(2 * DAY)
    await relay.scheduled()
    const { hours, failures } = await compared()
    expect(failures.map((failure) => failure.id)).toEqual([id])
    expect(hours.find(({ ours }) => ours === 3)).toMatchObject({ received: 3, settled: false })
    expect(hours.filter(({ at }) => Date.parse(String(at)) > Date.now())).toEqual([])
    receiver.messages.length = 0
    for (let hour = 0; hour < 5; hour += 1) await tick(HOUR)
    expect(said()).not.toContain('fewer')
  })
})

describe('a day', () => {
  type Counts = Record<'received' | 'inAep' | 'refused' | 'lost' | 'late', number>
  type Day = Counts & { day: string; rows: (Counts & { kind: string; source: string | null })[] }
  const days = async (count = 1) =>
    (await relay.get(`/summary?days=${count}`)).body.days as unknown as Day[]
  const NONE = { refused: 0, lost: 0, late: 0 }

  it('counts what AEP refused afterwards by kind and source, on the day on which it had accepted it', async () => {
    const shop = startRelay({ ...READ_AND_ALERT, WEBHOOK_KEYS: `shop:${KEY}` })
    clock.set(Math.ceil(clock.now / DAY) * DAY - 10 * MINUTE)
    later({}, { every: 3 })
    for (let each = 0; each < 6; each += 1) await shop.post('unanswered', conversation())
    await shop.report()
    await webhooks(3)
    aep.clearRules()
    // The batch is done with on the day after.
    await tick()
    const [today, yesterday] = await days(2)
    expect(today).toMatchObject({ received: 0, inAep: 0, refused: 0, rows: [] })
    expect(yesterday).toMatchObject({ ...NONE, received: 9, inAep: 6, refused: 3 })
    expect(yesterday?.rows).toMatchObject([
      { ...NONE, kind: 'unanswered', source: 'shop', received: 6, inAep: 4, refused: 2 },
      { ...NONE, kind: 'feedback', source: null, received: 3, inAep: 2, refused: 1 },
    ])
    for (const group of ['received', 'inAep', 'refused'] as const) {
      expect(yesterday?.rows.reduce((sum, row) => sum + row[group], 0)).toBe(yesterday?.[group])
    }
    // Reading again, and another dataflow, change nothing of it.
    for (let hours = 0; hours < 4; hours += 1) await tick(HOUR)
    expect((await days(2))[1]).toEqual(yesterday)
    await changeDataflow()
    await tick(HOUR)
    expect((await days(2))[1]).toEqual(yesterday)
  })

  it('counts a split event once, however many of its parts AEP refused', async () => {
    const long = startRelay({ ...READ_AND_ALERT, MAX_EVENT_BYTES: '2000' })
    Object.assign(env, { MAX_EVENT_BYTES: '2000' })
    later()
    const { body } = await long.post('feedback', conversation({ message: 'word '.repeat(900) }))
    expect(body.status).toBe('buffered')
    await long.report()
    await runDurableObjectAlarm(outbox())
    aep.clearRules()
    await tick()
    const { length } = (await compared()).failures
    expect(length).toBeGreaterThan(1)
    await webhooks(5)
    expect(await days()).toMatchObject([{ received: 6, inAep: 5, refused: 1 }])
    const { points } = (await relay.get('/activity')).body
    expect(points).toContainEqual(
      expect.objectContaining({ outcome: 'drained', count: 1, records: length }),
    )
  })

  it('counts what AEP failed and has not named yet in the sum of all kinds', async () => {
    later({}, { times: 2 })
    await webhooks(5)
    // The hour counts it; its batch is not done with.
    await tick(5 * MINUTE)
    const [before] = await days()
    expect(before).toMatchObject({ received: 5, inAep: 3, refused: 2 })
    expect(before?.rows).toMatchObject([{ kind: 'feedback', inAep: 5, refused: 0 }])
    await tick()
    expect(await days()).toMatchObject([
      { inAep: 3, refused: 2, rows: [{ kind: 'feedback', inAep: 3, refused: 2 }] },
    ])
  })

  it('has lost nothing that AEP counts in the hour after, on the day after', async () => {
    await tick(MINUTE)
    clock.set(Math.ceil(clock.now / DAY) * DAY - 1_000)
    aep.advance(2_000)
    await webhooks(3)
    for (let hours = 0; hours < 5; hours += 1) await tick(HOUR)
    expect(await days(2)).toMatchObject([{ lost: 0 }, { received: 3, inAep: 3, lost: 0 }])
  })

  it('counts as late what AEP took more than ALERT_AGE_MINUTES after it came, by kind', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('unanswered', conversation())
    clock.advance(20 * MINUTE)
    aep.clearRules()
    await runDurableObjectAlarm(outbox())
    await webhooks(2)
    const expected = {
      received: 3,
      inAep: 3,
      late: 1,
      rows: [
        { kind: 'unanswered', late: 1 },
        { kind: 'feedback', late: 0 },
      ],
    }
    expect(await days()).toMatchObject([expected])
    clock.advance(DAY)
    const browser = startBrowser(READ_AND_ALERT)
    await browser.signIn()
    expect(textOf((await browser.visit('/admin')).html)).toMatch(
      /3 received · 3 in AEP · 0 refused · 0 lost · 1 late \(the slowest 21 min\)/,
    )
    expect(textOf((await browser.visit('/admin/ui/days')).html)).toContain(
      'late when that was more than 15 min',
    )
    const patient = startRelay({ ...READ_AND_ALERT, ALERT_AGE_MINUTES: '30' })
    expect((await patient.get('/summary?days=2')).body.days).toMatchObject([{}, { late: 0 }])
  })
})

it('isolates of 1.0.0-rc.1 get the hours that are compared, in a deploy', async () => {
  await webhooks(2)
  await tick()
  const range = [clock.now - DAY, clock.now] as const
  const { hours } = await outbox().compared(...range)
  expect(hours.length).toBeGreaterThan(0)
  expect(await outbox().landedHours(...range)).toEqual(hours)
})
