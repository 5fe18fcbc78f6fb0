/**
 * The requests that the outbox has under way: a pool that refills itself until nothing is due or the run is long enough.
 *
 * Promises: as soon as one ends the next begins, so that one that hangs costs one slot; the pool grows by one for each
 * request that AEP takes while it is full, and is small again once AEP throttles or fails; the bytes under way are bounded. A
 * fault of storage or of the runtime ends the run, and is thrown at its end; one that an event alone meets before it is sent
 * ends it when the others are sent.
 */
import { Interrupted } from '../../aep/client/verdict.ts'
import {
  BATCH_COOLDOWN_MS,
  MAX_BYTES_IN_FLIGHT,
  MAX_BYTES_PER_RUN,
  MAX_EVENTS_PER_RUN,
  MAX_RUN_MS,
  MIN_CONCURRENCY,
} from '../../limits.ts'
import { logLine } from '../../log.ts'
import type { DeliveryDeps } from './delivery.ts'
import type { Outcomes } from './outcome.ts'
import type { Job, Send } from './send.ts'

type PoolDeps = { send: Send; outcomes: Outcomes } & Pick<DeliveryDeps, 'config' | 'now' | 'watch'>

export class Pool {
  readonly #deps: PoolDeps
  #concurrency = MIN_CONCURRENCY
  /** Until when events are sent one by one, since AEP refuses batches as such. */
  #aloneUntil = 0
  #added = Promise.withResolvers<void>()

  constructor(deps: PoolDeps) {
    this.#deps = deps
  }

  /** There may be something new to send. */
  added(): void {
    this.#added.resolve()
    this.#added = Promise.withResolvers()
  }

  async drain(): Promise<void> {
    const run = new Run(this.#deps.now() + MAX_RUN_MS)
    for (;;) {
      while (run.jobs.size < this.#slots(run)) {
        const isProbe = this.#deps.watch.known().gate === 'probe'
        const job = this.#next(run, isProbe)
        if (!job) break
        const slot = this.#work(job, isProbe, run).finally(() => run.jobs.delete(slot))
        run.jobs.set(slot, job)
      }
      if (run.jobs.size === 0) break
      await Promise.race([...run.jobs.keys(), this.#added.promise])
    }
    const fault = run.fault ?? this.#deps.outcomes.unwritten
    if (fault) throw fault.thrown
  }

  /** As many as AEP takes; one to ask whether it does again; none while it is not to be asked. */
  #slots(run: Run): number {
    const { watch, now, outcomes } = this.#deps
    const isOver =
      run.fault !== null ||
      outcomes.report.sent >= MAX_EVENTS_PER_RUN ||
      run.bytes >= MAX_BYTES_PER_RUN ||
      now() >= run.until
    if (isOver || run.isAlone) return 0
    const { gate } = watch.known()
    if (gate === 'open') return this.#most
    this.#concurrency = MIN_CONCURRENCY
    return gate === 'probe' ? 1 : 0
  }

  get #most(): number {
    return Math.min(this.#concurrency, this.#deps.config.deliveryConcurrency)
  }

  #next(run: Run, probe: boolean): Job | null {
    const { send, watch, now } = this.#deps
    const { rejecting } = watch.known()
    const at = now()
    try {
      const job = send.nextJob({
        probe,
        rejecting,
        batches: at >= this.#aloneUntil || this.#aloneUntil > at + BATCH_COOLDOWN_MS,
        slots: this.#most,
        roomBytes: run.jobs.size === 0 ? null : MAX_BYTES_IN_FLIGHT - run.bytesUnderWay,
        now: at,
      })
      if (job === 'wait') return null
      if (probe) watch.happened({ what: job ? 'probe' : 'no-probe' })
      return job
    } catch (thrown) {
      run.fault ??= { thrown }
      return null
    }
  }

  async #work(job: Job, isProbe: boolean, run: Run): Promise<void> {
    const { send, watch, outcomes } = this.#deps
    const { report } = outcomes
    const mayContinue = () => run.fault === null && watch.known().gate === 'open'
    const wasFull = run.jobs.size + 1 >= this.#concurrency
    const accepted = report.accepted
    report.sent += job.kind === 'large' ? 1 : job.events.length
    run.bytes += job.bytes
    try {
      const result = await send.send(job, isProbe, mayContinue)
      if (outcomes.aborted) run.fault ??= { thrown: new Interrupted() }
      if (wasFull && report.accepted > accepted) this.#concurrency += 1
      if (result === 'as-usual') return
      this.#aloneUntil = this.#deps.now() + BATCH_COOLDOWN_MS
      logLine('warn', { event: 'batches-refused', aloneForMs: BATCH_COOLDOWN_MS })
    } catch (thrown) {
      run.fault ??= { thrown }
    }
  }
}

class Run {
  readonly until: number
  readonly jobs = new Map<Promise<void>, Job>()
  bytes = 0
  fault: { thrown: unknown } | null = null

  constructor(until: number) {
    this.until = until
  }

  get bytesUnderWay(): number {
    let sum = 0
    for (const { bytes } of this.jobs.values()) sum += bytes
    return sum
  }

  get isAlone(): boolean {
    for (const job of this.jobs.values()) if (job.kind === 'large' && job.alone) return true
    return false
  }
}
