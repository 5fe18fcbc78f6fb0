/**
 * Recovery: the second part of a round. All faults are gone; the Worker is killed some more while it drains; then it
 * is left alone until AEP has what it is owed, asked for nothing, since a question would wake what must wake by
 * itself.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { killWorker } from './fault-phase.ts'
import type { FaultScript } from './faults.ts'
import { byEvent } from './format.ts'
import type { Harness } from './harness.ts'
import type { Round } from './plan.ts'
import { sentEvents } from './sent.ts'

/** Long enough for a kill to fall into the middle of the drain. */
const DRAIN_LATENCY_MS = 25
/** Many times what it takes. */
const PATIENCE_MS = 20_000

export type Recovered = {
  /** From the end of all trouble to the last event that was owed. */
  readonly ms: number
  /** Ids that AEP was owed, and had not got when the Worker, left alone, had had ample time. */
  readonly asleep: readonly string[]
}

export async function recovery(
  { kills }: Round,
  script: FaultScript,
  harness: Harness,
): Promise<Recovered> {
  const { format, adobe, poster } = harness
  script.clear()
  adobe.set({ latencyMs: DRAIN_LATENCY_MS })
  for (const kill of kills) if (kill.afterPosts === null) await killWorker(harness, kill)
  const leftAloneAt = Date.now()
  const owed = [...sentEvents(poster.posts).values()].filter((event) => event.owed)
  const missing = () => {
    const there = byEvent(adobe.lake, format)
    return owed.filter(({ id }) => !format.isWhole(there.get(id) ?? [])).map(({ id }) => id)
  }
  await until(() => missing().length === 0, PATIENCE_MS)
  const ms = Date.now() - leftAloneAt
  adobe.set({ latencyMs: 0 })
  return { ms, asleep: missing() }
}

export async function until(
  holds: () => boolean | Promise<boolean>,
  patienceMs: number,
): Promise<void> {
  const deadline = Date.now() + patienceMs
  while (!(await holds()) && Date.now() < deadline) await delay(50)
}
