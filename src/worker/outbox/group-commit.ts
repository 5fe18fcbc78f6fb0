/**
 * Group commit: what arrives while a write is being made durable is written together, in one transaction.
 *
 * Promises: a lone item waits for nobody, its write happens at once; an item that cannot be written fails alone, the
 * others of its group are written; none waits forever.
 * Accepts: under load an item waits for the write before it, and pays for a share of the next one instead of a whole.
 */
export class GroupCommit<Item, Result> {
  readonly #write: (items: readonly Item[]) => Result[]
  readonly #sync: () => Promise<void>
  #waiting: Waiting<Item, Result>[] = []
  #committing = false

  /**
   * `write`: returns a result for each. When it throws, each is written again alone, so what it has written until then must
   * be none, or the same when it is written again. `sync`: resolves when all that has been written is durable.
   */
  constructor(write: (items: readonly Item[]) => Result[], sync: () => Promise<void>) {
    this.#write = write
    this.#sync = sync
  }

  /** Resolves when it is written: the runtime's output gate keeps an answer back until that is durable. */
  add(item: Item): Promise<Result> {
    return this.addAll([item])[0] as Promise<Result>
  }

  /** Items that have come together: they are one group, also when nothing is being made durable. */
  addAll(items: readonly Item[]): Promise<Result>[] {
    const added = items.map((item) => {
      const { promise, resolve, reject } = Promise.withResolvers<Result>()
      this.#waiting.push({ item, resolve, reject })
      return promise
    })
    if (!this.#committing) void this.#commit()
    return added
  }

  /** Writes what waits at once. */
  flush(): void {
    if (this.#waiting.length > 0) this.#writeGroup(this.#waiting.splice(0))
  }

  async #commit(): Promise<void> {
    this.#committing = true
    while (this.#waiting.length > 0) {
      this.flush()
      try {
        await this.#sync()
      } catch {
        // The runtime fails every answer that waits for what is not durable, and starts the object anew.
      }
    }
    this.#committing = false
  }

  #writeGroup(group: readonly Waiting<Item, Result>[]): void {
    try {
      const results = this.#write(group.map(({ item }) => item))
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as Result)
    } catch (thrown) {
      const [first] = group
      if (group.length === 1) first?.reject(thrown)
      else for (const each of group) this.#writeGroup([each])
    }
  }
}

type Waiting<Item, Result> = {
  item: Item
  resolve: (result: Result) => void
  reject: (thrown: unknown) => void
}
