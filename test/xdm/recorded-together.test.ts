/** What AEP accepted in one request is written down in one transaction; what cannot be written keeps no other from it. */
import { runInDurableObject } from 'cloudflare:test'
import { expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
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

const run = (statement: string) =>
  runInDurableObject(outbox(), (_, { storage }) => storage.sql.exec(statement).toArray())

it('a batch of 20 that AEP accepts moves the counters once', async () => {
  const ids = await storeEvents(20)
  await run(`CREATE TABLE moves (delivered INTEGER);
    CREATE TRIGGER moved AFTER UPDATE ON ledger WHEN NEW.delivered > OLD.delivered BEGIN
      INSERT INTO moves VALUES (NEW.delivered - OLD.delivered); END`)
  await drainAll(clock)
  expect(await run('SELECT delivered FROM moves')).toEqual([{ delivered: 20 }])
  expect(aep.requests).toHaveLength(1)
  expect(new Set(aep.lake.map(({ _id }) => _id))).toEqual(new Set(ids))
  for (const id of ids) {
    const { body } = await relay.command('/find', { id })
    expect(body.events).toMatchObject([{ id, state: 'delivered', attempts: 1 }])
  }
})

it('one whose delivery cannot be written stays pending and is sent again, the others are forgotten', async () => {
  const ids = await storeEvents(5)
  const stuck = ids[2]
  await run(`CREATE TRIGGER no_delete BEFORE DELETE ON pending WHEN OLD.id = '${stuck}'
    BEGIN SELECT RAISE(ABORT, 'row refused'); END`)
  await drainOnce(clock)
  expect(await outbox().status()).toMatchObject({ accepted: 5, delivered: 4, pending: 1 })
  const unrecorded = logs
    .map((line) => JSON.parse(line))
    .filter((line) => line.event === 'not-recorded')
  expect(unrecorded).toMatchObject([{ id: stuck, outcome: 'delivered' }])
  await run('DROP TRIGGER no_delete')
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
