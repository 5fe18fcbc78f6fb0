/**
 * Gives the Worker access to the shards of the outbox, each one Durable Object.
 * Promises: an event's shard depends only on its id and the number of shards.
 * Accepts: that number may be raised, never lowered. Events stored before stay in their shard and are still found,
 * because every operation except storing asks all shards.
 */
import type { Outbox } from './outbox.ts'
import { TOKEN_SHARD } from './token-keeper.ts'

export type OutboxStub = DurableObjectStub<Outbox>

export class Shards {
  readonly #namespace: DurableObjectNamespace<Outbox>
  readonly count: number

  constructor(namespace: DurableObjectNamespace<Outbox>, count: number) {
    this.#namespace = namespace
    this.count = count
  }

  /** The shard that stores the event with this id (hexadecimal). */
  of(id: string): OutboxStub {
    return this.#stub(this.indexOf(id))
  }

  indexOf(id: string): number {
    return Number.parseInt(id.slice(0, 8), 16) % this.count
  }

  /** Shard 0 also keeps what there is only once: states of alerts, changes of what Chatlio sends. */
  at(index: number): OutboxStub {
    return this.#stub(index)
  }

  /** The shard that keeps the access token for all others. */
  tokenKeeper(): OutboxStub {
    return this.#namespace.getByName(TOKEN_SHARD)
  }

  /** Calls every shard at once; resolves to the results by shard, or rejects if one shard fails. */
  all<Result>(call: (shard: OutboxStub, index: number) => Promise<Result>): Promise<Result[]> {
    return Promise.all(
      Array.from({ length: this.count }, (_, index) => call(this.#stub(index), index)),
    )
  }

  /** A new stub for every call: one that threw may stay broken (durable-objects/best-practices/error-handling). */
  #stub(index: number): OutboxStub {
    return this.#namespace.getByName(`shard-${index}`)
  }
}
