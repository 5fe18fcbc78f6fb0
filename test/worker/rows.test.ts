/// <reference types="vite/client" />
/**
 * What an event costs: rows written (Cloudflare bills each, deletions and index entries too), requests to the outbox and to
 * AEP. The table in docs/operations.md is compared with what is measured here.
 */
import { expect, it } from 'vitest'
import operations from '../../docs/operations.md?raw'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { type Cost, costOf, counted, sumOf } from './metering.ts'
import { type Clock, conversation, drainOnce, eachTest, outbox, startRelay } from './support.ts'

let aep: LocalAdobe
let clock: Clock

eachTest((world) => {
  ;({ aep, clock } = world)
})

const event = () =>
  conversation({
    visitor: { UUID: crypto.randomUUID(), email: `${crypto.randomUUID()}@x.example` },
  })

/** A row of the table in the documentation. */
function described(name: string, cost: Cost): string {
  const { rows, calls, aep } = cost
  const tables = Object.entries(rows)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([table, count]) => `${table} ${count}`)
  return `| ${name} | ${sumOf(cost)} | ${tables.join(', ')} | ${calls} | ${aep} |`
}

it('costs what the documentation says', async () => {
  clock.set(Math.ceil(clock.now / 60_000) * 60_000)
  const relay = startRelay({ OUTBOX: counted })
  const storing = startRelay({ OUTBOX: counted, FORWARD_TIMEOUT_MS: '0' })
  const post = async (count: number, by = relay) => {
    for (let each = 0; each < count; each += 1) await by.post('feedback', event())
  }
  // What is written once a minute, or once an isolate, is no cost of an event.
  for (const each of [relay, storing]) {
    await post(1, each)
    await each.report()
  }
  await drainOnce(clock)

  const table: string[] = []
  const measure = async (name: string, work: () => Promise<unknown>) => {
    table.push(described(name, await costOf(aep, work)))
  }
  await measure('straight through, reported alone', async () => {
    await post(1)
    await relay.report()
  })
  await measure('straight through, 100 reported together', async () => {
    await post(100)
    await relay.report()
  })
  await measure('stored, then delivered', async () => {
    await post(1, storing)
    await drainOnce(clock)
  })
  // How many acceptances share a transaction is a matter of time.
  const together = await costOf(aep, async () => {
    await post(100, storing)
    await drainOnce(clock)
  })
  expect(sumOf(together)).toBeLessThanOrEqual(601)
  await measure('reporting the counts of those that were stored', () => storing.report())
  aep.script({ type: 'status', status: 503 })
  await measure('failed inside its request, then delivered', async () => {
    await post(1)
    await drainOnce(clock)
  })
  aep.script({ type: 'status', status: 422 })
  await measure('refused: dead', () => post(1))
  await measure('a dead one redriven, then delivered', async () => {
    await relay.command('/redrive', { state: 'dead' })
    await drainOnce(clock)
  })
  await measure('quarantined', () => relay.post('feedback', { ...event(), message: 1 }))
  const { body } = await relay.get('/events?state=quarantined')
  const [quarantined] = body.events as { id: string }[]
  await measure('a quarantined one deleted', () => relay.erase(String(quarantined?.id)))
  clock.advance(3_700_000)
  await measure('those reports folded', () => relay.scheduled())
  clock.advance(8 * 86_400_000)
  await measure('those receipts forgotten', () => relay.scheduled())
  expectDocumented(table)
})

it('costs a few hundredths of a row for what goes straight through, its receipt and its forgetting included', async () => {
  const isolates = Array.from({ length: 10 }, () => startRelay({ OUTBOX: counted }))
  const cost = await costOf(aep, async () => {
    for (let second = 0; second < 60; second += 1) {
      for (let each = 0; each < 10; each += 1) {
        await Promise.all(isolates.map((isolate) => isolate.post('feedback', event())))
        clock.advance(100)
      }
    }
    for (const isolate of isolates) await isolate.report()
    clock.advance(3_700_000)
    await isolates[0]?.scheduled()
    clock.advance(8 * 86_400_000)
    await isolates[0]?.scheduled()
    clock.advance(91 * 86_400_000)
    await isolates[0]?.scheduled()
  })
  expect(await outbox().status()).toMatchObject({ forwarded: 6_000, accepted: 0 })
  expect(sumOf(cost) / 6_000).toBeLessThanOrEqual(0.2)
  expectDocumented([
    described('straight through, 100 a second over ten isolates for a minute', cost),
  ])
})

/** Fails with the rows that are not in the documentation. */
function expectDocumented(table: readonly string[]): void {
  const documented = operations.split('\n')
  expect(table.filter((row) => !documented.includes(row)).join('\n')).toBe('')
}
