/**
 * The one queue of events, and the true time: whole milliseconds, which only the queue moves on. Events of one moment happen
 * in the order in which they were planned.
 */
export type Planned = { at: number; order: number; run: () => void }

export class Queue {
  now: number
  /** How many events have happened. */
  steps = 0
  #order = 0
  readonly #heap: Planned[] = []

  constructor(now: number) {
    this.now = now
  }

  after(ms: number, run: () => void): Planned {
    this.#order += 1
    const at = this.now + Math.max(0, Math.ceil(ms))
    const planned = { at, order: this.#order, run }
    this.#push(planned)
    return planned
  }

  at(moment: number, run: () => void): Planned {
    return this.after(moment - this.now, run)
  }

  /** It will not happen. */
  cancel(planned: Planned): void {
    planned.run = nothing
  }

  /**
   * Lets everything happen until a moment. `ended`: after each event, once all that follows from it without waiting has
   * happened too; `true` ends the run there.
   */
  async runUntil(moment: number, ended: () => boolean): Promise<void> {
    for (;;) {
      const next = this.#heap[0]
      if (!next || next.at > moment) break
      this.#pop()
      if (next.run === nothing) continue
      this.now = next.at
      this.steps += 1
      next.run()
      await new Promise(setImmediate)
      if (ended()) return
    }
    this.now = moment
  }

  #push(planned: Planned): void {
    const heap = this.#heap
    let index = heap.push(planned) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (!above || !isBefore(planned, above)) break
      heap[index] = above
      index = parent
    }
    heap[index] = planned
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const [left, right] = [heap[child], heap[child + 1]]
      if (!left) break
      if (right && isBefore(right, left)) child += 1
      const least = heap[child] as Planned
      if (!isBefore(least, last)) break
      heap[index] = least
      index = child
    }
    heap[index] = last
  }
}

const nothing = () => undefined

function isBefore(a: Planned, b: Planned): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
