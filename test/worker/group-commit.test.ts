/** Events that arrive together are stored together: each still gets its own answer, and none is stored twice or lost. */
import { describe, expect, it, vi } from 'vitest'
import type { StoreRequest } from '../../src/worker/outbox/arrivals.ts'
import { attemptOf, idOf, inOutbox, refusal, refuseWrites, storeRequest } from './outbox-support.ts'
import { type Clock, drainAll, eachTest, outbox, type Relay } from './support.ts'

let clock: Clock
let relay: Relay
let landed: () => string[]
let logs: string[]

eachTest((world) => {
  ;({ clock, relay, logs } = world)
  landed = () => world.aep.lake.map(({ _id }) => String(_id)).sort()
})

/** AEP takes others, so this refusal is the event's own. */
const refused = (): Partial<StoreRequest> => ({
  attempt: attemptOf(refusal),
  accepted: { beganAt: clock.now - 1_000, at: clock.now - 1_000 },
})

/** Stores these at once. Returns their states, and how many transactions it took. */
const store = (requests: readonly StoreRequest[]) =>
  inOutbox(async (outbox, { storage }) => {
    const transactions = vi.spyOn(storage, 'transactionSync')
    const stored = Promise.allSettled(requests.map((request) => outbox.store(request)))
    const results = (await stored).map((result) =>
      result.status === 'fulfilled' ? result.value.state : 'failed',
    )
    return { results, transactions: transactions.mock.calls.length }
  })

/** Lets events arrive, without I/O: the first is written, the others wait until it is durable. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
}

describe('events that arrive together', () => {
  it('are stored in one transaction, but for the first, and are all delivered', async () => {
    const requests = Array.from({ length: 40 }, (_, index) => storeRequest(index))
    const { results, transactions } = await store(requests)
    expect(results).toEqual(requests.map(() => 'pending'))
    expect(transactions).toBe(2)
    expect(await outbox().status()).toMatchObject({ accepted: 40, pending: 40 })
    await drainAll(clock)
    expect(landed()).toEqual(requests.map(({ id }) => id))
  })

  it('are one event when they have one id, in the state that its table of states gives', async () => {
    const one = (fields = {}) => storeRequest(1, fields)
    const same = [storeRequest(0), one(refused()), one(), one(refused()), storeRequest(0)]
    const { results } = await store(same)
    expect(results).toEqual(['pending', 'dead', 'pending', 'pending', 'pending'])
    expect(await outbox().status()).toMatchObject({ accepted: 2, pending: 2, dead: 0 })
  })

  it('are each found by what they are looked up by', async () => {
    const [one, other] = ['1'.repeat(32), '2'.repeat(32)]
    await store([
      storeRequest(0, { hashes: one }),
      storeRequest(1, { hashes: other }),
      storeRequest(2, { hashes: `${one} ${other}` }),
    ])
    const found = async (hash: string) => {
      const all = { from: 0, before: Number.MAX_SAFE_INTEGER, limit: 10 }
      return (await outbox().find({ by: { hash }, ...all })).map(({ id }) => id).sort()
    }
    expect(await found(one)).toEqual([idOf(0), idOf(2)])
    expect(await found(other)).toEqual([idOf(1), idOf(2)])
  })

  it('are stored although one of them cannot be written, which fails alone', async () => {
    await refuseWrites(`INSERT ON events WHEN NEW.id = '${idOf(3)}'`)
    const { results } = await store([0, 1, 2, 3, 4, 5].map((index) => storeRequest(index)))
    expect(results).toEqual(['pending', 'pending', 'pending', 'failed', 'pending', 'pending'])
    expect(await outbox().status()).toMatchObject({ accepted: 5, pending: 5 })
    await drainAll(clock)
    expect(landed()).toEqual([0, 1, 2, 4, 5].map(idOf))
  })

  it('are not stored when their person is suppressed while they wait', async () => {
    const hashes = '1'.repeat(32)
    const states = await inOutbox(async (outbox) => {
      const stored = [0, 1, 2].map((index) =>
        outbox.store(storeRequest(index, index === 1 ? { hashes } : {})),
      )
      await turns()
      await outbox.suppress(hashes, clock.now, clock.now + 86_400_000)
      return (await Promise.all(stored)).map(({ state }) => state)
    })
    expect(states).toEqual(['pending', 'suppressed', 'pending'])
    expect(await outbox().status()).toMatchObject({ accepted: 2, pending: 2 })
  })

  it('are pending although AEP refused them, when the third of them shows that it refuses everything', async () => {
    const accepted = { beganAt: clock.now, at: clock.now }
    await outbox().store(storeRequest(0, { accepted }))
    clock.advance(61_000)
    const { results } = await store(
      [1, 2, 3, 4].map((index) => storeRequest(index, { attempt: attemptOf(refusal) })),
    )
    // The first is written alone, before the others have arrived.
    expect(results).toEqual(['dead', 'pending', 'pending', 'pending'])
    expect(await outbox().status()).toMatchObject({
      pending: 5,
      dead: 0,
      hold: { reason: 'rejecting' },
    })
    expect(logs.join()).not.toContain(`"dead-letter","id":"${idOf(2)}"`)
  })

  it('are erased by an operator while they wait, one by one or all of a person', async () => {
    await inOutbox(async (outbox) => {
      const stored = [0, 1, 2, 1].map((index) => outbox.store(storeRequest(index)))
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
    const sizes = await inOutbox(async (outbox) => {
      const stored = [0, 1, 2, 3, 4].map((index) =>
        outbox.store(storeRequest(index, { body: large })),
      )
      await turns()
      const early = outbox.status().accepted
      await Promise.all(stored)
      return [early, outbox.status().accepted]
    })
    expect(sizes).toEqual([4, 5])
  })

  it('set the alarm once', async () => {
    const calls = await inOutbox(async (outbox, { storage }) => {
      await storage.sync()
      const setAlarm = vi.spyOn(storage, 'setAlarm')
      await Promise.all([0, 1, 2, 3, 4].map((index) => outbox.store(storeRequest(index))))
      return setAlarm.mock.calls.length
    })
    expect(calls).toBe(1)
  })

  it('are logged as dead letters each by itself', async () => {
    await store([storeRequest(0), storeRequest(1, refused()), storeRequest(2, refused())])
    const dead = logs.map((line) => JSON.parse(line)).filter((line) => line.event === 'dead-letter')
    expect(dead.map(({ id }) => id)).toEqual([idOf(1), idOf(2)])
    expect((await relay.get('/status')).body).toMatchObject({ accepted: 3, pending: 1, dead: 2 })
  })
})
