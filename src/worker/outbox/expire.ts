/** Erases events older than the retention period, in any state, and counts them as erased. */
import { EXPIRE_BATCH } from '../limits.ts'
import { logLine } from '../log.ts'
import type { EventReader } from './storage/reader.ts'
import type { EventStore } from './storage/store.ts'

/** Erases every event received before `before` (epoch ms). */
export function expire(
  shard: string,
  reader: EventReader,
  store: EventStore,
  before: number,
): void {
  let erased = 0
  for (;;) {
    const expired = reader.receivedBefore(before, EXPIRE_BATCH)
    if (expired.length === 0) break
    for (const place of expired) store.erase(place)
    erased += expired.length
  }
  if (erased > 0) logLine('warn', { event: 'expired', shard, erased })
}
