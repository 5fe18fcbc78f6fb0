/** Act: phases one after the other, each on a Worker of its own, and one printed line for each breach. */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { RAW } from '../format.ts'
import { startHarness } from '../harness.ts'
import { XDM } from '../xdm.ts'
import type { Phase } from './phase.ts'

/** Resolves to the number of phases whose promise was not kept. */
export async function actOut(
  phases: readonly Phase[],
  directory: string,
  started: (() => Promise<void>)[],
): Promise<number> {
  let broken = 0
  for (const phase of phases) {
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
    const breaches = await Promise.race([phase.run(harness), harness.worker.failed.promise])
    await stop()
    const seconds = ((Date.now() - beganAt) / 1_000).toFixed(0)
    console.log(`  phase ${phase.name}, ${seconds} s: ${breaches.length === 0 ? 'kept' : 'BROKEN'}`)
    if (breaches.length === 0) continue
    broken += 1
    for (const line of [phase.promise, ...breaches]) console.log(`    ${line}`)
  }
  return broken
}
