/**
 * The raw record, which Adobe's Data Prep maps to XDM: in one piece, and drafted to be split.
 *
 * Promises: every documented field that is not cut keeps Chatlio's path, so that a mapping made from Adobe's sample works
 * unchanged. Adds the fields that an ExperienceEvent needs and that sample lacks (`_id`, `timestamp`: CHAT, EE), and what
 * the relay knows of the event: a payload's own fields of these names go into `unmapped`, so that nobody's body decides an
 * identity. In a part, so does a payload field that cannot stand there (`index` of a message, a text field without text).
 * `delaySeconds` is added to the text, by `encode.ts`.
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import { LONG_TEXTS } from '../../chatlio/fields.ts'
import { isNonEmptyString, isObject, type JsonObject } from '../../lib/json.ts'
import {
  type Draft,
  type DraftMessage,
  dotted,
  type RecordField,
  type Unmapped,
  unmappedText,
} from './draft.ts'
import { identitiesOf } from './identity.ts'
import { metricsOf } from './metrics.ts'

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
  const { own, identity, visitorTraitsFlat, chatMetrics } = added(event, source)
  Object.assign(record, own)
  if (identity.visitor !== undefined || identity.email !== undefined) record.identity = identity
  if (visitorTraitsFlat) record.visitorTraitsFlat = visitorTraitsFlat
  if (chatMetrics) record.chatMetrics = chatMetrics
  if (unmapped.length > 0) record.unmapped = unmappedText(unmapped)
  return record
}

/** What the relay adds. */
function added(event: ChatEvent, source: string | null) {
  const { id, timestamp, eventType, receivedAt } = event
  const { visitor, email } = identitiesOf(event)
  return {
    own: { _id: id, timestamp, eventType, receivedAt, ...(source !== null && { source }) },
    identity: { visitor: visitor?.id, email: email?.id },
    visitorTraitsFlat:
      event.kind === 'transcript' ? flatTraits(event.payload.visitorTraits) : undefined,
    chatMetrics: metricsOf(event) ?? undefined,
  }
}

function fieldsOf(holder: readonly string[], values: Record<string, unknown>): RecordField[] {
  const present = Object.entries(values).filter(([, value]) => value !== undefined)
  return present.map(([key, value]) => ({ at: [...holder, key], from: null, value }))
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

export function draftRaw(event: ChatEvent, source: string | null): Draft {
  const { own, identity, visitorTraitsFlat, chatMetrics } = added(event, source)
  const fields: RecordField[] = []
  const texts = new Map<string, string>()
  const unmapped: Unmapped[] = []
  const add = (at: string[], value: unknown) => {
    if (value !== undefined) fields.push({ at, from: dotted(...at), value })
  }
  for (const [key, value] of Object.entries(event.payload)) {
    if (key === 'messages' && event.kind === 'transcript') continue
    if (LONG_TEXTS.includes(key) && isNonEmptyString(value)) texts.set(key, value)
    else if (IN_PARTS.has(key)) unmapped.push([dotted(key), value])
    else if (key === 'visitor' && isObject(value)) {
      for (const [name, held] of Object.entries(value)) add([key, name], held)
    } else add([key], value)
  }
  const { visitor, email } = identitiesOf(event)
  const isIdentity = ({ from }: RecordField) => from === visitor?.from || from === email?.from
  const named = fields.filter(isIdentity).sort((a) => (a.from === visitor?.from ? -1 : 1))
  return {
    core: fieldsOf([], own),
    identities: [...fieldsOf(['identity'], identity), ...named],
    fields: [
      ...fieldsOf([], { visitorTraitsFlat }),
      ...fields.filter((field) => !isIdentity(field)),
    ],
    once: fieldsOf([], { chatMetrics }),
    base: [],
    texts,
    messages: event.kind === 'transcript' ? messagesOf(event.payload.messages, unmapped) : [],
    unmapped: unmapped.filter(([, value]) => value !== undefined),
  }
}

function messagesOf(messages: readonly object[], unmapped: Unmapped[]): DraftMessage[] {
  return messages.map((message, index) => {
    const held = Object.entries(message).filter(([, value]) => value !== undefined)
    const text = held.find(([key]) => key === 'text')?.[1]
    const ownIndex = held.find(([key]) => key === 'index')
    if (ownIndex) unmapped.push([dotted('messages', String(index), 'index'), ownIndex[1]])
    return { index, text, rest: held.filter(([key]) => key !== 'text' && key !== 'index') }
  })
}
