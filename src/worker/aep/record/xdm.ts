/**
 * Drafts an XDM ExperienceEvent: puts every field of an event at its path in the schema, a standard one if there is one.
 *
 * Promises: every value of the payload is at exactly one path, unchanged, or in `unmapped` under its payload path. A value
 * is mapped only if it satisfies the schema there (a date-time is RFC 3339, a URL is valid); mapped fields hold no null,
 * empty string, object or list (Adobe does not document whether AEP accepts them). Independent of kind: a field has the
 * same path in every webhook. Leaves out only `identTraitsParsed`, which repeats `identTraits`, and empty messages, which
 * `messageCount` still counts.
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import { documentedAt, type Field, type Form, type SchemaExtra } from '../../chatlio/fields.ts'
import { KINDS } from '../../chatlio/kind.ts'
import type { XdmDestination } from '../../config/config.ts'
import { isNonEmptyString, isObject, parseEmbedded } from '../../lib/json.ts'
import { PATTERNS } from '../schema/patterns.ts'
import {
  type Draft,
  dotted,
  eachLeaf,
  fieldsOf,
  messagesOf,
  placed,
  type RecordField,
  type Unmapped,
} from './draft.ts'
import { geoOf } from './geo.ts'
import { type IdentityValue, identitiesOf } from './identity.ts'
import { metricsOf } from './metrics.ts'

/** Pure, never throws. Texts and messages are kept apart from fields, because they can be cut. */
export function draftXdm(
  event: ChatEvent,
  destination: XdmDestination,
  source: string | null,
  delaySeconds: number,
): Draft {
  const places = new Map<string, RecordField>()
  const texts = new Map<string, string>()
  const unmapped: Unmapped[] = []
  const repeats = repeatsTraits(event)
  eachLeaf(event, (value, keys) => {
    const [key = '', below] = keys
    if (below === 'identTraitsParsed' && repeats) return
    const field = below === undefined ? IN_BODY.get(key) : IN_VISITOR.get(below)
    const place = field ? placeOf(field, value) : null
    const from = dotted(...keys)
    if (field?.form === 'longText' && isNonEmptyString(value)) texts.set(field.from, value)
    else if (place === null || places.has(place)) unmapped.push([from, value])
    else {
      const { at, own } = placed(place)
      places.set(place, { at, own, from, value })
    }
  })
  const messages = messagesOf(event, unmapped, (key, value) => {
    const field = IN_MESSAGE.get(key)
    return field !== undefined && FITS[field.form](value)
  })
  const has = (extra: SchemaExtra) => destination.schemaExtras.includes(extra)
  const { kind, payload } = event
  // Adobe's own group for chats (Contact Request Details): analysts know its counters. Never an address for replies.
  const contact = has('contact')
  const { city, countryCode } = geoOf(String(places.get('chatlio.visitor.location')?.value ?? ''))
  // The widget runs in a web page, so a user agent is always a browser's.
  const isInBrowser = places.has('environment.browserDetails.userAgent')
  return {
    core: fieldsOf({
      // First, where `withDelay` looks for it.
      'chatlio.delaySeconds': has('chat') ? delaySeconds : undefined,
      _id: event.id,
      timestamp: event.timestamp,
      eventType: event.eventType,
      producedBy: KINDS[kind].producedBy,
      'chatlio.receivedAt': event.receivedAt,
      'chatlio.source': has('chat') && source !== null ? source : undefined,
    }),
    identities: identityMap(event, destination.visitorNamespace),
    fields: [
      ...places.values(),
      ...fieldsOf({
        'environment.type': isInBrowser ? 'browser' : undefined,
        'placeContext.geo.city': city,
        'placeContext.geo.countryCode': countryCode,
        'chatlio.messageCount': messages.length || undefined,
        'customerFeedback.chatSessionID': textOf(contact && payload.conversationUUID),
        'customerFeedback.subject': textOf(
          contact && kind === 'offline-message' && payload.subject,
        ),
      }),
    ],
    once: fieldsOf({
      'chatlio.metrics': (has('chat') && metricsOf(event)) || undefined,
      'customerFeedback.chatStart': contact && kind === 'new-conversation' ? 1 : undefined,
      'customerFeedback.chatEnd': contact && kind === 'transcript' ? 1 : undefined,
    }),
    base: [`_${destination.tenant}`, 'chatlio'],
    texts,
    messages: messages.filter(({ text, rest }) => text !== undefined || rest.length > 0),
    unmapped,
  }
}

const textOf = (value: unknown) => (isNonEmptyString(value) ? value : undefined)

/** Whether `identTraitsParsed` says only what `identTraits` does: of a transcript's `visitor` it is not the relay's own. */
function repeatsTraits({ kind, payload }: ChatEvent): boolean {
  const traits = isObject(payload.visitor) ? payload.visitor.identTraits : undefined
  return kind !== 'transcript' && isNonEmptyString(traits) && parseEmbedded(traits) !== undefined
}

/**
 * One field for each namespace, the primary identity first, so that it is the last to be dropped from a part. Always
 * `ambiguous`, because a visitor can type anything into the widget.
 */
function identityMap(event: ChatEvent, visitorNamespace: string): RecordField[] {
  const { visitor, email } = identitiesOf(event)
  const map = new Map<string, object[]>()
  const add = (namespace: string, identity: IdentityValue | undefined) => {
    if (!identity) return
    const item = { id: identity.id, authenticatedState: 'ambiguous', primary: map.size === 0 }
    map.set(namespace, [...(map.get(namespace) ?? []), item])
  }
  add(visitorNamespace, visitor)
  add('Email', email)
  return Array.from(map, ([namespace, value]) => {
    return { at: ['identityMap', namespace], own: false, from: null, value }
  })
}

/** Whether a value satisfies the schema at a place of this form. */
const FITS: Record<Form, (value: unknown) => boolean> = {
  text: isNonEmptyString,
  longText: isNonEmptyString,
  email: isNonEmptyString,
  traits: isNonEmptyString,
  // The form that normalizing writes, which is never later than receipt.
  dateTime: matching(PATTERNS.dateTime),
  url: matching(PATTERNS.url),
  ip: (value) => ipField(value) !== undefined,
  boolean: (value) => typeof value === 'boolean',
  integer: Number.isInteger,
  texts: (value) => Array.isArray(value) && value.length > 0 && value.every(isNonEmptyString),
  // No field of XDM is a map of texts in every schema: one saved earlier lacks it.
  textMap: () => false,
}

const IN_BODY = documentedAt('')
const IN_VISITOR = documentedAt('visitor')
const IN_MESSAGE = documentedAt('messages[*]')

/** The dotted XDM path; `null` sends the value to `unmapped`. */
function placeOf({ form, to }: Field, value: unknown): string | null {
  if (form !== 'ip') return FITS[form](value) ? to : null
  const version = ipField(value)
  return version ? `environment.${version}` : null
}

function matching(pattern: string): (value: unknown) => boolean {
  const form = new RegExp(pattern)
  return (value) => typeof value === 'string' && form.test(value)
}

const IP_FORMS = [
  ['ipV4', new RegExp(PATTERNS.ipV4)],
  ['ipV6', new RegExp(PATTERNS.ipV6)],
] as const

function ipField(value: unknown): 'ipV4' | 'ipV6' | undefined {
  if (typeof value !== 'string' || value.length > 45) return undefined
  return IP_FORMS.find(([, form]) => form.test(value))?.[0]
}
