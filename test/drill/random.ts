/**
 * Random: all random choices of a drill, from one seed.
 * Each concern has its own stream, so that drawing more often in one does not change the others.
 */

export class Random {
  #state: number

  constructor(seed: number, concern: string) {
    this.#state = hash(`${seed}:${concern}`)
  }

  /** In [0, 1): mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.int(0, items.length - 1)] ?? items[0]
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.int(0, 15).toString(16)).join('')
  }
}

/** Draws every item once before any is drawn again, in a new random order each time. */
export class Deck<Item> {
  readonly #items: readonly [Item, ...Item[]]
  readonly #random: Random
  #left: Item[] = []

  constructor(items: readonly [Item, ...Item[]], random: Random) {
    this.#items = items
    this.#random = random
  }

  draw(): Item {
    if (this.#left.length === 0) this.#left = [...this.#items]
    const [drawn] = this.#left.splice(this.#random.int(0, this.#left.length - 1), 1)
    return drawn ?? this.#items[0]
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  return value >>> 0
}
