/// <reference types="vite/client" />
/**
 * What an event costs: rows written (Cloudflare bills each, deletions and index entries too), requests to the outbox and to
 * AEP. The table in docs/operations.md is compared with what is measured here.
 */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it, vi } from 'vitest'
import operations from '../../docs/operations.md?raw'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { type Clock, conversation, drainOnce, eachTest, outbox, startRelay } from './support.ts'

let aep: LocalAdobe
let clock: Clock

eachTest((world) => {
  ;({ aep, clock } = world)
})

/** Rows by table; `alarm`: it was set, which is billed as a row. */
type Rows = Record<string, number>
type Cost = { rows: Rows; calls: number; aep: number }

const TABLE = /(?:INTO|UPDATE|DELETE FROM)\s+(\w+)/

let calls = 0
/** The outbox as the Worker sees it; each call of a method is a request. */
const outbox = {
  getByName: (name: string) =>
    new Proxy(env.OUTBOX.getByName(name), {
      get:
        (stub, method) =>
        (...values: unknown[]) => {
          calls += 1
          const methods = stub as unknown as Record<PropertyKey, (...values: unknown[]) => unknown>
          return methods[method]?.(...values)
        },
    }),
}

async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const cursors: { table: string; cursor: { rowsWritten: number } }[] = []
  const rows: Rows = {}
  const restore: (() => void)[] = []
  await runInDurableObject(outbox(), (_, { storage }) => {
    const real = storage.sql.exec.bind(storage.sql)
    const exec = vi.spyOn(storage.sql, 'exec')
    exec.mockImplementation(((query: string, ...bindings: unknown[]) => {
      const cursor = real(query, ...bindings)
      cursors.push({ table: TABLE.exec(query)?.[1] ?? '', cursor })
      return cursor
    }) as typeof storage.sql.exec)
    const setAlarm = storage.setAlarm.bind(storage)
    const alarm = vi.spyOn(storage, 'setAlarm')
    alarm.mockImplementation((at) => {
      rows.alarm = (rows.alarm ?? 0) + 1
      return setAlarm(at)
    })
    restore.push(
      () => exec.mockRestore(),
      () => alarm.mockRestore(),
    )
  })
  const before = { calls, aep: aep.requests.length }
  await work()
  await runInDurableObject(outbox(), () => {
    for (const each of restore) each()
    for (const { table, cursor } of cursors) {
      if (cursor.rowsWritten > 0) rows[table] = (rows[table] ?? 0) + cursor.rowsWritten
    }
  })
  return { rows, calls: calls - before.calls, aep: aep.requests.length - before.aep }
}

const event = () =>
  conversation({
    visitor: { UUID: crypto.randomUUID(), email: `${crypto.randomUUID()}@x.example` },
  })

/** A row of the table in the documentation. */
function described(name: string, { rows, calls, aep }: Cost): string {
  const sum = Object.values(rows).reduce((total, each) => total + each, 0)
  const tables = Object.entries(rows)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([table, count]) => `${table} ${count}`)
  return `| ${name} | ${sum} | ${tables.join(', ')} | ${calls} | ${aep} |`
}

it('costs what the documentation says', async () => {
  clock.set(Math.ceil(clock.now / 60_000) * 60_000)
  const relay = startRelay({ OUTBOX: outbox })
  const storing = startRelay({ OUTBOX: outbox, FORWARD_TIMEOUT_MS: '0' })
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
    table.push(described(name, await costOf(work)))
  }
  await measure('straight through, carried alone', async () => {
    await post(1)
    await relay.report()
  })
  await measure('straight through, 100 carried together', async () => {
    await post(100)
    await relay.report()
  })
  await measure('stored, then delivered', async () => {
    await post(1, storing)
    await drainOnce(clock)
  })
  await measure('stored, then delivered, 100 in one run', async () => {
    await post(100, storing)
    await drainOnce(clock)
  })
  await measure('carrying the counts of those that were stored', () => storing.report())
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
  const receipts = await runInDurableObject(outbox(), (_, { storage }) =>
    Number(storage.sql.exec('SELECT COUNT(*) AS n FROM receipts').one().n),
  )
  clock.advance(8 * 86_400_000)
  const { rows } = await costOf(() => relay.scheduled())
  const each = {
    lookups: Number(rows.lookups) / receipts,
    receipts: Number(rows.receipts) / receipts,
  }
  table.push(described('a receipt forgotten', { rows: each, calls: 0, aep: 0 }))

  const documented = operations.split('\n')
  expect(table.filter((row) => !documented.includes(row)).join('\n')).toBe('')
})
