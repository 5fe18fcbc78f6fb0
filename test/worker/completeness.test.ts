/** Conversations without a transcript: read from the receipts that exist, a bounded number of rows, and nothing written. */
import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { RUNTIME } from '../../src/worker/lib/rim.ts'
import { MAX_COMPLETENESS_ROWS } from '../../src/worker/limits.ts'
import { EventList } from '../../src/worker/outbox/list.ts'
import { completenessOf } from '../../src/worker/outbox/records/completeness.ts'
import { packReceipts, type Receipt } from '../../src/worker/outbox/records/packed.ts'
import { ReceiptStore } from '../../src/worker/outbox/records/receipts.ts'
import { Records } from '../../src/worker/outbox/records/records.ts'
import { type Clock, conversation, eachTest, outbox, type Relay } from './support.ts'

let aep: LocalAdobe
let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ clock, aep, relay } = world)
})

const HOUR = 3_600_000
const DAY = 24 * HOUR
const hex = (number: number, digits: number) => number.toString(16).padStart(digits, '0')

describe('a conversation', () => {
  const event = (
    kind: 'new-conversation' | 'unanswered' | 'transcript' | 'feedback',
    conversation: string | null,
    receivedAt: number,
  ) => ({ id: `${kind} ${conversation} ${receivedAt}`, kind, receivedAt, conversation })

  it('counts once, on the day on which it began, and is missing when its time is over', () => {
    const found = completenessOf(
      [
        event('transcript', 'a', DAY + 3),
        event('unanswered', 'a', DAY + 2),
        event('new-conversation', 'a', DAY - 1),
        event('new-conversation', 'b', DAY + 1),
        event('unanswered', 'b', DAY + 2),
        event('new-conversation', 'late', 2 * DAY + 1),
        event('feedback', 'c', DAY),
        event('new-conversation', null, DAY),
        event('new-conversation', null, DAY),
      ],
      2 * DAY,
    )
    expect(found).toEqual({
      days: [
        { day: 2 * DAY, started: 1, completed: 0, missing: 0, unnamed: 0 },
        { day: DAY, started: 1, completed: 0, missing: 1, unnamed: 1 },
        { day: 0, started: 1, completed: 1, missing: 0, unnamed: 0 },
      ],
      missing: [
        { id: `new-conversation b ${DAY + 1}`, kind: 'new-conversation', receivedAt: DAY + 1 },
      ],
      latest: { due: 1, missing: 1 },
      before: { due: 1, missing: 0 },
    })
  })
})

describe('from outside', () => {
  it('those that were relayed, and those that are stored, are one', async () => {
    const chat = (conversationUUID: string) => conversation({ conversationUUID })
    const ended = (conversationUUID: string) => ({ messages: [], conversationUUID })
    for (const name of ['a', 'b', 'c']) await relay.post('new-conversation', chat(name))
    await relay.post('transcript', ended('a'))
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('transcript', ended('b'))
    const { body } = await relay.post('unanswered', chat('d'))
    await relay.report()
    clock.advance(25 * HOUR)
    const found = await outbox().completeness(clock.now - 7 * DAY, clock.now - DAY)
    expect(found.days).toMatchObject([{ started: 4, completed: 2, missing: 2, unnamed: 0 }])
    expect(found.missing.map(({ id }) => id)).toContain(body.id)
    await relay.scheduled()
    expect((await relay.get('/alerts')).body.alerts).toContainEqual(
      expect.objectContaining({ name: 'incomplete', state: 'ok' }),
    )
  })

  it('ten of twelve without a transcript are an alert, within the hour in which it is due', async () => {
    for (let each = 0; each < 12; each += 1) {
      await relay.post('new-conversation', conversation({ conversationUUID: `c-${each}` }))
      clock.advance(1_000)
    }
    for (const each of [3, 4]) {
      await relay.post('transcript', { messages: [], conversationUUID: `c-${each}` })
    }
    await relay.report()
    const state = async () => {
      await relay.scheduled()
      const alerts = (await relay.get('/alerts')).body.alerts as { name: string; state: string }[]
      return alerts.find(({ name }) => name === 'incomplete')?.state
    }
    clock.advance(23 * HOUR)
    expect(await state()).toBe('ok')
    clock.advance(2 * HOUR)
    expect(await state()).toBe('firing')
  })
})

const RECEIPTS = 100_000

describe('with a hundred thousand receipts', () => {
  /** Packed into rows of 4,096, as folding does: 25 of them, two of three conversations with a transcript. */
  const fill = (storage: DurableObjectStorage, count: number, at: number) => {
    const store = new ReceiptStore(storage.sql)
    const receipts = Array.from({ length: count }, (_, index): Receipt => {
      const kind = index % 2 === 0 ? 'new-conversation' : 'transcript'
      const number = kind === 'transcript' && index % 3 === 0 ? count + index : index >> 1
      const event = { id: hex(index, 64), kind, source: null, attempts: 1, bytes: 900 } as const
      const times = { receivedAt: at + index, settledAt: at + index + 1 }
      const hashes = `c${hex(number, 32)} v${hex(index, 32)} e${hex(index, 32)}`
      return { ...event, ...times, via: 'forwarded', hashes }
    })
    storage.transactionSync(() => store.add([packReceipts(receipts)]))
  }

  const read = (count: number) =>
    runInDurableObject(outbox(), (_, { storage }) => {
      const at = Math.floor(clock.now / DAY) * DAY - 2 * DAY
      fill(storage, count, at)
      const list = new EventList(storage.sql)
      const now = () => clock.now
      const records = new Records({
        storage,
        readAccess: { available: false, why: '' },
        receiptMs: 7 * DAY,
        list,
        now,
        rim: RUNTIME,
      })
      const real = storage.sql.exec.bind(storage.sql)
      const cursors: { rowsRead: number; rowsWritten: number }[] = []
      vi.spyOn(storage.sql, 'exec').mockImplementation(((query: string, ...bindings: unknown[]) => {
        const cursor = real(query, ...bindings)
        cursors.push(cursor)
        return cursor
      }) as typeof storage.sql.exec)
      const found = records.finder.completeness(clock.now - 7 * DAY, clock.now - DAY)
      vi.restoreAllMocks()
      const sum = (of: 'rowsRead' | 'rowsWritten') =>
        cursors.reduce((all, cursor) => all + cursor[of], 0)
      return { at, found, rowsRead: sum('rowsRead'), rowsWritten: sum('rowsWritten') }
    })

  it('reads each of 25 rows once or twice, and writes none', async () => {
    const { found, rowsRead, rowsWritten } = await read(RECEIPTS)
    expect(found.days).toMatchObject([{ started: 50_000, completed: 33_333, missing: 16_667 }])
    expect(rowsWritten).toBe(0)
    expect(rowsRead).toBeLessThanOrEqual(60)
  })

  it('of more it reads the newest, and says since when that is', async () => {
    const { at, found, rowsRead } = await read(150_000)
    const newest = (150_000 % 4_096) + (MAX_COMPLETENESS_ROWS - 1) * 4_096
    expect(found.from).toBe(at + 150_000 - newest)
    expect(found.days).toMatchObject([{ started: newest / 2 }])
    expect(rowsRead).toBeLessThanOrEqual(80)
  })
})
