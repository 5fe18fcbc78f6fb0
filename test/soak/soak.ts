/**
 * Soak: `npm run soak`. One Worker process under mixed load for as long as asked, minute after minute: a calm part, a part in
 * which AEP fails in every way of the drill, a recovery. After each minute the drill's oracle judges it (ledger, ids, texts),
 * and receipts, activity and status must say what was answered; in the end memory and latency must not have grown. Nothing
 * is killed: the drill does that. The Worker's memory is of one life here.
 * Exit code 0: every promise was kept; 1: one was not, or the soak itself failed; 2: wrong options.
 */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { runCommand } from '../../src/cli/lib/run.ts'
import type { Counts } from '../drill/admin.ts'
import { type Evidence, gather } from '../drill/evidence.ts'
import { faultPhase } from '../drill/fault-phase.ts'
import { FaultScript } from '../drill/faults.ts'
import { RAW } from '../drill/format.ts'
import { type Harness, startHarness, WEBHOOK_KEY } from '../drill/harness.ts'
import { Monitor } from '../drill/health.ts'
import type { Options as DrillOptions } from '../drill/options.ts'
import { judge } from '../drill/oracle.ts'
import { type Item, makePlan } from '../drill/plan.ts'
import { type Post, Poster, SENDERS } from '../drill/poster.ts'
import { Random } from '../drill/random.ts'
import { recovery, until } from '../drill/recovery.ts'
import { isAccepted } from '../drill/sent.ts'
import { XDM } from '../drill/xdm.ts'

const USAGE = `Usage: npm run soak -- [options]
  --minutes N   how long, 10 by default
  --seed N      any whole number; random by default
  --events N    distinct events a minute, 600 by default
  --format F    raw (default) or xdm: what the Worker sends
  --help`

type Options = {
  readonly minutes: number
  readonly seed: number
  readonly events: number
  readonly format: 'raw' | 'xdm'
}

const MINUTE_MS = 60_000
/** Of each minute: calm, and with faults. The rest is for the recovery and the checks. */
const CALM_MS = 22_000
const FAULTS_MS = 22_000
/** Posts are spread over as much of each. */
const SPREAD_MS = 18_000
/** An isolate reports every ten seconds, and after an answer. */
const REPORTED_MS = 20_000
const RECEIPTS_LOOKED_UP = 20
const CONTROL_EVERY_MS = 50
/** Fewer minutes show no trend. */
const LEAST_MINUTES = 6
/** The last third beside an earlier one. */
const MOST_MEMORY = 1.25
const MOST_LATENCY = 2

/** What one minute was like. */
type Minute = {
  readonly posts: number
  readonly breaches: readonly string[]
  /** Of the calm part, in milliseconds; `control`: a bare server in this process, at the same moments. */
  readonly p50: number
  readonly p99: number
  readonly control: number
  readonly rssMb: number | null
}

function main(args: readonly string[]): Promise<number> {
  return runCommand(() => readOptions(args), USAGE, run)
}

/** `wrong` says what is wrong with the command line. */
function readOptions(args: readonly string[]): Options | 'help' | { wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(randomInt(1_000_000)) },
      events: { type: 'string', default: '600' },
      format: { type: 'string', default: 'raw' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { format } = values
  if (format !== 'raw' && format !== 'xdm') return { wrong: '--format is raw or xdm.' }
  const whole = (flag: 'minutes' | 'seed' | 'events', least: number) => {
    const value = Number(values[flag])
    if (!/^\d{1,9}$/.test(values[flag]) || value < least) {
      throw new Error(`--${flag} is a whole number, ${least} or more.`)
    }
    return value
  }
  return {
    minutes: whole('minutes', 1),
    seed: whole('seed', 0),
    events: whole('events', 10),
    format,
  }
}

