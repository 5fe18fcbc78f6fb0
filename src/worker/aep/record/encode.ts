/**
 * Encodes an event as JSON texts: one record, or several parts if that record is too large.
 *
 * Why: Profile silently drops an ExperienceEvent over 10 KB (PGUARD), and AEP refuses a request over 1 MB (MULTI).
 * Promises: each record is at most `maxRecordBytes` long; parts joined in order give the whole text; every part has the
 * event's time and kind, and its identities if there is room; the same input gives the same parts. Never throws, always
 * ends.
 * Accepts: if the name of the tenant or of a namespace alone fills a part, its parts exceed the limit.
 *
 * A raw record is what Adobe's Data Prep maps to XDM. Every documented field that is not cut keeps Chatlio's path, so that a
 * mapping made from Adobe's sample works unchanged. Adds the fields that an ExperienceEvent needs and that sample lacks (`_id`,
 * `timestamp`: CHAT, EE), and what the relay knows of the event: a payload's own fields of these names go into `unmapped`, so
 * that nobody's body decides an identity. In a part, so does a payload field that cannot stand there (`index` of a message, a
 * text field without text).
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import { LONG_TEXTS } from '../../chatlio/fields.ts'
import type { Destination, RedactRule } from '../../config/config.ts'
import { isNonEmptyString, isObject, type JsonObject, utf8Length } from '../../lib/json.ts'
import {
  type Draft,
  dotted,
  eachLeaf,
  fieldsOf,
  LONGEST_DELAY,
  messagesOf,
  type RecordField,
  recordOf,
  split,
  type Unmapped,
  unmappedText,
} from './draft.ts'
import { identitiesOf } from './identity.ts'
import { metricsOf } from './metrics.ts'
import { type Redacted, redactEvent } from './redact.ts'
import { draftXdm } from './xdm.ts'

/**
 * JSON texts without an envelope. Store `parts` before the first is sent, even if there is only one (dropping repeated
 * texts was enough): its `_id` differs from that of the unsplit record. Send a stored part `withDelay` of that moment.
 */
export type Encoded = { redacted: Redacted } & (
  | { split: false; record: string }
  | { split: true; parts: string[] }
)

/**
 * `now`: epoch ms. `source`: the name of the webhook's key. `redact`: what is replaced in texts. `generation`: of the ids of
 * its parts (`partId`).
 */
type Sending = {
  now: number
  source: string | null
  redact: readonly RedactRule[]
  generation?: number
}

/** `maxRecordBytes`: UTF-8 bytes of one record (`Envelope.maxRecordBytes`). */
export function encode(
  arrived: ChatEvent,
  destination: Destination,
  maxRecordBytes: number,
  { now, source, redact, generation = 0 }: Sending,
): Encoded {
  // Before anything is measured, so that all parts are of the same texts.
  const { event, redacted } = redactEvent(arrived, redact)
  const receivedAt = Date.parse(event.receivedAt)
  // Measured with the longest delay: however long an event waits, it is split or not as at first, so its `_id` stays.
  const isRaw = destination.format === 'raw'
  const limit = isRaw ? maxRecordBytes - rawDelay(LONGEST_DELAY).length : maxRecordBytes
  // A UTF-16 unit takes at most three bytes, so short records need no measuring.
  const fits = (record: string) => record.length * 3 <= limit || utf8Length(record) <= limit
  const dated = (record: string) =>
    isRaw
      ? `{${rawDelay(delaySeconds(receivedAt, now))}${record.slice(1)}`
      : withDelay(record, receivedAt, now)
  const drafted = isRaw ? null : draftXdm(event, destination, source, LONGEST_DELAY)
  const record = JSON.stringify(drafted ? recordOf(drafted) : encodeRaw(event, source))
  if (fits(record)) return { split: false, record: dated(record), redacted }
  const parts = split(drafted ?? draftRaw(event, source), event.id, generation, limit, fits)
  return { split: true, parts: parts.map(dated), redacted }
}

const rawDelay = (seconds: number) => `"delaySeconds":${seconds},`

