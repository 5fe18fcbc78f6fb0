/**
 * Storage as the last version before 1.0.0 left it (`test/fixtures/storage`) opens, and loses nothing: events in every
 * state, a pause, suppressions and their key, the operators' log, alerts, drift.
 */
/// <reference types="vite/types/importMeta.d.ts" />
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { RUNTIME } from '../../src/worker/lib/rim.ts'
import type { OutboxStub } from '../../src/worker/outbox/outbox.ts'
import { LookupHash } from '../../src/worker/outbox/records/lookup.ts'
import { idOf, inOutbox } from './outbox-support.ts'
import { type Clock, conversation, drainAll, eachTest, outbox, type Relay } from './support.ts'

const [LAST_LAYOUT = ''] = Object.values(
  import.meta.glob<string>('../fixtures/storage/step-6.sql', {
    query: '?raw',
    import: 'default',
    eager: true,
  }),
)

let aep: LocalAdobe
let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ clock, aep, relay } = world)
})

type Fill = (storage: DurableObjectStorage) => void | Promise<void>

/** An object starts again on storage that the last version has left. */
async function reopenOn(fill: Fill = () => undefined, object: OutboxStub = outbox()) {
  await runInDurableObject(object, async (_, { storage }) => {
    await storage.deleteAlarm()
    await storage.deleteAll()
    storage.sql.exec(LAST_LAYOUT)
    await fill(storage)
  })
  await evictDurableObject(object)
}

const IDS = {
  untried: idOf(1),
  waiting: idOf(2),
  inParts: idOf(3),
  dead: idOf(4),
  readable: idOf(5),
  unreadable: idOf(6),
}

const PERSON = 'jane@example.com'
const KEY = new Uint8Array(32).fill(7)

