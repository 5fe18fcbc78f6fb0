/** What a shard still owes, and when that may be done: `schedule.ts` asked about the events that are really there. */
import type { Config } from '../../config/config.ts'
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
  readonly #selection: Selection
  readonly #watch: UpstreamWatch
  readonly #config: Config

  constructor(reader: EventReader, selection: Selection, watch: UpstreamWatch, config: Config) {
    this.#reader = reader
    this.#selection = selection
    this.#watch = watch
    this.#config = config
  }

  nextAttemptAt(now: number): number | null {
    return nextAttemptAt(this.#pendingWork(), this.#gate(), now)
  }

  /** Whether any event is known that is to be sent, now or later. */
  knowsWork(): boolean {
    return this.#selection.hasUntried() || this.#reader.nextDueAt() !== null
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
      dueAt: this.#reader.nextDueAt(),
      expiresAt: oldest === null ? null : oldest + this.#config.retentionMs,
    }
  }

  #gate(): Gate {
    const { state, failing, retryAt } = this.#watch
    return {
      paused: state.pause.paused,
      usable: this.#config.destination !== null,
      failing,
      retryAt,
      notBefore: state.notBefore,
    }
  }
}
