/** What went straight through is remembered, and found; and costs nothing before the answer. */
import { createExecutionContext, runInDurableObject, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { MAX_HELD_RECEIPTS } from '../../src/worker/limits.ts'
import type { Outbox } from '../../src/worker/outbox/outbox.ts'
import { Held } from '../../src/worker/receipts/held.ts'
import { servicesOf, waits } from '../../src/worker/services.ts'
import { worker } from '../../src/worker/worker.ts'
import {
  type Clock,
  conversation,
  drainAll,
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

  it('is found on every outbox, the newest first, in pages, and by day', async () => {
    relay = startRelay({ OUTBOX_SHARDS: '3' })
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

  it('is forgotten after RECEIPT_DAYS, with its index', async () => {
    await relay.post('feedback', conversation(person))
    await relay.report()
    clock.advance(7 * 86_400_000 - 60_000)
    await relay.scheduled()
    expect((await find({ visitor: 'visitor-of-yesterday' })).events).toHaveLength(1)
    clock.advance(120_000)
    await relay.scheduled()
    expect((await find({ visitor: 'visitor-of-yesterday' })).events).toHaveLength(0)
    expect(await rowsOf('lookups')).toBe(0)
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

  it('is found by its hashes also when it was stored without them', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', conversation(person))
    await runInDurableObject(outbox(), (_, { storage }) => {
      storage.sql.exec('UPDATE pending SET hashes = NULL')
      storage.sql.exec('DELETE FROM lookups')
    })
    expect((await find({ visitor: 'visitor-of-yesterday' })).events).toHaveLength(0)
    await relay.scheduled()
    expect((await find({ visitor: 'visitor-of-yesterday' })).events).toHaveLength(1)
  })

  it('leaves no index behind when an operator erases it', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const { body } = await relay.post('feedback', conversation(person))
    expect(await rowsOf('lookups')).toBe(3)
    await relay.erase(String(body.id))
    expect(await rowsOf('lookups')).toBe(0)
  })
})

describe('with RECEIPT_DAYS 0', () => {
  it('nothing delivered is remembered', async () => {
    // The object reads its own environment, so the carried receipt is given to one that keeps none.
    const { ReceiptStore } = await import('../../src/worker/outbox/records/receipts.ts')
    const { Lookups } = await import('../../src/worker/outbox/records/lookups.ts')
    await runInDurableObject(outbox(), (_, { storage }) => {
      const lookups = new Lookups(storage.sql)
      const none = new ReceiptStore(storage.sql, lookups, 0)
      const receipt = { id: 'a', kind: 'feedback' as const, receivedAt: 1, settledAt: 2, bytes: 3 }
      none.addAll([{ ...receipt, hashes: 'x y' }])
    })
    expect(await rowsOf('receipts')).toBe(0)
    expect(await rowsOf('lookups')).toBe(0)
  })
})

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

  it('reads index entries only, however many receipts there are', async () => {
    for (let each = 0; each < 60; each += 1) await relay.post('feedback', conversation())
    await relay.post('feedback', conversation(person))
    await relay.report()
    const read = await runInDurableObject(outbox(), async (instance, { storage }) => {
      const real = storage.sql.exec.bind(storage.sql)
      const cursors: { rowsRead: number }[] = []
      vi.spyOn(storage.sql, 'exec').mockImplementation(((query: string, ...bindings: unknown[]) => {
        const cursor = real(query, ...bindings)
        cursors.push(cursor)
        return cursor
      }) as typeof storage.sql.exec)
      const { LookupHash } = await import('../../src/worker/outbox/records/lookup.ts')
      const hash = await new LookupHash(await instance.lookupKey()).of('email', 'ada@example.com')
      const before = Number.MAX_SAFE_INTEGER
      expect(instance.find({ by: { hash }, from: 0, before, limit: 50 })).toHaveLength(1)
      return cursors.reduce((sum, { rowsRead }) => sum + rowsRead, 0)
    })
    expect(read).toBeLessThan(10)
  })

  it('keeps no address and no id as text', async () => {
    await relay.post('feedback', conversation(person))
    await relay.report()
    const text = await runInDurableObject(outbox(), (_, { storage }) =>
      JSON.stringify(
        ['lookups', 'receipts', 'minutes', 'totals', 'carriers', 'webhook_keys'].map((table) =>
          storage.sql.exec(`SELECT * FROM ${table}`).toArray(),
        ),
      ),
    )
    expect(text).toContain('forwarded')
    expect(text.toLowerCase()).not.toMatch(/ada@|of-yesterday/)
  })
})

