/**
 * `npm run simulate`: runs from seeds, one after the other. The last line is the SHA-256 of the history; the same options
 * give the same. A run that breaks a promise is made shorter, and printed as a timeline.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { FAULTS, faultOf, type PutIn } from './faults.ts'
import type { Plan } from './plan.ts'
import { planOf } from './plan-of.ts'
import { shrunk } from './shrink.ts'
import { neverReached, type Reached } from './states.ts'
import { type Breach, START, World } from './world.ts'

const USAGE = `Usage: npm run simulate -- [options]
  --seed N      the first seed, 1 by default; each run takes the next
  --runs N      how many runs, 1 by default
  --hours N     hours of webhooks and faults in a run, 3 by default; then a calm
  --seconds N   begin no run later than this, whatever --runs says
  --save FILE   write the shortest plan that fails there, as JSON
  --plan FILE   run this plan, and no others
  --fault NAME  put a fault into the relay (faults.ts), and stop at the first run that shows it
  --faults      each of them, one after the other, with the seed that shows it
  --each        print a line for each run: seed, days, seconds, breaches, SHA-256 of its history
  --states      print how often each rare state was reached
  --timeline    print the whole history of each run
  --keep-going  go on after a run that fails, and do not make it shorter
  --help
Ends with 1 when a promise was broken, or when a thousand runs never reached a state that they must reach; with --fault,
when no run shows it.`

function usage(text: string): never {
  process.stderr.write(`${text}\n`)
  return process.exit(2) as never
}

function optionsOf(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        seed: { type: 'string', default: '1' },
        runs: { type: 'string' },
        hours: { type: 'string', default: '3' },
        seconds: { type: 'string' },
        save: { type: 'string' },
        plan: { type: 'string' },
        fault: { type: 'string' },
        faults: { type: 'boolean', default: false },
        each: { type: 'boolean', default: false },
        states: { type: 'boolean', default: false },
        timeline: { type: 'boolean', default: false },
        'keep-going': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const number = (name: string, text: string) => {
      const value = Number(text)
      if (text.trim() === '' || !Number.isFinite(value) || value < 0)
        usage(`--${name} is a number.`)
      return value
    }
    return {
      ...values,
      seed: number('seed', values.seed),
      hours: Math.max(number('hours', values.hours), 1),
      seconds: number('seconds', values.seconds ?? '1e9'),
      runs: number('runs', values.runs ?? (values.seconds === undefined ? '1' : '1e9')),
    }
  } catch (thrown) {
    return usage(`${thrown instanceof Error ? thrown.message : thrown}\n${USAGE}`)
  }
}

const options = optionsOf(process.argv.slice(2))
const print = (line: string) => process.stdout.write(`${line}\n`)
if (options.help) {
  print(USAGE)
  process.exit(0)
}

if (options.faults) process.exit(Number(FAULTS.map(isSeen).includes(false)))

/** In a process of its own, since its lines are others. */
function isSeen({ name, seed, hours = 3 }: PutIn): boolean {
  const seeded = ['--fault', name, '--seed', String(seed), '--hours', String(hours)]
  const command = [...process.execArgv, import.meta.filename, ...seeded]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' })
  print(status === 0 ? stdout.split('\n').slice(0, 2).join('\n') : `fault ${name} is not seen`)
  if (status !== 0) process.stderr.write(stderr)
  return status === 0
}

const began = performance.now()
const seconds = () => (performance.now() - began) / 1_000
const reached: Reached = new Map()
const histories = createHash('sha256')
let simulatedMs = 0
let webhooks = 0
let runs = 0
let failed = 0
let mostProbes = 0
let mostRows = 0
let mostHeld = 0
let found = false
const fault = faultOf(process.argv)
const saved = options.plan && (JSON.parse(readFileSync(options.plan, 'utf8')) as Plan)
const most = saved ? 1 : options.runs
let isEnded = false
// The run that goes on is the last.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (isEnded = true))
for (; runs < most && seconds() < options.seconds && !isEnded; runs += 1) {
  const seed = options.seed + runs
  const made = saved || planOf(seed, options.hours)
  const plan = fault?.faults ? { ...made, faults: fault.faults } : made
  const from = seconds()
  // With a fault, the first breach that shows it is all that is asked for.
  const shows = ({ check }: Breach) => fault?.checks.includes(check) === true
  const world = new World(plan, { keep: options.timeline, ends: shows })
  const result = await world.run()
  simulatedMs += result.ms
  webhooks += result.webhooks
  histories.update(result.sha256)
  mostProbes = Math.max(mostProbes, result.mostProbes)
  mostRows = Math.max(mostRows, result.mostRows)
  mostHeld = Math.max(mostHeld, result.mostHeld)
  for (const [state, count] of result.reached) reached.set(state, (reached.get(state) ?? 0) + count)
  for (const line of result.timeline) print(line)
  if (options.each) {
    const [days, took] = [result.ms / 86_400_000, seconds() - from]
    const counted = `${result.breaches.length} breaches`
    print(`${seed}  ${days.toFixed(2)} days  ${took.toFixed(1)} s  ${counted}  ${result.sha256}`)
  }
  const [first] = result.breaches
  if (!first) continue
  const shown = result.breaches.find(shows)
  if (fault && shown) {
    print(`fault ${fault.name}, ${fault.is}: seed ${seed} shows it, run ${runs + 1}`)
    print(`  ${shown.check}: ${shown.text}`)
    found = true
    runs += 1
    break
  }
  failed += 1
  print(`seed ${seed} breaks a promise after ${Math.round(seconds())} s:`)
  for (const { check, text } of result.breaches) print(`  ${check}: ${text}`)
  if (options['keep-going'] || fault) continue
  const shortest = await shrunk(plan, { check: first.check, at: first.at - START })
  const again = new World(shortest, { keep: true })
  const { timeline } = await again.run()
  print(
    `The shortest history found that still does: ${shortest.faults.length} faults, ${shortest.webhooks.length} webhooks`,
  )
  for (const line of timeline) print(`  ${line}`)
  if (options.save) writeFileSync(options.save, `${JSON.stringify(shortest)}\n`)
  break
}

if (options.states) {
  print('How often each state was reached:')
  for (const state of [...reached.keys()].sort()) print(`  ${reached.get(state)}  ${state}`)
}
const missing = runs >= 1_000 ? neverReached(reached, options.hours) : []
for (const state of missing) print(`Never reached in ${runs} runs: ${state}`)
const hours = simulatedMs / 3_600_000
const { user, system } = process.cpuUsage()
const cpuSeconds = (user + system) / 1e6
const speed = Math.round(simulatedMs / 1_000 / cpuSeconds)
print(
  `${runs} runs from seed ${options.seed}: ${(hours / 24).toFixed(1)} days, ${webhooks} webhooks, ${failed} runs with a breach; ${seconds().toFixed(0)} s (${cpuSeconds.toFixed(0)} s of one core, ${speed} times real time); at most ${mostProbes} requests a minute to an AEP that fails, ${mostRows.toFixed(1)} rows written for a request or an hour's run, ${mostHeld} timers and requests held by an isolate`,
)
print(histories.digest('hex'))
process.exitCode = fault ? Number(!found) : Number(failed > 0 || missing.length > 0)
