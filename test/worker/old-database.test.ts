/**
 * Storage written by an earlier version opens, and loses nothing: for every schema that has landed
 * (`test/fixtures/storage`), with events in every state.
 */
/// <reference types="vite/types/importMeta.d.ts" />
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { causeOf } from '../../src/worker/outbox/cause.ts'
import type { StoredError } from '../../src/worker/outbox/state.ts'
import { STEPS } from '../../src/worker/outbox/storage/migrations.ts'
import { type Clock, conversation, drainAll, eachTest, outbox, type Relay } from './support.ts'

const files = import.meta.glob<string>('../fixtures/storage/*.sql', {
  query: '?raw',
  import: 'default',
  eager: true,
})
const landed = Object.entries(files).map(
  ([path, sql]) => [path.replace(/^.*\/|\.sql$/g, ''), sql] as const,
)

let aep: LocalAdobe
let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ clock, aep, relay } = world)
})

/** Schema objects of the storage, whatever the layout of their text. */
const schema = () =>
  runInDurableObject(outbox(), (_, { storage }) =>
    storage.sql
      .exec<{ name: string; sql: string }>(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name",
      )
      .toArray()
      .map(({ sql }) => sql.replace(/\s+/g, ' ')),
  )

/** Replaces the storage of the shard while it runs. */
const writeOver = (sql: string, fill: (sql: SqlStorage) => void = () => undefined) =>
  runInDurableObject(outbox(), async (_, { storage }) => {
    await storage.deleteAlarm()
    await storage.deleteAll()
    storage.sql.exec(sql)
    fill(storage.sql)
  })

/** Starts the shard again on storage that an earlier version has left. */
async function reopenOn(sql: string, fill?: (sql: SqlStorage) => void) {
  await writeOver(sql, fill)
  await evictDurableObject(outbox())
}

const id = (digit: string) => digit.repeat(64)
const IDS = {
  untried: id('1'),
  waiting: id('2'),
  inParts: id('3'),
  dead: id('4'),
  readable: id('5'),
  unreadable: id('6'),
}

/** What the first version had written after an hour without AEP; columns are named, so that later ones take their defaults. */
function fillWithEvents(now: number) {
  const hourAgo = now - 3_600_000
  const event = (text: string) => JSON.stringify({ visitor: { UUID: 'visitor-1' }, message: text })
  return (sql: SqlStorage) => {
    const bytes = (text: string) => new TextEncoder().encode(text).buffer
    const position = (index: number) => (hourAgo + index) * 4096
    const pending = (index: number, eventId: string, body: string) =>
      sql.exec(
        'INSERT INTO pending (position, id, kind, received_at, body) VALUES (?, ?, ?, ?, ?)',
        position(index),
        eventId,
        'feedback',
        hourAgo + index,
        bytes(body),
      )
    const parked = (index: number, eventId: string, state: string, body: string) =>
      sql.exec(
        'INSERT INTO parked (position, id, state, kind, received_at, body) VALUES (?, ?, ?, ?, ?, ?)',
        position(index),
        eventId,
        state,
        'feedback',
        hourAgo + index,
        bytes(body),
      )
    const tried = (index: number, nextAt: number | null, code: string, status: number | null) =>
      sql.exec(
        `INSERT INTO tries (position, attempts, strikes, tried_at, next_at, code, status, message, answer)
         VALUES (?, 3, 1, ?, ?, ?, ?, 'as it was', NULL)`,
        position(index),
        now - 1_000,
        nextAt,
        code,
        status,
      )
    pending(1, IDS.untried, event('never tried'))
    pending(2, IDS.waiting, event('tried three times'))
    tried(2, now + 30_000, 'unavailable', 503)
    parked(4, IDS.dead, 'dead', event('refused'))
    tried(4, null, 'rejected', 400)
    parked(5, IDS.readable, 'quarantined', event('readable today'))
    tried(5, null, 'invalid-payload', null)
    parked(6, IDS.unreadable, 'quarantined', '{"message":')
    tried(6, null, 'malformed-json', null)
    const hasParts = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'parts'").toArray().length
    if (hasParts > 0) {
      pending(3, IDS.inParts, event('in two parts, the first of which AEP has'))
      sql.exec(
        'INSERT INTO parts (position, part, record) VALUES (?, 1, ?)',
        position(3),
        JSON.stringify({
          visitor: { UUID: 'visitor-1' },
          message: 'the first of which AEP has',
          _id: `${IDS.inParts}-1`,
          timestamp: new Date(hourAgo + 3).toISOString(),
          eventType: 'chatlio.feedback',
          receivedAt: new Date(hourAgo + 3).toISOString(),
          part: { index: 1, count: 2, of: IDS.inParts },
        }),
      )
    }
    sql.exec(
      `INSERT INTO ledger (only, accepted, delivered, dead, quarantined, erased, destination)
       VALUES (1, ?, 7, 1, 2, 1, ?)`,
      7 + 1 + 2 + 1 + (hasParts > 0 ? 3 : 2),
      JSON.stringify({
        acceptedAt: hourAgo,
        answeredAt: hourAgo,
        failure: { at: now - 1_000, since: now - 2_000, reason: 'upstream', firstAt: hourAgo },
        notBefore: 0,
        pause: { paused: false, at: 0 },
      }),
    )
  }
}

