/** What an erasure leaves on disk is overwritten in steps. (That no byte is left: `test/cli/erase*.test.ts`, in the files.) */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { Scrub } from '../../src/worker/outbox/receipts/scrub.ts'
import { type Clock, conversation, drainAll, eachTest, type Relay, shard } from './support.ts'

/** Below the size of an empty shard: its tables are never written anew all at once. */
const LIMIT_BYTES = 100_000

let aep: LocalAdobe
let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ aep, clock, relay } = world)
})

/** One step of what is owed, by an object that has just started. */
const step = (limitBytes = LIMIT_BYTES) =>
  runInDurableObject(shard(), async (_, { storage }) => {
    const scrub = new Scrub(storage, limitBytes)
    await scrub.step()
    return scrub.isOwed
  })
const owe = () => runInDurableObject(shard(), (_, { storage }) => new Scrub(storage).owe())

/** Everything in the tables, and their schema. */
const contents = () =>
  runInDurableObject(shard(), (_, { storage }) => {
    const objects = storage.sql
      .exec<{ type: string; name: string; sql: string | null }>(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name",
      )
      .toArray()
    const rows = objects
      .filter(({ type }) => type === 'table')
      .map(({ name }) => [name, storage.sql.exec(`SELECT * FROM ${name}`).toArray()])
    const schema = objects.map(({ sql }) => sql?.replaceAll('"', '').replaceAll(/\s+/g, ' '))
    return JSON.stringify([schema, rows])
  })

async function fill(bytes: number) {
  for (const status of [422, 503]) {
    aep.rule({ answer: { type: 'status', status } })
    clock.advance(120_000)
    const message = 'water '.repeat(bytes / 12)
    await relay.post('feedback', conversation({ message }))
    aep.clearRules()
  }
}

it('is done in steps where there is much free space, and changes no row and no table', async () => {
  await fill(1_000)
  await relay.post('feedback', { message: 1 })
  const before = await contents()
  await owe()
  const steps: boolean[] = []
  while (steps.at(-1) !== false) steps.push(await step())
  expect(steps.length).toBeGreaterThan(2)
  expect(await contents()).toBe(before)
})

it('waits while more is stored than one step can write anew, and goes on when that is delivered', async () => {
  await fill(400_000)
  await owe()
  for (let each = 0; each < 20; each += 1) expect(await step()).toBe(true)
  await drainAll(clock)
  const { body } = await relay.get('/events?state=dead')
  for (const { id } of body.events as { id: string }[]) await relay.erase(id)
  let steps = 0
  while (await step()) steps += 1
  expect(steps).toBeGreaterThan(0)
})

it('is owed after each erasure, done with it where storage is small, and owed no more', async () => {
  await fill(1_000)
  const { body } = await relay.command('/erase', { visitor: 'nobody' })
  expect(body).toMatchObject({ matched: 0 })
  await relay.post('feedback', conversation({ visitor: { UUID: 'canary' }, message: 1 }))
  await relay.command('/erase', { visitor: 'canary' })
  expect(await step()).toBe(false)
  const filler = await runInDurableObject(shard(), (_, { storage }) =>
    storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'filler'").toArray(),
  )
  expect(filler).toEqual([])
})

it('goes on with the cron trigger, over a restart', async () => {
  await fill(1_000)
  await owe()
  await evictDurableObject(shard())
  await relay.scheduled()
  expect(await step()).toBe(false)
})
