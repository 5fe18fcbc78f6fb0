/**
 * The outbox as the Worker sees it: one object, or several.
 * An event's shard follows from its id. The number of shards may be raised (an event stored before stays where it is,
 * and is found, because everything but storing goes over all of them), never lowered.
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

  of(id: string): OutboxStub {
    return this.#stub(Number.parseInt(id.slice(0, 8), 16) % this.count)
  }

  /** Shard 0 also keeps what there is only once: states of alerts, changes of what Chatlio sends. */
  at(index: number): OutboxStub {
    return this.#stub(index)
  }

  tokenKeeper(): OutboxStub {
    return this.#namespace.getByName(TOKEN_SHARD)
  }

  /** Asks every shard at once; rejects when one does not answer. */
  all<Result>(ask: (shard: OutboxStub, index: number) => Promise<Result>): Promise<Result[]> {
    return Promise.all(
      Array.from({ length: this.count }, (_, index) => ask(this.#stub(index), index)),
    )
  }

  /** A fresh stub every time: one that has thrown may stay broken (durable-objects/best-practices/error-handling). */
  #stub(index: number): OutboxStub {
    return this.#namespace.getByName(`shard-${index}`)
  }
}