describe.each(landed)('storage as left by %s', (_, sql) => {
  it('has the schema of new storage once it is opened', async () => {
    await outbox().status()
    const today = await schema()
    await reopenOn(sql)
    await outbox().status()
    expect(await schema()).toEqual(today)
  })

  it('loses no event: pending ones are delivered, set aside ones can be redriven, the ledger balances', async () => {
    await reopenOn(sql, fillWithEvents(clock.now))
    const split = sql.includes('CREATE TABLE parts') ? [`${IDS.inParts}-1`] : []
    const { accepted, pending, ...opened } = await outbox().status()
    expect(opened).toMatchObject({ delivered: 7, dead: 1, quarantined: 2, erased: 1, hold: null })
    expect(pending).toBe(2 + split.length)

    await drainAll(clock)
    const arrived = () => new Set(aep.lake.map(({ _id }) => _id))
    expect(arrived()).toEqual(new Set([IDS.untried, IDS.waiting, ...split]))

    const redrive = (state: string) => relay.command('/redrive', { state })
    expect((await redrive('dead')).body).toMatchObject({ matched: 1, redriven: 1 })
    expect((await redrive('quarantined')).body).toMatchObject({
      matched: 2,
      redriven: 1,
      stillInvalid: 1,
    })
    await drainAll(clock)
    expect(arrived()).toEqual(new Set([IDS.untried, IDS.waiting, ...split, IDS.dead, IDS.readable]))
    expect(await outbox().status()).toMatchObject({
      accepted,
      delivered: accepted - 2,
      pending: 0,
      dead: 0,
      quarantined: 1,
      erased: 1,
    })
  })

  it('takes an event too large for one record', async () => {
    await reopenOn(sql)
    aep.rule({ answer: { type: 'status', status: 503 } })
    const message = 'as long as a body may be '.repeat(50_000)
    const { body } = await relay.post('feedback', conversation({ message }))
    expect(body.status).toBe('buffered')
    aep.clearRules()
    await drainAll(clock)
    expect(aep.lake.length).toBeGreaterThan(1)
    expect(aep.lake.every(({ _id }) => _id?.startsWith(`${body.id}-`))).toBe(true)
    expect(await outbox().status()).toMatchObject({ accepted: 1, delivered: 1, pending: 0 })
  })
})

describe('what step 6 makes of events that were set aside before', () => {
  const step5 = landed.find(([name]) => name === 'step-5')?.[1] ?? ''

  it.each<StoredError | null>([
    {
      code: 'invalid-payload',
      status: null,
      message: 'visitor.UUID: expected text; message: wrong',
    },
    { code: 'invalid-payload', status: null, message: 'messages.1024.text: expected text' },
    { code: 'invalid-payload', status: null, message: 'expected an object' },
    { code: 'invalid-payload', status: null, message: 'expected an object; visitor: wrong' },
    { code: 'malformed-json', status: null, message: 'not JSON in UTF-8' },
    { code: 'rejected', status: 400, message: 'Bad: required at #/a/10/b, type at #/c' },
    { code: 'rejected', status: 400, message: 'Bad, at last: format at #/_t/chatlio' },
    { code: 'rejected', status: 422, message: 'Bad: required at #' },
    { code: 'rejected', status: 400, message: 'AEP answered 400' },
    { code: 'unavailable', status: 503, message: 'AEP answered 503' },
    null,
  ])('has the cause of a new one: %j', async (error) => {
    await reopenOn(step5, (sql) => {
      sql.exec("INSERT INTO parked VALUES (1, 'id', 'dead', 'feedback', 7, x'7b', NULL)")
      sql.exec("INSERT INTO parked VALUES (2, 'other', 'dead', 'feedback', 5, x'7b', NULL)")
      if (!error) return
      for (const position of [1, 2]) {
        sql.exec(
          `INSERT INTO tries (position, attempts, strikes, tried_at, code, status, message)
           VALUES (?, ?, 0, 9, ?, ?, ?)`,
          position,
          position - 1,
          error.code,
          error.status,
          error.message,
        )
      }
    })
    const { code, path } = causeOf(error)
    expect(await outbox().causes()).toEqual([
      { state: 'dead', code, path, kind: 'feedback', count: 2, firstAt: 5, lastAt: 7 },
    ])
    const tries = error ? [{ at: 9, code: error.code, status: error.status }] : []
    expect((await outbox().get('other'))?.tries).toEqual(tries)
    expect((await outbox().get('id'))?.tries).toEqual([])
  })
})

describe('the landed schemas kept here', () => {
  const steps = STEPS.map((_, index) => index + 1)

  it.each(steps)('have one for step %i, as that step leaves new storage', async (step) => {
    const fixture = landed.find(([name]) => name === `step-${step}`)
    if (!fixture) throw new Error(`test/fixtures/storage/step-${step}.sql is missing`)
    await writeOver(fixture[1])
    const kept = await schema()
    const done = await runInDurableObject(outbox(), (_, { storage }) =>
      storage.sql.exec('SELECT MAX(step) AS step FROM _migrations').one(),
    )
    await writeOver(
      ['CREATE TABLE _migrations (step INTEGER PRIMARY KEY)', ...STEPS.slice(0, step)].join(';\n'),
    )
    expect(kept).toEqual(await schema())
    expect(done).toEqual({ step })
  })
})
