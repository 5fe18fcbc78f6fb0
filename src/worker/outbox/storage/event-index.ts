/** What the records hear of stored events. */
import type { HashedEvent } from '../records/event-index.ts'
import type { Delivered } from '../records/reports.ts'

export type EventIndex = {
  /** Part of the transaction that stores them. */
  stored(events: readonly HashedEvent[]): void
  /** After the transaction that forgets them. */
  settled(events: readonly Delivered[]): void
}
