/**
 * Sends dead or quarantined events on their way again, a page at a time.
 * Promises: a quarantined event is read again first and stays where it is when it is still not valid; a dry run
 * changes nothing and counts the same. An event of a suppressed person is counted, and stays.
 */
import { readEvent } from '../chatlio/event.ts'
import type { StoredKind } from '../chatlio/kind.ts'
import { parseJson } from '../lib/json.ts'
import type { EventState } from './state.ts'
import type { Listing } from './storage/listing.ts'
import type { EventReader, Place } from './storage/reader.ts'
import type { EventStore } from './storage/store.ts'

export type RedriveRequest = {
  state: Exclude<EventState, 'pending'>
  kind: StoredKind | null
  /** Only these; `null`: all, from `after` on. */
  ids: readonly string[] | null
  dryRun: boolean
  after: number
  limit: number
}

/** `next` is where the next page begins; `null` after the last. */
export type RedrivePage = {
  matched: number
  redriven: number
  stillInvalid: number
  next: number | null
}

export function redrive(
  { state, kind, ids, dryRun, after, limit }: RedriveRequest,
  { store, reader, listing }: { store: EventStore; reader: EventReader; listing: Listing },
  requeued: (position: number) => void,
  isSuppressed: (place: Place) => boolean,
): RedrivePage {
  const filter = { state, kind }
  const positions = ids
    ? [...new Set(ids)].flatMap((id) => {
        const place = reader.find(id)
        return place?.state === state ? [place.position] : []
      })
    : listing.list(filter, after, limit).map(({ position }) => position)
  const page: RedrivePage = { matched: 0, redriven: 0, stillInvalid: 0, next: null }
  for (const position of positions) {
    const event = reader.readParked(position)
    if (!event || (kind !== null && event.kind !== kind)) continue
    page.matched += 1
    const reading = readEvent(event, parseJson(event.body))
    if (state === 'quarantined' && reading.outcome !== 'valid') {
      page.stillInvalid += 1
      continue
    }
    if (dryRun || isSuppressed({ position, state })) continue
    store.requeue(position, state, reading.kind, null)
    requeued(position)
    page.redriven += 1
  }
  if (!ids && positions.length === limit) page.next = positions.at(-1) ?? null
  return page
}
