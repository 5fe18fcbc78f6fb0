/**
 * Fault phase: the first part of a round. Posts all its webhooks while AEP goes from one fault to the next and the
 * Worker's process is killed and restarted. Leaves AEP down.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { FaultScript } from './faults.ts'
import type { Harness } from './harness.ts'
import type { Kill, Round } from './plan.ts'

/** AEP stays down after this share of the posts, so that the recovery has a backlog to drain. */
const BACKLOG_AFTER = 0.8

/** Starts no post after `until` (epoch milliseconds). */
export async function faultPhase(
  { items, kills }: Round,
  script: FaultScript,
  harness: Harness,
  until: number,
): Promise<void> {
  const { worker, poster } = harness
  const killing = async (): Promise<void> => {
    for (const kill of kills) {
      if (kill.afterPosts === null) continue
      await poster.reached(kill.afterPosts)
      await killWorker(harness, kill)
    }
  }
  const failing = async (): Promise<void> => {
    const end = new AbortController()
    const phases = script.run(end.signal)
    await poster.reached(Math.ceil(items.length * BACKLOG_AFTER))
    end.abort()
    await phases
    script.stayDown()
  }
  const posting = poster.work(items, until)
  await Promise.race([Promise.all([posting, killing(), failing()]), worker.failed.promise])
}

export async function killWorker(harness: Harness, kill: Kill): Promise<void> {
  const { worker, poster } = harness
  const { delayMs, onAnswer, downMs, againMs } = kill
  await delay(delayMs)
  if (onAnswer) await poster.buffered()
  await worker.kill()
  await delay(downMs)
  worker.start()
  if (againMs === null) return
  await killWorker(harness, { ...kill, delayMs: againMs, onAnswer: false, againMs: null })
}
