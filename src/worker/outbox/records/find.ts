/**
 * Stored events and receipts together: found by the beginning of an id or by keyed hash, the newest first; or listed in one
 * order, by the moment of receipt: what came last, whatever became of it.
 *
 * Promises: reads only; a list reads as many events as it shows, and of the receipts the few rows that hold these, or
 * `MAX_RECEIPT_ROWS` where a filter matches few: then a page is short, and has a cursor all the same.
 * Accepts: receipts know no code and no path, so a filter by these lists stored events alone. Of two receipts that share a
 * place (once in 4,096, in the same millisecond), a page that ends between them hides one.
 */
import { MAX_RECEIPT_ROWS } from '../../limits.ts'
import { PER_MS } from '../event.ts'
import type { EventList, Listed, ListedPage, ListFilter } from '../list.ts'
import type { EventIndex } from './event-index.ts'
import type { KnownFailure } from './landed.ts'
import type { Via } from './packed.ts'
import type { FoundReceipt, ReceiptStore } from './receipts.ts'
import type { Receipts } from './records.ts'
import type { ReportStore } from './reports.ts'

/** Positions from `from` on and below `before`. `id`: its beginning, 8 digits at least. */
export type FindRequest = {
  by: { id: string } | { hash: string }
  from: number
  before: number
  limit: number
}

/**
 * `settledAt`: epoch milliseconds of AEP's acceptance; `via`: how. Both `null` while the event is stored. `refused`: that AEP
 * did not keep it afterwards; the event is then `failed`, or `recovered` once AEP has taken it again.
 */
export type Found = Omit<Listed, 'state'> & {
  state: Listed['state'] | 'delivered' | 'failed' | 'recovered'
  settledAt: number | null
  via: Via | null
  refused: KnownFailure | null
}

/** Stored events, as their own room shows them. */
export type FoundEvents = {
  /** Positions of the events whose id begins so, at most `limit`. */
  beginningWith(id: string, limit: number): number[]
  at(position: number): Listed | null
}

type FindDeps = {
  events: FoundEvents
  index: EventIndex
  receipts: ReceiptStore
  reports: ReportStore
  /** What AEP refused afterwards. */
  failureOf: (id: string) => KnownFailure | null
  /** Receipts settled until then are over. */
  settledAfter: number
}

/** Of ids that receipts are found by. */
const ID_BEGINNING = /^[0-9a-f]{8,64}$/

export function findEvents({ by, from, before, limit }: FindRequest, deps: FindDeps): Found[] {
  const { events, index, receipts, reports, failureOf, settledAfter } = deps
  const stored =
    'hash' in by
      ? index.find(by.hash, from, before, limit)
      : events.beginningWith(by.id, limit).filter((at) => at >= from && at < before)
  const range = { from, before, limit, settledAfter }
  const delivered =
    'hash' in by || ID_BEGINNING.test(by.id) ? receipts.find(by, range, reports.receipts()) : []
  return [
    ...stored.flatMap((position) => atPosition(position, events)),
    ...delivered.map((receipt) => fromReceipt(receipt, failureOf(receipt.id))),
  ]
    .sort((a, b) => b.position - a.position)
    .slice(0, limit)
}

function atPosition(position: number, events: FoundEvents): Found[] {
  const event = events.at(position)
  return event ? [{ ...event, settledAt: null, via: null, refused: null }] : []
}

export function fromReceipt(
  { hashes: _, ...receipt }: FoundReceipt,
  refused: KnownFailure | null,
): Found {
  const event = { ...receipt, nextAttemptAt: null, lastError: null }
  return withRefusal({ ...event, state: 'delivered', refused: null }, refused)
}

/** A delivered event with the state that a later refusal gives it. */
export function withRefusal(event: Found, refused: KnownFailure | null): Found {
  if (refused === null) return event
  return { ...event, state: refused.recoveredAt ? 'recovered' : 'failed', refused }
}

/** `all`: stored and delivered events. */
export type TimelineFilter = Omit<ListFilter, 'state'> & { state: 'all' | 'delivered' }

export type TimelinePage = { events: (Listed | Found)[]; readTo: number | null }

/** As `EventList.list`. */
export function timeline(
  filter: TimelineFilter,
  after: number | null,
  limit: number,
  newest: boolean,
  { list, receipts }: { list: EventList; receipts: Receipts },
): TimelinePage {
  const none: ListedPage = { events: [], readTo: null }
  const stored =
    filter.state === 'all' ? list.list({ ...filter, state: 'all' }, after, limit, newest) : none
  const hasReceipts = filter.code === null && filter.path === null
  const delivered = hasReceipts ? page(filter, after, limit, newest, receipts) : none
  const ends = [stored.readTo, delivered.readTo].filter((end) => end !== null)
  // Both have been read up to there.
  const end = ends.length === 0 ? null : newest ? Math.max(...ends) : Math.min(...ends)
  const events = [...stored.events, ...delivered.events]
    .filter(({ position }) => end === null || (newest ? position >= end : position <= end))
    .sort((a, b) => (newest ? b.position - a.position : a.position - b.position))
  const last = events.length > limit ? events[limit - 1] : undefined
  const shown = events.slice(0, limit).map((event) => {
    return 'settledAt' in event ? withRefusal(event, receipts.afterwards(event.id)) : event
  })
  return { events: shown, readTo: last?.position ?? end }
}

function page(
  { kind, source, idPrefix, from, end }: TimelineFilter,
  after: number | null,
  limit: number,
  newest: boolean,
  receipts: Receipts,
): TimelinePage {
  const start = newest ? from : Math.max((after ?? -1) + 1, from)
  const below = newest ? Math.min(after ?? end, end) : end
  const found = new Map<string, Found>()
  const take = (events: Iterable<Found>) => {
    for (const event of events) {
      if (event.position < start || event.position >= below) continue
      if (kind !== null && event.kind !== kind) continue
      if (source && event.source !== source) continue
      if (idPrefix && !event.id.startsWith(idPrefix)) continue
      found.set(event.id, event)
    }
  }
  const inOrder = () =>
    [...found.values()].sort((a, b) => (newest ? b.position - a.position : a.position - b.position))
  take(receipts.recent())
  let rows = 0
  for (const { first, last, read } of receipts.rows(start, below, newest)) {
    // What rows from here on hold is not before this.
    const edge = newest ? (last + 1) * PER_MS : first * PER_MS - 1
    const nth = inOrder()[limit - 1]?.position
    if (nth !== undefined && (newest ? nth >= edge : nth <= edge)) break
    const isProgress = newest ? edge < below : edge >= start
    if (rows >= MAX_RECEIPT_ROWS && isProgress) return { events: inOrder(), readTo: edge }
    rows += 1
    take(read())
  }
  const events = inOrder()
  return { events, readTo: events.length > limit ? (events[limit - 1]?.position ?? null) : null }
}
