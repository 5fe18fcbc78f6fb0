/**
 * One run of the outbox: relays what is due, at most six requests at a time, until nothing is due or the run is long
 * enough.
 *
 * Promises: every request has its own fresh timeout, begun when it gets its slot; what it means is written down as soon
 * as it has ended, whatever the others do. Storage that fails ends the run and is thrown at its end.
 * Accepts: a crash between AEP's answer and that write sends the event again, under the same `_id`.
 */
import { type DeliverDeps, deliver } from '../../aep/client/deliver.ts'
import type { Verdict } from '../../aep/client/verdict.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import type { Config, Destination } from '../../config/config.ts'
import { DRAIN_CONCURRENCY, MAX_EVENTS_PER_RUN, MAX_RUN_MS } from '../../limits.ts'
import { logLine } from '../../log.ts'
import type { EventReader } from '../storage/reader.ts'
import type { EventStore } from '../storage/store.ts'
import { attemptOutcome } from './attempt-outcome.ts'
import { type Job, nextJob, type Prepared } from './job.ts'
import { runPool } from './pool.ts'
import type { Selection } from './selection.ts'
import type { UpstreamWatch } from './upstream-watch.ts'

export type DrainDeps = DeliverDeps & {
  shard: string
  reader: EventReader
  store: EventStore
  watch: UpstreamWatch
  selection: Selection
  config: Config
  destination: Destination
  random: () => number
  /** Resolves when there may be something new to send. */
  changed: () => Promise<void>
  /** Called when an event has left the pending ones. */
  leftPending: () => void
}

/** What a run did, in events. */
export type DrainReport = {
  sent: number
  accepted: number
  deferred: number
  rejected: number
  held: number
}

export async function drain(deps: DrainDeps): Promise<DrainReport> {
  const { watch, now } = deps
  const report: DrainReport = { sent: 0, accepted: 0, deferred: 0, rejected: 0, held: 0 }
  const { maxEventBytes, retryCapMs } = deps.config
  const jobs = { ...deps, maxEventBytes, retryCapMs }
  const until = now() + MAX_RUN_MS
  let broken: unknown
  await runPool<Job>({
    limit: () => {
      const over = broken !== undefined || report.sent >= MAX_EVENTS_PER_RUN || now() >= until
      return over ? 0 : slots(watch, now())
    },
    next: () => {
      try {
        return nextJob(jobs, watch.failing, now())
      } catch (thrown) {
        broken = thrown
        return null
      }
    },
    run: async (job) => {
      try {
        await send(job, deps, report)
      } catch (thrown) {
        broken = thrown
      } finally {
        for (const { event } of job) deps.selection.done(event.position)
      }
    },
    changed: deps.changed,
  })
  if (broken !== undefined) throw broken
  return report
}

/** Six when AEP takes events, one to ask whether it does again, none while it is not to be asked. */
function slots(watch: UpstreamWatch, now: number): number {
  if (watch.state.pause.paused || watch.state.notBefore > now) return 0
  if (!watch.failing) return DRAIN_CONCURRENCY
  return watch.retryAt <= now ? 1 : 0
}

async function send(job: Job, deps: DrainDeps, report: DrainReport): Promise<void> {
  const { config, now } = deps
  report.sent += job.length
  const beganAt = now()
  const records = job.flatMap(({ records }) => records.map(({ record }) => record))
  const verdicts = await deliver(records, deps.destination, config.drainTimeoutMs, deps)
  const ended = job.map((prepared) => ({
    ...prepared,
    verdicts: verdicts.splice(0, prepared.records.length),
  }))
  // Acceptances first: what else of the same request failed is then known to be its own fault.
  const failed = (each: Ended) =>
    Number(each.verdicts.some(({ verdict }) => verdict !== 'accepted'))
  for (const each of ended.sort((a, b) => failed(a) - failed(b)))
    recordOutcome(each, beganAt, deps, report)
}

type Ended = Prepared & { verdicts: Verdict[] }

function recordOutcome(
  { event, records, verdicts }: Ended,
  beganAt: number,
  deps: DrainDeps,
  report: DrainReport,
): void {
  const { store, watch, config } = deps
  const at = deps.now()
  const times = { beganAt, previousAt: event.tries?.triedAt ?? null }
  const stillThere = deps.reader.stillPending(event)
  for (const [index, verdict] of verdicts.entries()) {
    const part = records[index]?.part ?? null
    if (verdict.verdict !== 'accepted') continue
    watch.recordAttempt(verdict, times, at)
    if (part !== null && stillThere) store.partDelivered(event.position, part)
  }
  const verdict = verdictOfAll(verdicts)
  const conclusion = attemptOutcome(verdict, {
    at,
    times,
    tries: event.tries,
    state: watch.state,
    backoff: { baseMs: config.retryBaseMs, capMs: config.retryCapMs },
    random: deps.random,
  })
  watch.recordAttempt(verdict, times, at)
  report[verdict.verdict === 'unknown' ? 'deferred' : verdict.verdict] += 1
  // An operator, or its age, may have taken it away meanwhile.
  if (!stillThere) return
  switch (conclusion.end) {
    case 'delivered':
      store.delivered(event)
      break
    case 'retry':
      store.failed(event.position, conclusion.tried)
      return
    case 'dead':
      store.park(event.position, 'dead', conclusion.tried)
      logDeadLetter(deps.shard, event, conclusion.tried.error)
  }
  deps.leftPending()
}

/** An event is delivered when all its parts are, and dead when one is refused for good. */
function verdictOfAll(verdicts: readonly Verdict[]): Verdict {
  const worst =
    verdicts.find(({ verdict }) => verdict === 'rejected') ??
    verdicts.find(({ verdict }) => verdict !== 'accepted') ??
    verdicts[0]
  if (!worst) throw new Error('an event without records')
  return worst
}

/** One line per run that did anything. */
export function logDrain(
  shard: string,
  report: DrainReport,
  left: { pending: number; oldestAgeMs: number | null; nextAttemptAt: number | null },
): void {
  const { pending, oldestAgeMs, nextAttemptAt } = left
  logLine(report.accepted === report.sent ? 'log' : 'warn', {
    event: 'drain',
    shard,
    ...report,
    pending,
    oldestAgeMs,
    nextAttemptAt: nextAttemptAt === null ? null : toIso(nextAttemptAt),
  })
}

export function logDeadLetter(
  shard: string,
  { id, kind }: { id: string; kind: string },
  { code, status }: { code: string; status: number | null },
): void {
  logLine('error', { event: 'dead-letter', shard, id, kind, code, status })
}
