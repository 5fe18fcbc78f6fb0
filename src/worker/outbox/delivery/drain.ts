/**
 * One run of the outbox: relays what is due, at most six requests at a time, until nothing is due or the run is long
 * enough. A pool that refills itself: as soon as one job ends the next begins, so that one that hangs costs one slot.
 *
 * Promises: every request has its own fresh timeout, begun when it gets its slot; its answer is written down as soon
 * as it is there; the bytes in flight are bounded. A fault of storage ends the run, and is thrown at its end.
 * Accepts: a crash between AEP's answer and that write sends the event again, under the same `_id`.
 */
import type { Sender } from '../../aep/client/sender.ts'
import {
  BATCH_REST_MS,
  DRAIN_CONCURRENCY,
  MAX_BYTES_IN_FLIGHT,
  MAX_EVENTS_PER_RUN,
  MAX_RUN_MS,
} from '../../limits.ts'
import { logLine } from '../../log.ts'
import { type Job, type JobDeps, nextJob } from './job.ts'
import { beginLarge, prepare } from './prepare.ts'
import { type DrainReport, newReport, type OutcomeDeps, OutcomeRecorder } from './record-outcome.ts'
import { type TransmitDeps, transmitBatch, transmitEvent } from './transmit.ts'

export type DrainDeps = Omit<JobDeps, 'envelope' | 'maxRecordBytes' | 'quarantined'> &
  Omit<OutcomeDeps, 'report'> & {
    sender: Sender
    maxEventBytes: number
    timeoutMs: number
    /** Whether AEP refuses batches as such: shared by all runs of a shard. */
    batchRest: { until: number }
    /** Resolves when there may be something new to send. */
    added: () => Promise<void>
    /** Resolves when all that has been written is durable. */
    sync: () => Promise<void>
  }

export function drain(deps: DrainDeps): Promise<DrainReport> {
  return new DrainRun(deps).run()
}

class DrainRun {
  readonly #deps: DrainDeps
  readonly #jobDeps: JobDeps
  readonly #transmitDeps: TransmitDeps
  readonly #report: DrainReport = newReport()
  readonly #running = new Map<Promise<void>, Job>()
  readonly #until: number
  #fault: { thrown: unknown } | null = null

  constructor(deps: DrainDeps) {
    const { sender, timeoutMs, now } = deps
    const recorder = new OutcomeRecorder({ ...deps, report: this.#report })
    this.#deps = deps
    this.#until = now() + MAX_RUN_MS
    this.#jobDeps = {
      ...deps,
      envelope: sender.envelope,
      maxRecordBytes: sender.envelope.maxRecordBytes(deps.maxEventBytes),
      quarantined: (id) => deps.left(id, 'quarantined'),
    }
    this.#transmitDeps = {
      sender,
      timeoutMs,
      now,
      mayContinue: () => this.#fault === null && deps.watch.isOpen(now()),
      sending: (events) => {
        this.#report.sent += events
      },
      partAccepted: recorder.partAccepted,
      ended: recorder.ended,
      giveBack: ({ selected }) => deps.selection.giveBack(selected),
    }
  }

  async run(): Promise<DrainReport> {
    for (;;) {
      while (this.#running.size < this.#slots()) {
        const job = this.#next()
        if (!job) break
        const slot = this.#work(job).finally(() => this.#running.delete(slot))
        this.#running.set(slot, job)
      }
      if (this.#running.size === 0) break
      await Promise.race([...this.#running.keys(), this.#deps.added()])
    }
    if (this.#fault) throw this.#fault.thrown
    return this.#report
  }

  /** Six when AEP takes events, one to ask whether it does again, none while it is not to be asked. */
  #slots(): number {
    const { watch, now } = this.#deps
    const at = now()
    const isOver = this.#fault || this.#report.sent >= MAX_EVENTS_PER_RUN || at >= this.#until
    if (isOver || [...this.#running.values()].some((job) => job.kind === 'large' && job.alone)) {
      return 0
    }
    if (watch.isOpen(at)) return DRAIN_CONCURRENCY
    return watch.allowsProbe(at) ? 1 : 0
  }

  #next(): Job | null {
    const { watch, batchRest, now } = this.#deps
    const at = now()
    const inFlight = [...this.#running.values()].reduce((sum, { bytes }) => sum + bytes, 0)
    const rests = at < batchRest.until && batchRest.until <= at + BATCH_REST_MS
    const probe = watch.failing
    try {
      const job = nextJob(this.#jobDeps, {
        probe,
        newestFirst: watch.rejecting,
        batches: !rests,
        roomBytes: this.#running.size === 0 ? null : MAX_BYTES_IN_FLIGHT - inFlight,
        now: at,
      })
      if (job === null && probe) watch.waitLonger()
      return job === 'wait' ? null : job
    } catch (thrown) {
      this.#fault ??= { thrown }
      return null
    }
  }

  async #work(job: Job): Promise<void> {
    try {
      if (job.kind === 'large') await this.#workLarge(job)
      else await this.#transmit(job.events)
    } catch (thrown) {
      this.#fault ??= { thrown }
    }
  }

  async #workLarge({ selected }: Extract<Job, { kind: 'large' }>): Promise<void> {
    const { selection, unfinished, sync } = this.#deps
    const { position } = selected
    try {
      const begun = await beginLarge(selected, sync, this.#jobDeps)
      const prepared = begun === 'begun' ? prepare(selected, this.#jobDeps) : null
      if (prepared) await this.#transmit([prepared])
      else selection.done(position)
    } finally {
      unfinished.finish(position)
    }
  }

  async #transmit(events: Extract<Job, { kind: 'prepared' }>['events']): Promise<void> {
    const { watch, batchRest, now, shard } = this.#deps
    const [first] = events
    if (!first) return
    if (events.length === 1) return transmitEvent(first, watch.failing, this.#transmitDeps)
    const result = await transmitBatch(events, this.#transmitDeps)
    if (result === 'as-usual') return
    batchRest.until = now() + BATCH_REST_MS
    logLine('warn', { event: 'batches-refused', shard, aloneForMs: BATCH_REST_MS })
  }
}
