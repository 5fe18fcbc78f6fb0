/**
 * Recovery: the second part of a round. All faults have ended. The Worker is killed a few more times while it drains, then
 * left alone until AEP has every event it is owed: no requests, since a request would wake an outbox that must wake by
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
/** Many times longer than a drain takes. */
const TIMEOUT_MS = 90_000

export type Recovered = {
  /** Milliseconds from the last kill to the arrival of the last event that was owed. */
  readonly ms: number
  /** Ids of events that had not arrived when the time was over. */
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
  await until(() => missing().length === 0, TIMEOUT_MS)
  const ms = Date.now() - leftAloneAt
  adobe.set({ latencyMs: 0 })
  return { ms, asleep: missing() }
}

/** Resolves when the condition holds, or after `timeoutMs`. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds()) && Date.now() < deadline) await delay(50)
}
