/** The part of the records that changes with the stored events, in the same transaction. */
import type { HashedEvent } from '../records/event-index.ts'
import type { Delivered } from '../records/reports.ts'

export type EventIndex = {
  stored(events: readonly HashedEvent[]): void
  /** They are delivered, and their rows go. */
  settled(events: readonly Delivered[]): void
}
