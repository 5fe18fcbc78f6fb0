/**
 * AEP comes back after an outage, and so many events wait: how long until the first and the last have arrived.
 *
 * One system at a time, on empty storage, with AEP at two speeds. Nothing is posted meanwhile. The wait for the first is
 * how long a system had put off its next attempt; the rate is between the first and the last.
 */
import { Aep } from '../aep.ts'
import type { Contender } from '../contenders.ts'
import { asNumber } from '../figures.ts'
import { until } from '../processes.ts'
import type { Section } from '../section.ts'
import type { System } from '../system.ts'
import { pressing } from '../webhooks.ts'
import { type Conditions, faultsOf, figuresOf, rowsOf, type SceneRun } from './scene.ts'

const LATENCIES_MS = [0, 100]
const CONNECTIONS = 32
const QUIET_MS = 75_000

type Drained = {
  readonly firstS: number
  readonly perSecond: number
  readonly cpuMs: number | null
  readonly refused: number
}
type Case = {
  readonly contender: Contender
  readonly drained: Drained[]
  failed: string | null
}

export const drain: SceneRun = async (contenders, conditions) => {
  const cases = contenders.map((contender): Case => ({ contender, drained: [], failed: null }))
  for (const latencyMs of LATENCIES_MS) {
    for (const each of cases.filter(({ failed }) => failed === null)) {
      try {
        each.drained.push(await drained(each.contender, latencyMs, conditions.backlog))
      } catch (thrown) {
        each.failed = thrown instanceof Error ? thrown.message : String(thrown)
      }
    }
  }
  return sectionOf(cases, conditions)
}

async function drained(contender: Contender, latencyMs: number, backlog: number): Promise<Drained> {
  const aep = await Aep.start()
  let system: System | null = null
  try {
    system = await contender.start(aep, `drain-${contender.id}-${latencyMs}`)
    aep.set('unavailable')
    const { acknowledged, refused } = await pressing(system, CONNECTIONS, { count: backlog })
    aep.latencyMs = latencyMs
    const before = system.usage()
    const began = performance.now()
    aep.set('accepting')
    await until(
      () => aep.accepted.size > 0,
      QUIET_MS,
      () => `nothing had arrived after ${QUIET_MS / 1_000} s`,
    )
    const first = performance.now()
    if (!(await aep.takes(acknowledged, QUIET_MS))) {
      const missing = acknowledged.length - aep.delivered(acknowledged)
      throw new Error(
        `${missing} of ${acknowledged.length} had not arrived after ${QUIET_MS / 1_000} s`,
      )
    }
    const after = system.usage()
    return {
      firstS: (first - began) / 1_000,
      perSecond: (acknowledged.length * 1_000) / Math.max(1, aep.latestAt - first),
      cpuMs: before && after ? (after.cpuMs - before.cpuMs) / acknowledged.length : null,
      refused,
    }
  } finally {
    await system?.kill()
    aep.stop()
  }
}

function sectionOf(cases: readonly Case[], { backlog }: Conditions): Section {
  const ours = cases.find(({ contender }) => contender.id === 'relay')
  const known = cases.filter(({ failed }) => failed === null)
  const byOurs = (each: Case, at: number) => {
    const [theirs, own] = [each.drained[at]?.perSecond, ours?.drained[at]?.perSecond]
    return theirs !== undefined && own !== undefined ? (theirs / own).toFixed(2) : '–'
  }
  return {
    scene: 'drain',
    title: 'Drain',
    text: [
      `${backlog.toLocaleString('en')} events were acknowledged while AEP answered 503; then it accepts again, at once or after 100 ms. One run each. ` +
        'First: seconds from its return until the first event arrived. Rate: from then to the last.',
    ],
    tables: [
      {
        head: [
          '',
          ...LATENCIES_MS.flatMap((ms) => [
            `first, s (AEP at ${ms} ms)`,
            'events/s',
            'by ours',
            'processor ms an event',
          ]),
        ],
        rows: rowsOf(cases, (each) =>
          LATENCIES_MS.flatMap((_, at) => [
            asNumber(each.drained[at]?.firstS),
            asNumber(each.drained[at]?.perSecond),
            byOurs(each, at),
            asNumber(each.drained[at]?.cpuMs),
          ]),
        ),
      },
    ],
    charts: [
      {
        file: 'drain.svg',
        title: 'Drain: events a second, AEP at 100 ms (more is better)',
        unit: '/s',
        bars: known.flatMap(({ contender: { title, isOurs: own = false }, drained: runs }) => {
          const value = runs[1]?.perSecond
          return value === undefined ? [] : [{ name: title, value, isOurs: own }]
        }),
      },
    ],
    notes: [
      'The relay asks an AEP that fails after a random wait, which grows to a minute (`RETRY_CAP_MS`), and sooner when a webhook comes: here none does.',
      'A system that gives each event its own wait spreads them over the longest wait, so its rate is that of its waits rather than of its work.',
    ],
    figures: figuresOf({ cpuMs: ours?.drained[0]?.cpuMs }),
    faults: faultsOf(cases, ({ drained: runs }) =>
      runs.flatMap(({ refused }) => (refused > 0 ? [`refused ${refused}`] : [])),
    ),
  }
}
