/** The place of new events and receipts: by their moment of receipt, and taken by nothing else. */
import { type EventReader, PER_MS } from './reader.ts'

/**
 * Positions for several at once: each is given away once. The first free one of the millisecond of receipt, or of a
 * later one when that one is full.
 */
export class FreePositions {
  readonly #reader: EventReader
  /** By millisecond: the first position that is free. */
  readonly #next: Map<number, number>

  constructor(reader: EventReader, next: Map<number, number>) {
    this.#reader = reader
    this.#next = next
  }

  take(receivedAt: number): number {
    for (let ms = receivedAt; ; ms += 1) {
      const free = this.#next.get(ms) ?? this.#reader.freePositions([ms]).get(ms) ?? ms * PER_MS
      this.#next.set(ms, free + 1)
      if (free < (ms + 1) * PER_MS) return free
    }
  }
}
