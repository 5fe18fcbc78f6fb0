/**
 * What whole minutes and hours of the relay cost, the cron trigger with them: the figures from which `npm run bench` makes
 * docs/costs.md. Fails when what is measured is more than a quarter away from `test/bench/metered.json`, and prints what is.
 */

import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import metered from '../bench/metered.json'
import { READ } from './alerts-support.ts'
import { alarmsIn, costOf, counted, sumOf } from './metering.ts'
import { type Clock, conversation, eachTest, outbox, type Relay, startRelay } from './support.ts'

let aep: LocalAdobe
let clock: Clock

eachTest((world) => {
  ;({ aep, clock } = world)
})

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const STORE_FIRST = { FORWARD_TIMEOUT_MS: '0' }
/** `requests`: to the outbox, alarms among them. */
type Metered = { events: number; written: number; read: number; requests: number; aep: number }

const event = () =>
  conversation({
    visitor: { UUID: crypto.randomUUID(), email: `${crypto.randomUUID()}@x.example` },
  })

async function meter(events: number, work: () => Promise<number>): Promise<Metered> {
  let alarms = 0
  const cost = await costOf(aep, async () => {
    alarms = await work()
  })
  const { read, calls, aep: asked } = cost
  return { events, written: sumOf(cost), read, requests: calls + alarms, aep: asked }
}

/** Folds the reports, then forgets receipts and activity; with what the cron trigger costs in three runs. */
async function forgotten(by: Relay): Promise<void> {
  for (const ms of [HOUR, 8 * DAY, 91 * DAY]) {
    clock.advance(ms)
    await by.scheduled()
  }
}

/** Six webhooks in an hour, each to an isolate that has had none before. */
async function quiet(variables: object, isDown: boolean): Promise<number> {
  let alarms = 0
  for (let sent = 0; sent < 6; sent += 1) {
    const isolate = startRelay({ OUTBOX: counted, ...variables })
    if (isDown) aep.script({ type: 'status', status: 503 })
    await isolate.post('feedback', event())
    await isolate.report()
    alarms += await alarmsIn(clock, 10 * MINUTE)
  }
  await forgotten(startRelay({ OUTBOX: counted, ...variables }))
  return alarms
}

/** One a second for a minute, to one isolate; `isDown`: AEP is, for the whole of it. */
async function busy(variables: object, isDown: boolean): Promise<number> {
  let alarms = 0
  const isolate = startRelay({ OUTBOX: counted, ...variables })
  if (isDown) aep.rule({ answer: { type: 'status', status: 503 }, forMs: MINUTE })
  for (let second = 0; second < 60; second += 1) {
    await isolate.post('feedback', event())
    alarms += await alarmsIn(clock, 1_000)
  }
  alarms += await alarmsIn(clock, 10 * MINUTE)
  await isolate.report()
  await forgotten(isolate)
  return alarms
}

async function cron(variables: object): Promise<number> {
  const isolate = startRelay({ OUTBOX: counted, ...variables })
  for (let run = 0; run < 12; run += 1) {
    clock.advance(5 * MINUTE)
    await isolate.scheduled()
  }
  return 0
}

const CASES: Record<Exclude<keyof typeof metered, 'bytes'>, () => Promise<Metered>> = {
  quietHealthy: () => meter(6, () => quiet({}, false)),
  quietOutage: () => meter(6, () => quiet({}, true)),
  quietStoreFirst: () => meter(6, () => quiet(STORE_FIRST, false)),
  busyHealthy: () => meter(60, () => busy({}, false)),
  busyOutage: () => meter(60, () => busy({}, true)),
  busyStoreFirst: () => meter(60, () => busy(STORE_FIRST, false)),
  cronHour: () => meter(0, () => cron({})),
  cronHourComparing: () => {
    Object.assign(env, READ)
    return meter(0, () => cron(READ))
  },
}

it.each(Object.keys(CASES) as (keyof typeof CASES)[])(
  'costs in %s what docs/costs.md counts with',
  async (name) => {
    const measured = await CASES[name]()
    const documented: Metered = metered[name]
    const far = Object.entries(measured).filter(([key, value]) => {
      const known = documented[key as keyof Metered]
      return Math.abs(value - known) > Math.max(2, known / 4)
    })
    expect(far, `test/bench/metered.json: "${name}": ${JSON.stringify(measured)}`).toEqual([])
  },
)

it('takes as much of the outbox’s storage as docs/costs.md counts with', async () => {
  const straight = startRelay()
  for (let sent = 0; sent < 20; sent += 1) await straight.post('feedback', event())
  await straight.report()
  clock.advance(HOUR)
  await straight.scheduled()
  const receipt = await inOutbox(({ sql }) => {
    const rows = sql.exec<Record<string, SqlStorageValue>>('SELECT * FROM receipts').toArray()
    const packed = rows.flatMap(Object.values).filter((value) => value instanceof ArrayBuffer)
    return packed.reduce((sum, { byteLength }) => sum + byteLength, 0) / 20
  })
  const before = await inOutbox(({ sql }) => sql.databaseSize)
  const storing = startRelay(STORE_FIRST)
  for (let sent = 0; sent < 300; sent += 1) await storing.post('feedback', event())
  const after = await inOutbox(({ sql }) => sql.databaseSize)
  const body = new TextEncoder().encode(JSON.stringify(event())).length
  // Beside the body itself, which is as long as Chatlio makes it.
  const stored = (after - before) / 300 - body
  const measured = { receipt: Math.round(receipt), stored: Math.round(stored) }
  const near = (value: number, known: number) => Math.abs(value - known) <= known / 4
  expect(
    near(measured.receipt, metered.bytes.receipt) && near(measured.stored, metered.bytes.stored),
    `test/bench/metered.json: "bytes": ${JSON.stringify(measured)}`,
  ).toBe(true)
})

const inOutbox = <T>(read: (storage: DurableObjectStorage) => T) =>
  runInDurableObject(outbox(), (_, { storage }) => read(storage))
