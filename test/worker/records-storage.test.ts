/// <reference types="vite/client" />
/** What the records keep of storage that the layout before left: counters, uses of keys, suppressions, operators' actions. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { expect, it } from 'vitest'
import step6 from '../fixtures/storage/step-6.sql?raw'
import { type Clock, eachTest, type Relay, shard } from './support.ts'

let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ clock, relay } = world)
})

it('come along', async () => {
  const hour = Math.floor(clock.now / 3_600_000) * 3_600_000
  const key = new Uint8Array(32).fill(7)
  await runInDurableObject(shard(), async (_, { storage }) => {
    await storage.deleteAlarm()
    await storage.deleteAll()
    storage.sql.exec(step6)
    storage.kv.put('lookup-key', key)
    storage.sql.exec(`
      INSERT INTO minutes VALUES
        (${hour}, 'feedback', 'forwarded', 2, '{"4":2}'),
        (${hour + 60_000}, 'feedback', 'forwarded', 1, '{"4":1}');
      INSERT INTO hours VALUES (${hour - 86_400_000}, 'transcript', 'buffered', 5, '{"8":5}');
      UPDATE totals SET forwarded = 8, suppressed = 3;
      INSERT INTO webhook_keys VALUES ('abcdef', ${hour});
      INSERT INTO suppressions VALUES ('${'a'.repeat(32)}', ${hour}, ${hour + 86_400_000});
      INSERT INTO operator_log (at, by, action, counts) VALUES (${hour}, 'token', 'pause', '{}');
    `)
  })
  await evictDurableObject(shard())
  const points = async (step: string) => {
    const from = new Date(hour - 2 * 86_400_000).toISOString()
    const { body } = await relay.get(`/activity?from=${from}&step=${step}`)
    return (body.points as { outcome: string; count: number }[]).map((each) => [
      each.outcome,
      each.count,
    ])
  }
  expect(await points('minute')).toEqual([
    ['forwarded', 2],
    ['forwarded', 1],
  ])
  for (const step of ['hour', 'day']) {
    expect(await points(step)).toEqual([
      ['buffered', 5],
      ['forwarded', 3],
    ])
  }
  const status = await shard().status()
  expect(status).toMatchObject({ forwarded: 8, suppressed: 3, unavailable: 0 })
  expect(status.keys).toEqual([{ fingerprint: 'abcdef', lastUsedAt: hour }])
  expect((await relay.get('/suppressions')).body.count).toBe(1)
  expect((await relay.get('/log')).body.entries).toMatchObject([{ action: 'pause' }])
  expect(await shard().lookupKey()).toEqual(key)
})
