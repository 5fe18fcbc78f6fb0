/** What operators read costs a few rows, however many receipts there are; and all of them are found. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { LandedHour, ReadFailure } from '../../src/worker/aep/landed.ts'
import type { Outbox } from '../../src/worker/outbox/outbox.ts'
import { packReceipts, type Receipt } from '../../src/worker/outbox/records/packed.ts'
import { ReceiptStore } from '../../src/worker/outbox/records/receipts.ts'
import { DAY, HOUR, READ_AND_ALERT } from './alerts-support.ts'
import { idOf, listedBy, pagedBy } from './outbox-support.ts'
import { type Clock, eachTest, outbox, type Relay, startRelay } from './support.ts'

let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ clock } = world)
})
beforeEach(() => {
  // The outbox has an environment of its own.
  Object.assign(env, READ_AND_ALERT)
  relay = startRelay(READ_AND_ALERT)
})

const listed = (query: string) => listedBy(relay, query)
const paged = (query: string) => pagedBy(relay, query)

describe('with 100,000 receipts, and as many failures', () => {
  /** Hours of a page, as many of activity, and what else there is to know. */
  const FEW = 120
  const MANY = 100_000

  it('comparing reads a few rows, and those of the failures that it shows; an alert reads none of them', async () => {
    clock.advance(1_200_000)
    await relay.scheduled()
    const { now } = clock
    await runInDurableObject(outbox(), async (instance: Outbox, { storage }) => {
      const { sql } = storage
      const failures = Array.from({ length: MANY }, (_, i): ReadFailure => {
        const cause = { code: 'DCVS-1105-400', pointer: '/timestamp', batch: `b${i % 1_000}` }
        const own = { kind: null, source: null, acceptedAt: now, form: 'raw' } as const
        return { ...cause, ...own, id: idOf(i), at: now - i * 20_000 }
      })
      const hours = Array.from({ length: 2_160 }, (_, i): LandedHour => {
        const at = (Math.floor(now / HOUR) - i) * HOUR
        return { at, received: 1, ingested: 1, failed: 0, settled: i > 2 }
      })
      const flow = { datasetId: READ_AND_ALERT.AEP_DATASET_ID, flowId: env.AEP_FLOW_ID }
      const rest = { unnamed: [], cursor: null, more: false, problem: null }
      instance.takeLanded({ flow, failures, hours, ...rest })
      const receipts = Array.from({ length: MANY }, (_, i): Receipt => {
        const at = now - i * 5_000
        const own = { kind: 'feedback' as const, source: null, via: 'forwarded' as const }
        return {
          ...own,
          id: idOf(i),
          receivedAt: at,
          settledAt: at,
          attempts: 1,
          bytes: 2,
          hashes: '',
        }
      })
      new ReceiptStore(sql).add([packReceipts(receipts)])
      const cursors: { rowsRead: number }[] = []
      const real = sql.exec.bind(sql)
      vi.spyOn(sql, 'exec').mockImplementation(((query: string, ...bindings: unknown[]) => {
        const cursor = real(query, ...bindings)
        cursors.push(cursor)
        return cursor
      }) as typeof sql.exec)
      const read = async (ask: () => unknown) => {
        cursors.length = 0
        await ask()
        return cursors.reduce((sum, { rowsRead }) => sum + rowsRead, 0)
      }
      const shown = 1_000
      expect(await read(() => instance.compared(now - 86_400_000, now + 1))).toBeLessThan(
        2 * shown + FEW,
      )
      expect(await read(() => instance.compared(0, now + 1))).toBeLessThan(
        2 * shown + 2_160 + 2 * FEW,
      )
      expect(await read(() => instance.alertFacts())).toBeLessThan(FEW)
      // What the summary asks for: seven days of hours and of activity, and the rows of receipts.
      const week = [now - 7 * 86_400_000, now + 1] as const
      expect(await read(() => instance.landedDays(...week))).toBeLessThan(7 * 24 + FEW)
      expect(await read(() => instance.activity(...week, 'day'))).toBeLessThan(7 * 24 + FEW)
      expect(await read(() => instance.completeness(...week))).toBeLessThan(FEW)
      expect(await read(() => instance.beginLanded())).toBeLessThan(5)
      const by = { id: idOf(5) }
      const request = { by, from: 0, before: Number.MAX_SAFE_INTEGER, limit: 10 }
      expect(await read(() => instance.find(request))).toBeLessThan(2 * FEW)
      expect(instance.find(request)).toMatchObject([{ state: 'failed' }])
    })
  })
})

describe('GET /admin/events?state=all', () => {
  it('goes over many rows of receipts and over days, by kind too', async () => {
    const receipt = (at: number, kind: 'feedback' | 'unanswered', serial: number) => ({
      id: idOf(serial),
      kind,
      source: null,
      receivedAt: at,
      settledAt: at,
      via: 'forwarded' as const,
      attempts: 1,
      bytes: 1,
      hashes: '',
    })
    const from = clock.now - 2 * DAY
    const known = { accepted: null, settings: '' }
    for (let report = 0; report < 12; report += 1) {
      const receipts = Array.from({ length: 4_096 }, (_, index) => {
        const serial = report * 4_096 + index
        return receipt(
          from + serial * 3_000,
          serial % 5_000 === 0 ? 'unanswered' : 'feedback',
          serial,
        )
      })
      const counts = { forwarded: 4_096, uninformed: 0, counts: [], keys: {}, strangers: {} }
      await outbox().exchange(
        known,
        { isolate: 'a', sequence: report + 1, ...counts, receipts, drift: [] },
        null,
      )
    }
    clock.advance(HOUR)
    await relay.scheduled()
    expect(await paged('state=all&kind=unanswered&order=newest')).toHaveLength(10)
    expect(await paged('state=all&kind=unanswered')).toHaveLength(10)
    const first = await listed('state=all&order=newest&limit=3')
    expect(first.map(({ id }) => Number.parseInt(id, 16))).toEqual([49_151, 49_150, 49_149])
    const day = new Date(from).toISOString().slice(0, 10)
    const ends = [0, Math.ceil((Date.parse(day) + DAY - from) / 3_000) - 1]
    for (const [index, order] of ['oldest', 'newest'].entries()) {
      const [end] = await listed(`state=all&day=${day}&order=${order}&limit=1`)
      expect(Number.parseInt(String(end?.id), 16)).toBe(ends[index])
    }
  })
})
