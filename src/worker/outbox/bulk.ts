/**
 * Actions on many stored events: all that a filter matches, or some by their ids.
 *
 * Promises: a page at a time, bounded by events and by bytes, whichever way they are chosen, so that the outbox goes on with
 * other work between two pages. What is dry changes nothing and counts what a real run would find. A quarantined event is
 * validated again before it is redriven, and stays when it is still invalid; one of a suppressed person stays as well.
 */
import { readEventOrNull } from '../chatlio/event.ts'
import { parseJson } from '../lib/json.ts'
import { BULK_BYTES } from '../limits.ts'
import type { Events } from './events.ts'
import type { EventList, Listed, ListFilter } from './list.ts'

export type BulkRequest = {
  /** A redrive takes none that is pending. */
  filter: ListFilter
  /** Only these ids; `null`: all. */
  ids: readonly string[] | null
  dryRun: boolean
  /** Where the page begins: behind a position, or with `ids` behind so many of them. */
  after: number
  limit: number
}

/**
 * `positions`: where the redriven ones are. `next`: the `after` of the next page; `null` if this is the last one.
 */
export type RedrivePage = {
  matched: number
  redriven: number
  stillInvalid: number
  positions: number[]
  next: number | null
}
export type DeletePage = { matched: number; erased: number; next: number | null }

type BulkDeps = {
  events: Events
  list: EventList
  isSuppressed: (hashes: string) => boolean
}

export class Bulk {
  readonly #deps: BulkDeps

  constructor(deps: BulkDeps) {
    this.#deps = deps
  }

  /** Part of the caller's transaction. */
  redrive(request: BulkRequest): RedrivePage {
    const { dryRun } = request
    const { found, next } = this.#page(request)
    const page: RedrivePage = { matched: 0, redriven: 0, stillInvalid: 0, positions: [], next }
    for (const { position, state } of found) {
      const event = state === 'pending' ? null : this.#deps.events.read(position)
      if (!event) continue
      page.matched += 1
      const reading = readEventOrNull(event, parseJson(event.body))
      if (state === 'quarantined' && reading?.outcome !== 'valid') {
        page.stillInvalid += 1
        continue
      }
      if (dryRun || this.#deps.isSuppressed(event.hashes)) continue
      this.#deps.events.requeue(position, reading?.kind ?? event.kind)
      page.positions.push(position)
      page.redriven += 1
    }
    return page
  }

  /** Part of the caller's transaction. */
  erase(request: BulkRequest): DeletePage {
    const { found, next } = this.#page(request)
    if (request.dryRun) return { matched: found.length, erased: 0, next }
    this.#deps.events.erase(
      found.map(({ position }) => position),
      'deleted',
    )
    return { matched: found.length, erased: found.length, next }
  }

  #page({ filter, ids, after, limit }: BulkRequest): { found: Listed[]; next: number | null } {
    return ids ? this.#byIds(filter, ids, after, limit) : this.#all(filter, after, limit)
  }

  #all(filter: ListFilter, after: number, limit: number) {
    const { events, readTo } = this.#deps.list.list(filter, after, limit)
    const found = withinBytes(events)
    const last = found.at(-1)
    return { found, next: found.length < events.length && last ? last.position : readTo }
  }

  #byIds(filter: ListFilter, ids: readonly string[], after: number, limit: number) {
    const distinct = [...new Set(ids)]
    const from = Math.max(after, 0)
    const asked = distinct.slice(from, from + limit)
    const taken: Listed[] = []
    let bytes = 0
    for (const [index, id] of asked.entries()) {
      const event = this.#deps.list.find(id, filter)
      bytes += event?.bytes ?? 0
      if (taken.length > 0 && bytes > BULK_BYTES) return { found: taken, next: from + index }
      if (event) taken.push(event)
    }
    const next = from + asked.length
    return { found: taken, next: next < distinct.length ? next : null }
  }
}

/** The first always, however large. */
export function withinBytes<Event extends { bytes: number }>(events: readonly Event[]): Event[] {
  let bytes = 0
  const end = events.findIndex((event, index) => {
    bytes += event.bytes
    return index > 0 && bytes > BULK_BYTES
  })
  return end === -1 ? [...events] : events.slice(0, end)
}
