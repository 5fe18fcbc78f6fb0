/**
 * The delivering half of a shard: it owns the alarm, and the runs that relay what is pending.
 *
 * Promises: the shard never sleeps while work is owed. The alarm is set again after every run, whatever happened in
 * it, when the object starts, and when the cron trigger calls; a run that breaks is repeated after a wait.
 */
import { Sender } from '../../aep/client/sender.ts'
import type { TokenSource } from '../../aep/client/token.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import type { Config } from '../../config/config.ts'
import { MAX_RETRY_AFTER_MS, REQUEUE_PAGE } from '../../limits.ts'
import { logLine } from '../../log.ts'
import type { Metrics } from '../../metrics.ts'
import { expire } from '../expire.ts'
import { ageOf } from '../health.ts'
import type { LedgerStore } from '../storage/ledger.ts'
import { PendingQueue } from '../storage/pending-queue.ts'
import type { EventReader } from '../storage/reader.ts'
import type { EventStore } from '../storage/store.ts'
import { UnfinishedTries } from '../storage/unfinished-tries.ts'
import { ShardAlarm } from './alarm.ts'
import type { Backoff } from './backoff.ts'
import { drain } from './drain.ts'
import type { DrainReport } from './record-outcome.ts'
import { Selection } from './selection.ts'
import { Signal } from './signal.ts'
import type { UpstreamWatch } from './upstream-watch.ts'
import { Waiters } from './waiters.ts'
import { WorkSchedule } from './work-schedule.ts'

export type DeliveryDeps = {
  shard: string
  config: Config
  backoff: Backoff
  storage: DurableObjectStorage
  reader: EventReader
  store: EventStore
  ledger: LedgerStore
  watch: UpstreamWatch
  tokens: TokenSource
  metrics: Metrics | null
}

export class Delivery {
  readonly waiters = new Waiters()
  readonly #deps: DeliveryDeps
  readonly #queue: PendingQueue
  readonly #unfinished: UnfinishedTries
  readonly #selection: Selection
  readonly #schedule: WorkSchedule
  readonly #alarm: ShardAlarm
  readonly #sender: Sender | null
  readonly #batchRest = { until: 0 }
  /** Something new to send has been stored. */
  readonly #added = new Signal()
  #running = false

  constructor(deps: DeliveryDeps) {
    const { config, backoff, storage, reader, watch, tokens } = deps
    this.#deps = deps
    this.#queue = new PendingQueue(storage.sql)
    this.#unfinished = new UnfinishedTries(storage.sql)
    this.#selection = new Selection(this.#queue)
    this.#schedule = new WorkSchedule(reader, this.#queue, this.#selection, watch, config)
    this.#alarm = new ShardAlarm(storage, backoff)
    this.#sender =
      config.destination &&
      new Sender(config.destination, {
        fetch: (url, init) => fetch(url, init),
        aborts: true,
        now: Date.now,
        tokens,
      })
  }

