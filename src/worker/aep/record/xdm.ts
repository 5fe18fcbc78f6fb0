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
  messagesOf,
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
    else places.set(place, { ...at(place), from, value })
  })
  const put = (place: string, value: unknown) => {
    places.set(place, derived(place, value))
  }
  // The widget runs in a web page, so a user agent is always a browser's.
  if (places.has('environment.browserDetails.userAgent')) put('environment.type', 'browser')
  const { city, countryCode } = geoOf(String(places.get('chatlio.visitor.location')?.value ?? ''))
  if (city !== undefined) put('placeContext.geo.city', city)
  if (countryCode !== undefined) put('placeContext.geo.countryCode', countryCode)
  const messages = messagesOf(event, unmapped, (key, value) => {
    const field = IN_MESSAGE.get(key)
    return field !== undefined && FITS[field.form](value)
  })
  if (messages.length > 0) put('chatlio.messageCount', messages.length)
  const has = (extra: SchemaExtra) => destination.schemaExtras.includes(extra)
  const { fields, once } = has('contact') ? contactDetails(event) : NOTHING
  for (const [key, value] of Object.entries(fields)) put(`customerFeedback.${key}`, value)
  const metrics = has('chat') ? metricsOf(event) : null
  return {
    core: [
      // First, where `withDelay` looks for it.
      ...(has('chat') ? [derived('chatlio.delaySeconds', delaySeconds)] : []),
      derived('_id', event.id),
      derived('timestamp', event.timestamp),
      derived('eventType', event.eventType),
      derived('producedBy', KINDS[event.kind].producedBy),
      derived('chatlio.receivedAt', event.receivedAt),
      ...(has('chat') && source !== null ? [derived('chatlio.source', source)] : []),
    ],
    identities: identityMap(event, destination.visitorNamespace),
    fields: [...places.values()],
    once: [
      ...(metrics ? [derived('chatlio.metrics', metrics)] : []),
      ...Object.entries(once).map(([key, value]) => derived(`customerFeedback.${key}`, value)),
    ],
    base: [`_${destination.tenant}`, 'chatlio'],
    texts,
    messages: messages.filter(({ text, rest }) => text !== undefined || rest.length > 0),
    unmapped,
  }
}

type Place = Pick<RecordField, 'at' | 'own'>

/** Each place, taken apart once: there are no more than the schema has. */
const known = new Map<string, Place>()

function at(place: string): Place {
  let found = known.get(place)
  if (!found) {
    const keys = place.split('.')
    const own = keys[0] === 'chatlio'
    found = { at: own ? keys.slice(1) : keys, own }
    known.set(place, found)
  }
  return found
}

function derived(place: string, value: unknown): RecordField {
  return { ...at(place), from: null, value }
}

type ContactDetails = { fields: Record<string, unknown>; once: Record<string, number> }

const NOTHING: ContactDetails = { fields: {}, once: {} }

/** Adobe's own group for chats (Contact Request Details): analysts know its counters. Never an address for replies. */
function contactDetails({ kind, payload }: ChatEvent): ContactDetails {
  const fields: Record<string, unknown> = {}
  if (isNonEmptyString(payload.conversationUUID)) fields.chatSessionID = payload.conversationUUID
  if (kind === 'offline-message' && payload.subject) fields.subject = payload.subject
  if (kind === 'new-conversation') return { fields, once: { chatStart: 1 } }
  return { fields, once: kind === 'transcript' ? { chatEnd: 1 } : {} }
}

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