/** Where both formats have it: first in a raw record, and first in our field group. */
const DELAY = /^(\{(?:"(?:[^"\\]|\\.)+":\{"chatlio":\{)?"delaySeconds":)\d+/

/** A record or part with the seconds from receipt to `now` (epoch ms): it may have waited since it was encoded. */
export function withDelay(record: string, receivedAt: number, now: number): string {
  return record.replace(DELAY, (_, before: string) => before + delaySeconds(receivedAt, now))
}

function delaySeconds(receivedAt: number, now: number): number {
  return Math.min(Math.max(Math.floor((now - receivedAt) / 1_000), 0), LONGEST_DELAY)
}

/** Names that mean something of the relay's own at the top of a raw record. */
const OWN: ReadonlySet<string> = new Set([
  ...['_id', 'timestamp', 'eventType', 'receivedAt', 'source', 'delaySeconds', 'chatMetrics'],
  ...['identity', 'visitorTraitsFlat', 'part', 'unmapped'],
])

export function encodeRaw(event: ChatEvent, source: string | null): JsonObject {
  const record: JsonObject = { ...event.payload }
  const unmapped: Unmapped[] = []
  for (const name of OWN) {
    if (record[name] === undefined) continue
    unmapped.push([dotted(name), record[name]])
    delete record[name]
  }
  const { own, identities, ...derived } = added(event, source)
  const { visitor, email } = identities
  const identity = visitor || email ? { visitor: visitor?.id, email: email?.id } : undefined
  const text = unmapped.length > 0 ? unmappedText(unmapped) : undefined
  return Object.assign(record, own, { identity, ...derived, unmapped: text })
}

/** What the relay adds. */
function added(event: ChatEvent, source: string | null) {
  const { id, timestamp, eventType, receivedAt, kind, payload } = event
  return {
    own: { _id: id, timestamp, eventType, receivedAt, source: source ?? undefined },
    identities: identitiesOf(event),
    visitorTraitsFlat: kind === 'transcript' ? flatTraits(payload.visitorTraits) : undefined,
    chatMetrics: metricsOf(event) ?? undefined,
  }
}

/**
 * Traits for a map of texts, which takes none at all where one of them is an object or a list: these as JSON text.
 * `undefined`: they can be taken as they are.
 */
function flatTraits(traits: unknown): JsonObject | undefined {
  if (!isObject(traits)) return undefined
  const isNested = (value: unknown) => typeof value === 'object' && value !== null
  if (!Object.values(traits).some(isNested)) return undefined
  const flat = Object.entries(traits).map(([key, value]) => [
    key,
    isNested(value) ? JSON.stringify(value) : value,
  ])
  return Object.fromEntries(flat)
}

/** Names that a part gives another meaning than a payload may. */
const IN_PARTS: ReadonlySet<string> = new Set([...OWN, 'messages', ...LONG_TEXTS])

function draftRaw(event: ChatEvent, source: string | null): Draft {
  const { own, identities, visitorTraitsFlat, chatMetrics } = added(event, source)
  const { visitor, email } = identities
  const fields: RecordField[] = []
  const texts = new Map<string, string>()
  const unmapped: Unmapped[] = []
  eachLeaf(event, (value, at) => {
    const [key = ''] = at
    if (LONG_TEXTS.includes(key) && isNonEmptyString(value)) texts.set(key, value)
    else if (IN_PARTS.has(key) && at.length === 1) unmapped.push([dotted(key), value])
    else fields.push({ at, own: false, from: dotted(...at), value })
  })
  const isIdentity = ({ from }: RecordField) => from === visitor?.from || from === email?.from
  const named = fields.filter(isIdentity).sort((a) => (a.from === visitor?.from ? -1 : 1))
  return {
    core: fieldsOf(own),
    identities: [
      ...fieldsOf({ 'identity.visitor': visitor?.id, 'identity.email': email?.id }),
      ...named,
    ],
    fields: [...fieldsOf({ visitorTraitsFlat }), ...fields.filter((field) => !isIdentity(field))],
    once: fieldsOf({ chatMetrics }),
    base: [],
    texts,
    messages: messagesOf(event, unmapped, (key) => key !== 'index'),
    unmapped,
  }
}
