/** The types of the outbox: stored events, their states, and its answers to callers. Times are epoch milliseconds. */

import type { AttemptError } from '../aep/client/verdict.ts'
import type { Hold, UpstreamState } from '../aep/upstream/state.ts'
import type { StoredKind } from '../chatlio/kind.ts'
import type { Hashes } from './records/lookup.ts'
import type { RecordsStatus } from './records/records.ts'

/** `pending`: will be relayed. `dead`: AEP refused it for good. `quarantined`: could not be read as a valid event. */
export const EVENT_STATES = ['pending', 'dead', 'quarantined'] as const
export type EventState = (typeof EVENT_STATES)[number]
/** Set aside, for an operator. */
export type ParkedState = Exclude<EventState, 'pending'>

/** Why an event is in its state. `message` is safe to log; `status` is the HTTP status, if there was an answer. */
export type StoredError = {
  code:
    | AttemptError['code']
    | 'malformed-json'
    | 'invalid-payload'
    | 'too-many-values'
    | 'processing-failed'
  status: number | null
  message: string
}

/** A failed attempt. `at`: when it ended. `answer`: AEP's answer, cut. */
export type FailedAttempt = { at: number; error: AttemptError; answer: string | null }

/** A request's order to store an event. */
export type StoreRequest = {
  id: string
  kind: StoredKind
  receivedAt: number
  body: Uint8Array
  state: EventState
  /** The records of an event that the request has split, as JSON texts; empty if it is not split. */
  parts: readonly string[]
  /** The attempt that the request made; `null` if it made none. */
  attempt: FailedAttempt | null
  /** Why the event is quarantined; `null` in the other states. */
  error: StoredError | null
  /** What the request's isolate knows about AEP; the outbox merges it with its own. */
  upstream: UpstreamState
  /** What it is looked up by; absent or `null`: the shard finds out. */
  hashes?: Hashes | null
}

/** The state of an event after merging it with a stored copy; `suppressed`: its person is, and nothing is stored. */
export type HeldState = EventState | 'suppressed'

export type StoreResult = { state: HeldState; upstream: UpstreamState }

/** Always balances: accepted = delivered + pending + dead + quarantined + erased. */
export type Ledger = {
  accepted: number
  delivered: number
  pending: number
  dead: number
  quarantined: number
  erased: number
}

/** `keys`: webhook keys by fingerprint, and when each was last used. */
export type ShardStatus = Ledger &
  RecordsStatus & {
    oldestPendingAt: number | null
    hold: Hold | null
    nextAttemptAt: number | null
  }

export type ShardHealth = {
  /** What the shard knows about AEP; the caller merges it with its own. */
  upstream: UpstreamState
  /** Whether the latest write reached durable storage. */
  writable: boolean
  hold: Hold['reason'] | null
  /** Whether AEP is failing, or has asked for a wait. */
  failing: boolean
  /** Whether the oldest pending event is close to its erasure. */
  expiring: boolean
}

export type EventSummary = {
  id: string
  kind: StoredKind
  state: EventState
  attempts: number
  receivedAt: number
  nextAttemptAt: number | null
  lastError: StoredError | null
  bytes: number
}

/** `position` orders events by receipt, across all shards. */
export type Listed = EventSummary & { position: number }

/** A try that failed. `at`: when it ended. */
export type KeptTry = { at: number; code: StoredError['code']; status: number | null }

/** `tries`: the first and the latest (`MAX_KEPT_TRIES`), oldest first. */
export type EventDetail = EventSummary & {
  body: Uint8Array
  answer: string | null
  tries: readonly KeptTry[]
}

/** `null` matches any; `path`: empty matches where none is known (`cause.ts`). Positions from `from` on and below `end`. */
export type ListFilter = {
  state: EventState
  kind: StoredKind | null
  code: string | null
  path: string | null
  from: number
  end: number
}

/** `readTo`: the position that a list has read up to; `null` when there is nothing after it. */
export type ListedPage = { events: Listed[]; readTo: number | null }
