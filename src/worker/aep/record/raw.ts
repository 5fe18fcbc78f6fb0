/**
 * The raw record, which Adobe's Data Prep maps to XDM: in one piece, and drafted to be split.
 *
 * Promises: every documented field that is not cut keeps Chatlio's path, so that a mapping made from Adobe's sample works
 * unchanged. Adds the fields that an ExperienceEvent needs and that sample lacks (`_id`, `timestamp`: CHAT, EE); they
 * override payload fields of the same name. In a part, a payload field whose name has a meaning there (`part`, `unmapped`,
 * `index` of a message, a text field that holds no text) goes into `unmapped`.
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import { LONG_TEXTS } from '../../chatlio/fields.ts'
import { isNonEmptyString, isObject, type JsonObject } from '../../lib/json.ts'
import { type Draft, type DraftMessage, dotted, type Field, type Unmapped } from './draft.ts'
import { identitiesOf } from './identity.ts'

export function encodeRaw({
  payload,
  id,
  timestamp,
  eventType,
  receivedAt,
}: ChatEvent): JsonObject {
  return { ...payload, _id: id, timestamp, eventType, receivedAt }
}

const RESERVED: ReadonlySet<string> = new Set(['part', 'unmapped', 'messages', ...LONG_TEXTS])

export function draftRaw(event: ChatEvent): Draft {
  const own = ownFields(event)
  const fields: Field[] = []
  const texts = new Map<string, string>()
  const unmapped: Unmapped[] = []
  const add = (at: string[], value: unknown) => {
    if (value !== undefined) fields.push({ at, from: dotted(...at), value })
  }
  for (const [key, value] of Object.entries(event.payload)) {
    if (own.some(({ at }) => at[0] === key)) continue
    if (key === 'messages' && event.kind === 'transcript') continue
    if (LONG_TEXTS.includes(key) && isNonEmptyString(value)) texts.set(key, value)
    else if (RESERVED.has(key)) unmapped.push([dotted(key), value])
    else if (key === 'visitor' && isObject(value)) {
      for (const [name, held] of Object.entries(value)) add([key, name], held)
    } else add([key], value)
  }
  const { visitor, email } = identitiesOf(event)
  const isIdentity = ({ from }: Field) => from === visitor?.from || from === email?.from
  return {
    core: own,
    identities: fields.filter(isIdentity).sort((a) => (a.from === visitor?.from ? -1 : 1)),
    fields: fields.filter((field) => !isIdentity(field)),
    base: [],
    texts,
    messages: event.kind === 'transcript' ? messagesOf(event.payload.messages, unmapped) : [],
    unmapped: unmapped.filter(([, value]) => value !== undefined),
  }
}

function ownFields({ id, timestamp, eventType, receivedAt }: ChatEvent): Field[] {
  const own = { _id: id, timestamp, eventType, receivedAt }
  return Object.entries(own).map(([key, value]) => ({ at: [key], from: null, value }))
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
