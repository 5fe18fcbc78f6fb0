/**
 * What operators ask costs as much with twenty thousand events as with ten: rows are billed, and a page is loaded often.
 * Every operation of the API runs here against one shard that holds 20,000 pending events, as many set aside and as many
 * receipts; SQLite counts the rows that its statements read.
 */
import { reset, runInDurableObject } from 'cloudflare:test'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Sessions } from '../../src/worker/http/sessions.ts'
import { MAX_PENDING_SCANNED } from '../../src/worker/limits.ts'
import type { Outbox } from '../../src/worker/outbox/outbox.ts'
import { LookupHash } from '../../src/worker/outbox/records/lookup.ts'
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
/** What is read besides: the ledger, settings, a row for each cause. */
const BESIDE = 40

/** One event a second; ids are `pending-…`, `parked-…`, `receipt-…` with a number. */
function fill(sql: SqlStorage, now: number, hash: string): void {
  const numbers = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT ${EVENTS})`
  const from = now - EVENTS * 1_000
  const at = `(${from} + i * 1000)`
  const kind = "CASE i % 4 WHEN 0 THEN 'feedback' WHEN 1 THEN 'unanswered' ELSE 'transcript' END"
  const body = "CAST('{}' AS BLOB)"
  sql.exec(`${numbers} INSERT INTO pending (position, id, kind, received_at, body, hashes)
    SELECT ${at} * 4096, 'pending-' || i, ${kind}, ${at}, ${body}, '' FROM n`)
  sql.exec(`${numbers} INSERT INTO tries (position, attempts, strikes, tried_at, next_at, code, status, message)
    SELECT ${at} * 4096, 1, 0, ${now}, ${now} + 3600000, 'unavailable', 503, 'AEP answered 503' FROM n`)
  sql.exec(`${numbers} INSERT INTO parked
      (position, id, state, kind, received_at, body, hashes, code, path)
    SELECT ${at} * 4096 + 1, 'parked-' || i, CASE i % 2 WHEN 0 THEN 'dead' ELSE 'quarantined' END,
      ${kind}, ${at}, ${body}, '', CASE i % 2 WHEN 0 THEN 'rejected' ELSE 'invalid-payload' END,
      CASE i % 20 WHEN 0 THEN '#/rare' WHEN 1 THEN 'visitor.UUID' ELSE '' END FROM n`)
  sql.exec(`${numbers} INSERT INTO tries (position, attempts, strikes, tried_at, code, status, message)
    SELECT ${at} * 4096 + 1, 1, 0, ${now}, 'rejected', 400, 'Bad' FROM n`)
  sql.exec(`${numbers} INSERT INTO receipts
    SELECT ${at} * 4096 + 2, 'receipt-' || i, ${kind}, ${at}, ${at}, 'forwarded', 1, 2, '' FROM n`)
  sql.exec(
    `${numbers} INSERT INTO lookups
      SELECT CASE i % 400 WHEN 0 THEN ? ELSE 'other' END, ${at} * 4096 + 2 FROM n`,
    hash,
  )
  sql.exec(`${numbers} INSERT INTO operator_log (at, by, action, counts)
    SELECT ${at}, 'token', 'pause', '{}' FROM n`)
  // Ten rows a minute for a day.
  sql.exec(
    `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 14400)
    INSERT INTO minutes SELECT (${Math.floor(now / 60_000)} - i / 10) * 60000, 'kind-' || (i % 10),
      'forwarded', 1, '{}' FROM n`,
  )
  sql.exec(
    'UPDATE ledger SET accepted = ?, dead = ?, quarantined = ?',
    2 * EVENTS,
    EVENTS / 2,
    EVENTS / 2,
  )
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

/** Asks twice, inside the outbox, and counts the second time: the first fills what a shard keeps in memory. */
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
  const hash = await new LookupHash(key).of('email', 'ada@example.com')
  await runInDurableObject(outbox(), (_, { storage }) => fill(storage.sql, now, hash))
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
    // The minutes of the hours that are not whole.
    ['/activity', 2 * 60 * 10 + BESIDE],
    ['/activity?step=day', 2 * 60 * 10 + BESIDE],
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
    expect(rows).toBeLessThanOrEqual(2 * MAX_PENDING_SCANNED + BESIDE)
  })

  it.each([
    [{ email: 'ada@example.com' }, 50],
    [{ email: 'ada@example.com', day }, 50],
    [{ id: 'parked-5' }, 1],
    [{ id: 'pending-5' }, 1],
    [{ id: 'nothing' }, 0],
  ])('POST /find %j', async (body, count) => {
    const { answer, rows } = await ask('/find', body)
    expect(shown(answer)).toBeLessThanOrEqual(count)
    expect(rows).toBeLessThanOrEqual(PER_EVENT * PAGE + BESIDE)
  })

  it.each(['/redrive', '/delete'])('POST %s reads what its filter matches', async (path) => {
    const what = { state: 'dead', code: 'rejected', path: '#/rare' }
    const { answer, rows } = await ask(path, { ...what, dryRun: true })
    expect(answer.body.matched).toBe(EVENTS / 20)
    expect(rows).toBeLessThanOrEqual((PER_EVENT * EVENTS) / 20 + BESIDE)
    const none = await ask(path, { ...what, code: 'timeout' })
    expect(none.answer.body.matched).toBe(0)
    expect(none.rows).toBeLessThanOrEqual(BESIDE)
  })

  it.each([
    // The minutes of this hour.
    ['', 60 * 10 + BESIDE],
    ['/ui/events', PER_EVENT * PAGE + BESIDE],
    ['/ui/events?state=dead&code=rejected&path=%23/rare', PER_EVENT * PAGE + BESIDE],
    ['/ui/events/pending-17', BESIDE],
    ['/ui/events/parked-17?payload=1', BESIDE],
    ['/ui/events/receipt-17', BESIDE],
    ['/ui/delete?state=dead', BESIDE],
    ['/ui/erase', BESIDE],
    ['/ui/suppressions', BESIDE],
    ['/ui/drift', BESIDE],
    ['/ui/alerts', BESIDE],
    ['/ui/log', PAGE + BESIDE],
  ])('the page /admin%s', async (path, most) => {
    const { answer, rows } = await visit(path)
    expect(answer.status).toBe(200)
    expect(rows).toBeLessThanOrEqual(most)
  })

  it('the page that finds a person', async () => {
    const { answer, rows } = await visit('/ui/find', { by: 'email', value: 'ada@example.com' })
    expect(answer.status).toBe(200)
    expect(rows).toBeLessThanOrEqual(PER_EVENT * PAGE + BESIDE)
  })
})
