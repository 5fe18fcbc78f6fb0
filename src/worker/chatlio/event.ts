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
import {
  exceededLimit,
  isObject,
  type JsonObject,
  type Parsed,
  parseEmbedded,
} from '../lib/json.ts'
import { addressesOf, composed } from '../lib/spellings.ts'
import { MAX_ISSUES } from '../limits.ts'
import { documentedAt, type Form } from './fields.ts'
import {
  type EventKind,
  inferKind,
  KINDS,
  type Route,
  type Shape,
  type StoredKind,
} from './kind.ts'
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
  const reading: Context = { receivedAt: arrival.receivedAt, issues: [] }
  const payload = BODIES[KINDS[kind].shape](json, reading)
  if (reading.issues.length > 0) {
    return { outcome: 'invalid', kind, issues: reading.issues.slice(0, MAX_ISSUES) }
  }
  // The reader of a kind yields its payload; the types above say so by hand.
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

function invalid(kind: StoredKind, message: string): Reading {
  return { outcome: 'invalid', kind, issues: [{ path: '', message }] }
}

/** `receivedAt`: epoch ms. `issues`: as they are found; their paths begin in the object that is being read. */
type Context = { receivedAt: number; issues: Issue[] }

/** Reads a value: what goes on of it, or an issue. `undefined`: it is absent. Never changes what it is given. */
type Reader = (value: unknown, reading: Context) => unknown

function isEmpty(value: unknown): value is undefined | null | '' {
  return value === undefined || value === null || value === ''
}

function optional<Value>(
  is: (value: unknown) => value is Value,
  expected: string,
  as: (value: Value, receivedAt: number) => unknown = (value) => value,
): Reader {
  return (value, { receivedAt, issues }) => {
    if (isEmpty(value)) return undefined
    if (is(value)) return as(value, receivedAt)
    issues.push({ path: '', message: `expected ${expected}` })
    return undefined
  }
}

function required(
  is: (value: unknown) => boolean,
  expected: string,
  as: Reader = (value) => value,
): Reader {
  return (value, reading) => {
    if (is(value)) return as(value, reading)
    const message = value === undefined ? 'required, and missing' : `expected ${expected}`
    reading.issues.push({ path: '', message })
    return undefined
  }
}

/** PHP writes `[]` for an object of nothing. */
function asObject(value: unknown): unknown {
  return Array.isArray(value) && value.length === 0 ? {} : value
}

type ObjectReader = (came: JsonObject, reading: Context) => JsonObject

/** A new object: what is documented, and then whatever else there is. Fields that are documented and empty are `undefined`. */
function fieldsOf(readers: Readonly<Record<string, Reader>>): ObjectReader {
  const fields = Object.entries(readers)
  return (came, reading) => {
    const read: JsonObject = {}
    for (const [name, readField] of fields) {
      const field = readAt(name, readField, came[name], reading)
      if (field !== undefined || name in came) read[name] = field === '' ? undefined : field
    }
    // Spread, so that a field named `__proto__` is one like any other.
    return { ...read, ...came, ...read }
  }
}

function objectOf(read: ObjectReader): Reader {
  return (value, reading) => {
    const came = asObject(value)
    if (isObject(came)) return read(came, reading)
    reading.issues.push({ path: '', message: 'expected an object' })
    return undefined
  }
}

function readAt(name: string, read: Reader, value: unknown, reading: Context): unknown {
  const before = reading.issues.length
  const result = read(value, reading)
  for (let at = before; at < reading.issues.length; at += 1) {
    const issue = reading.issues[at] as Issue
    issue.path = issue.path === '' ? name : `${name}.${issue.path}`
  }
  return result
}

const isText = (value: unknown) => typeof value === 'string'
const text = optional(isText, 'a string')

