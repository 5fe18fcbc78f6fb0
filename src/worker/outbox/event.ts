/**
 * What the outbox stores: an event, its states, its attempts; and why one is parked, in the form by which such events are
 * grouped, counted, listed and alerted about. Names places and expectations, never values. Times are epoch milliseconds. Pure.
 * Accepts: numbers in a path become `*`, so `messages.0.text` and `messages.7.text` are one cause, and so are two names
 * that differ in a digit only.
 */

import type { AttemptError } from '../aep/client/verdict.ts'
import type { Redacted } from '../aep/record/redact.ts'
import type { Reading } from '../chatlio/event.ts'
import type { StoredKind } from '../chatlio/kind.ts'
import { MAX_JSON_VALUES } from '../limits.ts'
import type { History, Recorded } from './blame.ts'

/** `dead`: AEP refused it for good. `quarantined`: cannot be read as a valid event. */
export const PARKED_STATES = ['dead', 'quarantined'] as const
export type ParkedState = (typeof PARKED_STATES)[number]
/** `pending`: will be relayed. */
export const EVENT_STATES = ['pending', ...PARKED_STATES] as const
export type EventState = (typeof EVENT_STATES)[number]

/** Why an event is in its state. `message` is safe to log; `status` is the HTTP status, if there was an answer. */
export type StoredError = {
  code:
    | AttemptError['code']
    | 'malformed-json'
    | 'invalid-payload'
    | 'too-many-values'
    | 'processing-failed'
    | 'settings-changed'
    | 'unsupported-media-type'
  status: number | null
  message: string
}

/** Positions per millisecond of receipt. 4096 × today's epoch milliseconds stays below 2^53. */
export const PER_MS = 4096

/** Always balances: accepted = delivered + pending + dead + quarantined + erased. */
export type Counters = Record<EventState, number> & {
  accepted: number
  delivered: number
  erased: number
  erasedBy: Record<Eraser, number>
}

/** Why an event was erased: too old, by an operator, or with all of a person's. */
export type Eraser = 'expired' | 'deleted' | 'person'

/** How an event left the pending ones. */
export type EventEnd = 'delivered' | 'erased' | ParkedState

export type Place = { position: number; state: EventState }

/** Where a pending event is, and the bytes of its body. */
export type Located = { position: number; kind: StoredKind; bytes: number }

/** The latest attempt of an event that failed, with its history; or why it cannot be sent. */
export type StoredAttempt = Omit<Recorded, 'error'> & { error: StoredError }

/** An event as it arrived, and what its attempts have left. `history` is `null` while it has not been tried. */
export type StoredEvent = {
  position: number
  id: string
  kind: StoredKind
  source: string | null
  receivedAt: number
  hashes: string
  body: Uint8Array
  history: History | null
}

/** What was sent of an event. `redacted`: what was replaced in it. */
export type SentEvent = StoredEvent & { redacted: Redacted }

/** An event that AEP has. `records`: how many AEP accepted last; of a split event others were accepted before. */
export type AcceptedEvent = SentEvent & { records: number }

/** One record of an event that is too large for one, as JSON text without an envelope. */
export type StoredPart = { part: number; record: string }

/** `madeFor`: the settings that decided the parts; `parts`: how many there were; `generation`: of their ids, from 0. */
export type Split = { madeFor: string; parts: number; generation: number }

/**
 * An event that arrives. `parts`: the records of an event that its request has split, as JSON texts; empty if it is not split.
 * `attempt`: the one that its request made, as the outbox writes it down.
 */
export type ArrivingEvent = Omit<StoredEvent, 'position' | 'history'> & {
  state: EventState
  parts: readonly string[]
  madeFor: string
  attempt: StoredAttempt | null
}

/**
 * The state of an event after it arrives, given the state stored under its id (`null`: none).
 *
 * The runtime and the sender both repeat inserts, so arriving twice must not change or count anything twice. One that could
 * be relayed is never demoted by a late repeat; one that was parked becomes pending as soon as it can be.
 */
export function stateOnArrival(stored: EventState | null, arriving: EventState): EventState {
  return stored === null ? arriving : ON_ARRIVAL[stored][arriving]
}

const ON_ARRIVAL: Record<EventState, Record<EventState, EventState>> = {
  pending: { pending: 'pending', dead: 'pending', quarantined: 'pending' },
  dead: { pending: 'pending', dead: 'dead', quarantined: 'dead' },
  quarantined: { pending: 'pending', dead: 'dead', quarantined: 'quarantined' },
}

/** What a webhook was answered, or `drained`: delivered by the outbox. */
export const OUTCOMES = [
  'forwarded',
  'buffered',
  'dead-lettered',
  'quarantined',
  'suppressed',
  'unavailable',
  'unauthorized',
  'opted-out',
  'refused',
  'drained',
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** How an event was delivered: inside its request, or by the outbox. Receipts store their numbers: only add to them. */
export const VIAS = ['forwarded', 'drained'] as const
export type Via = (typeof VIAS)[number]

/** What came under a type that is no JSON, whatever it is: `redrive` reads it as JSON. */
export type Unsupported = { outcome: 'unsupported-media-type'; kind: StoredKind }

export function quarantineError(
  reading: Exclude<Reading, { outcome: 'valid' }> | Unsupported,
): StoredError {
  if (reading.outcome === 'unsupported-media-type') {
    return { code: reading.outcome, status: null, message: 'not sent as JSON' }
  }
  if (reading.outcome === 'malformed') {
    return { code: 'malformed-json', status: null, message: 'not JSON in UTF-8' }
  }
  if (reading.outcome === 'too-many-values') {
    const message = `more than ${MAX_JSON_VALUES} values`
    return { code: 'too-many-values', status: null, message }
  }
  const places = reading.issues.map(({ path, message }) => (path ? `${path}: ${message}` : message))
  return { code: 'invalid-payload', status: null, message: places.join('; ') }
}

/** `path`: the first documented place that is not valid, or the first pointer of AEP's report; empty where neither is known. */
export type Reason = { code: string; path: string }

/** Events parked in one state for one reason. */
export type Cause = Reason & { state: ParkedState; kind: StoredKind }

export function causeKey({ state, kind, code, path }: Cause): string {
  return [state, kind, code, path].join(' ')
}

/** Reads the two forms of `message`: that of `quarantineError`, and AEP's (`aep/client/verdict.ts`). */
export function reasonOf(error: { code: string; message: string } | null): Reason {
  if (!error) return { code: 'unknown', path: '' }
  const { code, message } = error
  const place = code === 'invalid-payload' ? /^([^;]*?): / : / at (#.*?)(?:, |$)/s
  const path = (place.exec(message)?.[1] ?? '').replaceAll(/[\d*]+/g, '*')
  return { code, path: path === '#' ? '' : path }
}
