/**
 * What operators ask costs as much with twenty thousand events as with ten: rows are billed, and a page is loaded often.
 * Every operation of the API runs here against an outbox that holds 20,000 pending events, as many parked and as many
 * receipts; SQLite counts the rows that its statements read.
 */
import { reset, runInDurableObject } from 'cloudflare:test'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { pageRoutes } from '../../src/worker/admin/page/routes.tsx'
import { Sessions } from '../../src/worker/http/auth.ts'
import { RUNTIME } from '../../src/worker/lib/rim.ts'
import { MAX_COMPLETENESS_EVENTS, MAX_SCANNED, MAX_WATCHED } from '../../src/worker/limits.ts'
import type { ArrivingEvent } from '../../src/worker/outbox/event.ts'
import type { Outbox } from '../../src/worker/outbox/outbox.ts'
import { ActivityStore, type CountRow } from '../../src/worker/outbox/records/activity.ts'
import { LookupHash } from '../../src/worker/outbox/records/lookup.ts'
import { OperatorLog } from '../../src/worker/outbox/records/operator-log.ts'
import { packReceipts, type Receipt } from '../../src/worker/outbox/records/packed.ts'
import { ReceiptStore } from '../../src/worker/outbox/records/receipts.ts'
import { arrivingEvent, failedAttempt, fillWith } from './outbox-support.ts'
import {
  type Answered,
  captureLogs,
  outbox,
  type Relay,
  startClock,
  startRelay,
  TOKEN,
} from './support.ts'

const EVENTS = 20_000
/** Events on one page, and one more. */
const PAGE = 51
/** Of one event that is shown: its index entry, its row, and that of its tries; two entries where causes are merged. */
const PER_EVENT = 4
/** Of one event that a bulk action looks at: it is listed, then read with its body. */
const PER_CHANGE = 7
/** What is read besides: the ledger, settings, a row for each cause. */
const BESIDE = 40
/** Events of the last minute, which are not indexed yet. */
const NOT_INDEXED = 120

/** The entry of a redrive in the operators' log. */
const REDRIVE = EVENTS + 1

/** The beginning of an id is what a filter holds. */
const receiptId = (index: number) => index.toString(16).padStart(8, '0').padEnd(64, 'e')

/** What is parked, by turns: refused by AEP, or not valid; a few of them at a place. */
function parked(index: number): Partial<ArrivingEvent> {
  if (index % 2 === 0) {
    const message = index % 20 === 0 ? 'Bad at #/rare' : 'Bad'
    return { state: 'dead', attempt: failedAttempt({ code: 'rejected', status: 400, message }) }
  }
  const message = index % 20 === 1 ? 'visitor.UUID: No' : 'No'
  const error = { code: 'invalid-payload', status: null, message } as const
  return { state: 'quarantined', attempt: failedAttempt(error) }
}

/** One event a second; ids are `pending-…`, `parked-…` with a number, and `receiptId`. */
function fill(storage: DurableObjectStorage, now: number, hash: string): void {
  const { sql } = storage
  const from = now - EVENTS * 1_000
  const kindOf = (index: number) =>
    index % 4 === 0 ? 'feedback' : index % 4 === 1 ? 'unanswered' : 'transcript'
  const each = (fieldsOf: (index: number) => Partial<ArrivingEvent>) =>
    Array.from({ length: EVENTS }, (_, index) => {
      const own = { kind: kindOf(index), receivedAt: from + index * 1_000 } as const
      return arrivingEvent(index, { ...own, ...fieldsOf(index) })
    })
  const error = { code: 'unavailable', status: 503, message: 'No' } as const
  const attempt = failedAttempt(error, now + 3_600_000)
  fillWith(
    storage,
    each((index) => ({ id: `pending-${index}`, attempt })),
  )
  fillWith(
    storage,
    each((index) => ({ id: `parked-${index}`, ...parked(index) })),
  )
  const receipts = Array.from({ length: EVENTS }, (_, i): Receipt => {
    const receivedAt = from + i * 1_000
    const hashes = `e${i % 400 === 0 ? hash : i.toString(16).padStart(32, '7')}`
    const own = { kind: 'feedback' as const, source: null, via: 'forwarded' as const, attempts: 1 }
    return { ...own, id: receiptId(i), receivedAt, settledAt: receivedAt, bytes: 2, hashes }
  })
  new ReceiptStore(sql).add([packReceipts(receipts)])
  const log = new OperatorLog(sql)
  const entry = { by: 'token', action: 'pause', counts: {}, filter: {} }
  for (const { receivedAt } of receipts) log.add({ ...entry, at: receivedAt }, null)
  const watched = sql
    .exec<{ position: number }>(
      "SELECT position FROM events WHERE state <> 'pending' ORDER BY position LIMIT ?",
      MAX_WATCHED,
    )
    .toArray()
  const redriven = { positions: watched.map(({ position }) => position), erased: 0 }
  const counts = { redriven: 20_000 }
  const action = 'redrive'
  expect(log.add({ ...entry, at: now, action, counts }, redriven)).toBe(REDRIVE)
  // Ten counts a minute for a day.
  const activity = Array.from({ length: 14_400 }, (_, i): CountRow => {
    const minute = (Math.floor(now / 60_000) - Math.floor(i / 10)) * 60_000
    const source = `key-${i % 10}`
    return { minute, kind: 'feedback', outcome: 'forwarded', source, count: 1, histogram: {} }
  })
  new ActivityStore(sql).add(activity)
}

