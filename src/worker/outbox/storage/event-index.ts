/** The part of a shard's records that changes with its events, in the same transaction. */
import type { PendingEvent } from './reader.ts'

/** What is kept of an event beside it, and after it. */
export type EventIndex = {
  /** Events are stored; `bytes`: of their bodies. */
  link(stored: readonly { position: number; hashes: string | null; bytes: number }[]): void
  unlink(position: number, hashes: string | null): void
  /** They are delivered; their rows are still there. */
  settle(events: readonly PendingEvent[]): void
  /** Their delivery is on record. */
  count(events: readonly PendingEvent[]): void
}
