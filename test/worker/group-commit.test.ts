/** Events that arrive together are stored together: each still gets its own answer, and none is stored twice or lost. */
import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import { INITIAL_UPSTREAM } from '../../src/worker/aep/upstream/state.ts'
import { afterRejection } from '../../src/worker/aep/upstream/transitions.ts'
import type { StoreRequest } from '../../src/worker/outbox/state.ts'
import { type Clock, drainAll, eachTest, outbox, type Relay } from './support.ts'

let clock: Clock
let relay: Relay
let landed: () => string[]
let logs: string[]

eachTest((world) => {
  ;({ clock, relay, logs } = world)
  landed = () => world.aep.lake.map(({ _id }) => String(_id)).sort()
})

const idOf = (index: number) => index.toString(16).padStart(64, '0')

/** Each with hashes, so that it is written or waits as soon as it arrives. */
function event(index: number, fields: Partial<StoreRequest> = {}): StoreRequest {
  return {
    id: idOf(index),
    kind: 'feedback',
    receivedAt: clock.now,
    body: new TextEncoder().encode(JSON.stringify({ visitor: { UUID: `visitor-${index}` } })),
    state: 'pending',
    parts: [],
    attempt: null,
    error: null,
    upstream: INITIAL_UPSTREAM,
    hashes: `hash-${index}`,
    ...fields,
  }
}

const refused = () => ({
  state: 'dead' as const,
  attempt: {
    at: clock.now,
    error: { code: 'rejected' as const, status: 400, message: 'refused' },
    answer: null,
  },
})

/** Stores these at once. Returns their states, and how many events each write of the ledger counted. */
const store = (requests: readonly StoreRequest[]) =>
  runInDurableObject(outbox(), async (outbox, { storage }) => {
    storage.sql.exec(`CREATE TABLE IF NOT EXISTS ledger_writes (accepted INTEGER);
      CREATE TRIGGER IF NOT EXISTS count_writes AFTER UPDATE ON ledger BEGIN
        INSERT INTO ledger_writes VALUES (NEW.accepted - OLD.accepted); END`)
    const stored = Promise.allSettled(requests.map((request) => outbox.store(request)))
    const results = (await stored).map((result) =>
      result.status === 'fulfilled' ? result.value.state : 'failed',
    )
    const groups = storage.sql
      .exec<{ accepted: number }>('SELECT accepted FROM ledger_writes WHERE accepted > 0')
      .toArray()
      .map(({ accepted }) => accepted)
    return { results, groups }
  })

