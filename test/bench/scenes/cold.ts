/**
 * A fresh isolate: what it costs before its first webhook, and what that webhook costs.
 *
 * At fifty chats a day nearly every webhook is a first one, and Cloudflare's Free plan allows an invocation ten milliseconds.
 * Each process is used once, alone, on storage that an earlier one has used, as every isolate but the very first finds it;
 * the systems take turns. A webhook's time is what the whole process spends until it has settled, its exchange with the
 * outbox included. Not measured: loading a Worker on Cloudflare, which keeps compiled code, and its network.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Aep } from '../aep.ts'
import type { Contender } from '../contenders.ts'
import { asNumber, asRatio, ratios, spread } from '../figures.ts'
import type { Section } from '../section.ts'
import type { System } from '../system.ts'
import { pressing } from '../webhooks.ts'
import { type Conditions, faultsOf, figuresOf, rowsOf, type SceneRun } from './scene.ts'

/** Starts of each for a round of the other scenes. */
const STARTS_A_ROUND = 2
const BEFORE = 100
const LATER = 90
/** It has settled when it has spent next to nothing for so long. */
const SETTLE_MS = 150
const NEXT_TO_NOTHING_MS = 0.3
const DELIVERED_WITHIN_MS = 10_000

const STEPS = ['startUp', 'first', 'second', 'later'] as const
type Step = (typeof STEPS)[number]
type Start = Readonly<Record<Step, number | null>> & { readonly refused: number }
type Case = { readonly contender: Contender; readonly starts: Start[]; failed: string | null }

export const cold: SceneRun = async (contenders, conditions) => {
  const cases = contenders.map((contender): Case => ({ contender, starts: [], failed: null }))
  for (let start = 0; start < conditions.rounds * STARTS_A_ROUND; start += 1) {
    for (const each of start % 2 === 0 ? cases : cases.toReversed()) {
      if (each.failed !== null) continue
      try {
        each.starts.push(await started(each.contender, start))
      } catch (thrown) {
        each.failed = thrown instanceof Error ? thrown.message : String(thrown)
      }
    }
  }
  return sectionOf(cases, conditions)
}

async function started(contender: Contender, start: number): Promise<Start> {
  const aep = await Aep.start()
  let system: System | null = null
  try {
    system = await contender.start(aep, `cold-${contender.id}-${start}`)
    const running = system
    let refused = await startAgain(running)
    const spent = async (count: number) => {
      const before = running.threadsCpuMs()
      refused += (await pressing(running, 1, { count })).refused
      const after = await settled(running)
      return before === null || after === null ? null : (after - before) / count
    }
    const startUp = await settled(running)
    const [first, second] = [await spent(1), await spent(1)]
    await spent(BEFORE)
    return { startUp, first, second, later: await spent(LATER), refused }
  } finally {
    await system?.kill()
    aep.stop()
  }
}

/** On storage that a first webhook has used. Returns how many were refused. */
export async function startAgain(system: System): Promise<number> {
  const { refused } = await pressing(system, 1, { count: 1 })
  await settled(system)
  await system.kill()
  await system.restart()
  return refused
}

/** What it has spent when it comes to rest: what a request leaves behind belongs to it, a report or a sync. */
async function settled(system: System): Promise<number | null> {
  let spent = system.threadsCpuMs()
  for (const end = performance.now() + DELIVERED_WITHIN_MS; performance.now() < end; ) {
    await sleep(SETTLE_MS)
    const now = system.threadsCpuMs()
    if (spent === null || now === null) return null
    const isAtRest = now - spent < NEXT_TO_NOTHING_MS
    spent = now
    if (isAtRest) break
  }
  return spent
}

function sectionOf(cases: readonly Case[], { rounds }: Conditions): Section {
  const of = (each: Case | undefined, step: Step) =>
    each ? each.starts.map((start) => start[step]) : []
  const ours = cases.find(({ contender }) => contender.id === 'relay')
  return {
    scene: 'cold',
    title: 'Cold start',
    text: [
      `Processor milliseconds of a whole process just started on storage that is not new, ${rounds * STARTS_A_ROUND} times each, in turns: until it listens, for its first and its second ` +
        `webhook, and for one of the ${LATER} after the first ${BEFORE + 2}. Medians; ratios of the first webhook are theirs by ours, start by start.`,
    ],
    tables: [
      {
        head: ['', 'start-up', 'first webhook', 'by ours', 'second', 'later'],
        rows: rowsOf(cases, (each) => {
          const middle = (step: Step) => asNumber(spread(of(each, step))?.median)
          const first = asRatio(ratios(of(each, 'first'), of(ours, 'first')))
          return [middle('startUp'), middle('first'), first, middle('second'), middle('later')]
        }),
      },
    ],
    charts: [],
    notes: [],
    figures: figuresOf({ firstMs: spread(of(ours, 'first'))?.median }),
    faults: faultsOf(cases, ({ starts }) => {
      const refused = starts.reduce((sum, start) => sum + start.refused, 0)
      return refused > 0 ? [`refused ${refused} after a start`] : []
    }),
  }
}
