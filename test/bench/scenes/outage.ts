/**
 * AEP answers 503 to everything: how many events a system takes into custody meanwhile, and what that costs.
 *
 * Each acknowledges what it has stored, and keeps trying as it is set up to; what it tries again runs in its own rounds
 * only. Those that store nothing are not here: they acknowledge nothing.
 */
import { asNumber, asRatio, ratios, spread } from '../figures.ts'
import { figures, inTurns, type Measured, per, type Round, type Turn } from '../rounds.ts'
import type { Section } from '../section.ts'
import { pressing } from '../webhooks.ts'
import { type Conditions, faultsOf, figuresOf, rowsOf, type SceneRun } from './scene.ts'

const CONNECTIONS = [16, 64]

export const outage: SceneRun = async (contenders, conditions) => {
  const { rounds, roundMs, warmUpMs } = conditions
  const prepare = async ({ system, aep }: Turn) => {
    aep.set('unavailable')
    await pressing(system, 16, { forMs: warmUpMs })
  }
  const measured = await inTurns(
    contenders,
    'outage',
    rounds * CONNECTIONS.length,
    prepare,
    async ({ system, round }): Promise<Round> => {
      const connections = CONNECTIONS[Math.floor(round / rounds)] ?? 16
      const began = performance.now()
      const { acknowledged, refused } = await pressing(system, connections, { forMs: roundMs })
      const ms = performance.now() - began
      const events = acknowledged.length
      return { events, refused, perSecond: (events * 1_000) / ms }
    },
  )
  return sectionOf(measured, conditions)
}

function sectionOf(all: readonly Measured[], { rounds, roundMs }: Conditions): Section {
  const ours = all.find(({ contender }) => contender.id === 'relay')
  /** The rounds with so many connections. */
  const of = (
    each: Measured | undefined,
    at: number,
    figure: (round: Round) => number | null | undefined,
  ) => (each ? figures(each, figure).slice(at * rounds, (at + 1) * rounds) : [])
  const cpu = (round: Round) => per(round, 'cpuMs', 'events')
  const rows = rowsOf(all, (each) =>
    CONNECTIONS.flatMap((_, at) => [
      asNumber(spread(of(each, at, ({ perSecond }) => perSecond))?.median),
      asRatio(
        ratios(
          of(each, at, ({ perSecond }) => perSecond),
          of(ours, at, ({ perSecond }) => perSecond),
        ),
      ),
      asNumber(spread(of(each, at, cpu))?.median),
      asRatio(ratios(of(each, at, cpu), of(ours, at, cpu))),
    ]),
  )
  return {
    scene: 'outage',
    title: 'Outage',
    text: [
      `AEP answers 503. ${CONNECTIONS.join(' and then ')} connections press in ${rounds} rounds of ${roundMs / 1_000} s. Accepted is what was ` +
        'acknowledged after it had been stored. Ratios are theirs by ours, round by round.',
    ],
    tables: [
      {
        head: [
          '',
          ...CONNECTIONS.flatMap((connections) => [
            `accepted/s, ${connections} connections`,
            'by ours',
            'processor ms an event',
            'by ours',
          ]),
        ],
        rows,
      },
    ],
    charts: [
      {
        file: 'outage.svg',
        title: `Outage: accepted a second, ${CONNECTIONS[0]} connections (more is better)`,
        unit: '/s',
        bars: all.flatMap((each) => {
          const value = spread(of(each, 0, ({ perSecond }) => perSecond))?.median
          const { title, isOurs: own = false } = each.contender
          return each.failed === null && value !== undefined
            ? [{ name: title, value, isOurs: own }]
            : []
        }),
      },
    ],
    notes: [
      'On disk before it is acknowledged: the relay, the Workers, Redis with `always`. With `everysec` Redis may lose the last second when the machine loses its power.',
    ],
    figures: figuresOf({ cpuMs: spread(of(ours, 0, cpu))?.median }),
    faults: faultsOf(all, ({ rounds: its }) =>
      its.flatMap(({ refused }) => (refused ? [`refused ${refused} in an outage`] : [])),
    ),
  }
}
