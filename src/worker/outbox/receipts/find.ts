/** Finds events of every state, and receipts, by id or by keyed hash: index entries only, the newest first. */
import type { Listed } from '../state.ts'
import type { Listing } from '../storage/listing.ts'
import type { EventReader } from '../storage/reader.ts'
import type { Lookups } from './lookups.ts'
import type { KeptReceipt, ReceiptStore, Via } from './receipts.ts'

/** Positions from `from` on and below `before`. */
export type FindRequest = {
  by: { id: string } | { hash: string }
  from: number
  before: number
  limit: number
}

/** `settledAt`: epoch milliseconds of AEP's acceptance; `via`: how. Both `null` while the event is stored. */
export type Found = Omit<Listed, 'state'> & {
  state: Listed['state'] | 'delivered'
  settledAt: number | null
  via: Via | null
}

type FindDeps = {
  reader: EventReader
  listing: Listing
  receipts: ReceiptStore
  lookups: Lookups
}

export function find({ by, from, before, limit }: FindRequest, deps: FindDeps): Found[] {
  const positions =
    'hash' in by
      ? deps.lookups.positions(by.hash, from, before, limit)
      : positionsOf(by.id, deps).filter((position) => position >= from && position < before)
  return positions.flatMap((position) => at(position, deps) ?? [])
}

/** An event that was delivered and came again may be stored, and have its receipt. */
function positionsOf(id: string, { reader, receipts }: FindDeps): number[] {
  const positions = [reader.find(id)?.position ?? null, receipts.positionOf(id)]
  return positions.filter((position) => position !== null).sort((a, b) => b - a)
}

function at(position: number, { listing, receipts }: FindDeps): Found | null {
  const stored = listing.at(position)
  if (stored) return { ...stored, settledAt: null, via: null }
  const receipt = receipts.at(position)
  return receipt && fromReceipt(receipt)
}

function fromReceipt({ settledAt, via, ...receipt }: KeptReceipt): Found {
  return { ...receipt, state: 'delivered', nextAttemptAt: null, lastError: null, settledAt, via }
}
