/** What went straight through is remembered, and found; and costs nothing before the answer. */

import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { RUNTIME } from '../../src/worker/lib/rim.ts'
import { EventList } from '../../src/worker/outbox/list.ts'
import { packReceipts } from '../../src/worker/outbox/records/packed.ts'
import { ReportStore } from '../../src/worker/outbox/records/reports.ts'
import { type Clock, conversation, drainAll, eachTest, outbox, type Relay } from './support.ts'

let aep: LocalAdobe
let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ clock, aep, relay } = world)
})

type FoundEvent = { id: string; state: string; settledAt: string | null; receivedAt: string }
const find = async (by: Record<string, unknown>, from = relay) => {
  const { status, body } = await from.command('/find', by)
  expect(status, JSON.stringify(body)).toBe(200)
  return { events: body.events as FoundEvent[], cursor: body.cursor as string | null }
}

const person = {
  visitor: { UUID: 'visitor-of-yesterday', email: ' Ada@Example.com ' },
  conversationUUID: 'conversation-of-yesterday',
}

describe('an event that went straight through', () => {
  it.each([
    [{ conversation: 'conversation-of-yesterday' }],
    [{ visitor: 'visitor-of-yesterday' }],
    [{ email: 'ADA@example.com' }],
  ])('is found by %j', async (by) => {
    const { body } = await relay.post('feedback', conversation(person))
    await relay.post('feedback', conversation())
    await relay.report()
    expect((await find(by)).events).toEqual([
      {
        id: body.id,
        kind: 'feedback',
        state: 'delivered',
        attempts: 1,
        receivedAt: new Date(clock.now).toISOString(),
        settledAt: expect.stringMatching(/Z$/),
        via: 'forwarded',
        source: null,
        nextAttemptAt: null,
        lastError: null,
        bytes: expect.any(Number),
      },
    ])
  })

  it('is found by its id, once, however often it came', async () => {
    const payload = conversation(person)
    const { body } = await relay.post('feedback', payload)
    await relay.report()
    clock.advance(10_000)
    await relay.post('feedback', payload)
    await relay.report()
    expect((await find({ id: body.id })).events).toMatchObject([{ id: body.id }])
    expect((await find({ visitor: 'visitor-of-yesterday' })).events).toHaveLength(1)
  })

  it('is found the newest first, in pages, and by day', async () => {
    const ids: unknown[] = []
    for (let each = 0; each < 7; each += 1) {
      clock.advance(5_000)
      const { body } = await relay.post('feedback', conversation(person))
      ids.unshift(body.id)
    }
    await relay.report()
    const pages: string[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof find>> = await find({
        visitor: 'visitor-of-yesterday',
        limit: 3,
        cursor,
      })
      pages.push(...page.events.map(({ id }) => id))
      cursor = page.cursor
    } while (cursor)
    expect(pages).toEqual(ids)
    const day = new Date(clock.now).toISOString().slice(0, 10)
    const other = new Date(clock.now - 2 * 86_400_000).toISOString().slice(0, 10)
    expect((await find({ visitor: 'visitor-of-yesterday', day: other })).events).toEqual([])
    const today = await find({ visitor: 'visitor-of-yesterday', day })
    expect(today.events.every(({ receivedAt }) => receivedAt.startsWith(day))).toBe(true)
    expect(today.events.length).toBeGreaterThan(0)
  })

  it('is found while its report is as it came, and after it was folded', async () => {
    const { body } = await relay.post('feedback', conversation(person))
    await relay.report()
    expect([await rowsOf('reports'), await rowsOf('receipts')]).toEqual([1, 0])
    clock.advance(3_700_000)
    await relay.scheduled()
    expect([await rowsOf('reports'), await rowsOf('receipts')]).toEqual([0, 1])
    const id = String(body.id)
    for (const by of [{ id }, { id: id.slice(0, 8) }, { email: 'ada@example.com' }]) {
      expect((await find(by)).events).toMatchObject([{ id, state: 'delivered' }])
    }
    for (const by of [{ id: id.slice(0, 7) }, { id: `${id.slice(0, 8)}g` }, { email: 'a@b.c' }]) {
      expect((await find(by)).events).toEqual([])
    }
  })

  it('is not found after RECEIPT_DAYS, and forgotten with the rest of its day', async () => {
    await relay.post('feedback', conversation(person))
    await relay.report()
    clock.advance(7 * 86_400_000 - 60_000)
    await relay.scheduled()
    expect((await find({ visitor: 'visitor-of-yesterday' })).events).toHaveLength(1)
    clock.advance(120_000)
    expect((await find({ visitor: 'visitor-of-yesterday' })).events).toHaveLength(0)
    await relay.scheduled()
    expect(await rowsOf('receipts')).toBe(0)
  })
})

const rowsOf = (table: string) =>
  runInDurableObject(outbox(), (_, { storage }) =>
    Number(storage.sql.exec(`SELECT COUNT(*) AS n FROM ${table}`).one().n),
  )

