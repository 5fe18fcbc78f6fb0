/** When a shard has to be awake: `schedule.ts` applied to the events that are stored and to what is known of AEP. */
import type { Config } from '../../config/config.ts'
import type { PendingQueue } from '../storage/pending-queue.ts'
import type { EventReader } from '../storage/reader.ts'
import {
  earliestAttemptAt,
  type Gate,
  nextAttemptAt,
  nextWakeAt,
  type PendingWork,
} from './schedule.ts'
import type { Selection } from './selection.ts'
import type { UpstreamWatch } from './upstream-watch.ts'

export class WorkSchedule {
  readonly #reader: EventReader
  readonly #queue: PendingQueue
  readonly #selection: Selection
  readonly #watch: UpstreamWatch
  readonly #config: Config

  constructor(
    reader: EventReader,
    queue: PendingQueue,
    selection: Selection,
    watch: UpstreamWatch,
    config: Config,
  ) {
    this.#reader = reader
    this.#queue = queue
    this.#selection = selection
    this.#watch = watch
    this.#config = config
  }

  /** Epoch milliseconds of the next attempt; `null` when none is due before something else happens. */
  nextAttemptAt(now: number): number | null {
    return nextAttemptAt(this.#pendingWork(), this.#gate(), now)
  }

  /** Whether any event is known that is to be sent, now or later. */
  knowsWork(): boolean {
    return this.#selection.hasUntried() || this.#queue.nextDueAt() !== null
  }

  earliestAttemptAt(now: number): number {
    return earliestAttemptAt(this.#gate(), now)
  }

  nextWakeAt(now: number): number | null {
    return nextWakeAt(this.#pendingWork(), this.#gate(), now, this.#config.retryCapMs)
  }

  #pendingWork(): PendingWork {
    const oldest = this.#reader.oldestAt()
    return {
      untried: this.#selection.hasUntried(),
      dueAt: this.#queue.nextDueAt(),
      expiresAt: oldest === null ? null : oldest + this.#config.retentionMs,
    }
  }

  #gate(): Gate {
    const { paused, failing, retryAt, notBefore } = this.#watch
    return { paused, usable: this.#config.destination !== null, failing, retryAt, notBefore }
  }
}
