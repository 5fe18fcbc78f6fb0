/** What AEP accepted in one request is written down in one transaction; what cannot be written keeps no other from it. */
import { expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { inOutbox, refuseWrites } from '../worker/outbox-support.ts'
import {
  type Clock,
  drainAll,
  drainOnce,
  eachTest,
  outbox,
  type Relay,
  storeEvents,
} from '../worker/support.ts'

let aep: LocalAdobe
let relay: Relay
let clock: Clock
let logs: string[]

eachTest(
  (world) => {
    ;({ logs, clock, aep, relay } = world)
  },
  { mode: 'xdm' },
)

/** How often the ledger's `delivered` grew, and by how many. */
async function moves(work: () => Promise<void>): Promise<number[]> {
  const seen: number[] = []
  await inOutbox((_, { storage }) => {
    const real = storage.transactionSync.bind(storage)
    vi.spyOn(storage, 'transactionSync').mockImplementation((closure) => {
      const delivered = () =>
        Number(storage.sql.exec('SELECT delivered FROM ledger').one().delivered)
      const before = delivered()
      const result = real(closure)
      if (delivered() > before) seen.push(delivered() - before)
      return result
    })
  })
  await work()
  return seen
}

it('a batch of 20 that AEP accepts moves the counters once', async () => {
  const ids = await storeEvents(20)
  expect(await moves(() => drainAll(clock))).toEqual([20])
  expect(aep.requests).toHaveLength(1)
  expect(new Set(aep.lake.map(({ _id }) => _id))).toEqual(new Set(ids))
  for (const id of ids) {
    const { body } = await relay.command('/find', { id })
    expect(body.events).toMatchObject([{ id, state: 'delivered', attempts: 1 }])
  }
})

it('acceptances of several requests that arrive while one is being made durable are one transaction', async () => {
  // Tried before, so each is sent alone.
  const ids = await storeEvents(6)
  aep.rule({ answer: { type: 'status', status: 503 }, times: 6 })
  for (let each = 0; each < 12; each += 1) await drainOnce(clock)
  aep.set({ latencyMs: 20 })
  const written = await moves(() => drainAll(clock))
  expect(new Set(aep.lake.map(({ _id }) => _id))).toEqual(new Set(ids))
  expect(written.length).toBeLessThan(aep.lake.length)
})

it('one whose delivery cannot be written stays pending and is sent again, the others are forgotten', async () => {
  const ids = await storeEvents(5)
  const stuck = ids[2]
  const mend = await refuseWrites(`DELETE ON events WHEN OLD.id = '${stuck}'`)
  await drainOnce(clock)
  expect(await outbox().status()).toMatchObject({ accepted: 5, delivered: 4, pending: 1 })
  const unrecorded = logs
    .map((line) => JSON.parse(line))
    .filter((line) => line.event === 'not-recorded')
  expect(unrecorded).toMatchObject([{ id: stuck, outcome: 'delivered' }])
  await mend()
  await drainAll(clock)
  expect(await outbox().status()).toMatchObject({ accepted: 5, delivered: 5, pending: 0 })
  const copies = aep.lake.filter(({ _id }) => _id === stuck)
  expect(copies.length).toBe(2)
})

it('one that was erased while the batch was under way is counted as erased, the others as delivered', async () => {
  const ids = await storeEvents(4)
  const fetch = aep.fetch.bind(aep)
  let erased: Promise<unknown> | null = null
  aep.fetch = async (...args: Parameters<typeof fetch>) => {
    const response = await fetch(...args)
    erased ??= relay.erase(String(ids[1]))
    await erased
    return response
  }
  await drainAll(clock)
  expect(erased).not.toBeNull()
  expect(await outbox().status()).toMatchObject({
    accepted: 4,
    delivered: 3,
    erased: 1,
    pending: 0,
  })
})
