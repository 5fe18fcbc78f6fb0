/**
 * Erases dead or quarantined events, one page at a time: their content is overwritten, and they are counted as erased.
 * A dry run counts them. A page ends early when it has erased as many bytes as one step may.
 */
import { ERASE_BYTES } from '../limits.ts'
import { type MatchRequest, matchPage } from './match.ts'
import type { ParkedEvents } from './storage/parked.ts'
import type { EventStore } from './storage/store.ts'

export type EraseMatchingPage = { matched: number; erased: number; next: number | null }

export function eraseMatching(
  request: MatchRequest,
  { store, parked }: { store: EventStore; parked: ParkedEvents },
): EraseMatchingPage {
  const { filter, ids, dryRun } = request
  const { positions, next } = matchPage(request, parked)
  if (dryRun) return { matched: positions.length, erased: 0, next }
  let erased = 0
  let bytes = 0
  for (const position of positions) {
    if (!ids && bytes >= ERASE_BYTES) {
      return { matched: erased, erased, next: positions[erased - 1] ?? null }
    }
    bytes += parked.bytes(position)
    store.erase({ position, state: filter.state })
    erased += 1
  }
  return { matched: erased, erased, next }
}
