/** Promise 9, over the wire: what the cron trigger reads of AEP's own counts, what it says of them, and what it leaves alone. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { HOUR, MINUTE, type Receiver, startReceiver, WEBHOOK } from './alerts-support.ts'
import {
  type Clock,
  conversation,
  drainAll,
  eachTest,
  outbox,
  type Relay,
  startRelay,
} from './support.ts'

const CANARY = 'canary-7f3a'
const READ = {
  AEP_READ_CLIENT_ID: 'local-reader',
  AEP_READ_CLIENT_SECRET: 'local-reader-secret',
  AEP_ORG_ID: 'LOCAL@AdobeOrg',
  AEP_DATASET_ID: 'local-dataset',
  AEP_IMS_URL: 'http://127.0.0.1:8788',
  AEP_PLATFORM_URL: 'http://127.0.0.1:8788',
  ALERT_WEBHOOK_URL: WEBHOOK,
}

let aep: LocalAdobe
let clock: Clock
let logs: string[]
let relay: Relay
let receiver: Receiver

eachTest((world) => {
  ;({ aep, clock, logs } = world)
  receiver = startReceiver(aep)
})
beforeEach(() => {
  // The outbox has an environment of its own.
  Object.assign(env, READ)
  relay = startRelay(READ)
})

const later = (answer: object = {}, more: object = {}) =>
  aep.rule({
    ...more,
    answer: { type: 'failLater', message: `[${CANARY}] is wrong`, ...answer },
  } as Parameters<LocalAdobe['rule']>[0])

/** Returns their ids. */
async function webhooks(count: number, fields: Record<string, unknown> = {}): Promise<string[]> {
  const ids: string[] = []
  for (let sent = 0; sent < count; sent += 1) {
    const { body } = await relay.post('feedback', conversation(fields))
    expect(body.status).toBe('forwarded')
    ids.push(String(body.id))
  }
  await relay.report()
  return ids
}

async function tick(ms = 20 * MINUTE): Promise<void> {
  clock.advance(ms)
  await relay.scheduled()
}

type Compared = {
  available: boolean
  why: string | null
  hours: Record<'at' | 'received' | 'ingested' | 'failed' | 'ours' | 'settled', unknown>[]
  failures: Record<'id' | 'code' | 'pointer' | 'batch' | 'at', string>[]
}
const compared = async (query = '') =>
  (await relay.get(`/compared${query}`)).body as unknown as Compared
const said = () => JSON.stringify(receiver.messages.map(({ body }) => body.text))
const platformPaths = () => aep.platformRequests.map(({ path }) => path)

describe('what AEP refused afterwards', () => {
  it('is counted and named, is one alert, and one resolve after a clean hour', async () => {
    later({}, { every: 3 })
    const ids = await webhooks(20)
    aep.clearRules()
    await tick()
    const { available, why, hours, failures } = await compared()
    expect(available).toBe(true)
    expect(hours.at(-1)).toMatchObject({ received: 20, ingested: 14, failed: 6, ours: 20 })
    const thirds = ids.filter((_, index) => index % 3 === 2)
    expect(failures.map(({ id }) => id).sort()).toEqual(thirds.sort())
    expect(failures[0]).toMatchObject({ code: 'DCVS-1105-400', pointer: '/timestamp' })
    expect(why).toContain('AEP accepted 6 records and refused them afterwards')
    expect(receiver.messages).toHaveLength(1)
    expect(said()).toContain('6 records: DCVS-1105-400 at /timestamp')
    expect(said()).toContain('npm run recover')
    for (let minutes = 0; minutes < 55; minutes += 5) await tick(5 * MINUTE)
    expect(receiver.messages).toHaveLength(1)
    for (let minutes = 0; minutes < 30; minutes += 5) await tick(5 * MINUTE)
    expect(receiver.messages).toHaveLength(2)
    expect(said()).toContain('Resolved: AEP has refused nothing more for an hour')
    expect((await compared()).why).toBeNull()
  })

  it('is said anew for another cause, and not for the same', async () => {
    later()
    await webhooks(1)
    await tick()
    await webhooks(1)
    await tick()
    expect(receiver.messages).toHaveLength(1)
    aep.clearRules()
    later({ keyword: 'type', pointer: '/eventType' })
    await webhooks(1)
    await tick(40 * MINUTE)
    expect(receiver.messages).toHaveLength(2)
    expect(said()).toContain('/eventType')
  })

  it('is shown by find, with where and why, also of a split event', async () => {
    later({}, { times: 1 })
    const [id] = await webhooks(2)
    await tick()
    const { body } = await relay.command('/find', { id })
    expect(body.events).toMatchObject([
      { id, state: 'failed', code: 'DCVS-1105-400', pointer: '/timestamp', batch: expect.any(String) },
    ])
  })

  it('holds no word of AEP and nothing of a visitor, in any row, line or message', async () => {
    later({ pointer: `/visitorTraits/${CANARY}`, code: CANARY })
    await webhooks(2, { email: `${CANARY}@example.com`, message: CANARY })
    aep.set({ failedBody: 'mapped' })
    await tick()
    const rows = await runInDurableObject(outbox(), (_, { storage }) =>
      storage.sql
        .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
        .toArray()
        .filter(({ name }) => name.startsWith('landed'))
        .map(({ name }) => JSON.stringify(storage.sql.exec(`SELECT * FROM ${name}`).toArray())),
    )
    expect(rows.join('')).toContain('landed-unlikely')
    const seen = [...rows, ...logs, said(), JSON.stringify(await compared())].join('\n')
    expect(seen).not.toContain(CANARY)
    expect(seen).not.toContain('local-reader-secret')
  })
})
