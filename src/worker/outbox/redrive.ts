/**
 * Makes dead or quarantined events pending again, one page at a time.
 * Promises: a quarantined event is validated again first, and stays quarantined if it is still invalid. An event of a
 * suppressed person is counted, and stays. A dry run changes nothing, and reports what a real one would find.
 */
import { readEventOrNull } from '../chatlio/event.ts'
import { parseJson } from '../lib/json.ts'
import { type MatchRequest, matchPage } from './match.ts'
import type { ParkedEvents } from './storage/parked.ts'
import type { EventReader, Place } from './storage/reader.ts'
import type { EventStore } from './storage/store.ts'

/** `next`: the `after` of the next page; `null` if this is the last one. */
export type RedrivePage = {
  matched: number
  redriven: number
  stillInvalid: number
  next: number | null
}

/** Calls `requeued` for each event that is pending again. */
export function redrive(
  request: MatchRequest,
  { store, reader, parked }: { store: EventStore; reader: EventReader; parked: ParkedEvents },
  requeued: (position: number) => void,
  isSuppressed: (place: Place) => boolean,
): RedrivePage {
  const { filter, dryRun } = request
  const { state } = filter
  const { positions, next } = matchPage(request, parked)
  const page: RedrivePage = { matched: 0, redriven: 0, stillInvalid: 0, next }
  for (const position of positions) {
    const event = reader.readParked(position)
    if (!event) continue
    page.matched += 1
    const reading = readEventOrNull(event, parseJson(event.body))
    if (state === 'quarantined' && reading?.outcome !== 'valid') {
      page.stillInvalid += 1
      continue
    }
    if (dryRun || isSuppressed({ position, state })) continue
    store.requeue(position, state, reading?.kind ?? event.kind, null)
    requeued(position)
    page.redriven += 1
  }
  return page
}
