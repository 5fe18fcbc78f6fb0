/**
 * `npm run bench`: the relay beside what else one could put between Chatlio and AEP, in one run, on this machine.
 *
 * Promises: what it measures is what it writes, with the machine and the versions; nothing is written that was not measured
 * in this run, or is arithmetic over what was. An opponent that cannot be installed or fails is named and left out; the
 * rest goes on. When it ends, also by Ctrl-C, every process that it started has ended.
 *
 * Exit code 1 when the relay lost, refused or failed to deliver an event, 2 for wrong options; else 0: a figure measured on
 * a busy machine must not fail a build.
 */
import { runCommand } from '../../src/cli/lib/run.ts'
import { CONTENDERS, type Contender, type Part, type Scene } from './contenders.ts'
import { type Installed, install } from './install.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { operationsText, publish, publishedFigures } from './publish.ts'
import { cold } from './scenes/cold.ts'
import { costSection } from './scenes/cost.ts'
import { drain } from './scenes/drain.ts'
import { healthy } from './scenes/healthy.ts'
import { loss } from './scenes/loss.ts'
import { outage } from './scenes/outage.ts'
import { profile } from './scenes/profile.ts'
import { inOneLine, type SceneRun } from './scenes/scene.ts'
import { silence } from './scenes/silence.ts'
import { markdownOf, type Section } from './section.ts'
import { relayBundle } from './workerd.ts'

const RUNS: Record<Scene, SceneRun> = { healthy, outage, silence, cold, profile, drain, loss }

process.exitCode = await main(process.argv.slice(2))
process.exit()

function main(args: readonly string[]): Promise<number> {
  return runCommand(
    () => readOptions(args),
    USAGE,
    (options: Options) => bench(options, args),
  )
}

async function bench(options: Options, args: readonly string[]): Promise<number> {
  const chosen = CONTENDERS.filter(
    ({ id, isOurs }) => isOurs || options.opponents === null || options.opponents.includes(id),
  )
  const installed = installFor(chosen, options.parts)
  const sections: Section[] = []
  for (const part of options.parts) {
    const began = performance.now()
    console.error(`${part} …`)
    const section =
      part === 'cost' ? costOf(sections) : await measured(part, chosen, installed, options)
    sections.push(section)
    // At once: a run that is stopped keeps what it has measured.
    if (options.writes) publish(section, chosen, args)
    console.log(`\n## ${section.title}\n\n${markdownOf({ ...section, charts: [] })}`)
    console.error(`${part}: ${((performance.now() - began) / 1_000).toFixed(0)} s`)
  }
  const faults = sections.flatMap(({ scene, faults: each }) =>
    each.map((fault) => `${scene}: ${fault}`),
  )
  for (const fault of faults) console.error(`FAULT ${fault}`)
  return faults.length > 0 ? 1 : 0
}

/** Only what takes part. */
function installFor(chosen: readonly Contender[], parts: readonly Part[]): Installed {
  const needs = (what: 'npm' | 'debian') =>
    chosen.some(
      ({ needs: its, scenes }) =>
        (its === what || its === 'both') && scenes.some((scene) => parts.includes(scene)),
    )
  return install({ npm: needs('npm'), debian: needs('debian') })
}

async function measured(
  scene: Scene,
  chosen: readonly Contender[],
  installed: Installed,
  { conditions }: Options,
): Promise<Section> {
  const missing = ({ needs }: Contender): string | null => {
    if (needs === null) return null
    return needs === 'both' ? (installed.npm ?? installed.debian) : installed[needs]
  }
  await relayBundle()
  const takePart = chosen.filter((each) => each.scenes.includes(scene))
  const section = await RUNS[scene](
    takePart.filter((each) => missing(each) === null),
    conditions,
  )
  const absent = takePart.flatMap((each) => {
    const why = missing(each)
    return why === null ? [] : [[each.title, `could not be installed here: ${inOneLine(why)}`]]
  })
  const tables = section.tables.map((table) => ({ ...table, rows: [...table.rows, ...absent] }))
  return { ...section, tables }
}

/** With the processor time of this run, or of the one that was published last. */
function costOf(sections: readonly Section[]): Section {
  const published = publishedFigures()
  const cpu = (scene: Scene) => {
    const now = sections.find((section) => section.scene === scene)?.figures
    return (now ?? published[scene])?.cpuMs ?? null
  }
  const [stored, drained] = [cpu('outage'), cpu('drain')]
  const kept = stored === null || drained === null ? null : stored + drained
  return costSection(operationsText(), {
    healthy: cpu('healthy'),
    outage: kept,
    'store-first': kept,
    first:
      (sections.find(({ scene }) => scene === 'cold')?.figures ?? published.cold)?.firstMs ?? null,
  })
}
