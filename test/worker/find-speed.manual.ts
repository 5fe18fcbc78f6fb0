/**
 * How long a `find` without a day takes over seven days of ten events a second: six million receipts, by hand:
 * RECEIPTS=6048000 npx vitest run --config test/vitest.config.ts --dir test/worker find-speed
 */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { packReceipts, type Receipt } from '../../src/worker/outbox/records/packed.ts'
import { ReceiptStore } from '../../src/worker/outbox/records/receipts.ts'

const RECEIPTS = 6_048_000
const hex = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)).toHex()

it('find', { timeout: 600_000 }, async () => {
  const report = await runInDurableObject(env.OUTBOX.getByName('speed'), async (_, { storage }) => {
    const { sql } = storage
    const lines: string[] = []
    const store = new ReceiptStore(sql)
    const start = Date.UTC(2026, 10, 1)
    let last: Receipt | undefined
    let first: Receipt | undefined
    let t = Date.now()
    for (let at = 0; at < RECEIPTS; at += 8192) {
      const receipts: Receipt[] = Array.from({ length: Math.min(8192, RECEIPTS - at) }, (_, i) => {
        const receivedAt = start + (at + i) * 100
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
      })
      first ??= receipts[17]
      last = receipts.at(-1)
      storage.transactionSync(() => store.add([packReceipts(receipts)]))
    }
    await storage.sync()
    lines.push(
      `filled in ${Date.now() - t} ms, ${sql.databaseSize / 1e6} MB, ${sql.exec('SELECT COUNT(*) AS n FROM receipts').one().n} rows`,
    )
    const range = { from: 0, before: Number.MAX_SAFE_INTEGER, limit: 51, settledAfter: 0 }
    const time = (name: string, wanted: { id: string } | { hash: string }) => {
      for (let run = 0; run < 3; run += 1) {
        t = performance.now()
        const n = store.find(wanted, range, []).length
        lines.push(`${name} #${run}: ${n} found in ${Math.round(performance.now() - t)} ms`)
      }
    }
    time('oldest by hash', { hash: (first as Receipt).hashes.slice(-32) })
    time('oldest by id', { id: (first as Receipt).id.slice(0, 9) })
    time('newest by hash', { hash: (last as Receipt).hashes.slice(-32) })
    time('nobody', { hash: hex(16) })
    t = performance.now()
    const erased = store.erase((first as Receipt).hashes.slice(-32), false).size
    lines.push(`erase: ${erased} in ${Math.round(performance.now() - t)} ms`)
    return lines
  })
  console.log(report.join('\n'))
  expect(report.length).toBeGreaterThan(0)
})
