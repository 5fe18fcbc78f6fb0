/**
 * Makes dead or quarantined events pending again, one page at a time.
 * Promises: a quarantined event is validated again first, and stays quarantined if it is still invalid. An event of a
 * suppressed person is counted, and stays. A dry run changes nothing, and reports what a real one would find.
 */
import { readEventOrNull } from '../chatlio/event.ts'
import type { StoredKind } from '../chatlio/kind.ts'
import { parseJson } from '../lib/json.ts'
import type { EventState } from './state.ts'
import type { Listing } from './storage/listing.ts'
import type { EventReader, Place } from './storage/reader.ts'
import type { EventStore } from './storage/store.ts'

export type RedriveRequest = {
  state: Exclude<EventState, 'pending'>
  kind: StoredKind | null
  /** Only those with this `lastError.code`; `null`: any. */
  code: string | null
  /** Only these ids; `null`: all events after position `after`, at most `limit` of them. */
  ids: readonly string[] | null
  dryRun: boolean
  after: number
  limit: number
}

/** `next`: the `after` of the next page; `null` if this is the last one. */
export type RedrivePage = {
  matched: number
  redriven: number
  stillInvalid: number
  next: number | null
}

/** Calls `requeued` for each event that is pending again. */
export function redrive(
  { state, kind, code, ids, dryRun, after, limit }: RedriveRequest,
  { store, reader, listing }: { store: EventStore; reader: EventReader; listing: Listing },
  requeued: (position: number) => void,
  isSuppressed: (place: Place) => boolean,
): RedrivePage {
  const filter = { state, kind, code }
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
    if (ids && code !== null && listing.get(event.id)?.lastError?.code !== code) continue
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
  if (!ids && positions.length === limit) page.next = positions.at(-1) ?? null
  return page
}
