/**
 * AEP takes what it gets, then says nothing any more: how long senders wait in the first six seconds of that.
 *
 * A fixed rate, so that waiting does not make the load smaller; each system has had a second of answers before.
 */
import { asNumber, asRatio, median, quantile, ratios, spread } from '../figures.ts'
import { figures, inTurns, type Measured, type Round, type Turn } from '../rounds.ts'
import type { Section } from '../section.ts'
import { steady } from '../webhooks.ts'
import { type Conditions, faultsOf, rowsOf, type SceneRun } from './scene.ts'

const PER_SECOND = 200
const SILENT_MS = 6_000
const ROUNDS = 2

export const silence: SceneRun = async (contenders, conditions) => {
  const warmUp = async ({ system }: Turn) => {
    await steady(system, PER_SECOND, { forMs: conditions.warmUpMs })
  }
  const rounds = Math.min(ROUNDS, conditions.rounds)
  const measured = await inTurns(contenders, 'silence', rounds, warmUp, fallsSilent)
  return sectionOf(measured, conditions)
}

async function fallsSilent({ system, aep }: Turn): Promise<Round> {
  await steady(system, PER_SECOND, { forMs: 1_000 })
  aep.set('silent')
  const answers = await steady(system, PER_SECOND, { forMs: SILENT_MS })
  aep.set('accepting')
  await aep.takes(answers.acknowledged, 20_000)
  return {
    sent: answers.sent,
    refused: answers.refused,
    p50: median(answers.times),
    p99: quantile(answers.times, 0.99),
    slowest: Math.max(...answers.times),
  }
}

function sectionOf(all: readonly Measured[], _: Conditions): Section {
  const ours = all.find(({ contender }) => contender.id === 'relay')
  const of = (each: Measured | undefined, name: string) =>
    each ? figures(each, (round) => round[name]) : []
  const rows = rowsOf(all, (each) => [
    ...['p50', 'p99', 'slowest'].map((name) => asNumber(spread(of(each, name))?.median)),
    asRatio(ratios(of(each, 'p50'), of(ours, 'p50'))),
    asNumber(spread(of(each, 'refused'))?.median),
  ])
  return {
    scene: 'silence',
    title: 'Silence',
    text: [
      `${PER_SECOND} webhooks a second. AEP answers for a second, then says nothing: the answers of the first ${SILENT_MS / 1_000} s from ` +
        'then on, counted from the moment at which each webhook was due.',
    ],
    tables: [
      { head: ['', 'p50, ms', 'p99, ms', 'slowest, ms', 'p50 by ours', 'not acknowledged'], rows },
    ],
    charts: [],
    notes: [],
    figures: {},
    faults: faultsOf(all, ({ rounds: its }) =>
      its.flatMap(({ refused }) => (refused ? [`refused ${refused} while AEP was silent`] : [])),
    ),
  }
}
