/** The place of a new event or receipt: by its moment of receipt, and taken by nothing else. */
import { type EventReader, PER_MS } from './reader.ts'

/** The first free position of the millisecond of receipt, or of a later one when that one is full. */
export function freePosition(reader: EventReader, receivedAt: number): number {
  for (let first = receivedAt * PER_MS; ; first += PER_MS) {
    const last = reader.lastPosition(first, first + PER_MS - 1)
    if (last === null) return first
    if (last + 1 < first + PER_MS) return last + 1
  }
}
