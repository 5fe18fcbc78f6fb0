/** The operators' questions: where is it, why, and send it again. */

import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import type { Outbox } from '../../src/worker/outbox/outbox.ts'
import {
  type Clock,
  conversation,
  drainAll,
  eachTest,
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

const post = (fields = {}) => relay.post('feedback', conversation(fields))

async function bufferMany(count: number): Promise<unknown[]> {
  aep.rule({ answer: { type: 'status', status: 503 } })
  const ids: unknown[] = []
  for (let each = 0; each < count; each += 1) {
    clock.advance(10)
    ids.push((await post()).body.id)
  }
  return ids
}

describe('who may ask', () => {
  const routes = [
    ['GET', '/status'],
    ['GET', '/events?state=dead'],
    ['GET', '/events/x'],
    ['GET', '/events/x/body'],
    ['DELETE', '/events/x'],
    ['POST', '/redrive'],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['GET', '/nothing'],
  ] as const

  it.each([undefined, '', 'too-short'])(
    'nobody, and there is nothing, when ADMIN_TOKEN is %j',
    async (ADMIN_TOKEN) => {
      const closed = startRelay({ ADMIN_TOKEN })
      for (const [method, path] of routes) {
        const headers = { authorization: `Bearer ${ADMIN_TOKEN ?? TOKEN}` }
        const { status, body } = await closed.send(`/admin${path}`, { method, headers })
        expect([status, body.code]).toEqual([404, 'not-found'])
      }
    },
  )

  it.each(['', 'Bearer', 'Bearer wrong', `Basic ${TOKEN}`, TOKEN, `Bearer ${TOKEN}x`])(
    'not %j',
    async (authorization) => {
      for (const [method, path] of routes) {
        const { status, body } = await relay.send(`/admin${path}`, {
          method,
          headers: { authorization },
        })
        expect([status, body.code]).toEqual([401, 'unauthorized'])
      }
    },
  )

  it('a method that a route does not have is 405, an unknown route 404', async () => {
    const headers = { authorization: `Bearer ${TOKEN}` }
    const put = await relay.send('/admin/status', { method: 'PUT', headers })
    expect([put.status, put.response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect((await relay.get('/nothing')).status).toBe(404)
  })
})

describe('GET /admin/status', () => {
  it('balances at any moment: accepted = delivered + pending + dead + quarantined + erased', async () => {
    const ids = await bufferMany(4)
    await relay.post('feedback', { wrong: 1 })
    await relay.erase(String(ids[0]))
    aep.clearRules()
    aep.rule({ id: String(ids[1]), answer: { type: 'status', status: 422 } })
    expect((await relay.get('/status')).body).toMatchObject({
      accepted: 5,
      delivered: 0,
      pending: 3,
      dead: 0,
      quarantined: 1,
      erased: 1,
      oldestPendingAt: expect.stringMatching(/Z$/),
      nextAttemptAt: expect.stringMatching(/Z$/),
      hold: null,
    })
    await drainAll(clock)
    const { body } = await relay.get('/status')
    expect(body).toEqual({
      accepted: 5,
      delivered: 2,
      pending: 0,
      dead: 1,
      quarantined: 1,
      erased: 1,
      erasedBy: { expired: 0, deleted: 1, person: 0 },
      forwarded: 0,
      suppressed: 0,
      unavailable: 0,
      uninformed: 0,
      refused: 0,
      recordsPausedUntil: null,
      environment: null,
      version: expect.objectContaining({ id: expect.anything() }),
      destination: expect.objectContaining({ format: 'raw' }),
      keys: [expect.anything(), expect.anything()],
      oldestPendingAt: null,
      hold: null,
      nextAttemptAt: null,
    })
  })

  it('counts what is really stored, whatever happened to it', async () => {
    const ids = await bufferMany(6)
    await relay.erase(String(ids[0]))
    const rows = await runInDurableObject(outbox(), (_, { storage }) =>
      Number(storage.sql.exec("SELECT COUNT(*) AS n FROM events WHERE state = 'pending'").one().n),
    )
    expect((await relay.get('/status')).body.pending).toBe(rows)
  })

  it('reads no event, however many are stored', async () => {
    await bufferMany(60)
    const read = await runInDurableObject(outbox(), (instance: Outbox, { storage }) => {
      const real = storage.sql.exec.bind(storage.sql)
      const cursors: { rowsRead: number }[] = []
      vi.spyOn(storage.sql, 'exec').mockImplementation(((query: string, ...bindings: unknown[]) => {
        const cursor = real(query, ...bindings)
        cursors.push(cursor)
        return cursor
      }) as typeof storage.sql.exec)
      instance.status()
      instance.status()
      const before = cursors.reduce((sum, { rowsRead }) => sum + rowsRead, 0)
      instance.status()
      return cursors.reduce((sum, { rowsRead }) => sum + rowsRead, 0) - before
    })
    expect(read).toBeLessThan(15)
  })
})

describe('GET /admin/events', () => {
  it('lists oldest first, in pages that stay right while events come and go', async () => {
    const ids = await bufferMany(7)
    const first = await relay.get('/events?state=pending&limit=3')
    expect((first.body.events as { id: string }[]).map(({ id }) => id)).toEqual(ids.slice(0, 3))
    await relay.erase(String(ids[1]))
    await relay.erase(String(ids[4]))
    const late = (await post()).body.id
    const second = await relay.get(`/events?state=pending&limit=3&cursor=${first.body.cursor}`)
    expect((second.body.events as { id: string }[]).map(({ id }) => id)).toEqual([
      ids[3],
      ids[5],
      ids[6],
    ])
    const third = await relay.get(`/events?state=pending&limit=3&cursor=${second.body.cursor}`)
    expect((third.body.events as { id: string }[]).map(({ id }) => id)).toEqual([late])
    expect(third.body.cursor).toBeNull()
  })

  it('lists every event once, in one order', async () => {
    const ids = await bufferMany(11)
    const seen: string[] = []
    let cursor: unknown = ''
    while (cursor !== null) {
      const { body } = await relay.get(`/events?state=pending&limit=2&cursor=${cursor}`)
      seen.push(...(body.events as { id: string }[]).map(({ id }) => id))
      cursor = body.cursor
    }
    expect(seen).toEqual(ids)
  })

  it('shows what is known of each, and no payload', async () => {
    await bufferMany(1)
    const { body } = await relay.get('/events?state=pending')
    expect(body).toEqual({
      events: [
        {
          id: expect.stringMatching(/^[0-9a-f]{64}$/),
          kind: 'feedback',
          source: null,
          state: 'pending',
          attempts: 1,
          receivedAt: expect.stringMatching(/Z$/),
          nextAttemptAt: expect.stringMatching(/Z$/),
          lastError: { code: 'unavailable', status: 503, message: expect.any(String) },
          bytes: expect.any(Number),
        },
      ],
      cursor: null,
    })
  })

  it('filters by state and kind', async () => {
    await bufferMany(2)
    const other = await relay.post('unanswered', conversation())
    await relay.post('transcript', { messages: 'none' })
    const kinds = await relay.get('/events?state=pending&kind=unanswered')
    expect((kinds.body.events as { id: string }[]).map(({ id }) => id)).toEqual([other.body.id])
    const quarantined = await relay.get('/events?state=quarantined')
    expect(quarantined.body.events).toMatchObject([{ kind: 'transcript', attempts: 0 }])
    expect((await relay.get('/events?state=dead')).body).toEqual({ events: [], cursor: null })
  })

  it.each([
    ['', 'state'],
    ['state=delivered', 'state'],
    ['state=dead&kind=nothing', 'kind'],
    ['state=dead&limit=0', 'limit'],
    ['state=dead&limit=201', 'limit'],
    ['state=dead&limit=1.5', 'limit'],
    ['state=dead&cursor=!', 'cursor'],
    ['state=dead&kinds=feedback', 'kinds'],
    ['state=dead&kinds=', 'kinds'],
    ['state=dead&state=pending', 'state'],
    ['state=dead&limit=5&limit=5', 'limit'],
    ['state=dead&kind=&kind=feedback', 'kind'],
    ['state=dead&__proto__=x', '__proto__'],
  ])('answers 400 to ?%s, naming %s', async (query, name) => {
    const { status, body } = await relay.get(`/events?${query}`)
    expect([status, body.code]).toEqual([400, 'invalid-request'])
    expect(body.detail).toContain(name)
  })
})

describe('one event', () => {
  it('is shown with its payload, and erased', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    const payload = conversation()
    const { body } = await relay.post('feedback', payload)
    expect((await relay.get(`/events/${body.id}`)).body).toMatchObject({ id: body.id, payload })
    expect((await relay.erase(String(body.id))).status).toBe(204)
    expect((await relay.get(`/events/${body.id}`)).status).toBe(404)
    const again = await relay.erase(String(body.id))
    expect([again.status, again.body.code]).toEqual([404, 'not-found'])
    expect(again.body.detail).toMatch(/^No event of this id is stored: .* \/admin\/find/)
    expect((await relay.get('/status')).body).toMatchObject({ accepted: 1, erased: 1, pending: 0 })
  })

  it.each([
    ['text that is not UTF-8', [0x7b, 0xe9, 0xff, 0x00]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00]],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x7b]],
    ['nothing', []],
  ])('gives its bytes back as they came: %s', async (_, bytes) => {
    const { body } = await relay.post('feedback', new Uint8Array(bytes))
    const { status, response } = await relay.get(`/events/${body.id}/body`)
    expect(status).toBe(200)
    expect([...(await response.bytes())]).toEqual(bytes)
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(response.headers.get('content-disposition')).toBe('attachment')
  })

  it('has a body only where there is an event, and nothing but GET', async () => {
    expect((await relay.get(`/events/${'0'.repeat(64)}/body`)).body.code).toBe('not-found')
    const { status, response } = await relay.command('/events/x/body')
    expect([status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  it('cuts AEP’s answer at 8 KiB', async () => {
    aep.script({ type: 'status', status: 400, body: 'ü'.repeat(10_000) })
    const { body } = await post()
    const { answer } = (await relay.get(`/events/${body.id}`)).body
    expect(new TextEncoder().encode(String(answer)).length).toBeLessThanOrEqual(8_192)
    expect(String(answer).length).toBeGreaterThan(4_000)
  })
})

describe('POST /admin/redrive', () => {
  async function deadLetters(count: number): Promise<unknown[]> {
    await post()
    aep.rule({ containing: 'refused', answer: { type: 'status', status: 400 } })
    const ids: unknown[] = []
    for (let each = 0; each < count; each += 1) {
      clock.advance(1)
      ids.push((await post({ message: `refused ${each}` })).body.id)
      // AEP takes others, so that each refusal is the event's own.
      clock.advance(1)
      await post()
    }
    aep.reset()
    return ids
  }

  it('sends dead letters again, all of them or only some', async () => {
    const ids = await deadLetters(4)
    const dry = await relay.command('/redrive', { state: 'dead', dryRun: true })
    expect(dry.body).toEqual({ matched: 4, redriven: 0, stillInvalid: 0 })
    expect(await outbox().status()).toMatchObject({ dead: 4, pending: 0 })
    const some = await relay.command('/redrive', { state: 'dead', ids: [ids[0], ids[0], 'x'] })
    expect(some.body).toEqual({ matched: 1, redriven: 1, stillInvalid: 0 })
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([ids[0]])
    const rest = await relay.command('/redrive', { state: 'dead' })
    expect(rest.body).toEqual({ matched: 3, redriven: 3, stillInvalid: 0 })
    await drainAll(clock)
    expect(await outbox().status()).toMatchObject({ accepted: 4, delivered: 4, dead: 0 })
  })

  it('goes over more events than one page', async () => {
    await deadLetters(120)
    expect((await relay.command('/redrive', { state: 'dead' })).body.redriven).toBe(120)
    await drainAll(clock)
    expect(new Set(aep.lake.map(({ _id }) => _id)).size).toBe(120)
  })

  it('filters by code, as the list does', async () => {
    await deadLetters(2)
    const list = async (code: string) =>
      ((await relay.get(`/events?state=dead&code=${code}`)).body.events as unknown[]).length
    expect([await list('rejected'), await list('timeout')]).toEqual([2, 0])
    const none = await relay.command('/redrive', { state: 'dead', code: 'timeout' })
    expect(none.body.matched).toBe(0)
    const all = await relay.command('/redrive', { state: 'dead', code: 'rejected' })
    expect(all.body.redriven).toBe(2)
  })

  it('filters by kind', async () => {
    await deadLetters(2)
    const none = await relay.command('/redrive', { state: 'dead', kind: 'transcript' })
    expect(none.body).toEqual({ matched: 0, redriven: 0, stillInvalid: 0 })
    expect(
      (await relay.command('/redrive', { state: 'dead', kind: 'feedback' })).body.redriven,
    ).toBe(2)
  })

  it('validates quarantined events again, and leaves there what is still invalid', async () => {
    await relay.post('feedback', { wrong: 1 })
    const answer = await relay.command('/redrive', { state: 'quarantined' })
    expect(answer.body).toEqual({ matched: 1, redriven: 0, stillInvalid: 1 })
    expect(await outbox().status()).toMatchObject({ quarantined: 1, pending: 0 })
  })

  it('sends on its way what has become valid', async () => {
    // As after a mended schema: what was once refused is put into the store as it came.
    await outbox().store({
      id: 'f'.repeat(64),
      kind: 'feedback',
      source: null,
      receivedAt: clock.now,
      hashes: null,
      body: new TextEncoder().encode(JSON.stringify(conversation())),
      state: 'quarantined',
      attempt: null,
      parts: [],
      error: { code: 'invalid-payload', status: null, message: 'visitor: once refused' },
      madeFor: '',
      accepted: null,
      settings: '',
    })
    const answer = await relay.command('/redrive', { state: 'quarantined' })
    expect(answer.body).toEqual({ matched: 1, redriven: 1, stillInvalid: 0 })
    await drainAll(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual(['f'.repeat(64)])
  })

  it.each([
    [undefined, 'body'],
    [[], 'body'],
    [{}, 'state'],
    [{ state: 'pending' }, 'state'],
    [{ state: 'dead', ids: 'x' }, 'ids'],
    [{ state: 'dead', ids: [] }, 'ids'],
    [{ state: 'dead', kind: 'x' }, 'kind'],
    [{ state: 'dead', dryRun: 'yes' }, 'dryRun'],
    [{ state: 'dead', dryrun: true }, 'dryrun'],
    [{ state: 'dead', constructor: true }, 'constructor'],
  ])('answers 400 to %j, naming %s, and redrives nothing', async (body, name) => {
    await deadLetters(1)
    const { status, body: problem } = await relay.command('/redrive', body)
    expect([status, problem.code]).toEqual([400, 'invalid-request'])
    expect(problem.detail).toContain(name)
    expect(await outbox().status()).toMatchObject({ dead: 1, pending: 0 })
  })
})

describe('a hostile redrive', () => {
  it.each([
    ['700,000 wrong ids', `{"state":"dead","ids":[${'0,'.repeat(700_000)}0]}`, 'ids'],
    ['too many right ids', JSON.stringify({ state: 'dead', ids: Array(400_000).fill('') }), 'ids'],
    ['an endless parameter', `{"state":"dead","${'x'.repeat(1_000_000)}":1}`, 'xxx'],
  ])('gets a short 400: %s', async (_, body, name) => {
    const {
      status,
      response,
      body: problem,
    } = await relay.send('/admin/redrive', {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
      body,
    })
    expect([status, problem.code]).toEqual([400, 'invalid-request'])
    expect(problem.detail).toContain(name)
    expect((await response.bytes()).length).toBeLessThan(500)
  })
})

describe('pause and resume', () => {
  it('answer like status, and stop relaying inside requests too', async () => {
    const paused = await relay.command('/pause')
    expect(paused.body).toMatchObject({ hold: { reason: 'paused' }, nextAttemptAt: null })
    expect((await relay.health()).body).toEqual({ status: 'degraded', reasons: ['paused'] })
    expect((await post()).body.status).toBe('buffered')
    expect((await relay.command('/resume')).body).toMatchObject({ hold: null, pending: 1 })
    await drainAll(clock)
    expect(aep.lake).toHaveLength(1)
    expect((await post()).body.status).toBe('forwarded')
  })

  it('another isolate hears of a pause within ten seconds, after an answer', async () => {
    const other = startRelay()
    await other.post('feedback', conversation())
    await relay.command('/pause')
    clock.advance(9_000)
    expect((await other.post('feedback', conversation())).body.status).toBe('forwarded')
    clock.advance(1_000)
    expect((await other.post('feedback', conversation())).body.status).toBe('forwarded')
    expect((await other.post('feedback', conversation())).body.status).toBe('buffered')
  })

  it('resume lifts a hold too', async () => {
    aep.script({ type: 'status', status: 403 })
    await post()
    expect((await relay.get('/status')).body.hold).toMatchObject({ reason: 'credentials' })
    expect((await relay.command('/resume')).body.hold).toBeNull()
  })
})

describe('GET /health', () => {
  it('says storage, with 503, when the outbox does not answer', async () => {
    const broken = startRelay({
      OUTBOX: { getByName: () => ({ health: () => Promise.reject(new Error('gone')) }) },
    })
    const { status, body } = await broken.health()
    expect([status, body]).toEqual([503, { status: 'degraded', reasons: ['storage'] }])
  })

  it('asks the outbox once in two seconds, however often it is asked itself', async () => {
    let asked = 0
    let answer: () => Promise<unknown> = () => Promise.reject(new Error('gone'))
    const health = () => {
      asked += 1
      return answer()
    }
    const counted = startRelay({ OUTBOX: { getByName: () => ({ health }) } })
    for (let each = 0; each < 5; each += 1) {
      expect((await counted.health()).status).toBe(503)
      clock.advance(399)
    }
    expect(asked).toBe(1)
    answer = () => outbox().health()
    clock.advance(5)
    expect(await counted.health()).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(asked).toBe(2)
    vi.setSystemTime(clock.now - 60_000)
    await counted.health()
    expect(asked).toBe(3)
  })

  it('is not degraded by dead or quarantined events', async () => {
    aep.script({ type: 'status', status: 400 })
    await post()
    await relay.post('feedback', {})
    expect((await relay.health()).body).toEqual({ status: 'ok' })
  })
})
