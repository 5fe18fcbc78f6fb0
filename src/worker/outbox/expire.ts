/** Any stored event is erased when its time is over, and counted as erased: custody is not for ever. */
import { EXPIRE_BATCH } from '../limits.ts'
import { logLine } from '../log.ts'
import type { EventReader } from './storage/reader.ts'
import type { EventStore } from './storage/store.ts'

/** `before`: epoch milliseconds of receipt. */
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
