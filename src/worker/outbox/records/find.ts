/**
 * Stored events and receipts together: found by the beginning of an id or by keyed hash, the newest first; or listed in one
 * order, by the moment of receipt: what came last, whatever became of it; or by conversation, to see which have a transcript.
 *
 * Promises: reads only; a list reads as many events as it shows, and of the receipts the few rows that hold these, or
 * `MAX_RECEIPT_ROWS` where a filter matches few: then a page is short, and has a cursor all the same. One row of receipts is
 * in memory at a time. One event is found once, however often it was delivered.
 * Accepts: receipts know no code and no path, so a filter by these lists stored events alone. Of two receipts that share a
 * place (once in 4,096, in the same millisecond), a page that ends between them hides one.
 */
import { MAX_COMPLETENESS_EVENTS, MAX_COMPLETENESS_ROWS, MAX_RECEIPT_ROWS } from '../../limits.ts'
import { PER_MS, type Via } from '../event.ts'
import {
  type EventList,
  type Listed,
  type ListedPage,
  type ListFilter,
  matches,
  rangeOf,
} from '../list.ts'
import {
  type Completeness,
  type CompletenessFacts,
  type ConversationEvent,
  completenessOf,
  takesPart,
} from './completeness.ts'
import type { EventIndex } from './event-index.ts'
import type { KnownFailure, LandedStore } from './landed.ts'
import { unpackHashes } from './lookup.ts'
import {
  conversationOf,
  idOf,
  matching,
  positionOf,
  recordsIn,
  timesOf,
  unpackReceipt,
  type Wanted,
} from './packed.ts'
import type { ReceiptRow } from './receipts.ts'
import type { ReportStore } from './reports.ts'

/** Positions from `from` on and below `before`. */
export type FindRequest = { by: Wanted; from: number; before: number; limit: number }

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

export type TimelinePage = { events: (Listed | Found)[]; readTo: number | null }

/** Positions from `from` on and below `before`, and how many rows of receipts are read at most. */
type Range = { from: number; before: number; newest: boolean; limit: number; most: number }

type FinderDeps = {
  list: EventList
  index: EventIndex
  reports: ReportStore
  landed: LandedStore
  receiptMs: number
  now: () => number
}

/** Of ids that receipts are found by. */
const ID_BEGINNING = /^[0-9a-f]{8,64}$/

export class Finder {
  readonly #deps: FinderDeps

  constructor(deps: FinderDeps) {
    this.#deps = deps
  }

