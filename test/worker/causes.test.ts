/** Operators see what is parked by its cause, and act on all of one cause, on one day, or on some by their ids. */
import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { MAX_KEPT_ATTEMPTS, MAX_SCANNED } from '../../src/worker/limits.ts'
import { NO_HISTORY } from '../../src/worker/outbox/blame.ts'
import type { ArrivingEvent } from '../../src/worker/outbox/event.ts'
import { Events } from '../../src/worker/outbox/events.ts'
import { arrivingEvent, failedAttempt, fillWith, inOutbox } from './outbox-support.ts'
import {
  type Clock,
  conversation,
  drainAll,
  drainOnce,
  eachTest,
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

const DAY = 86_400_000
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
const iso = (ms: number) => new Date(ms).toISOString()

async function ids(query: string): Promise<unknown[]> {
  const { body } = await relay.get(`/events?${query}`)
  return (body.events as { id: string }[]).map(({ id }) => id)
}
const causes = async () => (await relay.get('/causes')).body.causes

/** Refused by AEP, each for itself. */
async function refused(message: string, report?: unknown): Promise<unknown> {
  // Under settings under which AEP has accepted nothing, a refusal kills nothing.
  await relay.post('feedback', conversation())
  clock.advance(1_000)
  const body = JSON.stringify({ title: 'Bad', report })
  aep.script({ type: 'status', status: 400, body })
  const { body: answer } = await relay.post('feedback', conversation({ message }))
  clock.advance(1)
  await relay.post('feedback', conversation())
  return answer.id
}
const at = (pointerToViolation: string) => ({
  cause: { _streamingValidation: [{ keyword: 'type', pointerToViolation }] },
})

async function invalid(body: unknown, route = 'feedback'): Promise<unknown> {
  clock.advance(1_000)
  return (await relay.post(route, body)).body.id
}

describe('GET /admin/causes', () => {
  it('is empty where nothing is parked', async () => {
    expect(await causes()).toEqual([])
  })

  it('counts by state, code and place, over kinds, the most frequent first', async () => {
    await refused('one', at('#/_t/chatlio/messages/1/text'))
    const since = clock.now + 1_000
    const wrong = [
      await invalid({ visitor: 1 }),
      await invalid({ visitor: 2 }),
      await invalid({ visitor: 3 }, 'unanswered'),
    ]
    const until = clock.now
    await invalid('{', 'transcript')
    expect(wrong).toHaveLength(3)
    expect(await causes()).toEqual([
      {
        state: 'quarantined',
        code: 'invalid-payload',
        path: 'visitor',
        count: 3,
        firstAt: iso(since),
        lastAt: iso(until),
        kinds: { feedback: 2, unanswered: 1 },
      },
      expect.objectContaining({ code: 'malformed-json', path: null, kinds: { transcript: 1 } }),
      expect.objectContaining({
        state: 'dead',
        code: 'rejected',
        path: '#/_t/chatlio/messages/*/text',
        count: 1,
      }),
    ])
  })

  it('makes one cause of the same place in different messages', async () => {
    const transcript = (...messages: unknown[]) => invalid({ messages }, 'transcript')
    await transcript({ text: 1 })
    await transcript({ text: 'good' }, { text: 1 })
    expect(await causes()).toMatchObject([{ path: 'messages.*.text', count: 2 }])
  })

  it('forgets a cause with its last event', async () => {
    const id = await invalid({ visitor: 1 })
    expect(await causes()).toHaveLength(1)
    await relay.erase(String(id))
    expect(await causes()).toEqual([])
  })
})

describe('each cause is a filter', () => {
  it('which lists, redrives and erases exactly what it counts', async () => {
    const plain = await refused('one')
    const named = await refused('two', at('#/a'))
    const other = await refused('three', at('#/b'))
    const wrong = await invalid({ visitor: 1 })
    expect(await ids('state=dead&code=rejected')).toEqual([plain, named, other])
    expect(await ids('state=dead&code=rejected&path=%23/a')).toEqual([named])
    expect(await ids('state=dead&path=%23/b&kind=feedback')).toEqual([other])
    expect(await ids('state=dead&code=rejected&path=-')).toEqual([plain])
    expect(await ids('state=quarantined&path=visitor')).toEqual([wrong])
    expect(await ids('state=quarantined&path=visitor&kind=transcript')).toEqual([])

    const a = { state: 'dead', code: 'rejected', path: '#/a' }
    const dry = await relay.command('/redrive', { ...a, dryRun: true })
    expect(dry.body).toEqual({ matched: 1, redriven: 0, stillInvalid: 0 })
    expect((await relay.command('/redrive', a)).body).toMatchObject({ matched: 1, redriven: 1 })
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toContain(named)

    const none = { state: 'dead', path: null }
    const wouldBe = await relay.command('/delete', { ...none, dryRun: true })
    expect(wouldBe.body).toEqual({ matched: 1, erased: 0 })
    expect(await ids('state=dead')).toEqual([plain, other])
    expect((await relay.command('/delete', none)).body).toEqual({ matched: 1, erased: 1 })
    expect(await ids('state=dead')).toEqual([other])
    const byId = { state: 'dead', ids: [other, wrong, other], path: '#/a' }
    expect((await relay.command('/delete', byId)).body).toEqual({ matched: 0, erased: 0 })
    const { path: _, ...listed } = byId
    expect((await relay.command('/delete', listed)).body).toEqual({ matched: 1, erased: 1 })
    const { body } = await relay.get('/status')
    expect(body).toMatchObject({ dead: 0, quarantined: 1, erased: 2 })
  })

  it('narrowed to a UTC day of receipt', async () => {
    clock.set(Math.ceil(clock.now / DAY) * DAY + DAY - 1)
    const before = (await relay.post('feedback', { visitor: 1 })).body.id
    const today = clock.now + 1
    clock.set(today)
    const first = (await relay.post('feedback', { visitor: 2 })).body.id
    clock.set(today + DAY - 1)
    const last = (await relay.post('feedback', { visitor: 3 })).body.id
    clock.set(today + DAY)
    const after = (await relay.post('feedback', { visitor: 4 })).body.id
    const day = dayOf(today)
    for (const more of ['', '&code=invalid-payload', '&kind=feedback&path=visitor']) {
      expect(await ids(`state=quarantined&day=${day}${more}`)).toEqual([first, last])
    }
    const what = { state: 'quarantined', day }
    expect((await relay.command('/redrive', what)).body).toMatchObject({ stillInvalid: 2 })
    const some = { ...what, ids: [before, first] }
    expect((await relay.command('/delete', some)).body).toEqual({ matched: 1, erased: 1 })
    expect((await relay.command('/delete', what)).body).toEqual({ matched: 1, erased: 1 })
    expect(await ids('state=quarantined')).toEqual([before, after])
  })
})

/** So many dead events. */
const fillWithDead = (count: number, fields: Partial<ArrivingEvent> = {}) =>
  inOutbox((_, { storage }) => {
    const error = { code: 'rejected', status: 400, message: 'AEP answered 400' } as const
    const dead = { state: 'dead', attempt: failedAttempt(error), ...fields } as const
    fillWith(
      storage,
      Array.from({ length: count }, (_, index) => arrivingEvent(index, dead)),
    )
  })

describe('some by their ids', () => {
  /** One of each state. */
  async function oneOfEach() {
    aep.rule({ containing: 'poison', answer: { type: 'status', status: 400 } })
    const post = async (kind: string, body: unknown) =>
      String((await relay.post(kind, body)).body.id)
    const delivered = await post('feedback', conversation())
    const dead = await post('feedback', conversation({ message: 'poison' }))
    const quarantined = await post('feedback', '{"no')
    await relay.command('/pause')
    const pending = await post('unanswered', conversation())
    return { delivered, dead, quarantined, pending }
  }

  it('are redriven whatever their state: of these the dead and the quarantined', async () => {
    const each = await oneOfEach()
    const what = { state: 'all', ids: Object.values(each) }
    const dry = await relay.command('/redrive', { ...what, dryRun: true })
    expect(dry.body).toEqual({ matched: 2, redriven: 0, stillInvalid: 1 })
    expect((await relay.command('/redrive', what)).body).toMatchObject({ matched: 2, redriven: 1 })
    expect((await relay.get('/status')).body).toMatchObject({ pending: 2, quarantined: 1, dead: 0 })
  })

  it('are deleted whatever their state: of these the stored ones', async () => {
    const each = await oneOfEach()
    const what = { state: 'all', ids: [...Object.values(each), 'none'] }
    expect((await relay.command('/delete', what)).body).toEqual({ matched: 3, erased: 3 })
    const { pending, dead, quarantined, erased } = (await relay.get('/status')).body
    expect({ pending, dead, quarantined, erased }).toEqual({
      pending: 0,
      dead: 0,
      quarantined: 0,
      erased: 3,
    })
  })

  it('are named where every state is meant', async () => {
    const { pending } = await oneOfEach()
    for (const path of ['/redrive', '/delete']) {
      const { status, body } = await relay.command(path, { state: 'all' })
      expect([status, body.detail]).toEqual([400, 'body: expected ids with the state all'])
    }
    const { body } = await relay.command('/redrive', { state: 'pending', ids: [pending] })
    expect(body.detail).toBe('state: expected one of dead, quarantined, all')
  })
})

describe('POST /admin/delete', () => {
  it('takes what is pending by a filter, too: it is never sent', async () => {
    await relay.command('/pause')
    const kept = (await relay.post('unanswered', conversation())).body.id
    for (let each = 0; each < 2; each += 1) await relay.post('feedback', conversation())
    const what = { state: 'pending', kind: 'feedback' }
    expect((await relay.command('/delete', what)).body).toEqual({ matched: 2, erased: 2 })
    await relay.command('/resume')
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([kept])
    expect((await relay.get('/status')).body).toMatchObject({
      accepted: 3,
      delivered: 1,
      erased: 2,
    })
  })

  it('leaves nothing of what it erases, and is on record with its counts', async () => {
    for (let each = 0; each < 3; each += 1) await invalid({ visitor: 1, secret: `canary-${each}` })
    const zeros = await runInDurableObject(outbox(), async (instance, { storage }) => {
      // What is overwritten is seen by a trigger, just before its row goes.
      storage.sql.exec(`CREATE TABLE seen (body BLOB);
        CREATE TRIGGER goes BEFORE DELETE ON events BEGIN INSERT INTO seen VALUES (OLD.body); END`)
      const own = startRelay({ OUTBOX: { getByName: () => instance } })
      const { body } = await own.command('/delete', { state: 'quarantined' })
      expect(body).toEqual({ matched: 3, erased: 3 })
      const seen = storage.sql.exec<{ body: ArrayBuffer }>('SELECT body FROM seen').toArray()
      return seen.map((row) => new Uint8Array(row.body).every((byte) => byte === 0))
    })
    expect(zeros).toEqual([true, true, true])
    const [entry] = (await relay.get('/log')).body.entries as unknown[]
    expect(entry).toMatchObject({ action: 'delete', counts: { matched: 3, erased: 3 } })
  })

  it('goes over more events than one page', async () => {
    await fillWithDead(1_200)
    const what = { state: 'dead', code: 'rejected' }
    const dry = await relay.command('/delete', { ...what, dryRun: true })
    expect(dry.body).toEqual({ matched: 1_200, erased: 0 })
    expect((await relay.command('/delete', what)).body).toEqual({ matched: 1_200, erased: 1_200 })
    expect(await outbox().status()).toMatchObject({ dead: 0, erased: 1_200 })
  })

  it('ends a step when it has erased enough bytes, and goes on with the next', async () => {
    await fillWithDead(9, { body: new Uint8Array(1_500_000) })
    const filter = { kind: null, code: null, path: null, from: 0, end: Number.MAX_SAFE_INTEGER }
    const step = (after: number) =>
      outbox().eraseMatching({
        filter: { ...filter, state: 'dead' },
        ids: null,
        dryRun: false,
        after,
        limit: 500,
      })
    const first = await step(-1)
    expect(first).toEqual({ matched: 5, erased: 5, next: expect.any(Number) })
    expect(await step(Number(first.next))).toEqual({ matched: 4, erased: 4, next: null })
  })

  it('erases all of a step or none of it, and so does a redrive', async () => {
    const wrong = await invalid({ visitor: 1 })
    const message = 'one'
    const good = await refused(message)
    await refused('two')
    await runInDurableObject(outbox(), async (instance, { storage }) => {
      storage.sql.exec(`CREATE TRIGGER last BEFORE DELETE ON events
        WHEN (SELECT COUNT(*) FROM events WHERE state = OLD.state) = 1
        BEGIN SELECT RAISE(ABORT, 'in the midst of it'); END;
        CREATE TRIGGER last_redriven BEFORE UPDATE OF state ON events
        WHEN (SELECT COUNT(*) FROM events WHERE state = OLD.state) = 1
        BEGIN SELECT RAISE(ABORT, 'in the midst of it'); END`)
      const own = startRelay({ OUTBOX: { getByName: () => instance } })
      expect((await own.command('/delete', { state: 'dead' })).status).toBe(503)
      expect((await own.command('/redrive', { state: 'dead' })).status).toBe(503)
    })
    expect(await ids('state=dead')).toHaveLength(2)
    expect(await ids('state=dead')).toContain(good)
    expect(await ids('state=quarantined')).toEqual([wrong])
    expect(await outbox().status()).toMatchObject({ dead: 2, pending: 0, erased: 0 })
  })

  it.each([
    [{}, 'state'],
    [{ state: 'delivered' }, 'state'],
    [{ state: 'dead', day: '2026-02-30' }, 'day'],
    [{ state: 'dead', path: 1 }, 'path'],
    [{ state: 'dead', limit: 5 }, 'limit'],
    [{ state: 'dead', dryRun: 'no' }, 'dryRun'],
  ])('answers 400 to %j, naming %s, and erases nothing', async (body, name) => {
    await refused('one')
    const answer = await relay.command('/delete', body)
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid-request'])
    expect(answer.body.detail).toContain(name)
    expect(await outbox().status()).toMatchObject({ dead: 1, erased: 0 })
  })
})

describe('a filter on pending events', () => {
  it.each([5, 200])('finds every match in order, in pages of %i at most', async (limit) => {
    const events = Array.from({ length: 2 * MAX_SCANNED + 100 }, (_, index) =>
      arrivingEvent(index, { kind: index % 90 === 0 ? 'unanswered' : 'feedback' }),
    )
    await inOutbox((_, { storage }) => fillWith(storage, events))
    const all = events.filter(({ kind }) => kind === 'unanswered').map(({ id }) => id)
    const seen: unknown[] = []
    let pages = 0
    for (let cursor: unknown = ''; cursor !== null; pages += 1) {
      const { body } = await relay.get(
        `/events?state=pending&kind=unanswered&limit=${limit}&cursor=${cursor}`,
      )
      const events = body.events as { id: string }[]
      expect(events.length).toBeLessThanOrEqual(limit)
      seen.push(...events.map(({ id }) => id))
      cursor = body.cursor
    }
    expect(seen).toEqual(all)
    expect(pages).toBeGreaterThan(2)
  })

  it('goes by the last attempt', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const tried = (await relay.post('feedback', conversation())).body.id
    await relay.command('/pause')
    await relay.post('feedback', conversation())
    expect(await ids('state=pending')).toHaveLength(2)
    expect(await ids('state=pending&code=unavailable')).toEqual([tried])
    expect(await ids('state=pending&code=timeout')).toEqual([])
    expect(await ids(`state=pending&day=${dayOf(clock.now - DAY)}`)).toEqual([])
  })
})