type Asked = { answer: Answered; rows: number }

function ask(path: string, body?: unknown): Promise<Asked> {
  return count((relay) => (body === undefined ? relay.get(path) : relay.command(path, body)))
}

/** A page, or a form of it. */
async function visit(path: string, form?: Record<string, string>): Promise<Asked> {
  const cookie = `__Host-admin=${await new Sessions(TOKEN).start(Date.now())}`
  const headers = { cookie, accept: 'text/html', 'sec-fetch-site': 'same-origin' }
  const body = form && new URLSearchParams(form)
  const init = { headers, ...(body && { body, method: 'POST' }) }
  return count((relay) => relay.send(`/admin${path}`, init))
}

/** Asks twice, inside the outbox, and counts the second time: the first fills what the outbox keeps in memory. */
async function count(ask: (relay: Relay) => Promise<Answered>): Promise<Asked> {
  return runInDurableObject(outbox(), async (instance: Outbox, { storage }) => {
    const relay: Relay = startRelay({ OUTBOX: { getByName: () => instance } })
    await ask(relay)
    const real = storage.sql.exec.bind(storage.sql)
    const cursors: { rowsRead: number }[] = []
    const spy = vi.spyOn(storage.sql, 'exec')
    spy.mockImplementation(((query: string, ...bindings: unknown[]) => {
      const cursor = real(query, ...bindings)
      cursors.push(cursor)
      return cursor
    }) as typeof storage.sql.exec)
    const answer = await ask(relay)
    spy.mockRestore()
    return { answer, rows: cursors.reduce((sum, { rowsRead }) => sum + rowsRead, 0) }
  })
}

/** Nothing here changes what is stored, so it is written once. */
beforeAll(async () => {
  const { now } = startClock()
  const key = await outbox().lookupKey()
  const hash = await new LookupHash(key, RUNTIME.hmac).of('email', 'ada@example.com')
  await runInDurableObject(outbox(), async (instance: Outbox, { storage }) => {
    storage.transactionSync(() => fill(storage, now, hash))
    await instance.wake()
  })
})
afterAll(async () => {
  vi.useRealTimers()
  await reset()
})
beforeEach(() => {
  captureLogs()
})

const shown = ({ body }: Answered) => (body.events as unknown[]).length

