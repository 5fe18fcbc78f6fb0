/**
 * AEP takes everything at once: what an event costs, and how long an answer takes.
 *
 * Each round presses with a fixed number of connections for a while, then waits until everything that was acknowledged has
 * arrived: those that answer first count what they deliver later. After the rounds each gets a fixed rate, alone.
 * Not measured: the network, and how long AEP takes, which in production is nearly all of the time.
 */
import { asNumber, asRatio, median, quantile, ratios, spread } from '../figures.ts'
import { figures, inTurns, type Measured, per, type Round, type Turn } from '../rounds.ts'
import type { Section } from '../section.ts'
import { pressing, steady } from '../webhooks.ts'
import { type Conditions, faultsOf, figuresOf, rowsOf, type SceneRun } from './scene.ts'

const CONNECTIONS = 32
const PER_SECOND = 200

export const healthy: SceneRun = async (contenders, conditions) => {
  const { rounds, roundMs, steadyMs } = conditions
  // The last round is the one at a fixed rate.
  const measured = await inTurns(contenders, 'healthy', rounds + 1, warmUp(conditions), (turn) =>
    turn.round < rounds ? pressed(turn, roundMs) : paced(turn, steadyMs),
  )
  return sectionOf(measured, conditions)
}

const warmUp =
  ({ warmUpMs }: Conditions) =>
  async ({ system, aep }: Turn) => {
    const { acknowledged } = await pressing(system, CONNECTIONS, { forMs: warmUpMs })
    await arrived({ system, aep, round: 0 }, acknowledged)
  }

async function pressed(turn: Turn, forMs: number): Promise<Round> {
  const began = performance.now()
  const answers = await pressing(turn.system, CONNECTIONS, { forMs })
  const acceptedMs = performance.now() - began
  const delivered = await arrived(turn, answers.acknowledged)
  const ms = Math.max(acceptedMs, turn.aep.latestAt - began)
  return {
    events: delivered,
    acceptedPerSecond: (answers.acknowledged.length * 1_000) / acceptedMs,
    deliveredPerSecond: (delivered * 1_000) / ms,
    refused: answers.refused,
    undelivered: answers.acknowledged.length - delivered,
  }
}

async function paced(turn: Turn, forMs: number): Promise<Round> {
  const answers = await steady(turn.system, PER_SECOND, { forMs })
  const delivered = await arrived(turn, answers.acknowledged)
  return {
    p50: median(answers.times),
    p99: quantile(answers.times, 0.99),
    refused: answers.refused,
    undelivered: answers.acknowledged.length - delivered,
  }
}

const ARRIVED_WITHIN_MS = 15_000

/** Waits for the acknowledged to arrive; how many have. */
async function arrived({ aep }: Turn, events: readonly number[]): Promise<number> {
  await aep.takes(events, ARRIVED_WITHIN_MS)
  return aep.delivered(events)
}

function sectionOf(all: readonly Measured[], { rounds, roundMs, steadyMs }: Conditions): Section {
  const ours = all.find(({ contender }) => contender.id === 'relay')
  const cpu = (each: Measured | undefined) =>
    each ? figures(each, (round) => per(round, 'cpuMs', 'events')).slice(0, rounds) : []
  const rate = (each: Measured | undefined, name: string) =>
    each ? figures(each, (round) => round[name]).slice(0, rounds) : []
  const rows = rowsOf(all, (each) => {
    const last = each.rounds[rounds] ?? {}
    const memory = figures(each, (round) => round.rssMiB).filter((value) => value !== null)
    return [
      asNumber(spread(rate(each, 'acceptedPerSecond'))?.median),
      asNumber(spread(rate(each, 'deliveredPerSecond'))?.median),
      asRatio(ratios(rate(each, 'deliveredPerSecond'), rate(ours, 'deliveredPerSecond'))),
      asNumber(spread(cpu(each))?.median),
      asRatio(ratios(cpu(each), cpu(ours))),
      asNumber(last.p50),
      asNumber(last.p99),
      asNumber(memory.length > 0 ? Math.max(...memory) : null),
    ]
  })
  return {
    scene: 'healthy',
    title: 'Healthy',
    text: [
      `AEP accepts everything at once. ${CONNECTIONS} connections press for ${roundMs / 1_000} s, in ${rounds} rounds; a round ` +
        'lasts until everything acknowledged has arrived. Then each alone gets ' +
        `${PER_SECOND} a second for ${steadyMs / 1_000} s. Ratios are theirs by ours (raw), round by round: the median and its quartiles.`,
    ],
    tables: [
      {
        head: [
          '',
          'accepted/s',
          'delivered/s',
          'by ours',
          'processor ms an event',
          'by ours',
          `p50 at ${PER_SECOND}/s, ms`,
          'p99',
          'memory, MiB',
        ],
        rows,
      },
    ],
    charts: [
      {
        file: 'healthy.svg',
        title: 'Healthy: processor time an event, all processes (less is better)',
        unit: 'ms',
        bars: all.flatMap((each) => {
          const value = spread(cpu(each))?.median
          const { title, isOurs = false } = each.contender
          return each.failed === null && value !== undefined ? [{ name: title, value, isOurs }] : []
        }),
      },
    ],
    notes: [
      'Processor time and memory are those of all processes of a system together, in a round and in what it had put off ' +
        'from the round before (for the relay: counts and receipts).',
    ],
    figures: figuresOf({ cpuMs: spread(cpu(ours))?.median }),
    faults: faultsOf(all, ({ rounds: its }) =>
      its.flatMap(({ refused, undelivered }) =>
        (refused ?? 0) + (undelivered ?? 0) > 0
          ? [`${refused} refused, ${undelivered} not delivered`]
          : [],
      ),
    ),
  }
}
