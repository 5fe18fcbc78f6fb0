/**
 * Takes events into the outbox.
 *
 * Promises: an event that `store` resolved for is written, and what delivers it knows of it. Those that arrive together are
 * written together (`GroupCommit`); what decides how an event is stored (its person, AEP's state) is looked at in the
 * moment of writing, since both may change while it waits.
 */
import { MAX_WAITING_BYTES } from '../limits.ts'
import { tryOfRequest, withoutRefusal } from './delivery/attempt-outcome.ts'
import type { Backoff } from './delivery/backoff.ts'
import type { Delivery } from './delivery/delivery.ts'
import { logDeadLetter } from './delivery/record-outcome.ts'
import type { UpstreamWatch } from './delivery/upstream-watch.ts'
import { GroupCommit } from './group-commit.ts'
import type { Records } from './records/records.ts'
import type { HeldState, StoreRequest } from './state.ts'
import type { Arrivals } from './storage/arrivals.ts'
import type { Place } from './storage/reader.ts'

export type IntakeDeps = {
  shard: string
  backoff: Backoff
  watch: UpstreamWatch
  records: Records
  arrivals: Arrivals
  delivery: Delivery
  /** Resolves when all that has been written is durable. */
  sync: () => Promise<void>
  random: () => number
}

export class Intake {
  readonly #deps: IntakeDeps
  readonly #commit: GroupCommit<StoreRequest, HeldState>
  /** Bytes of the bodies that wait, at most. */
  #waitingBytes = 0

  constructor(deps: IntakeDeps) {
    this.#deps = deps
    this.#commit = new GroupCommit((requests) => this.#write(requests), deps.sync)
  }

  async store(request: StoreRequest): Promise<HeldState> {
    const { records, delivery } = this.#deps
    const hashes = await records.hashesOf(request)
    this.#waitingBytes += request.body.length
    const stored = this.#commit.add({ ...request, hashes })
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.flush()
    const state = await stored
    if (state !== 'suppressed') await delivery.scheduleNewWork()
    return state
  }

  /** Writes what waits, so that an operator's command sees it. */
  flush(): void {
    this.#commit.flush()
  }

  #write(requests: readonly StoreRequest[]): HeldState[] {
    const { records } = this.#deps
    this.#waitingBytes = 0
    const states = this.#put(requests.filter(({ hashes = null }) => !records.isSuppressed(hashes)))
    return requests.map((request) => states.get(request) ?? 'suppressed')
  }

  #put(requests: readonly StoreRequest[]): Map<StoreRequest, HeldState> {
    const { shard, backoff, watch, arrivals, delivery, random } = this.#deps
    for (const { upstream } of requests) watch.mergeFrom(upstream)
    const places = arrivals.put(
      requests.map((each) => {
        const request = watch.rejecting ? withoutRefusal(each) : each
        return { request, tried: tryOfRequest(request, backoff, random) }
      }),
    )
    const states = new Map<StoreRequest, HeldState>()
    for (const [index, request] of requests.entries()) {
      const { position, state } = places[index] as Place
      if (state === 'dead' && request.state === 'dead' && request.attempt) {
        logDeadLetter(shard, request, request.attempt.error)
      }
      delivery.added(position)
      states.set(request, state)
    }
    return states
  }
}