/** How each form of `fields.ts` comes in a webhook; two of them never do. */
const FORMS: { readonly [form in Form]?: Reader } = {
  text,
  longText: text,
  url: text,
  ip: text,
  dateTime: optional(isText, 'a string', normalizedTime),
  email: optional(isText, 'a string', (value) => composed(value.trim())),
  boolean: optional((value) => typeof value === 'boolean', 'true or false'),
  texts: optional(Array.isArray, 'an array'),
  traits: optional(
    (value): value is unknown => isText(value) || isObject(asObject(value)),
    'a string or an object',
    asObject,
  ),
}

/** Of the fields in the object at `holder` in a body of this shape. */
function readersOf(shape: Shape, holder: string): Record<string, Reader> {
  const readers = [...documentedAt(holder, shape)].map(([name, { form }]) => [name, FORMS[form]])
  return Object.fromEntries(readers)
}

/** Keeps `identTraits` as its documented string, and adds the JSON in it as `identTraitsParsed`. */
function visitorOf(shape: Shape, more: Record<string, Reader> = {}): Reader {
  const read = fieldsOf({ ...readersOf(shape, 'visitor'), ...more })
  return objectOf((value, reading) => {
    const visitor = read(value, reading)
    const traits = visitor.identTraits
    if (traits === undefined) return visitor
    const text = isObject(traits) ? JSON.stringify(traits) : String(traits)
    visitor.identTraits = text
    visitor.identTraitsParsed = parseEmbedded(text) ?? visitor.identTraitsParsed
    return visitor
  })
}

const conversationVisitor = visitorOf('conversation', {
  UUID: required((value) => isText(value) && value !== '', 'a non-empty string'),
})
const offlineVisitor = visitorOf('offline-message')
const message = objectOf(fieldsOf(readersOf('transcript', 'messages[*]')))

/** Stops after `MAX_ISSUES` issues: one for each element of a hostile array would fill the memory. */
const messages: Reader = (value, reading) => {
  const read: unknown[] = []
  for (const [index, item] of ((value ?? []) as unknown[]).entries()) {
    if (reading.issues.length >= MAX_ISSUES) break
    read.push(readAt(String(index), message, item, reading))
  }
  return read
}

const offlineMessage = fieldsOf({
  // Older receivers read bodies without one.
  visitor: (value, reading) => (isEmpty(value) ? undefined : offlineVisitor(value, reading)),
  ...readersOf('offline-message', ''),
  message: required(isText, 'a string, possibly empty'),
})

const transcript = fieldsOf({
  // Go writes a list of none as `null`.
  messages: required((value) => value === null || Array.isArray(value), 'an array', messages),
  ...readersOf('transcript', ''),
})

/** New conversation, unanswered and feedback share one documented body. */
const BODIES: Record<Shape, ObjectReader> = {
  conversation: fieldsOf({
    // The issue of a missing visitor names the required field, `visitor.UUID`.
    visitor: (value, reading) => conversationVisitor(isEmpty(value) ? {} : value, reading),
    ...readersOf('conversation', ''),
  }),
  'offline-message': (value, reading) => withEmail(offlineMessage(value, reading)),
  transcript: (value, reading) => withTraitsObject(transcript(value, reading)),
}

/** Some senders name the address in `emailPretty` alone. */
function withEmail(payload: JsonObject): JsonObject {
  const { email, emailPretty } = payload
  if (email !== undefined || typeof emailPretty !== 'string') return payload
  const [address, another] = addressesOf(emailPretty, 2)
  if (address?.includes('@') && another === undefined) payload.email = address
  return payload
}

/** `visitorTraits` is documented as an object; older senders post a string, which may contain one as JSON. */
function withTraitsObject(payload: JsonObject): JsonObject {
  const { visitorTraits } = payload
  if (typeof visitorTraits !== 'string') return payload
  const parsed = parseEmbedded(visitorTraits)
  payload.visitorTraits = isObject(parsed) ? parsed : undefined
  if (!isObject(parsed)) payload.visitorTraitsText = visitorTraits
  return payload
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
  const { conversationUUID, endedAt } = Object(parsed.ok && parsed.value)
  return [conversationUUID, endedAt].some((value) => isText(value) && value !== '')
}