describe('carrying', () => {
  const webhook = (body: unknown) =>
    new Request(`https://relay.example/chatlio/feedback?key=${KEY}`, {
      method: 'POST',
      body: JSON.stringify(body),
    }) as never

  it('holds up no answer: an outbox that never answers is not waited for', async () => {
    const asked: string[] = []
    const never = () => new Promise(() => undefined)
    const getByName = () => {
      asked.push(`after ${aep.requests.length} requests to AEP`)
      return { exchange: never, lookupKey: never, store: never, reportDrift: never }
    }
    const ctx = createExecutionContext()
    vi.spyOn(ctx, 'waitUntil').mockImplementation(() => undefined)
    const own = { ...env, OUTBOX: { getByName } } as unknown as Env
    const response = await worker.fetch(webhook(conversation()), own, ctx)
    expect(response.status).toBe(200)
    // Asked at all only once AEP had taken the event.
    expect(new Set(asked)).toEqual(new Set(['after 1 requests to AEP']))
    const { length } = asked
    await worker.fetch(webhook(conversation()), own, ctx)
    expect(asked).toHaveLength(length)
  })

  it('writes five rows for a receipt with all three fields, beside four for the batch', async () => {
    const written = async (work: (instance: Outbox) => Promise<unknown>) =>
      runInDurableObject(outbox(), async (instance, { storage }) => {
        const real = storage.sql.exec.bind(storage.sql)
        const cursors: { rowsWritten: number }[] = []
        const spy = vi.spyOn(storage.sql, 'exec')
        spy.mockImplementation(((query: string, ...bindings: unknown[]) => {
          const cursor = real(query, ...bindings)
          cursors.push(cursor)
          return cursor
        }) as typeof storage.sql.exec)
        await work(instance)
        spy.mockRestore()
        return cursors.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0)
      })
    const own = { ...env } as Env
    const { carrier } = servicesOf(own)
    const note = (id: string) => {
      const receipt = { id, kind: 'feedback' as const, receivedAt: clock.now, settledAt: clock.now }
      const subject = { conversation: 'c', visitor: 'v', emails: ['e'] }
      carrier.note({
        at: clock.now,
        ms: 1,
        kind: 'feedback',
        outcome: 'forwarded',
        key: 'abcdef',
        straight: true,
        receipt: { ...receipt, bytes: 1, subject },
      })
    }
    const { INITIAL_UPSTREAM } = await import('../../src/worker/aep/upstream/state.ts')
    const carry = async () => {
      const batch = (await carrier.load())?.get(0) ?? null
      return written((instance) => instance.exchange(INITIAL_UPSTREAM, batch, null)).finally(() =>
        carrier.learn(0, batch ?? undefined, {
          upstream: INITIAL_UPSTREAM,
          taken: true,
          news: null,
        }),
      )
    }
    note('0'.repeat(64))
    const one = await carry()
    carrier.ended()
    note('1'.repeat(64))
    note('2'.repeat(64))
    const two = await carry()
    // The batch, the totals, the minute, the webhook key; then a receipt and its id, and three hashes.
    expect(one).toBe(4 + 5)
    expect(two).toBe(3 + 2 * 5)
  })

  it('keeps a request until what it left is carried, at most ten seconds, and one request for all', async () => {
    await relay.post('feedback', conversation())
    const waited: number[] = []
    const released = Promise.withResolvers<void>()
    vi.spyOn(waits, 'wait').mockImplementation((ms) => {
      waited.push(ms)
      return released.promise
    })
    const own = { ...env } as Env
    const send = async () => {
      const ctx = createExecutionContext()
      await worker.fetch(webhook(conversation()), own, ctx)
      return ctx
    }
    const first = await send()
    await waitOnExecutionContext(first)
    clock.advance(4_000)
    const second = await send()
    const third = await send()
    await waitOnExecutionContext(third)
    expect(waited).toEqual([6_000])
    expect(await rowsOf('receipts')).toBe(2)
    released.resolve()
    await waitOnExecutionContext(second)
    expect(await rowsOf('receipts')).toBe(4)
  })

  it('sends a batch again that was not taken, and it counts once', async () => {
    const own = { ...env } as Env
    const { carrier, shards } = servicesOf(own)
    const note = () =>
      carrier.note({
        at: clock.now,
        ms: 5,
        kind: 'feedback',
        outcome: 'forwarded',
        key: null,
        straight: true,
        receipt: null,
      })
    note()
    const first = (await carrier.load())?.get(0)
    if (!first) throw new Error('nothing to carry')
    // It arrived, but the answer did not.
    const { INITIAL_UPSTREAM } = await import('../../src/worker/aep/upstream/state.ts')
    await shards.of('00000000').exchange(INITIAL_UPSTREAM, first, null)
    carrier.ended()
    note()
    const again = (await carrier.load())?.get(0)
    expect(again).toBe(first)
    carrier.learn(0, again, await shards.of('00000000').exchange(INITIAL_UPSTREAM, first, null))
    carrier.ended()
    const rest = (await carrier.load())?.get(0)
    expect(rest?.straight).toBe(1)
    await shards.of('00000000').exchange(INITIAL_UPSTREAM, rest ?? null, null)
    expect((await relay.get('/status')).body.forwarded).toBe(2)
  })

  it('holds a bounded number of receipts in a burst, and every count', () => {
    const held = new Held()
    const subject = { conversation: 'c', visitor: 'v', emails: ['e'] }
    for (let each = 0; each < 10_000; each += 1) {
      const at = clock.now
      const receipt = { id: String(each), kind: 'feedback' as const, receivedAt: at, settledAt: at }
      held.note({
        at,
        ms: each % 300,
        kind: 'feedback',
        outcome: 'forwarded',
        key: 'abcdef',
        straight: true,
        receipt: { ...receipt, bytes: 1, subject },
      })
      expect(held.size).toBeLessThanOrEqual(MAX_HELD_RECEIPTS + 256)
    }
    expect(held.takeReceipts(() => true)).toHaveLength(MAX_HELD_RECEIPTS)
    const counted = held.takeCounts()
    expect(counted?.straight).toBe(10_000)
    expect(counted?.counts.reduce((sum, { count }) => sum + count, 0)).toBe(10_000)
    expect(held.isEmpty).toBe(true)
  })
})
