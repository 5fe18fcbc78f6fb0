/** The words of the outbox: what is stored, in which state, and what others are told of it. */

import type { AttemptError } from '../aep/client/verdict.ts'
import type { Hold, UpstreamState } from '../aep/upstream/state.ts'
import type { StoredKind } from '../chatlio/kind.ts'

/** `pending` will be relayed, `dead` was refused for good, `quarantined` never was a valid event. */
export const EVENT_STATES = ['pending', 'dead', 'quarantined'] as const
export type EventState = (typeof EVENT_STATES)[number]

/** Why an event is where it is. */
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

/** A try that was made, inside a request or by the outbox. `at` is when it ended. */
export type FailedAttempt = { at: number; error: AttemptError; answer: string | null }

/** What a request brings to the outbox. Times are epoch milliseconds. */
export type StoreRequest = {
  id: string
  kind: StoredKind
  receivedAt: number
  body: Uint8Array
  state: EventState
  /** The records it is split into, where it is too large for one and the request has encoded it. */
  parts: readonly string[]
  /** The try that the request has made, if it made one. */
  attempt: FailedAttempt | null
  /** Why it is quarantined. */
  error: StoredError | null
  upstream: UpstreamState
}

/** `state` is the state really held. */
export type StoreResult = { state: EventState; upstream: UpstreamState }

/** Promise 2: accepted = delivered + pending + dead + quarantined + erased. */
export type Ledger = {
  accepted: number
  delivered: number
  pending: number
  dead: number
  quarantined: number
  erased: number
}

export type ShardStatus = Ledger & {
  oldestPendingAt: number | null
  hold: Hold | null
  nextAttemptAt: number | null
}

export type ShardHealth = {
  /** What the shard knows, for whoever asks to learn from. */
  upstream: UpstreamState
  /** Whether the latest write became durable. */
  writable: boolean
  hold: Hold['reason'] | null
  /** AEP fails, or asked to wait. */
  failing: boolean
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

/** `position` orders by receipt, over all shards. */
export type Listed = EventSummary & { position: number }

export type EventDetail = EventSummary & { body: Uint8Array; answer: string | null }

export type ListFilter = { state: EventState; kind: StoredKind | null }