  find({ by, from, before, limit }: FindRequest): Found[] {
    const { list, index } = this.#deps
    const isHash = 'hash' in by
    const stored = isHash
      ? index.find(by.hash, from, before, limit)
      : list.beginningWith(by.id, limit).filter((at) => at >= from && at < before)
    const events = stored.flatMap((position): Found[] => {
      const event = list.at(position)
      return event ? [{ ...event, settledAt: null, via: null, refused: null }] : []
    })
    if (isHash || ID_BEGINNING.test(by.id)) {
      const range = { from, before, newest: true, limit, most: Number.MAX_SAFE_INTEGER }
      events.push(...this.#delivered(range, by, () => true).events)
    }
    const shown = events.sort(byPosition(true)).slice(0, limit)
    return shown.map((event) => this.#withRefusal(event))
  }

  /** As `EventList.list`, with delivered events where they are asked for. */
  timeline(filter: ListFilter, after: number | null, limit: number, newest: boolean): TimelinePage {
    const { list } = this.#deps
    const { state, code, path } = filter
    const none: ListedPage = { events: [], readTo: null }
    const stored = state === 'delivered' ? none : list.list(filter, after, limit, newest)
    const [start, before] = rangeOf(filter, after, newest)
    const range = { from: start + 1, before, newest, limit, most: MAX_RECEIPT_ROWS }
    const isWanted = (event: Found) => matches(event, filter)
    const hasReceipts = ['all', 'delivered'].includes(state) && code === null && path === null
    const delivered = hasReceipts ? this.#delivered(range, null, isWanted) : none
    const ends = [stored.readTo, delivered.readTo].filter((end) => end !== null)
    // Both have been read up to there.
    const readTo = ends.length === 0 ? null : newest ? Math.max(...ends) : Math.min(...ends)
    const events = [...stored.events, ...delivered.events]
      .filter(({ position: at }) => readTo === null || (newest ? at >= readTo : at <= readTo))
      .sort(byPosition(newest))
    const last = events.length > limit ? events[limit - 1] : undefined
    const shown = events.slice(0, limit).map((event) => {
      return 'settledAt' in event ? this.#withRefusal(event) : event
    })
    return { events: shown, readTo: last?.position ?? readTo }
  }

  /** Receipts in one order, `limit` of them and those read with them. */
  #delivered(
    { from, before, newest, limit, most }: Range,
    wanted: Wanted | null,
    isWanted: (event: Found) => boolean,
  ): { events: Found[]; readTo: number | null } {
    const { reports, receiptMs, now } = this.#deps
    const settledAfter = now() - receiptMs
    const found = new Map<string, Found>()
    const take = (packed: Uint8Array) => {
      for (const record of wanted ? matching(packed, wanted) : recordsIn(packed)) {
        if (timesOf(record).settledAt <= settledAfter) continue
        const event = fromReceipt(record)
        const { id, position } = event
        const isNewest = position > (found.get(id)?.position ?? -1)
        if (position >= from && position < before && isNewest && isWanted(event)) {
          found.set(id, event)
        }
      }
    }
    const inOrder = () => [...found.values()].sort(byPosition(newest))
    for (const packed of reports.recent()) take(packed)
    let rows = 0
    for (const { first, last, packed } of reports.receipts.rows(from, before, newest, wanted)) {
      // What rows from here on hold is not before this.
      const edge = newest ? (last + 1) * PER_MS : first * PER_MS - 1
      const nth = inOrder()[limit - 1]?.position
      if (nth !== undefined && (newest ? nth >= edge : nth <= edge)) break
      const isProgress = newest ? edge < before : edge >= from
      if (rows >= most && isProgress) return { events: inOrder(), readTo: edge }
      rows += 1
      take(packed())
    }
    const events = inOrder()
    return { events, readTo: events.length > limit ? (events[limit - 1]?.position ?? null) : null }
  }

  /** A delivered event with the state that a later refusal gives it: a row read each, so it is asked for what is shown. */
  #withRefusal(event: Found): Found {
    const refused = event.settledAt === null ? null : this.#deps.landed.failureOf(event.id)
    if (refused === null) return event
    return { ...event, state: refused.recoveredAt ? 'recovered' : 'failed', refused }
  }

  /** Conversations that began since a moment; `from`: since when enough is known of them. */
  completeness(
    since: number,
    overdueAt: number,
  ): Completeness & CompletenessFacts & { from: number } {
    const { list, reports } = this.#deps
    const stored = list.newestSince(since, MAX_COMPLETENESS_EVENTS)
    const isCut = stored.length === MAX_COMPLETENESS_EVENTS
    let from = isCut ? (stored.at(-1)?.receivedAt ?? 0) + 1 : since
    const rows: ReceiptRow[] = []
    for (const row of reports.receipts.rows(from * PER_MS, Number.MAX_SAFE_INTEGER, true, null)) {
      if (rows.length === MAX_COMPLETENESS_ROWS) {
        from = Math.max(from, row.last + 1)
        break
      }
      rows.push(row)
    }
    return { ...completenessOf(this.#conversations(stored, rows, from), overdueAt), from }
  }

  /** Events that take part, of those that are stored and of receipts, in no order. */
  *#conversations(
    stored: ReturnType<EventList['newestSince']>,
    rows: readonly ReceiptRow[],
    from: number,
  ): Generator<ConversationEvent> {
    for (const { hashes, ...event } of stored) {
      if (event.receivedAt < from || !takesPart(event.kind)) continue
      const own = unpackHashes(hashes).find(({ field }) => field === 'conversation')
      yield { ...event, conversation: own?.hash ?? null }
    }
    for (const packed of this.#deps.reports.recent()) yield* conversationsIn(packed, from)
    for (const { packed } of rows) yield* conversationsIn(packed(), from)
  }
}

const byPosition = (newest: boolean) => (one: Listed | Found, other: Listed | Found) =>
  newest ? other.position - one.position : one.position - other.position

function fromReceipt(record: Uint8Array): Found {
  const { hashes: _, ...receipt } = unpackReceipt(record)
  const event = { ...receipt, position: positionOf(receipt), nextAttemptAt: null, lastError: null }
  return { ...event, state: 'delivered', refused: null }
}

function* conversationsIn(packed: Uint8Array, from: number): Generator<ConversationEvent> {
  for (const record of recordsIn(packed)) {
    const { kind, hash: conversation } = conversationOf(record)
    const { receivedAt } = timesOf(record)
    if (receivedAt >= from && takesPart(kind)) {
      yield { id: idOf(record), kind, receivedAt, conversation }
    }
  }
}