describe('with twenty thousand events of each state, no more rows are read than are shown, and a few', () => {
  it.each([
    ['/status', BESIDE],
    ['/causes', BESIDE],
    ['/activity', BESIDE],
    ['/activity?step=minute', BESIDE],
    ['/activity?step=day', BESIDE],
    // A row an hour; of receipts and stored events no more than a limit.
    ['/summary', 7 * 24 + MAX_COMPLETENESS_EVENTS + BESIDE],
    ['/completeness', MAX_COMPLETENESS_EVENTS + BESIDE],
    ['/compared', BESIDE],
    ['/support', 201 + 2 * BESIDE],
    ['/events/pending-17/preview', BESIDE],
    ['/alerts', BESIDE],
    ['/drift', BESIDE],
    ['/suppressions', BESIDE],
    ['/log', PAGE + BESIDE],
    ['/events/pending-17', BESIDE],
    ['/events/parked-17', BESIDE],
    ['/events/pending-17/body', BESIDE],
  ])('GET %s', async (path, most) => {
    const { answer, rows } = await ask(path)
    expect(answer.status).toBe(200)
    expect(rows).toBeLessThanOrEqual(most)
  })

  const day = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10)
  it.each([
    ['state=pending', 50],
    [`state=pending&day=${day}`, 50],
    ['state=dead', 50],
    ['state=quarantined', 50],
    [`state=dead&day=${day}`, 50],
    ['state=dead&kind=feedback', 50],
    ['state=dead&kind=unanswered', 0],
    ['state=dead&code=rejected', 50],
    ['state=dead&code=timeout', 0],
    ['state=dead&path=%23/rare', 50],
    ['state=dead&code=rejected&path=%23/rare', 50],
    ['state=dead&code=rejected&path=-', 50],
    [`state=dead&code=rejected&path=%23/rare&kind=feedback&day=${day}`, 50],
    ['state=dead&order=newest&code=rejected', 50],
    ['state=all', 50],
    ['state=all&order=newest', 50],
    [`state=all&order=newest&day=${day}`, 50],
    ['state=quarantined&kind=unanswered&code=invalid-payload&path=visitor.UUID', 50],
    ['state=quarantined&kind=transcript&code=invalid-payload&path=visitor.UUID&limit=1', 0],
  ])('GET /events?%s', async (query, count) => {
    const { answer, rows } = await ask(`/events?${query}`)
    expect(shown(answer)).toBe(count)
    expect(rows).toBeLessThanOrEqual(PER_EVENT * PAGE + BESIDE)
  })

  it.each([
    ['kind=feedback', 50],
    ['kind=offline-message', 0],
    ['code=unavailable', 50],
    ['code=timeout', 0],
  ])('GET /events?state=pending&%s, within the limit of pending events', async (query, count) => {
    const { answer, rows } = await ask(`/events?state=pending&${query}`)
    expect(shown(answer)).toBe(count)
    expect(answer.body.cursor).not.toBeNull()
    expect(rows).toBeLessThanOrEqual(3 * MAX_SCANNED + BESIDE)
  })

  it.each([
    [{ email: 'ada@example.com' }, 50],
    [{ email: 'ada@example.com', day }, 50],
    [{ id: 'parked-5' }, 50],
    [{ id: 'pending-17000' }, 1],
    [{ id: receiptId(5) }, 1],
    [{ id: 'nothing' }, 0],
  ])('POST /find %j', async (body, count) => {
    const { answer, rows } = await ask('/find', body)
    expect(shown(answer)).toBe(count)
    expect(rows).toBeLessThanOrEqual(PER_EVENT * PAGE + NOT_INDEXED + BESIDE)
  })

  it.each(['/redrive', '/delete'])('POST %s reads what its filter matches', async (path) => {
    const what = { state: 'dead', code: 'rejected', path: '#/rare' }
    const { answer, rows } = await ask(path, { ...what, dryRun: true })
    expect(answer.body.matched).toBe(EVENTS / 20)
    expect(rows).toBeLessThanOrEqual((PER_CHANGE * EVENTS) / 20 + BESIDE)
    const none = await ask(path, { ...what, code: 'timeout' })
    expect(none.answer.body.matched).toBe(0)
    expect(none.rows).toBeLessThanOrEqual(BESIDE)
  })

  const PAGES: readonly (readonly [string, number])[] = [
    // The hours of a day, and of two for yesterday's line.
    ['', 25 + 49 + BESIDE],
    ['/ui/events', PER_EVENT * PAGE + BESIDE],
    ['/ui/events?state=pending', PER_EVENT * PAGE + BESIDE],
    ['/ui/days', MAX_COMPLETENESS_EVENTS + 7 * 24 + BESIDE],
    ['/ui/events?state=dead&code=rejected&path=%23/rare', PER_EVENT * PAGE + BESIDE],
    ['/ui/events/pending-17', BESIDE],
    ['/ui/events/parked-17?payload=1', BESIDE],
    [`/ui/events/${receiptId(17)}`, BESIDE],
    ['/ui/events/pending-17/preview', BESIDE],
    ['/ui/events/pending-17/body', BESIDE],
    ['/ui/delete?state=dead', BESIDE],
    ['/ui/delete?state=all&ids=pending-17&ids=parked-17', PER_EVENT * 2 + BESIDE],
    ['/ui/export?state=all&ids=pending-17&ids=parked-17', PER_EVENT * 2 + BESIDE],
    ['/ui/support', 201 + 2 * BESIDE],
    ['/ui/find', BESIDE],
    ['/ui/erase', BESIDE],
    ['/ui/suppressions', BESIDE],
    ['/ui/drift', BESIDE],
    ['/ui/alerts', BESIDE],
    ['/ui/log', PAGE + BESIDE],
    ['/ui/events?state=delivered', PER_EVENT * PAGE + BESIDE],
    [`/ui/events?day=${day}T10`, PER_EVENT * PAGE + BESIDE],
    // Of the events of a redrive no more than are watched: each is an element of a list, and a row.
    [`/ui/log/${REDRIVE}`, 2 * MAX_WATCHED + BESIDE],
    [`/ui/events?state=dead&entry=${REDRIVE}`, 2 * MAX_WATCHED + PER_EVENT * PAGE + BESIDE],
  ]

  it.each(PAGES)('the page /admin%s', async (path, most) => {
    const { answer, rows } = await visit(path)
    expect(answer.status).toBe(200)
    expect(rows).toBeLessThanOrEqual(most)
  })

  it('which are all that there are', () => {
    const visited = PAGES.map(([path]) => path.split('?')[0] || '/')
    const isVisited = (route: string) => {
      const pattern = new RegExp(`^${route.replaceAll(/:[a-z]+/g, '[^/]+')}$`)
      return visited.some((path) => pattern.test(path))
    }
    const routes = pageRoutes().routes.flatMap(({ method, path }) => (method === 'GET' ? path : []))
    const missed = new Set(routes.filter((route) => !isVisited(route)))
    expect([...missed]).toEqual(['/assets/:name', '/sign-in'])
  })

  it('the page that finds a person', async () => {
    const { answer, rows } = await visit('/ui/find', { by: 'email', value: 'ada@example.com' })
    expect(answer.status).toBe(200)
    expect(rows).toBeLessThanOrEqual(PER_EVENT * PAGE + NOT_INDEXED + BESIDE)
  })
})