describe('the attempts of an event', () => {
  const historyOf = async (id: unknown) => (await relay.get(`/events/${id}`)).body.history

  it('are on record, each with its moment, and stay when it is parked', async () => {
    await relay.post('feedback', conversation())
    aep.script({ type: 'status', status: 503 })
    const begun = clock.now
    const { body } = await relay.post('feedback', conversation())
    expect(await historyOf(body.id)).toEqual([{ at: iso(begun), code: 'unavailable', status: 503 }])
    aep.script({ type: 'status', status: 500 }, { type: 'status', status: 422 })
    await drainOnce(clock)
    await drainOnce(clock)
    expect(await historyOf(body.id)).toEqual([
      { at: iso(begun), code: 'unavailable', status: 503 },
      { at: expect.stringMatching(/Z$/), code: 'unavailable', status: 500 },
      { at: expect.stringMatching(/Z$/), code: 'rejected', status: 422 },
    ])
    expect((await relay.get(`/events/${body.id}`)).body).toMatchObject({
      attempts: 3,
      state: 'dead',
    })
  })

  it('are none for one that was never sent', async () => {
    const { body } = await relay.post('feedback', { visitor: 1 })
    expect(await historyOf(body.id)).toEqual([])
  })

  it('are the first and the latest after a long outage', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const begun = clock.now
    const { body } = await relay.post('feedback', conversation())
    for (let each = 0; each < MAX_KEPT_ATTEMPTS + 9; each += 1) await drainOnce(clock)
    const { attempts, history } = (await relay.get(`/events/${body.id}`)).body
    const kept = history as { at: string }[]
    expect(attempts).toBe(MAX_KEPT_ATTEMPTS + 10)
    expect(kept).toHaveLength(MAX_KEPT_ATTEMPTS)
    expect(kept[0]?.at).toBe(iso(begun))
    expect(kept.at(-1)?.at).toBe(iso(clock.now))
    expect(kept).toEqual(kept.toSorted((a, b) => a.at.localeCompare(b.at)))
  })

  it('cost no row more: one, and the index entry of the next', async () => {
    const written = await runInDurableObject(outbox(), (_, { storage }) => {
      const cursors: { rowsWritten: number }[] = []
      const sql = {
        exec: (query: string, ...bindings: unknown[]) => {
          const cursor = storage.sql.exec(query, ...bindings)
          cursors.push(cursor)
          return cursor
        },
      }
      const events = new Events(
        { ...storage, sql: sql as SqlStorage } as DurableObjectStorage,
        () => {},
      )
      cursors.length = 0
      for (const attempts of [1, 2, 3]) {
        const error = { code: 'timeout', status: null, message: 'no answer' } as const
        const times = { triedAt: attempts, nextAt: attempts + 1, askedToWait: false }
        events.failed(1, { ...NO_HISTORY, attempts, ...times, error, answer: null })
      }
      return cursors.map(({ rowsWritten }) => rowsWritten)
    })
    expect(written).toEqual([2, 2, 2])
  })
})
