/** Finds events of every state, and receipts, by the beginning of an id or by keyed hash: the newest first. */
import type { Listed } from '../list.ts'
import type { EventIndex } from './event-index.ts'
import type { KnownFailure } from './landed.ts'
import type { Via } from './packed.ts'
import type { FoundReceipt, ReceiptStore } from './receipts.ts'
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

export type FindDeps = {
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

/** A delivered event, and what AEP said of it afterwards. */
export function withRefusal(event: Found, refused: KnownFailure | null): Found {
  if (refused === null) return event
  return { ...event, state: refused.recoveredAt ? 'recovered' : 'failed', refused }
}