/** Lets events arrive, without I/O: the first is written, the others wait until it is durable. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
}

describe('events that arrive together', () => {
  it('are stored in one transaction, but for the first, and are all delivered', async () => {
    const requests = Array.from({ length: 40 }, (_, index) => event(index))
    const { results, groups } = await store(requests)
    expect(results).toEqual(requests.map(() => 'pending'))
    expect(groups).toEqual([1, 39])
    expect(await outbox().status()).toMatchObject({ accepted: 40, pending: 40 })
    await drainAll(clock)
    expect(landed()).toEqual(requests.map(({ id }) => id))
  })

  it('are one event when they have one id, in the state that its table of states gives', async () => {
    const same = [event(0), event(1, refused()), event(1), event(1, refused()), event(0)]
    const { results } = await store(same)
    expect(results).toEqual(['pending', 'dead', 'pending', 'pending', 'pending'])
    expect(await outbox().status()).toMatchObject({ accepted: 2, pending: 2, dead: 0 })
  })

  it('are each found by what they are looked up by', async () => {
    await store([event(0), event(1), event(2, { hashes: 'hash-1 hash-2' })])
    const places = await runInDurableObject(outbox(), (_, { storage }) =>
      storage.sql.exec('SELECT hash, COUNT(*) AS n FROM lookups GROUP BY hash').toArray(),
    )
    expect(places).toEqual([
      { hash: 'hash-0', n: 1 },
      { hash: 'hash-1', n: 2 },
      { hash: 'hash-2', n: 1 },
    ])
  })

  it('are stored although one of them cannot be written, which fails alone', async () => {
    await runInDurableObject(outbox(), (_, { storage }) => {
      storage.sql.exec(`CREATE TRIGGER no_write BEFORE INSERT ON pending WHEN NEW.id = '${idOf(3)}'
        BEGIN SELECT RAISE(ABORT, 'row refused'); END`)
    })
    const { results } = await store([0, 1, 2, 3, 4, 5].map((index) => event(index)))
    expect(results).toEqual(['pending', 'pending', 'pending', 'failed', 'pending', 'pending'])
    expect(await outbox().status()).toMatchObject({ accepted: 5, pending: 5 })
    await drainAll(clock)
    expect(landed()).toEqual([0, 1, 2, 4, 5].map(idOf))
  })

  it('are not stored when their person is suppressed while they wait', async () => {
    const { results } = await runInDurableObject(outbox(), async (outbox) => {
      const stored = [0, 1, 2].map((index) => outbox.store(event(index)))
      await turns()
      await outbox.suppress('hash-1', clock.now, clock.now + 86_400_000)
      return { results: await Promise.all(stored) }
    })
    expect(results.map(({ state }) => state)).toEqual(['pending', 'suppressed', 'pending'])
    expect(await outbox().status()).toMatchObject({ accepted: 2, pending: 2 })
  })

  it('are pending although AEP refused them, when a hold for refusals begins while they wait', async () => {
    await runInDurableObject(outbox(), async (outbox) => {
      await outbox.store(event(0))
      const known = await outbox.refresh(INITIAL_UPSTREAM)
      const rejecting = ['a', 'b', 'c'].reduce(
        (state, id) => afterRejection(state, clock.now, { id, status: 400, before: false }),
        known,
      )
      const stored = [1, 2, 3].map((index) =>
        outbox.store(event(index, { ...refused(), upstream: known })),
      )
      await turns()
      await outbox.refresh(rejecting)
      const states = (await Promise.all(stored)).map(({ state }) => state)
      expect(states).toEqual(['pending', 'pending', 'pending'])
    })
    expect(await outbox().status()).toMatchObject({
      pending: 4,
      dead: 0,
      hold: { reason: 'rejecting' },
    })
  })

  it('are erased by an operator while they wait, one by one or all of a person', async () => {
    await runInDurableObject(outbox(), async (outbox) => {
      const stored = [0, 1, 2, 1].map((index) => outbox.store(event(index)))
      await turns()
      expect(await outbox.erase(idOf(1))).toBe(true)
      expect((await Promise.all(stored)).map(({ state }) => state)).toEqual(
        stored.map(() => 'pending'),
      )
      expect(await outbox.erase(idOf(1))).toBe(false)
    })
    expect(await outbox().status()).toMatchObject({ accepted: 3, erased: 1, pending: 2 })
  })

  it('are written before the group is due when they take too much memory', async () => {
    const large = new Uint8Array(1_500_000).fill(32)
    const sizes = await runInDurableObject(outbox(), async (outbox, { storage }) => {
      const counted = () => Number(storage.sql.exec('SELECT COUNT(*) AS n FROM pending').one().n)
      const stored = [0, 1, 2, 3, 4].map((index) => outbox.store(event(index, { body: large })))
      await turns()
      const early = counted()
      await Promise.all(stored)
      return [early, counted()]
    })
    expect(sizes).toEqual([4, 5])
  })

  it('set the alarm once', async () => {
    const calls = await runInDurableObject(outbox(), async (outbox, { storage }) => {
      await outbox.suppress('hash-0', clock.now, clock.now + 86_400_000)
      const setAlarm = vi.spyOn(storage, 'setAlarm')
      await Promise.all([0, 1, 2, 3, 4].map((index) => outbox.store(event(index))))
      return setAlarm.mock.calls.length
    })
    expect(calls).toBe(1)
  })

  it('are logged as dead letters each by itself', async () => {
    await store([event(0), event(1, refused()), event(2, refused())])
    const dead = logs.map((line) => JSON.parse(line)).filter((line) => line.event === 'dead-letter')
    expect(dead.map(({ id }) => id)).toEqual([idOf(1), idOf(2)])
    expect((await relay.get('/status')).body).toMatchObject({ accepted: 3, pending: 1, dead: 2 })
  })
})
