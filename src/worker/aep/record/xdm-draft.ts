/**
 * Drafts an XDM ExperienceEvent: puts every field of an event at its path in the schema.
 *
 * Promises: every value of the payload is at exactly one path, or in `unmapped` under its payload path. Mapped fields
 * hold no null, empty string, object or list (Adobe does not document whether AEP accepts them). Leaves out only
 * `identTraitsParsed`, which repeats `identTraits`, and empty messages, which `messageCount` still counts.
 */

import type { ChatEvent } from '../../chatlio/event.ts'
import type { EventKind } from '../../chatlio/kind.ts'
import type { XdmDestination } from '../../config/config.ts'
import { isNonEmptyString, isObject, parseEmbedded } from '../../lib/json.ts'
import {
  type Draft,
  type DraftMessage,
  dotted,
  type Field,
  TEXTS,
  type TextName,
  type Unmapped,
} from './draft.ts'
import { geoOf } from './geo.ts'
import { identitiesOf } from './identity.ts'
import { isMessageField, placeOf } from './xdm-fields.ts'

/**
 * XDM suggests `self`, `system`, `salesRef` and `customerRep` (EE). `self`: the visitor acted. `system`: Chatlio did
 * (it reported an unanswered conversation or exported a transcript).
 */
const PRODUCED_BY: Record<EventKind, 'self' | 'system'> = {
  transcript: 'system',
  'offline-message': 'self',
  'new-conversation': 'self',
  unanswered: 'system',
  feedback: 'self',
  conversation: 'self',
}

/** Pure, never throws. Texts and messages are kept apart from fields, because they can be cut. */
export function draftXdm(event: ChatEvent, destination: XdmDestination): Draft {
  const base = [`_${destination.tenant}`, 'chatlio']
  const at = (place: string) => {
    const keys = place.split('.')
    return keys[0] === 'chatlio' ? [...base, ...keys.slice(1)] : keys
  }
  const places = new Map<string, Field>()
  const texts = new Map<TextName, string>()
  const unmapped: Unmapped[] = []
  const put = (place: string, from: string | null, value: unknown) => {
    places.set(place, { at: at(place), from, value })
  }
  for (const [from, value] of leavesOf(event)) {
    const text = TEXTS.find((name) => name === from)
    const place = placeOf(from, value)
    if (text && isNonEmptyString(value)) texts.set(text, value)
    else if (place === undefined || places.has(place)) unmapped.push([from, value])
    else put(place, from, value)
  }
  // The widget runs in a web page, so a user agent is always a browser's.
  if (places.has('environment.browserDetails.userAgent')) put('environment.type', null, 'browser')
  const geo = geoOf(String(places.get('chatlio.visitor.location')?.value ?? ''))
  for (const [key, value] of Object.entries(geo)) put(`placeContext.geo.${key}`, null, value)
  const messages = event.kind === 'transcript' ? event.payload.messages : []
  if (messages.length > 0) put('chatlio.messageCount', null, messages.length)
  return {
    core: [
      { at: ['_id'], from: null, value: event.id },
      { at: ['timestamp'], from: null, value: event.timestamp },
      { at: ['eventType'], from: null, value: event.eventType },
      { at: ['producedBy'], from: null, value: PRODUCED_BY[event.kind] },
      { at: at('chatlio.receivedAt'), from: null, value: event.receivedAt },
    ],
    identities: identityMap(event, destination.visitorNamespace),
    fields: [...places.values()],
    base,
    texts,
    messages: messagesOf(messages, unmapped),
    unmapped,
  }
}

/** The values of the payload with their dotted paths. Skips `undefined`, which normalizing leaves for empty fields. */
function* leavesOf({ kind, payload }: ChatEvent): Generator<[from: string, value: unknown]> {
  for (const [key, value] of Object.entries(payload)) {
    if (value === undefined || (key === 'messages' && kind === 'transcript')) continue
    if (key !== 'visitor' || !isObject(value)) {
      yield [dotted(key), value]
      continue
    }
    const { identTraits } = value
    const isParsed =
      kind !== 'transcript' &&
      isNonEmptyString(identTraits) &&
      parseEmbedded(identTraits) !== undefined
    for (const [name, held] of Object.entries(value)) {
      if (held === undefined || (name === 'identTraitsParsed' && isParsed)) continue
      yield [dotted(key, name), held]
    }
  }
}

function messagesOf(messages: readonly object[], unmapped: Unmapped[]): DraftMessage[] {
  const read: DraftMessage[] = []
  for (const [index, message] of messages.entries()) {
    let text: string | undefined
    const rest: [string, unknown][] = []
    for (const [key, value] of Object.entries(message)) {
      if (value === undefined) continue
      if (key === 'text' && isNonEmptyString(value)) text = value
      else if (isMessageField(key, value)) rest.push([key, value])
      else unmapped.push([dotted('messages', String(index), key), value])
    }
    if (text !== undefined || rest.length > 0) read.push({ index, text, rest })
  }
  return read
}

/**
 * One field for each namespace, the primary identity first, so that it is the last to be dropped from a part. Always
 * `ambiguous`, because a visitor can type anything into the widget.
 */
function identityMap(event: ChatEvent, visitorNamespace: string): Field[] {
  const { visitor, email } = identitiesOf(event)
  const map = new Map<string, object[]>()
  for (const [namespace, identity] of [
    [visitorNamespace, visitor],
    ['Email', email],
  ] as const) {
    if (!identity) continue
    const item = { id: identity.id, authenticatedState: 'ambiguous', primary: map.size === 0 }
    map.set(namespace, [...(map.get(namespace) ?? []), item])
  }
  return Array.from(map, ([namespace, items]) => ({
    at: ['identityMap', namespace],
    from: null,
    value: items,
  }))
}