/** What it had written after an hour without AEP. `part`: what is left of the event in two parts. */
function withEvents(now: number, part: object = rawPart(now)): Fill {
  const hourAgo = now - 3_600_000
  return ({ sql }) => {
    const position = (index: number) => (hourAgo + index) * 4096
    const body = (index: number, text = `event ${index}`) => {
      const visitor = { UUID: `visitor-${index}` }
      return new TextEncoder().encode(JSON.stringify({ visitor, message: text })).buffer
    }
    const common = (index: number) => [position(index), idOf(index), 'feedback', hourAgo + index]
    const pending = (index: number) =>
      sql.exec(
        'INSERT INTO pending (position, id, kind, received_at, body, hashes) VALUES (?, ?, ?, ?, ?, ?)',
        ...common(index),
        body(index),
        index === 2 ? null : `${index}`.repeat(32),
      )
    const parked = (
      index: number,
      state: string,
      code: string,
      path: string,
      bytes = body(index),
    ) =>
      sql.exec(
        `INSERT INTO parked (position, id, kind, received_at, state, code, path, body, hashes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, '')`,
        ...common(index),
        state,
        code,
        path,
        bytes,
      )
    const tried = (index: number, nextAt: number | null, code: string, status: number | null) =>
      sql.exec(
        `INSERT INTO tries (position, attempts, strikes, throttles, tried_at, next_at, code, status, message, answer, history)
         VALUES (?, 3, 1, 0, ?, ?, ?, ?, 'as it was', 'AEP said so', ?)`,
        position(index),
        now - 1_000,
        nextAt,
        code,
        status,
        JSON.stringify([[now - 1_000, code, status]]),
      )
    pending(1)
    pending(2)
    tried(2, now + 30_000, 'unavailable', 503)
    pending(3)
    sql.exec(
      'INSERT INTO parts (position, part, record) VALUES (?, 1, ?)',
      position(3),
      JSON.stringify(part),
    )
    parked(4, 'dead', 'rejected', '/message')
    tried(4, null, 'rejected', 400)
    parked(5, 'quarantined', 'invalid-payload', 'visitor')
    tried(5, null, 'invalid-payload', null)
    parked(6, 'quarantined', 'malformed-json', '', new TextEncoder().encode('{"message":').buffer)
    tried(6, null, 'malformed-json', null)
    sql.exec(
      `INSERT INTO ledger (only, accepted, delivered, dead, quarantined, erased, destination)
       VALUES (1, 14, 7, 1, 2, 1, ?)`,
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

const partOf = { index: 1, count: 2, of: IDS.inParts }
const rawPart = (now: number) => ({
  visitor: { UUID: 'visitor-3' },
  message: 'the first of which AEP has',
  _id: `${IDS.inParts}-1`,
  timestamp: new Date(now - 3_600_000).toISOString(),
  eventType: 'chatlio.feedback',
  part: partOf,
})

const arrived = () => new Set(aep.lake.map(({ _id }) => _id))

describe('storage of the last layout', () => {
  it('has the tables of new storage once it is opened', async () => {
    const tables = () =>
      inOutbox((_, { storage }) =>
        storage.sql
          .exec<{ sql: string }>(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name",
          )
          .toArray(),
      )
    await outbox().status()
    const today = await tables()
    await reopenOn(withEvents(clock.now))
    await outbox().status()
    expect(await tables()).toEqual(today)
  })

  it('loses no event: pending ones are delivered, parked ones can be redriven, the ledger balances', async () => {
    await reopenOn(withEvents(clock.now))
    expect(await outbox().status()).toMatchObject({
      accepted: 14,
      delivered: 7,
      pending: 3,
      dead: 1,
      quarantined: 2,
      erased: 1,
      hold: null,
    })
    expect((await relay.get(`/events/${IDS.dead}`)).body).toMatchObject({
      state: 'dead',
      attempts: 3,
      answer: 'AEP said so',
      history: [{ code: 'rejected', status: 400 }],
    })
    expect(await outbox().causes()).toMatchObject([
      { state: 'dead', code: 'rejected', path: '/message', count: 1 },
      { state: 'quarantined', code: 'invalid-payload', path: 'visitor', count: 1 },
      { state: 'quarantined', code: 'malformed-json', path: '', count: 1 },
    ])
    await drainAll(clock)
    const pending = [IDS.untried, IDS.waiting, `${IDS.inParts}-1`]
    expect(arrived()).toEqual(new Set(pending))

    const redrive = (state: string) => relay.command('/redrive', { state })
    expect((await redrive('dead')).body).toMatchObject({ matched: 1, redriven: 1 })
    expect((await redrive('quarantined')).body).toMatchObject({
      matched: 2,
      redriven: 1,
      stillInvalid: 1,
    })
    await drainAll(clock)
    expect(arrived()).toEqual(new Set([...pending, IDS.dead, IDS.readable]))
    expect(await outbox().status()).toMatchObject({
      accepted: 14,
      delivered: 12,
      pending: 0,
      dead: 0,
      quarantined: 1,
      erased: 1,
    })
  })

  it('sends no part that was made for another format', async () => {
    const xdm = { _id: `${IDS.inParts}-1`, _acme: { chatlio: { message: 'x', part: partOf } } }
    await reopenOn(withEvents(clock.now, xdm))
    await drainAll(clock)
    expect(arrived()).toEqual(new Set([IDS.untried, IDS.waiting]))
    expect((await relay.get(`/events/${IDS.inParts}`)).body).toMatchObject({
      state: 'dead',
      lastError: { code: 'settings-changed', message: '1 of 2 parts are in AEP' },
    })
  })

  it('is still paused', async () => {
    await reopenOn(async (storage) => {
      await withEvents(clock.now)(storage)
      storage.sql.exec(
        `UPDATE ledger SET destination = json_set(destination, '$.pause', json('{"paused":true,"at":5}'))`,
      )
    })
    expect((await outbox().status()).hold).toEqual({ reason: 'paused', since: 5 })
    expect((await relay.post('feedback', conversation())).body.status).toBe('buffered')
    expect(aep.requests).toHaveLength(0)
    await relay.command('/resume')
    await drainAll(clock)
    expect(arrived().size).toBe(4)
  })

  it('keeps suppressions and their key, the operators’ log, alerts and drift', async () => {
    const hash = await new LookupHash(KEY, RUNTIME.hmac).of('email', PERSON)
    const states = '{"hold":{"state":"firing"}}'
    await reopenOn(async (storage) => {
      await withEvents(clock.now)(storage)
      storage.kv.put('lookup-key', KEY)
      const { sql } = storage
      sql.exec('INSERT INTO suppressions VALUES (?, ?, ?)', hash, clock.now, clock.now + 1_000_000)
      sql.exec(
        `INSERT INTO operator_log VALUES (1, ?, 'token', 'pause', '{}')`,
        clock.now - 3_600_000,
      )
      sql.exec('INSERT INTO alerts VALUES (1, ?)', states)
      sql.exec(
        `INSERT INTO drift VALUES ('feedback', 'visitor.new', 'new', NULL, 'string', 3, 1, 2, 'id', 'string(3)', 1)`,
      )
      sql.exec('UPDATE totals SET forwarded = 70, suppressed = 2')
      sql.exec(`INSERT INTO webhook_keys VALUES ('abcdef', ?)`, clock.now)
    })
    const { body } = await relay.post(
      'feedback',
      conversation({ visitor: { UUID: 'j', email: PERSON } }),
    )
    expect(body.status).toBe('suppressed')
    expect((await relay.get('/suppressions')).body.count).toBe(1)
    expect((await relay.get('/log')).body.entries).toMatchObject([{ by: 'token', action: 'pause' }])
    expect(await outbox().alertStates()).toBe(states)
    expect((await relay.get('/drift')).body.rows).toMatchObject([
      { path: 'visitor.new', count: 3, accepted: true },
    ])
    expect(await outbox().status()).toMatchObject({
      forwarded: 70,
      keys: expect.arrayContaining([expect.objectContaining({ fingerprint: 'abcdef' })]),
    })
  })

  it('takes an event too large for one record', async () => {
    await reopenOn(withEvents(clock.now))
    const message = 'as long as a body may be '.repeat(50_000)
    aep.rule({ answer: { type: 'status', status: 503 } })
    const { body } = await relay.post('feedback', conversation({ message }))
    expect(body.status).toBe('buffered')
    aep.clearRules()
    await drainAll(clock)
    expect([...arrived()].filter((id) => id?.startsWith(`${body.id}-`)).length).toBeGreaterThan(1)
    expect(await outbox().status()).toMatchObject({ accepted: 15, pending: 0 })
  })
})

describe('another object of an earlier set-up', () => {
  it('delivers what it holds by its own alarm, though nobody calls it', async () => {
    const other = env.OUTBOX.getByName('shard-1')
    await reopenOn(async (storage) => {
      await withEvents(clock.now)(storage)
      await storage.setAlarm(clock.now + 1_000)
    }, other)
    for (let alarms = 0; alarms < 20; alarms += 1) {
      clock.advance(60_000)
      await runDurableObjectAlarm(other)
    }
    expect(arrived()).toEqual(new Set([IDS.untried, IDS.waiting, `${IDS.inParts}-1`]))
    expect(await other.status()).toMatchObject({ delivered: 10, pending: 0, dead: 1 })
    expect(await outbox().status()).toMatchObject({ accepted: 0 })
  })
})
