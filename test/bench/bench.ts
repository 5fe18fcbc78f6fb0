/**
 * `npm run bench`: the relay beside what else one could put between Chatlio and AEP, in one run, on this machine.
 *
 * Promises: what it measures is what it writes, with the machine and the versions; nothing is written that was not measured
 * in this run. An opponent that cannot be installed or fails is named and left out; the rest goes on. When it ends, also by
 * Ctrl-C, every process that it started has ended.
 *
 * Exit code 1 when the relay lost, refused or failed to deliver an event, 2 for wrong options; else 0: a figure measured on
 * a busy machine must not fail a build.
 */
import { CONTENDERS, type Contender, type Scene } from './contenders.ts'
import { install } from './install.ts'
import { readOptions, USAGE } from './options.ts'
import { publish } from './publish.ts'
import { drain } from './scenes/drain.ts'
import { healthy } from './scenes/healthy.ts'
import { loss } from './scenes/loss.ts'
import { outage } from './scenes/outage.ts'
import type { SceneRun } from './scenes/scene.ts'
import { silence } from './scenes/silence.ts'
import { markdownOf, type Section } from './section.ts'
import { relayBundle } from './workerd.ts'

const RUNS: Record<Scene, SceneRun> = { healthy, outage, silence, drain, loss }

process.exitCode = await main(process.argv.slice(2))
process.exit()

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  if (typeof options === 'string') {
    console.error(`${options}\n\n${USAGE}`)
    return 2
  }
  const { scenes, conditions } = options
  const chosen = CONTENDERS.filter(
    ({ id, isOurs }) => isOurs || options.opponents === null || options.opponents.includes(id),
  )
  const needed = chosen.filter((each) => each.scenes.some((scene) => scenes.includes(scene)))
  const needs = (what: 'npm' | 'debian') =>
    needed.some(({ needs: its }) => its === what || its === 'both')
  const installed = install({ npm: needs('npm'), debian: needs('debian') })
  const missing = (contender: Contender): string | null => {
    if (contender.needs === null) return null
    if (contender.needs === 'both') return installed.npm ?? installed.debian
    return installed[contender.needs]
  }
  await relayBundle()

  const sections: Section[] = []
  for (const scene of scenes) {
    const takePart = chosen.filter((each) => each.scenes.includes(scene))
    const began = performance.now()
    console.error(`${scene}: ${takePart.map(({ id }) => id).join(', ')} …`)
    const section = await RUNS[scene](
      takePart.filter((each) => missing(each) === null),
      conditions,
    )
    const notes = takePart.flatMap((each) => {
      const why = missing(each)
      return why === null ? [] : [`${each.title} could not be installed here: ${why}`]
    })
    sections.push({ ...section, notes: [...notes, ...section.notes] })
    console.log(
      `\n## ${section.title}\n\n${markdownOf({ ...section, notes: [...notes, ...section.notes], charts: [] })}`,
    )
    console.error(`(${((performance.now() - began) / 1_000).toFixed(0)} s)`)
  }
  if (options.writes) publish(sections, chosen, args)
  const faults = sections.flatMap(({ scene, faults: each }) =>
    each.map((fault) => `${scene}: ${fault}`),
  )
  for (const fault of faults) console.error(`FAULT ${fault}`)
  return faults.length > 0 ? 1 : 0
}
