/** A clock that was ahead while AEP was down, and is right again: after a restart, and in a process that goes on. */
import type { Harness } from '../harness.ts'
import { type Answered, arrivals, type Phase, postMany, settledLedger, wait } from './phase.ts'

const HOUR_MS = 3_600_000

export const clockJump: Phase = {
  name: 'clock-jump',
  promise:
    'when a clock that was ahead is right again, delivery goes on without waiting for it to catch up',
  format: 'raw',
  tampered: true,
  async run(harness) {
    const breaches: string[] = []
    for (const [aheadMs, restart] of [
      [120_000, false],
      [6 * HOUR_MS, true],
      [6 * HOUR_MS, false],
    ] as const) {
      const stored = await storeAhead(harness, aheadMs, restart)
      const later = await postMany(harness, 10)
      const about = `${aheadMs / 1_000} s ahead, ${restart ? 'then restarted' : 'then right'}`
      const missing = await arrivals(harness, [...stored, ...later])
      breaches.push(...missing.map((text) => `${about}: ${text}`))
    }
    await wait(500)
    return [...breaches, ...(await settledLedger(harness))]
  },
}

/** What was posted while the clock was ahead and AEP throttled, then failed. The clock is right in the end, AEP too. */
async function storeAhead(
  harness: Harness,
  aheadMs: number,
  restart: boolean,
): Promise<Answered[]> {
  const { adobe, worker } = harness
  await setClock(harness, aheadMs)
  adobe.script({ type: 'status', status: 429, retryAfter: 5 })
  adobe.rule({ answer: { type: 'status', status: 503 } })
  const stored = await postMany(harness, 10)
  await wait(500)
  adobe.clearRules()
  if (restart) {
    await worker.kill()
    worker.start()
  } else {
    await setClock(harness, 0)
  }
  return stored
}

async function setClock({ worker }: Harness, aheadMs: number): Promise<void> {
  await fetch(`${await worker.url()}/_drill/clock?ms=${aheadMs}`, { method: 'POST' })
}