describe('an event in the outbox', () => {
  it('is found in every state, and after its delivery by its receipt', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const { body } = await relay.post('feedback', conversation(person))
    await relay.report()
    const states = async () =>
      (await find({ email: 'ada@example.com' })).events.map(({ id, state }) => [id, state])
    expect(await states()).toEqual([[body.id, 'pending']])
    aep.clearRules()
    await drainAll(clock)
    expect(await states()).toEqual([[body.id, 'delivered']])
    aep.script({ type: 'status', status: 422 })
    clock.advance(1_000)
    const refused = await relay.post('feedback', conversation(person))
    clock.advance(1_000)
    const invalid = await relay.post('feedback', { ...person, message: 7 })
    expect(await states()).toEqual([
      [invalid.body.id, 'quarantined'],
      [refused.body.id, 'dead'],
      [body.id, 'delivered'],
    ])
  })
})

describe('with RECEIPT_DAYS 0', () => {
  it('nothing delivered is remembered, but counted', async () => {
    // The object reads its own environment, so the report is given to records that keep no receipts.
    const { Records } = await import('../../src/worker/outbox/records/records.ts')
    await runInDurableObject(outbox(), (_, { storage }) => {
      const list = new EventList(storage.sql)
      const records = new Records({
        storage,
        receiptMs: 0,
        readAccess: { available: false, why: '' },
        list,
        now: () => clock.now,
        rim: RUNTIME,
      })
      const event = { id: 'a'.repeat(64), kind: 'feedback' as const, source: null, position: 1 }
      records.delivered([
        {
          ...event,
          receivedAt: clock.now,
          body: new Uint8Array(3),
          history: null,
          records: 1,
          redacted: {},
          hashes: 'c'.repeat(33),
        },
      ])
      const by = { id: 'a'.repeat(64) }
      const before = Number.MAX_SAFE_INTEGER
      expect(records.finder.find({ by, from: 0, before, limit: 9 })).toEqual([])
      expect(records.points(0, before, 'day')).toMatchObject([{ outcome: 'drained', count: 1 }])
    })
  })
})

const latin1 = (bytes: ArrayBuffer) => new TextDecoder('latin1').decode(bytes)

describe('finding', () => {
  it.each([
    [{}, 'exactly one of'],
    [{ id: 'a', email: 'b' }, 'exactly one of'],
    [{ email: '' }, 'email'],
    [{ email: 'a', day: '2026-02-30' }, 'day'],
    [{ email: 'a', limit: 0 }, 'limit'],
    [{ emial: 'a' }, 'emial'],
    [{ id: 'a', cursor: '!' }, 'cursor'],
  ])('refuses %j, naming the place', async (body, named) => {
    const answer = await relay.command('/find', body)
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid-request'])
    expect(answer.body.detail).toContain(named)
  })

  it('keeps no address and no id as text', async () => {
    await relay.post('feedback', conversation(person))
    await relay.report()
    const text = await runInDurableObject(outbox(), (_, { storage }) =>
      JSON.stringify(
        ['reports', 'receipts', 'event_index', 'activity', 'totals'].map((table) =>
          storage.sql
            .exec(`SELECT * FROM ${table}`)
            .toArray()
            .flatMap((row) => Object.values(row))
            .map((value) => (value instanceof ArrayBuffer ? latin1(value) : value)),
        ),
      ),
    )
    expect(text).toContain('forwarded')
    expect(text.toLowerCase()).not.toMatch(/ada@|of-yesterday/)
  })
})

describe('what has been delivered beside an event whose parts take minutes', () => {
  it('is written when the next part is accepted, a second later or more', async () => {
    const kept = await runInDurableObject(outbox(), (_, { storage }) => {
      const reports = new ReportStore({ storage, receiptMs: 30 * 86_400_000 } as never)
      const rows = () =>
        Number(
          storage.sql.exec('SELECT COUNT(*) AS n FROM reports WHERE length(receipts) > 0').one().n,
        )
      const event = { kind: 'feedback', source: null } as const
      const delivered = { ...event, id: 'a'.repeat(64), receivedAt: clock.now, position: 1 }
      const body = new Uint8Array(2)
      reports.delivered(
        [{ ...delivered, body, history: null, records: 1, redacted: {}, hashes: '' }],
        clock.now,
      )
      reports.partSettled(event, clock.now + 999)
      const before = rows()
      reports.partSettled(event, clock.now + 1_000)
      return [before, rows()]
    })
    expect(kept).toEqual([0, 1])
  })
})

it('a receipt is erased whatever the clock of its isolate said', async () => {
  await runInDurableObject(outbox(), (_, { storage }) => {
    const { receipts } = new ReportStore({ storage, receiptMs: 30 * 86_400_000 } as never)
    const hash = 'e'.repeat(32)
    const ids = [1_999, 2_026, 2_060].map((year) => String(year).repeat(16))
    const event = {
      kind: 'feedback',
      source: null,
      via: 'forwarded',
      attempts: 1,
      bytes: 2,
    } as const
    for (const id of ids) {
      const receivedAt = Date.UTC(Number(id.slice(0, 4)))
      const receipt = { ...event, id, receivedAt, settledAt: clock.now, hashes: `e${hash}` }
      receipts.add([packReceipts([receipt])])
    }
    expect(receipts.erase(hash, false)).toEqual(new Set(ids))
    expect(storage.sql.exec('SELECT segment FROM receipts').toArray()).toEqual([])
  })
})
