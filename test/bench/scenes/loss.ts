/**
 * All processes of a system are killed with SIGKILL while webhooks arrive, and started again on what is left on disk: what
 * was acknowledged and never arrived is lost.
 *
 * Twice: in an outage, where everything acknowledged was stored, and while AEP takes everything in 100 ms, where events are
 * under way. A webhook that was not acknowledged is not lost here, the sender knows; that Chatlio is not known to send it
 * again is another matter. Two systems are tried at once, and others still settle meanwhile: nothing is timed but the recovery, in seconds.
 * What SIGKILL cannot show: a machine that loses its power, and with it what was written but not synced.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Aep } from '../aep.ts'
import type { Contender } from '../contenders.ts'
import { until } from '../processes.ts'
import type { Section } from '../section.ts'
import type { System } from '../system.ts'
import { Answers, pressing, steady } from '../webhooks.ts'
import { faultsOf, rowsOf, type SceneRun } from './scene.ts'

const PER_SECOND = 100
/** Killed once so many have been acknowledged under this load, and not before so long. */
const KILLED_AFTER = 100
const KILLED_AFTER_MS = 1_500
/** Of a system that acknowledges nothing. */
const KILLED_AT_LAST_MS = 10_000
/** The load goes on so long after it is up again. */
const AFTERWARDS_MS = 1_500
/** Posted before, while AEP accepts at once: a system just started is slow. */
const WARM_UP = 100
const LATENCY_MS = 100
/** Nothing has arrived for so long: longer than any of them waits, and than BullMQ takes to find what a killed worker had begun. */
const QUIET_MS = 75_000
/** Where nothing is stored, nothing can still come. */
const NOTHING_STORED_MS = 4_000
const AT_ONCE = 2

const WHEN = ['outage', 'healthy'] as const
type When = (typeof WHEN)[number]

/** Counts of events. `recoveredS`: from the kill, or from AEP's return, to the last of the acknowledged. */
type Loss = {
  readonly sent: number
  readonly acknowledged: number
  readonly delivered: number
  readonly lost: number
  readonly doubled: number
  readonly recoveredS: number | null
}

/** What has become of the acknowledged. `accepted`: how often AEP took each. Pure. */
export function lossOf(
  sent: number,
  acknowledged: readonly number[],
  accepted: ReadonlyMap<number, number>,
): Omit<Loss, 'recoveredS'> {
  const times = acknowledged.map((event) => accepted.get(event) ?? 0)
  const delivered = times.filter((count) => count > 0).length
  return {
    sent,
    acknowledged: acknowledged.length,
    delivered,
    lost: acknowledged.length - delivered,
    doubled: times.filter((count) => count > 1).length,
  }
}

/**
 * Kills the system once under load; returns when everything has arrived that still could. `quiet` is called when the load
 * is over, and there is only waiting left.
 */
async function killed(contender: Contender, when: When, quiet: () => void): Promise<Loss> {
  const stores = contender.scenes.includes('outage') || contender.isOurs === true
  const aep = await Aep.start()
  let system: System | null = null
  try {
    system = await contender.start(aep, `loss-${contender.id}-${when}`)
    await pressing(system, 4, { count: WARM_UP })
    aep.latencyMs = LATENCY_MS
    if (when === 'outage') aep.set('unavailable')
    const answers = new Answers()
    const enough = new AbortController()
    const { signal } = enough
    const load = steady(system, PER_SECOND, { forMs: 120_000, signal, answers })
    // Where nothing is acknowledged in an outage, there is nothing to wait for.
    const lastMs = stores || when === 'healthy' ? KILLED_AT_LAST_MS : KILLED_AFTER_MS
    await sleep(KILLED_AFTER_MS)
    await until(
      () => answers.acknowledged.length >= KILLED_AFTER,
      lastMs - KILLED_AFTER_MS,
      () => '',
    ).catch(() => undefined)
    let from = performance.now()
    await system.kill()
    await system.restart()
    await sleep(AFTERWARDS_MS)
    enough.abort()
    const { sent, acknowledged } = await load
    if (when === 'outage') {
      from = performance.now()
      aep.set('accepting')
    }
    quiet()
    await aep.takes(acknowledged, stores ? QUIET_MS : NOTHING_STORED_MS)
    const loss = lossOf(sent, acknowledged, aep.accepted)
    const recoveredS = loss.lost > 0 ? null : Math.max(0, aep.latestAt - from) / 1_000
    return { ...loss, recoveredS }
  } finally {
    await system?.kill()
    aep.stop()
  }
}

