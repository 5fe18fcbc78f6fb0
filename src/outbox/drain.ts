/**
 * One run of the outbox: relays what is due, at most six at a time, until nothing is due or the run is long enough.
 *
 * Promises: every attempt has its own fresh timeout, begun when it gets its slot; what an attempt means is written
 * down as soon as it has ended, whatever the others do. Storage that fails ends the run and is thrown at its end.
 * Accepts: a crash between AEP's answer and that write sends the event again, under the same `_id`.
 */
import { type DeliverDeps, deliver } from '../aep/deliver.ts'
import type { Verdict } from '../aep/verdict.ts'
import { readEvent } from '../chatlio/event.ts'
import { parseJson } from '../chatlio/json.ts'
import type { Config, Destination } from '../config.ts'
import { DRAIN_CONCURRENCY, MAX_EVENTS_PER_RUN, MAX_RUN_MS } from '../limits.ts'
import { logLine } from '../log.ts'
import { conclude } from './conclude.ts'
import { runPool } from './pool.ts'
import { quarantineError } from './quarantine.ts'
import type { Selection } from './selection.ts'
import type { EventStore, PendingEvent } from './store.ts'
import type { DestinationWatch } from './watch.ts'

export type DrainDeps = DeliverDeps & {
  shard: string
  store: EventStore
  watch: DestinationWatch
  selection: Selection
  config: Config
  destination: Destination
  random: () => number
  changed: () => Promise<void>
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
  const { watch, selection, now } = deps
  const report: DrainReport = { sent: 0, accepted: 0, deferred: 0, rejected: 0, held: 0 }
  const until = now() + MAX_RUN_MS
  let broken: unknown
  await runPool<number>({
    limit: () => {
      const over = broken !== undefined || report.sent >= MAX_EVENTS_PER_RUN || now() >= until
      return over ? 0 : slots(watch, now())
    },
    next: () => (watch.failing ? selection.nextProbe() : selection.next(now())),
    run: async (position) => {
      try {
        const event = deps.store.readPending(position)
        if (event) await attempt(event, deps, report)
      } catch (thrown) {
        broken = thrown
      } finally {
        selection.done(position)
      }
    },
    changed: deps.changed,
  })
  if (broken !== undefined) throw broken
  return report
}

/** Six when AEP takes events, one to ask whether it does again, none while it is not to be asked. */
function slots(watch: DestinationWatch, now: number): number {
  if (watch.state.pause.paused || watch.state.notBefore > now) return 0
  if (!watch.failing) return DRAIN_CONCURRENCY
  return watch.retryAt <= now ? 1 : 0
}

async function attempt(event: PendingEvent, deps: DrainDeps, report: DrainReport): Promise<void> {
  const { store, watch, config, now } = deps
  const { position, id, kind, receivedAt } = event
  // What is stored is what arrived: a newer version of the relay may read it differently.
  const reading = readEvent({ id, kind, receivedAt }, parseJson(event.body))
  if (reading.outcome !== 'valid') {
    const tries = event.tries ?? { attempts: 0, strikes: 0, triedAt: null }
    const error = quarantineError(reading)
    store.park(position, 'quarantined', { ...tries, nextAt: null, error, answer: null })
    return
  }
  report.sent += 1
  const beganAt = now()
  const signal = AbortSignal.timeout(config.drainTimeoutMs)
  const verdict = await deliver(reading.event, deps.destination, signal, deps)
  const at = now()
  const times = { beganAt, previousAt: event.tries?.triedAt ?? null }
  const conclusion = conclude(verdict, {
    at,
    times,
    tries: event.tries,
    state: watch.state,
    backoff: { baseMs: config.retryBaseMs, capMs: config.retryCapMs },
    random: deps.random,
  })
  watch.learn(verdict, times, at)
  count(report, verdict)
  if (!store.stillPending(event)) return
  switch (conclusion.end) {
    case 'delivered':
      store.delivered(event)
      return
    case 'waits':
      store.failed(position, conclusion.tried)
      return
    case 'dead':
      store.park(position, 'dead', conclusion.tried)
      logDeadLetter(deps.shard, event, conclusion.tried.error)
  }
}

function count(report: DrainReport, { verdict }: Verdict): void {
  report[verdict === 'unknown' ? 'deferred' : verdict] += 1
}

export function logDeadLetter(
  shard: string,
  { id, kind }: { id: string; kind: string },
  { code, status }: { code: string; status: number | null },
): void {
  logLine('error', { event: 'dead-letter', shard, id, kind, code, status })
}
