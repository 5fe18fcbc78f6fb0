/** Act: phases three at a time, each on a Worker of its own, and one printed line for each breach. */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { RAW } from '../format.ts'
import { boundsOf, startHarness } from '../harness.ts'
import { XDM } from '../xdm.ts'
import type { Phase } from './phase.ts'

/** They wait most of the time. */
const AT_ONCE = 3

/** Resolves to the number of phases whose promise was not kept. */
export async function actOut(
  phases: readonly Phase[],
  directory: string,
  started: (() => Promise<void>)[],
): Promise<number> {
  let broken = 0
  const queue = phases.values()
  const act = async (phase: Phase) => {
    const own = path.join(directory, phase.name)
    await mkdir(own)
    const setup = { tampered: phase.tampered ?? false, vars: phase.vars ?? {} }
    const beganAt = Date.now()
    const running: (() => Promise<void>)[] = []
    const stop = async () => {
      for (const each of running.splice(0).reverse()) await each()
    }
    started.push(stop)
    const harness = await startHarness(setup, phase.format === 'xdm' ? XDM : RAW, own, running)
    const acting = harness.monitor.during(phase.run(harness))
    const found = await Promise.race([acting, harness.worker.failed.promise])
    const bounds = await boundsOf(harness, harness.webhooks)
    const breaches = [...found, ...bounds.breaches]
    await stop()
    const seconds = ((Date.now() - beganAt) / 1_000).toFixed(0)
    console.log(
      `  phase ${phase.name}, ${seconds} s: ${breaches.length === 0 ? 'kept' : 'BROKEN'}, ${bounds.mostAsked} requests a second in vain, waits of ${bounds.oldestMs} ms`,
    )
    if (breaches.length === 0) return
    broken += 1
    for (const line of [phase.promise, ...breaches]) console.log(`    ${line}`)
  }
  const actAll = async () => {
    for (const phase of queue) await act(phase)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, actAll))
  return broken
}
