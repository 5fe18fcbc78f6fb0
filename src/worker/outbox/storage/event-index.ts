/** The part of a shard's records that changes with its events, in the same transaction. */
import type { PendingEvent } from './reader.ts'

/** What is kept of an event beside it, and after it. */
export type EventIndex = {
  /** `bytes`: of the body that is stored there. */
  link(position: number, hashes: string | null, bytes: number): void
  unlink(position: number, hashes: string | null): void
  /** It is delivered; its row is still there. */
  settle(event: PendingEvent): void
  /** Its delivery is on record. */
  count(event: PendingEvent): void
}
