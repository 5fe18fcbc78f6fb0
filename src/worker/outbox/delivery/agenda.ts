/** What a shard still owes, and when that may be done: `schedule.ts` asked about the events that are really there. */
import type { Config } from '../../config/config.ts'
import type { EventReader } from '../storage/reader.ts'
import { type Gate, nextAttemptAt, nextWakeAt, type Owed, opensAt } from './schedule.ts'
import type { Selection } from './selection.ts'
import type { DestinationWatch } from './upstream-watch.ts'

export class Agenda {
  readonly #reader: EventReader
  readonly #selection: Selection
  readonly #watch: DestinationWatch
  readonly #config: Config

  constructor(reader: EventReader, selection: Selection, watch: DestinationWatch, config: Config) {
    this.#reader = reader
    this.#selection = selection
    this.#watch = watch
    this.#config = config
  }

  nextAttemptAt(now: number): number | null {
    return nextAttemptAt(this.#owed(), this.#gate(), now)
  }

  /** Whether any event is known that is to be sent, now or later. */
  knowsWork(): boolean {
    return this.#selection.hasUntried() || this.#reader.nextDueAt() !== null
  }

  opensAt(now: number): number {
    return opensAt(this.#gate(), now)
  }

  nextWakeAt(now: number): number | null {
    return nextWakeAt(this.#owed(), this.#gate(), now, this.#config.retryCapMs)
  }

  #owed(): Owed {
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