  /** When the object starts: what remains of a wait is what remains until its alarm. */
  async start(): Promise<void> {
    const { watch, config } = this.#deps
    await this.#alarm.load()
    watch.resumeWait(this.#alarm.at ?? 0, config.destination !== null)
    watch.noteConfiguration(config.destination !== null)
    await this.#setAlarm()
  }

  /** An event was stored, or came back, at this position. */
  added(position: number): void {
    this.#selection.added(position)
    this.#deps.watch.probeSoon()
  }

  nextAttemptAt(now: number): number | null {
    return this.#schedule.nextAttemptAt(now)
  }

  /**
   * AEP refuses everything, so what it refused since its last acceptance was no event's fault. Also called when the
   * hold is heard of late, even after its end.
   */
  takeBackRefusals({ since, from }: { since: number; from: number }): void {
    const { shard, store } = this.#deps
    let requeued = 0
    for (let after = -1; ; ) {
      const positions = this.#queue.refusedSince(from, after, REQUEUE_PAGE)
      store.takeBackRefusals(positions, Date.now())
      requeued += positions.length
      const last = positions.at(-1)
      if (last === undefined || positions.length < REQUEUE_PAGE) break
      after = last
    }
    if (requeued > 0)
      logLine('warn', { event: 'requeued', shard, requeued, heldSince: toIso(since) })
  }

  /** Called by cron; re-arms a lost alarm, and erases what has expired. */
  async wake(): Promise<void> {
    if (!this.#running) {
      await this.#alarm.load()
      this.#selection.restart()
    }
    this.#expire()
    await this.scheduleNewWork()
  }

  /** One run. Never throws: an alarm that has thrown seven times never fires again. */
  async run(): Promise<void> {
    this.#alarm.fired()
    this.#running = true
    try {
      this.#expire()
      await this.#drain()
      this.#alarm.runEnded('well')
    } catch (thrown) {
      this.#selection.restart()
      const inARow = this.#alarm.runEnded('broken')
      const name = thrown instanceof Error ? thrown.name : 'unknown'
      logLine('error', { event: 'drain-failed', shard: this.#deps.shard, name, inARow })
    } finally {
      this.#running = false
      await this.#setAlarm()
    }
  }

  /** A run that goes on takes up new work by itself; otherwise the alarm does. */
  async scheduleNewWork(): Promise<void> {
    if (this.#running) {
      this.#added.fire()
      return
    }
    // Every alarm looks at all pending work: one that is set for when AEP may be asked is soon enough for new work.
    const { at } = this.#alarm
    if (at === null || at > this.#schedule.earliestAttemptAt(Date.now())) await this.#setAlarm()
  }

  #expire(): void {
    const { shard, reader, store, config } = this.#deps
    expire(shard, reader, store, Date.now() - config.retentionMs)
  }

  async #drain(): Promise<void> {
    const { shard, config, storage, reader, ledger } = this.#deps
    if (!config.destination || !this.#sender) return
    const report = await drain({
      ...this.#deps,
      selection: this.#selection,
      unfinished: this.#unfinished,
      destination: config.destination,
      sender: this.#sender,
      maxEventBytes: config.maxEventBytes,
      timeoutMs: config.drainTimeoutMs,
      retryCapMs: config.retryCapMs,
      batchRest: this.#batchRest,
      now: Date.now,
      random: Math.random,
      added: this.#added.fired,
      left: (id, end) => this.waiters.ended(id, end),
      sync: () => storage.sync(),
    })
    if (report.sent === 0) return
    const now = Date.now()
    const pending = ledger.read().pending
    const oldestAgeMs = ageOf(reader.oldestPendingAt(), now)
    logDrain(shard, report, { pending, oldestAgeMs, nextAttemptAt: this.nextAttemptAt(now) })
    const code = report.failure?.code ?? ''
    this.#deps.metrics?.drain({ ...report, shard, code, pending, oldestAgeMs })
  }

  /** Sets the alarm for the next moment that work is owed, unless it is set for then or before. */
  async #setAlarm(): Promise<void> {
    const { store, ledger, config } = this.#deps
    const now = Date.now()
    const longestMs = Math.max(config.retryCapMs, MAX_RETRY_AFTER_MS)
    store.tries.correctWaits(now, config.retryCapMs, longestMs)
    const { pending } = ledger.read()
    if (pending === 0 && config.outboxShards === 1) this.#deps.watch.endRejecting()
    // The ledger knows of work that the selection has lost sight of: it must look again.
    if (pending > 0 && !this.#schedule.knowsWork()) this.#selection.restart()
    const owedAt = this.#schedule.nextWakeAt(now)
    if (owedAt !== null) await this.#alarm.setFor(owedAt, now)
  }
}

/** One line per run that sent anything; `code` and `upstreamStatus` are those of its latest failure. */
function logDrain(
  shard: string,
  { failure, ...counts }: DrainReport,
  left: { pending: number; oldestAgeMs: number | null; nextAttemptAt: number | null },
): void {
  const { pending, oldestAgeMs, nextAttemptAt } = left
  logLine(counts.accepted === counts.sent ? 'log' : 'warn', {
    event: 'drain',
    shard,
    ...counts,
    code: failure?.code,
    upstreamStatus: failure?.status ?? undefined,
    pending,
    oldestAgeMs,
    nextAttemptAt: nextAttemptAt === null ? null : toIso(nextAttemptAt),
  })
}
