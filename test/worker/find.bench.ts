/**
 * How long a `find` without a day takes in workerd over seven days of ten events a second: six million receipts. By hand, since
 * filling takes minutes (`find.config.ts`); prints what it measured, and fails above two seconds.
 */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { RUNTIME } from '../../src/worker/lib/rim.ts'
import { SEGMENT_RECEIPTS } from '../../src/worker/limits.ts'
import { EventList } from '../../src/worker/outbox/list.ts'
import { packReceipts, type Receipt, type Wanted } from '../../src/worker/outbox/records/packed.ts'
import { ReceiptStore } from '../../src/worker/outbox/records/receipts.ts'
import { Records } from '../../src/worker/outbox/records/records.ts'

const RECEIPTS = 6_048_000
const START = Date.UTC(2026, 10, 1)
const MOST_MS = 2_000

const hex = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)).toHex()

function receipt(index: number): Receipt {
  const receivedAt = START + index * 100
  return {
    id: hex(32),
    kind: 'feedback',
    source: null,
    receivedAt,
    settledAt: receivedAt + 50,
    via: 'forwarded',
    attempts: 1,
    bytes: 900,
    hashes: `c${hex(16)} v${hex(16)} e${hex(16)}`,
  }
}

it('answers within two seconds', async () => {
  const slowest = await runInDurableObject(
    env.OUTBOX.getByName('bench'),
    async (_, { storage }) => {
      const store = new ReceiptStore(storage.sql)
      const oldest = receipt(0)
      const newest = receipt(RECEIPTS)
      for (let from = 0; from < RECEIPTS; from += 2 * SEGMENT_RECEIPTS) {
        const receipts = Array.from({ length: 2 * SEGMENT_RECEIPTS }, (__, each) =>
          receipt(from + each),
        )
        if (from === 0) receipts.push(oldest)
        if (from + 2 * SEGMENT_RECEIPTS >= RECEIPTS) receipts.push(newest)
        storage.transactionSync(() => store.add([packReceipts(receipts)]))
      }
      await storage.sync()
      const rows = storage.sql.exec('SELECT COUNT(*) AS rows FROM receipts').one().rows
      console.log(`${rows} rows, ${Math.round(storage.sql.databaseSize / 1e6)} MB`)
      const { finder } = new Records({
        storage,
        receiptMs: START + 1,
        readAccess: { available: false, why: '' },
        list: new EventList(storage.sql),
        now: () => START,
        rim: RUNTIME,
      })
      const range = { from: 0, before: Number.MAX_SAFE_INTEGER, limit: 51 }
      const questions: [string, Wanted, number][] = [
        ['the oldest by its email', { hash: oldest.hashes.slice(-32) }, 1],
        ['the oldest by nine digits of its id', { id: oldest.id.slice(0, 9) }, 1],
        ['the newest by its email', { hash: newest.hashes.slice(-32) }, 1],
        ['nobody', { hash: hex(16) }, 0],
      ]
      let slowestMs = 0
      for (const [name, wanted, expected] of questions) {
        for (let run = 0; run < 3; run += 1) {
          const began = performance.now()
          expect(finder.find({ by: wanted, ...range })).toHaveLength(expected)
          const ms = performance.now() - began
          slowestMs = Math.max(slowestMs, ms)
          console.log(`${name}: ${Math.round(ms)} ms`)
        }
      }
      return slowestMs
    },
  )
  expect(slowest).toBeLessThan(MOST_MS)
})