async function run(options: Options): Promise<number> {
  const directory = await mkdtemp(path.join(tmpdir(), 'chatlio-soak-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => process.exit(130))
  }
  const started: (() => Promise<void>)[] = []
  const breaches = await soak(options, directory, started).catch((error: Error) => {
    console.error(error.stack ?? error.message)
    return 1
  })
  for (const stop of started.reverse()) await stop()
  const verdict = breaches === 0 ? 'PASSED' : 'FAILED'
  console.log(
    `SOAK ${verdict}: seed ${options.seed}, ${options.minutes} minutes, ${breaches} breaches`,
  )
  return breaches === 0 ? 0 : 1
}

async function soak(
  { minutes, seed, events, format }: Options,
  directory: string,
  started: (() => Promise<void>)[],
): Promise<number> {
  console.log(`Soak with seed ${seed}: ${minutes} minutes, ${events} events a minute, ${format}`)
  const harness = await startHarness({}, format === 'xdm' ? XDM : RAW, directory, started)
  const { adobe, worker, format: own } = harness
  const script = new FaultScript(adobe, new Random(seed, 'faults'), own.faults)
  const soaked = new Soaked(harness)
  const seen: Minute[] = []
  const beganAt = Date.now()
  for (let minute = 1; minute <= minutes; minute += 1) {
    const drill: DrillOptions = {
      ...{ seed: seed + minute, events, kills: 0, format },
      ...{ durationMs: Infinity, storeFirst: false, phases: null, keep: false },
    }
    const lived = await Promise.race([soaked.minute(drill, script), worker.failed.promise])
    seen.push(lived)
    console.log(line(minute, lived, soaked))
    for (const breach of lived.breaches.slice(0, 10)) console.log(`    ${breach}`)
    if (minute < minutes) await delay(Math.max(0, beganAt + minute * MINUTE_MS - Date.now()))
  }
  const trends = trendsOf(seen)
  for (const trend of trends) console.log(trend.text)
  const broken = seen.reduce((sum, { breaches }) => sum + breaches.length, 0)
  return broken + trends.filter(({ holds }) => !holds).length
}

class Soaked {
  readonly #harness: Harness
  readonly #since = Date.now()
  /** Of all minutes before. */
  #baseline: Counts = { accepted: 0, delivered: 0, pending: 0, dead: 0, quarantined: 0, erased: 0 }
  #faultLines = 0
  /** Answers by outcome, and posts without one. */
  readonly #answered = new Map<string, number>()
  #unanswered = 0
  posts = 0

  constructor(harness: Harness) {
    this.#harness = harness
  }

  async minute(drill: DrillOptions, script: FaultScript): Promise<Minute> {
    const { worker, adobe } = this.#harness
    const poster = new Poster(worker, WEBHOOK_KEY)
    const harness: Harness = { ...this.#harness, poster, monitor: new Monitor(worker) }
    const items = spread(makePlan(drill).flatMap((round) => round.items))
    const half = items.length >> 1
    const control = await controlled(poster.work(items.slice(0, half), Date.now() + CALM_MS))
    const calm = poster.posts.filter(
      ({ answer, sender }) => answer?.status === 200 && sender.kind === 'waits',
    )
    const waits = calm.map(({ sentAt, endedAt }) => endedAt - sentAt)
    const round = { items: items.slice(half), kills: [] }
    await harness.monitor.during(faultPhase(round, script, harness, Date.now() + FAULTS_MS))
    const recovered = await recovery(round, script, harness)
    const evidence = await gather(drill, harness, [recovered])
    const { status } = evidence
    const breaches = [
      ...judge({ ...evidence, status: this.#sinceBaseline(status) }, drill, harness.format).map(
        ({ check, id, text }) => `${check}: ${id ?? ''} ${text}`,
      ),
      ...(await this.#figures(evidence)),
      ...(await this.#receipts(evidence)),
      ...(await this.#faultsPrinted()),
    ]
    const admin = await harness.admin()
    await admin.operate('/delete', { state: 'quarantined' })
    this.#baseline = await admin.status()
    // Rules end with it, and nothing is under way.
    adobe.reset()
    return {
      posts: poster.posts.length,
      breaches,
      p50: quantile(waits, 0.5),
      p99: quantile(waits, 0.99),
      control: quantile(control, 0.5),
      rssMb: memoryOf(worker.pid),
    }
  }

  /** As if the minute had begun with an empty outbox. */
  #sinceBaseline(status: Counts): Counts {
    const names = Object.keys(this.#baseline) as (keyof Counts)[]
    const counts = names.map((name) => [name, status[name] - this.#baseline[name]])
    return Object.fromEntries(counts) as Counts
  }

  /** What `activity` says of all minutes so far. A sender that leaves does not know its answer. */
  async #figures({ posts }: Evidence): Promise<string[]> {
    this.posts += posts.length
    for (const { answer, sender } of posts) {
      const outcome = answer && outcomeOf(answer)
      if (outcome) this.#answered.set(outcome, (this.#answered.get(outcome) ?? 0) + 1)
      else if (sender.kind !== 'waits') this.#unanswered += 1
    }
    const admin = await this.#harness.admin()
    let wrong: string[] = []
    await until(async () => {
      const counted = await admin.activity(this.#since - 60_000)
      wrong = [...this.#answered].flatMap(([outcome, count]) => {
        const has = counted.get(outcome) ?? 0
        return has >= count && has <= count + this.#unanswered
          ? []
          : [
              `activity: ${has} ${outcome}, and ${count} were answered so, ${this.#unanswered} left before`,
            ]
      })
      return wrong.length === 0
    }, REPORTED_MS)
    return wrong
  }

  /** Some of those that were accepted can be found as delivered. */
  async #receipts({ posts }: Evidence): Promise<string[]> {
    const ids = posts
      .filter(({ answer }) => isAccepted(answer))
      .flatMap(({ answer }) => answer?.id ?? [])
    const step = Math.max(1, Math.floor(ids.length / RECEIPTS_LOOKED_UP))
    const some = ids.filter((_, index) => index % step === 0)
    const admin = await this.#harness.admin()
    let missing: string[] = some
    await until(async () => {
      const found = await Promise.all(missing.map((id) => admin.isDelivered(id)))
      missing = missing.filter((_, index) => !found[index])
      return missing.length === 0
    }, REPORTED_MS)
    return missing.map((id) => `receipt: ${id} is not found as delivered`)
  }

  /** Lines of a fault of our own. That AEP fails is none. */
  async #faultsPrinted(): Promise<string[]> {
    const lines = await this.#harness.worker.lines(
      (each) => !each.includes('{"event":"') || FAULT.test(each),
    )
    const fresh = lines.slice(this.#faultLines)
    this.#faultLines = lines.length
    return fresh.map((each) => `log: ${each.slice(0, 300)}`)
  }
}

/** With pauses that take each half of them as long as it should. */
function spread(items: readonly Item[]): Item[] {
  const sum = items.reduce((ms, { pauseMs }) => ms + pauseMs, 0)
  const slower = (2 * SPREAD_MS * SENDERS) / Math.max(1, sum)
  return items.map((item) => ({ ...item, pauseMs: Math.round(item.pauseMs * slower) }))
}

const FAULT =
  /\{"event":"(?:error|not-encoded|not-recorded|store-failed|exchange-failed|drain-failed)"/

function outcomeOf({ status, outcome }: NonNullable<Post['answer']>): string | null {
  if (status === 400 || status === 422) return 'quarantined'
  return outcome
}

/** How long a bare server of this process takes to answer, while `work` goes on. */
async function controlled(work: Promise<void>): Promise<number[]> {
  const server = http.createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const times: number[] = []
  let isOver = false
  const ended = work.finally(() => {
    isOver = true
  })
  while (!isOver) {
    const beganAt = performance.now()
    await (await fetch(url)).text()
    times.push(performance.now() - beganAt)
    await delay(CONTROL_EVERY_MS)
  }
  server.close()
  server.closeAllConnections()
  await ended
  return times
}

/** Megabytes that the process has in memory; `null` except on Linux. */
function memoryOf(pid: number | null): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1_024)
  } catch {
    return null
  }
}

function line(minute: number, lived: Minute, { posts }: Soaked): string {
  const { p50, p99, control, rssMb, breaches } = lived
  const memory = rssMb === null ? '' : `, ${rssMb} MB`
  return `  ${String(minute).padStart(3)} min  ${posts} posts, p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms (a bare server ${control.toFixed(1)} ms)${memory}, ${breaches.length} breaches`
}

/** The last third beside the one before (memory: the first third warms up) and beside the first (latency). */
function trendsOf(seen: readonly Minute[]): { text: string; holds: boolean }[] {
  if (seen.length < LEAST_MINUTES) {
    return [
      { text: `Memory and latency are judged from ${LEAST_MINUTES} minutes on.`, holds: true },
    ]
  }
  const third = Math.floor(seen.length / 3)
  const medianOf = (from: number, to: number, value: (minute: Minute) => number) =>
    quantile(seen.slice(from, to).map(value), 0.5)
  const last = seen.length - third
  const trend = (name: string, from: number, most: number, value: (minute: Minute) => number) => {
    const ratio = medianOf(last, seen.length, value) / medianOf(from, from + third, value)
    const holds = ratio <= most
    return { text: `${name}: ${ratio.toFixed(2)} of an earlier third, at most ${most}`, holds }
  }
  return [
    ...(seen.some(({ rssMb }) => rssMb === null)
      ? []
      : [trend('Memory', third, MOST_MEMORY, ({ rssMb }) => rssMb ?? 0)]),
    trend('Latency, beside a bare server', 0, MOST_LATENCY, ({ p50, control }) => p50 / control),
  ]
}

function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? 0
}

process.exit(await main(process.argv.slice(2)))
