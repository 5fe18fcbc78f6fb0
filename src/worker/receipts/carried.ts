/** What an isolate carries to a shard with a refresh, and what it learns in return. */
import type { UpstreamState } from '../aep/upstream/state.ts'
import type { EventKind, StoredKind } from '../chatlio/kind.ts'
import type { Hashes } from './hashes.ts'
import type { Histogram } from './histogram.ts'

/** What a webhook was answered, or `drained`: delivered by the outbox. */
export const OUTCOMES = [
  'forwarded',
  'buffered',
  'dead-lettered',
  'quarantined',
  'suppressed',
  'refused',
  'drained',
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** Webhooks of one minute, kind and outcome. `minute`: epoch milliseconds of its beginning. */
export type CountRow = {
  minute: number
  kind: StoredKind
  outcome: Outcome
  count: number
  histogram: Histogram
}

/** Where a delivered event went. Times are epoch milliseconds, `bytes` those of its body. */
export type Receipt = {
  id: string
  kind: EventKind
  receivedAt: number
  settledAt: number
  bytes: number
  hashes: Hashes
}

/**
 * `isolate` and `sequence` name the batch, so that one that is sent twice counts once. `straight`: events among the
 * counts that went to AEP without the outbox. `keys`: when webhook keys were last used, by fingerprint.
 */
export type Carried = {
  isolate: string
  sequence: number
  straight: number
  counts: readonly CountRow[]
  receipts: readonly Receipt[]
  keys: { readonly [fingerprint: string]: number }
}

export type Suppression = { hash: string; since: number; until: number }

/** What shard 0 says of lookups. `suppressions` is `null` when the isolate has this version of them already. */
export type LookupNews = {
  key: Uint8Array
  version: string
  suppressions: readonly Suppression[] | null
}

/** `taken`: the batch is durable. `news`: from shard 0 only. */
export type Exchanged = { upstream: UpstreamState; taken: boolean; news: LookupNews | null }
