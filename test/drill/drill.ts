/**
 * Drill: `npm run drill`. Posts thousands of webhooks while AEP fails in every way and the Worker's process is killed
 * again and again. In the end AEP must have every event that was answered 2xx, and nothing else. Prints the figures.
 * Exit code 0: every promise was kept; 1: one was not, or the drill itself failed; 2: wrong options.
 */
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runCommand } from '../../src/cli/lib/run.ts'
import { diagnose } from './diagnosis.ts'
import { gather } from './evidence.ts'
import { faultPhase } from './fault-phase.ts'
import { FaultScript } from './faults.ts'
import { RAW } from './format.ts'
import { startHarness } from './harness.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { judge } from './oracle.ts'
import { actOut } from './phases/act.ts'
import type { Phase } from './phases/phase.ts'
import { IN_EVERY_DRILL } from './phases/phases.ts'
import { makePlan } from './plan.ts'
import { Random } from './random.ts'
import { type Recovered, recovery } from './recovery.ts'
import { figures } from './report.ts'
import { XDM } from './xdm.ts'

const FORMATS = { raw: RAW, xdm: XDM }

function main(args: readonly string[]): Promise<number> {
  return runCommand(() => readOptions(args), USAGE, drill)
}

async function drill(options: Options): Promise<number> {
  const directory = await mkdtemp(path.join(tmpdir(), 'chatlio-drill-'))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!options.keep) rmSync(directory, { recursive: true, force: true })
      // `exit` ends the Worker's process; a signal alone does not emit it.
      process.exit(130)
    })
  }
  const started: (() => Promise<void>)[] = []
  const { passed, done } = await run(options, directory, started).catch((error: Error) => {
    console.error(error.stack ?? error.message)
    return { passed: false, done: ', aborted' }
  })
  for (const stop of started.reverse()) await stop()
  if (passed && !options.keep) await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  else console.log(`Storage, bundle and the Worker's log: ${directory}`)
  console.log(`DRILL ${passed ? 'PASSED' : 'FAILED'}: seed ${options.seed}${done}`)
  return passed ? 0 : 1
}

type Ended = { readonly passed: boolean; readonly done: string }

async function run(
  options: Options,
  directory: string,
  started: (() => Promise<void>)[],
): Promise<Ended> {
  if (options.phases) return actPhases(options.phases, directory, started)
  const rounds = await runRounds(options, directory, started)
  const phases = await actPhases(IN_EVERY_DRILL, directory, started)
  return { passed: rounds.passed && phases.passed, done: rounds.done + phases.done }
}

async function actPhases(
  phases: readonly Phase[],
  directory: string,
  started: (() => Promise<void>)[],
): Promise<Ended> {
  const broken = await actOut(phases, directory, started)
  const done = phases.length === 0 ? '' : `, ${broken} of ${phases.length} phases broken`
  return { passed: broken === 0, done }
}

async function runRounds(
  options: Options,
  directory: string,
  started: (() => Promise<void>)[],
): Promise<Ended> {
  const { seed, events, kills } = options
  console.log(`Drill with seed ${seed}: ${events} events, ${kills} kills`)
  const beganAt = Date.now()
  const seconds = () => (Date.now() - beganAt) / 1_000
  const rounds = makePlan(options)
  const vars = options.storeFirst ? { FORWARD_TIMEOUT_MS: '0' } : {}
  const setup = { vars }
  const harness = await startHarness(setup, FORMATS[options.format], directory, started)
  const { adobe, worker, poster, monitor, format } = harness
  const script = new FaultScript(adobe, new Random(seed, 'faults'), format.faults)
  const recovered: Recovered[] = []
  for (const [index, round] of rounds.entries()) {
    await monitor.during(faultPhase(round, script, harness, beganAt + options.durationMs))
    recovered.push(await recovery(round, script, harness))
    const done = `${poster.posts.length} posts, ${worker.kills} kills, ${script.phases} phases of AEP`
    console.log(
      `  ${seconds().toFixed(0).padStart(3)} s  round ${index + 1} of ${rounds.length}: ${done}`,
    )
  }
  const evidence = await gather(options, harness, recovered)
  const breaches = judge(evidence, options, format)
  const totals = {
    kills: worker.kills,
    phases: script.phases,
    faults: script.met.size,
    aepRequests: adobe.requests.length,
    batches: adobe.requests.filter(({ ids }) => ids.length > 1).length,
    tokenRequests: adobe.tokenRequests.length,
    seconds: seconds(),
  }
  console.log(`\n${figures(options, evidence, breaches, totals, format)}\n`)
  if (breaches.length > 0) console.log(await diagnose(breaches, evidence, harness))
  const done = `, ${poster.posts.length} posts, ${worker.kills} kills, ${breaches.length} breaches`
  return { passed: breaches.length === 0, done }
}

// A drill that failed leaves posts and timers behind, which would keep this process running.
process.exit(await main(process.argv.slice(2)))