type Cell = {
  readonly contender: Contender
  readonly when: When
  loss: Loss | null
  failed: string | null
}

export const loss: SceneRun = async (contenders) => {
  const cells = WHEN.flatMap((when) =>
    contenders.map((contender): Cell => ({ contender, when, loss: null, failed: null })),
  )
  const left = [...cells]
  const settled: Promise<void>[] = []
  const worker = async () => {
    for (let cell = left.shift(); cell; cell = left.shift()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      settled.push(fill(cell, resolve))
      await promise
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  await Promise.all(settled)
  return sectionOf(cells)
}

async function fill(cell: Cell, quiet: () => void): Promise<void> {
  try {
    cell.loss = await killed(cell.contender, cell.when, quiet)
  } catch (thrown) {
    cell.failed = thrown instanceof Error ? thrown.message : String(thrown)
  } finally {
    quiet()
  }
}

function sectionOf(cells: readonly Cell[]): Section {
  const table = (when: When) => ({
    head: [
      when === 'outage' ? 'killed in an outage' : 'killed while healthy',
      'sent',
      'acknowledged',
      'delivered',
      'lost',
      'doubled',
      'recovered after, s',
    ],
    rows: rowsOf(
      cells.filter((each) => each.when === when),
      ({ loss: counts }) =>
        counts === null
          ? []
          : [
              ...[counts.sent, counts.acknowledged, counts.delivered].map(String),
              counts.lost > 0 ? `**${counts.lost}**` : '0',
              String(counts.doubled),
              counts.recoveredS === null || counts.acknowledged === 0
                ? '–'
                : counts.recoveredS.toFixed(1),
            ],
    ),
  })
  return {
    scene: 'loss',
    title: 'Loss',
    text: [
      `${PER_SECOND} webhooks a second. Once ${KILLED_AFTER} have been acknowledged, after ${KILLED_AFTER_MS / 1_000} s at the soonest, every process of the ` +
        'system gets SIGKILL, and is started again at once; the load goes on. Lost: acknowledged with 2xx, and not in AEP when ' +
        `nothing has arrived there for ${QUIET_MS / 1_000} s. Doubled: in AEP more than once (under the same \`_id\` for the relay, ` +
        'so that Profile keeps one). Recovered: from AEP’s return, or from the kill, until the last acknowledged event has arrived.',
    ],
    tables: WHEN.map(table),
    charts: [],
    notes: [
      'What is neither acknowledged nor delivered the sender would have to send again, and Chatlio documents no retries: the ' +
        'difference between sent and acknowledged is what a sender without retries loses.',
      'A kill leaves what the kernel already has. When the machine loses its power, Redis with `everysec` may lose up to a second ' +
        'of acknowledged jobs (its documentation: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/); SIGKILL does not show it.',
      'Cloudflare Queues is not here: miniflare keeps a queue in memory, Cloudflare does not. Its documentation promises delivery at least ' +
        'once (https://developers.cloudflare.com/queues/reference/delivery-guarantees/).',
    ],
    figures: {},
    faults: faultsOf(cells, ({ when, loss: counts }) =>
      counts && counts.lost > 0 ? [`${when}: lost ${counts.lost}`] : [],
    ),
  }
}
