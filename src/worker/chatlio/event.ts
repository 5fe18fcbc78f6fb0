/**
 * From parsed JSON to a chat event: which kind it is, whether its shape is right, when it happened.
 *
 * Promises: pure; the clock is the moment of receipt, passed in. Never throws on any JSON.
 * An issue names the place by documented names and says what was expected there, never what stood there.
 */
import * as v from 'valibot'
import { exceededLimit, isObject, type JsonObject, type Parsed } from '../lib/json.ts'
import { MAX_ISSUES } from '../limits.ts'
import { EVENT_TYPES, type EventKind, inferKind, type Route, type StoredKind } from './kind.ts'
import {
  type Conversation,
  ConversationSchema,
  type OfflineMessage,
  OfflineMessageSchema,
  type Transcript,
  TranscriptSchema,
} from './payload.ts'
import { readTimestamp, toIso, writeTimestamp } from './timestamp.ts'

/** A kind and the payload that goes with it. */
type Typed =
  | { kind: 'transcript'; payload: Transcript }
  | { kind: 'offline-message'; payload: OfflineMessage }
  | { kind: Exclude<EventKind, 'transcript' | 'offline-message'>; payload: Conversation }

/** A normalized event. Times are RFC 3339, UTC, with milliseconds. */
export type ChatEvent = Typed & {
  id: string
  eventType: string
  /** When it happened: a transcript's `endedAt`, otherwise the moment of receipt. Never in the future. */
  timestamp: string
  receivedAt: string
}

/** `path` is dotted, empty for the whole body; made of documented names and array positions only. */
export type Issue = { path: string; message: string }

/** `too-many-values`: more than `MAX_JSON_VALUES`, and therefore not validated. */
export type Reading =
  | { outcome: 'valid'; kind: EventKind; event: ChatEvent }
  | { outcome: 'malformed'; kind: StoredKind }
  | { outcome: 'too-many-values'; kind: StoredKind }
  | { outcome: 'invalid'; kind: StoredKind; issues: Issue[] }

/** What was taken in, as it is stored: everything an event can be made from, again and again. */
export type Arrival = { id: string; kind: Route | StoredKind; receivedAt: number }

export function readEvent(arrival: Arrival, parsed: Parsed): Reading {
  if (!parsed.ok) return { outcome: 'malformed', kind: arrival.kind }
  const json = parsed.value
  if (!isObject(json)) return invalid(arrival.kind, 'expected an object')
  const kind = arrival.kind === 'auto' ? inferKind(json) : arrival.kind
  const exceeded = exceededLimit(json)
  if (exceeded === 'values') return { outcome: 'too-many-values', kind }
  if (exceeded === 'depth') return invalid(kind, 'expected less deeply nested JSON')
  if (kind === 'auto') {
    return invalid(kind, 'expected a transcript, an offline message or a conversation')
  }
  const result = v.safeParse(SCHEMAS[kind], json)
  if (!result.success) {
    return { outcome: 'invalid', kind, issues: result.issues.slice(0, MAX_ISSUES).map(toIssue) }
  }
  // The table of schemas ties each kind to its payload, which the type of a table look-up does not say.
  const typed = { kind, payload: result.output } as Typed
  const receivedAt = toIso(arrival.receivedAt)
  const event: ChatEvent = {
    ...typed,
    id: arrival.id,
    eventType: EVENT_TYPES[kind],
    timestamp: normalizeTimestamps(typed, arrival.receivedAt) ?? receivedAt,
    receivedAt,
  }
  return { outcome: 'valid', kind, event }
}

const SCHEMAS = {
  transcript: TranscriptSchema,
  'offline-message': OfflineMessageSchema,
  'new-conversation': ConversationSchema,
  unanswered: ConversationSchema,
  feedback: ConversationSchema,
  conversation: ConversationSchema,
} satisfies Record<EventKind, v.GenericSchema>

function invalid(kind: StoredKind, message: string): Reading {
  return { outcome: 'invalid', kind, issues: [{ path: '', message }] }
}

function toIssue(issue: v.BaseIssue<unknown>): Issue {
  return { path: v.getDotPath(issue) ?? '', message: issue.message }
}

/**
 * Every documented timestamp in UTC milliseconds, none after receipt. Writes in place: the schemas have made
 * fresh objects of everything documented. (A transcript documents no visitor: one in it stays as it came.)
 * Answers when it happened, where the payload says so in a form that can be read.
 */
function normalizeTimestamps({ kind, payload }: Typed, receivedAt: number): string | undefined {
  if (kind !== 'transcript') {
    normalizeTimestamp(payload.visitor, 'createdAt', receivedAt)
    return undefined
  }
  normalizeTimestamp(payload, 'startedAt', receivedAt)
  for (const message of payload.messages) normalizeTimestamp(message, 'sentAt', receivedAt)
  return normalizeTimestamp(payload, 'endedAt', receivedAt) ? payload.endedAt : undefined
}

/** Whether there was a time that can be read. */
function normalizeTimestamp(
  holder: JsonObject | undefined,
  field: string,
  receivedAt: number,
): boolean {
  const text = holder?.[field]
  if (!holder || typeof text !== 'string') return false
  const timestamp = readTimestamp(text)
  holder[field] = writeTimestamp(timestamp, text, receivedAt)
  return timestamp.state === 'read'
}
