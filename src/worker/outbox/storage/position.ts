/** The place of a new event or receipt: by its moment of receipt, and taken by nothing else. */
import { type EventReader, PER_MS } from './reader.ts'

/** The first free position of the millisecond of receipt, or of a later one when that one is full. */
export function freePosition(reader: EventReader, receivedAt: number): number {
  return new FreePositions(reader).take(receivedAt)
}

/** Positions for many at once: each is given away once, written or not. */
export class FreePositions {
  readonly #reader: EventReader
  /** By millisecond: the first position that is free. */
  readonly #next: Map<number, number>

  /** `moments`: whose places are looked up together, in one statement. */
  constructor(reader: EventReader, moments: readonly number[] = []) {
    this.#reader = reader
    this.#next = new Map(moments.length > 0 ? reader.freePositions(moments) : [])
  }

  take(receivedAt: number): number {
    for (let ms = receivedAt; ; ms += 1) {
      const free = this.#next.get(ms) ?? this.#reader.freePosition(ms)
      if (free < (ms + 1) * PER_MS) {
        this.#next.set(ms, free + 1)
        return free
      }
    }
  }
}
