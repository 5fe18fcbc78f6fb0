/**
 * Compares the throughput of two Workers under the same load, in turns.
 *
 * Fairness: both are warmed up, then measured in short rounds within the same second. Which one starts alternates, so that
 * other load on the machine affects both alike. The ratio is computed per round; the result is the median of all rounds.
 * Processor time per request is reported too, since it still differs where a slow disk or a busy machine limits both.
 */
import { type Load, load, type Statuses, type Target } from './load.ts'
import type { Workerd } from './workerd.ts'

export type Side = Omit<Target, 'port'> & { readonly worker: Workerd }

export type Plan = Load & {
  readonly warmUpMs: number
  readonly rounds: number
  /** No round starts after this time. */
  readonly withinMs: number
}

export type Comparison = {
  /** Throughput of the first divided by that of the second, one ratio per round. */
  ratios: number[]
  first: Measured
  second: Measured
}

export type Measured = {
  /** Median over the rounds. */
  perSecond: number
  /** Of the Worker's process; `null` where the system does not report it. */
  cpuMsPerRequest: number | null
  /** Share of the time in which this process (generator and upstream) was busy: at 1 it is the bottleneck. */
  busy: number
  /** Including the warm-up. */
  statuses: Statuses
}

export async function compare(first: Side, second: Side, plan: Plan): Promise<Comparison> {
  const one = new Measurement(first, plan)
  const two = new Measurement(second, plan)
  await one.load(plan.warmUpMs)
  await two.load(plan.warmUpMs)
  const until = performance.now() + plan.withinMs
  for (let round = 0; round < plan.rounds && performance.now() < until; round += 1) {
    for (const side of round % 2 === 0 ? [one, two] : [two, one]) await side.round()
  }
  return {
    ratios: one.rates.map((rate, round) => rate / (two.rates[round] ?? Number.NaN)),
    first: one.measured(),
    second: two.measured(),
  }
}

/** One side of a comparison with its measurements so far. */
class Measurement {
  readonly rates: number[] = []
  readonly #side: Side
  readonly #plan: Plan
  readonly #statuses: Statuses = {}
  readonly #busy: number[] = []
  #cpuMs: number | null = 0
  #requests = 0

  constructor(side: Side, plan: Plan) {
    this.#side = side
    this.#plan = plan
  }

  async load(forMs: number): Promise<{ perSecond: number; requests: number }> {
    const { worker, path, body } = this.#side
    const { connections } = this.#plan
    const { perSecond, statuses } = await load(
      { port: worker.port, path, body },
      { connections, forMs },
    )
    let requests = 0
    for (const [status, count] of Object.entries(statuses)) {
      this.#statuses[Number(status)] = (this.#statuses[Number(status)] ?? 0) + count
      requests += count
    }
    return { perSecond, requests }
  }

  async round(): Promise<void> {
    const cpuBefore = this.#side.worker.cpuMs()
    const loopBefore = performance.eventLoopUtilization()
    const { perSecond, requests } = await this.load(this.#plan.forMs)
    const cpuAfter = this.#side.worker.cpuMs()
    this.rates.push(perSecond)
    this.#busy.push(performance.eventLoopUtilization(loopBefore).utilization)
    this.#requests += requests
    if (this.#cpuMs === null || cpuBefore === null || cpuAfter === null) this.#cpuMs = null
    else this.#cpuMs += cpuAfter - cpuBefore
  }

  measured(): Measured {
    return {
      perSecond: median(this.rates),
      cpuMsPerRequest: this.#cpuMs === null ? null : this.#cpuMs / this.#requests,
      busy: median(this.#busy),
      statuses: this.#statuses,
    }
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2
}

/** The ratio and the figures behind it, as lines of text. */
export function report(title: string, { ratios, first, second }: Comparison): string {
  const lowest = Math.min(...ratios).toFixed(2)
  const highest = Math.max(...ratios).toFixed(2)
  const lines = [
    `${title}: ratio ${median(ratios).toFixed(3)} (median of ${ratios.length} rounds, min ${lowest}, max ${highest})`,
    `  ${first.perSecond.toFixed(0)} and ${second.perSecond.toFixed(0)} requests/s; ` +
      `generator and upstream busy ${percent(first.busy)} and ${percent(second.busy)} of the time`,
  ]
  if (first.cpuMsPerRequest !== null && second.cpuMsPerRequest !== null) {
    const ratio = (second.cpuMsPerRequest / first.cpuMsPerRequest).toFixed(3)
    lines.push(
      `  processor time: ratio ${ratio}, ${micros(first.cpuMsPerRequest)} and ${micros(second.cpuMsPerRequest)} a request`,
    )
  }
  return lines.join('\n')
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)}%`
}

function micros(ms: number): string {
  return `${(ms * 1_000).toFixed(0)} µs`
}
