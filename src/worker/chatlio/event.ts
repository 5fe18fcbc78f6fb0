/**
 * Turns parsed JSON into a chat event: decides its kind, validates its shape, dates it, and computes its id.
 *
 * Promises: pure (the time of receipt and the hash are passed in); never throws, whatever the JSON. An issue names a place by
 * documented field names and states the expectation, never the value found there. The same webhook posted again gets the
 * same id, so that Real-Time Customer Profile drops the copy ("drops events if an event with the same `_id` already exists",
 * DUP).
 * Accepts: if a body has neither `conversationUUID` nor `endedAt`, two identical bodies on one UTC day count as one event,
 * and a copy posted on the next day counts as another.
 */
import * as v from 'valibot'
import {
  exceededLimit,
  isNonEmptyString,
  isObject,
  type JsonObject,
  type Parsed,
} from '../lib/json.ts'
import { MAX_ISSUES } from '../limits.ts'
import { documentedIn, placeIn } from './fields.ts'
import {
  type EventKind,
  inferKind,
  KINDS,
  type Route,
  type Shape,
  type StoredKind,
} from './kind.ts'
import { PAYLOADS } from './payload.ts'
import { isOfTestPerson, TEST_EVENT_TYPE } from './person.ts'
import { normalizedTime, readTime, toIso, utcDay } from './timestamp.ts'

/** What the relay itself looks at in a normalized body; the rest is there under its documented name. */
export type Message = JsonObject & { sentAt?: string; userId?: string; isVisitorMsg?: boolean }
export type Transcript = JsonObject & { messages: Message[]; startedAt?: string; endedAt?: string }

/** A kind and the payload that goes with it. */
type Typed =
  | { kind: 'transcript'; payload: Transcript }
  | { kind: Exclude<EventKind, 'transcript'>; payload: JsonObject }

/** A validated, normalized event. Times are RFC 3339 in UTC, with milliseconds. */
export type ChatEvent = Typed & {
  /** Made by `eventId`; becomes `_id` in AEP. */
  id: string
  /** That of its kind, or of a test. */
  eventType: string
  /** A transcript's `endedAt` if it can be read, otherwise the time of receipt. Never later than receipt. */
  timestamp: string
  receivedAt: string
}

/** `path` is dotted and consists of documented names and array positions only; empty for the whole body. */
export type Issue = { path: string; message: string }

/**
 * `malformed`: not JSON in UTF-8. `too-many-values`: more than `MAX_JSON_VALUES`, and therefore not validated.
 * `invalid`: JSON of the wrong shape; `issues` has 1 to `MAX_ISSUES` entries.
 */
export type Reading =
  | { outcome: 'valid'; kind: EventKind; event: ChatEvent }
  | { outcome: 'malformed'; kind: StoredKind }
  | { outcome: 'too-many-values'; kind: StoredKind }
  | { outcome: 'invalid'; kind: StoredKind; issues: Issue[] }

/**
 * A webhook's metadata, stored beside its body so that the event can be read again at any time.
 * `receivedAt`: epoch ms.
 */
export type Arrival = { id: string; kind: Route | StoredKind; receivedAt: number }

/** Reads an event. `parsed` is never changed, so the same arrival can be read again. */
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
  const { shape } = KINDS[kind]
  const { success, output: payload, issues } = v.safeParse(PAYLOADS[shape], json)
  if (!success) {
    return { outcome: 'invalid', kind, issues: issues.slice(0, MAX_ISSUES).map(toIssue) }
  }
  normalizeTimes(payload, shape, arrival.receivedAt)
  // The schema of a kind yields its payload; the types above say so by hand.
  const typed = { kind, payload } as Typed
  const receivedAt = toIso(arrival.receivedAt)
  const endedAt = typed.kind === 'transcript' ? typed.payload.endedAt : undefined
  const isDated = endedAt !== undefined && readTime(endedAt) !== null
  const event: ChatEvent = {
    ...typed,
    id: arrival.id,
    eventType: isOfTestPerson(json) ? TEST_EVENT_TYPE : KINDS[kind].eventType,
    timestamp: isDated ? endedAt : receivedAt,
    receivedAt,
  }
  return { outcome: 'valid', kind, event }
}

/** `null`: our own code fails on this event, which must not stop the others. */
export function readEventOrNull(arrival: Arrival, parsed: Parsed): Reading | null {
  try {
    return readEvent(arrival, parsed)
  } catch {
    return null
  }
}

function toIssue(issue: v.BaseIssue<unknown>): Issue {
  return { path: v.getDotPath(issue) ?? '', message: issue.message }
}

function invalid(kind: StoredKind, message: string): Reading {
  return { outcome: 'invalid', kind, issues: [{ path: '', message }] }
}

const timesOf = (shape: Shape) =>
  documentedIn(shape)
    .filter(({ form }) => form === 'dateTime')
    .map(placeIn)

const TIMES: Record<Shape, readonly ReturnType<typeof placeIn>[]> = {
  conversation: timesOf('conversation'),
  'offline-message': timesOf('offline-message'),
  transcript: timesOf('transcript'),
}

/** Writes in place, because the schemas have copied every documented object. */
function normalizeTimes(payload: JsonObject, shape: Shape, receivedAt: number): void {
  for (const { holder, name } of TIMES[shape]) {
    const held = holder === '' ? payload : payload[holder.replace('[*]', '')]
    for (const object of Array.isArray(held) ? held : [held]) {
      const time = isObject(object) && object[name]
      if (typeof time === 'string') object[name] = normalizedTime(time, receivedAt)
    }
  }
}

/**
 * An event's `_id` in AEP, and its key in the outbox: computed once, at receipt, and stored. SHA-256 of the route, the UTC
 * day of `receivedAt` (epoch ms; left out if the body identifies itself) and the body, as 64 hexadecimal digits, since an
 * `_id` must not contain a colon (EE).
 */
export async function eventId(
  route: Route,
  body: Uint8Array,
  parsed: Parsed,
  receivedAt: number,
  sha256: (bytes: Uint8Array) => Promise<ArrayBuffer>,
): Promise<string> {
  const prefix = identifiesItself(parsed) ? `${route}\n` : `${route}\n${utcDay(receivedAt)}\n`
  const hashed = new Uint8Array(prefix.length + body.length)
  // ASCII only: as many bytes as characters, and for so few an encoder costs more.
  for (let at = 0; at < prefix.length; at += 1) hashed[at] = prefix.charCodeAt(at)
  hashed.set(body, prefix.length)
  return new Uint8Array(await sha256(hashed)).toHex()
}

/** Whether the body holds a field that tells it apart from every other event. */
function identifiesItself(parsed: Parsed): boolean {
  if (!parsed.ok || !isObject(parsed.value)) return false
  return isNonEmptyString(parsed.value.conversationUUID) || isNonEmptyString(parsed.value.endedAt)
}
