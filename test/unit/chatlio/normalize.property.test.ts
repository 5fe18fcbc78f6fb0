import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeRaw } from '../../../src/worker/aep/record/encode.ts'
import { type Reading, readEvent } from '../../../src/worker/chatlio/event.ts'
import { ROUTE_KINDS, STORED_KINDS, type StoredKind } from '../../../src/worker/chatlio/kind.ts'
import { parseJson } from '../../../src/worker/lib/json.ts'
import { composed } from '../../../src/worker/lib/spellings.ts'

type Json = Record<string, unknown>
type Type = 'text' | 'required text' | 'email' | 'time' | 'boolean' | 'array' | 'text or object'
type Fields = Record<string, Type>

/** The fields that Chatlio documents, and those that older receivers read. */
const VISITOR: Fields = {
  UUID: 'text',
  email: 'email',
  name: 'text',
  identUserId: 'text',
  identTraits: 'text or object',
  userAgent: 'text',
  handle: 'text',
  currentPage: 'text',
  referrerURL: 'text',
  createdAt: 'time',
  IPAddress: 'text',
  location: 'text',
}
const MESSAGE: Fields = {
  text: 'text',
  ts: 'text',
  sentAt: 'time',
  userId: 'text',
  username: 'text',
  isVisitorMsg: 'boolean',
}
const CONVERSATION: Fields = {
  message: 'text',
  conversationUUID: 'text',
  channelId: 'text',
  slackChannelName: 'text',
  slackChannelId: 'text',
}
const OFFLINE_MESSAGE: Fields = {
  message: 'required text',
  name: 'text',
  email: 'email',
  emailPretty: 'text',
  subject: 'text',
}
const TRANSCRIPT: Fields = {
  agentEmail: 'email',
  agentName: 'text',
  archiveUrl: 'text',
  extraData: 'array',
  channelId: 'text',
  channelName: 'text',
  conversationUUID: 'text',
  startedAt: 'time',
  endedAt: 'time',
  htmlBody: 'text',
  textBody: 'text',
  visitorEmail: 'email',
  replyToEmail: 'email',
  visitorName: 'text',
  visitorTraits: 'text or object',
  slackTeamID: 'text',
}

/** An object of a payload that has documented fields. */
type Place = { path: string; documented: Fields }
const CONVERSATION_PLACES: Place[] = [
  { path: '', documented: CONVERSATION },
  { path: 'visitor', documented: { ...VISITOR, UUID: 'required text' } },
]
const PLACES: Record<Exclude<StoredKind, 'auto'>, Place[]> = {
  transcript: [
    { path: '', documented: TRANSCRIPT },
    { path: 'messages', documented: MESSAGE },
  ],
  'offline-message': [
    { path: '', documented: OFFLINE_MESSAGE },
    { path: 'visitor', documented: VISITOR },
  ],
  'new-conversation': CONVERSATION_PLACES,
  unanswered: CONVERSATION_PLACES,
  feedback: CONVERSATION_PLACES,
  conversation: CONVERSATION_PLACES,
}
const KINDS = [...ROUTE_KINDS, 'conversation'] as const
type Kind = (typeof KINDS)[number]

/** The objects at one place: the payload itself, its visitor, or each of its messages. */
function holders(payload: Json, { path }: Place): Json[] {
  if (path === '') return [payload]
  const value = payload[path]
  return Array.isArray(value) ? (value as Json[]) : value === undefined ? [] : [value as Json]
}

const RECEIVED_AT = Date.parse('2026-11-01T12:00:00.000Z')

function readBytes(kind: StoredKind, bytes: Uint8Array): Reading {
  return readEvent({ id: 'id', kind, receivedAt: RECEIVED_AT }, parseJson(bytes))
}

const read = (kind: StoredKind, payload: unknown) =>
  readBytes(kind, new TextEncoder().encode(JSON.stringify(payload)))

/** The normalized payload in memory, and as JSON. */
function normalize(kind: Kind, payload: unknown): { payload: Json; leaves: Json } {
  const reading = read(kind, payload)
  if (reading.outcome !== 'valid') throw new Error(`${kind} is ${JSON.stringify(reading)}`)
  const normalized = reading.event.payload as Json
  return { payload: normalized, leaves: JSON.parse(JSON.stringify(normalized)) as Json }
}

/** A canonical text of a value: independent of key order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined'
  const entries = Object.entries(value)
    .filter(([, held]) => held !== undefined)
    .map(([key, held]) => `${JSON.stringify(key)}:${canonical(held)}`)
  return `{${entries.sort().join()}}`
}

// Any UTF-16, so lone surrogates, NULs and byte order marks too.
const utf16 = fc.string({
  unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
})
const text = fc.oneof(fc.string({ unit: 'grapheme' }), utf16)
const DANGEROUS_KEYS = [
  ...['__proto__', 'prototype', 'constructor'],
  'toString',
  'valueOf',
  'hasOwnProperty',
  'toJSON',
  'then',
  'length',
  'kind',
  'issues',
  '0',
  '',
  'a.b',
]
const documentedNames = [VISITOR, MESSAGE, CONVERSATION, OFFLINE_MESSAGE, TRANSCRIPT].flatMap(
  (fields) => Object.keys(fields),
)
const key = fc.oneof(
  fc.constantFrom(...DANGEROUS_KEYS),
  fc.constantFrom('visitor', 'messages', ...documentedNames),
  text,
)
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(null, true, false, '', 0, 1e308, -1.5e-7),
    fc.integer(),
    text,
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(key, tie('json'), { maxKeys: 3 }),
  ),
}))
const anyObject = fc.dictionary(key, json, { maxKeys: 4 })

const time = fc.oneof(
  fc.constantFrom(
    '0001-01-01T00:00:00Z',
    '2023-02-30T00:00:00Z',
    '2018-05-19T18:14:32.000026941+02:00',
    '2030-01-01T00:00:00.999999999-08:00',
  ),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  text,
)
const email = fc.oneof(
  fc.constantFrom(' Ada@Example.com\n', 'İSTANBUL@EXAMPLE.COM', 'ΟΔΟΣ@example.com', ' '),
  fc.emailAddress(),
  text,
)
const traits = fc.oneof(
  anyObject,
  anyObject.map((object) => JSON.stringify(object)),
  json.map((value) => JSON.stringify(value)),
  text,
)
const empty = fc.constantFrom('', null)
const WELL_TYPED: Record<Type, fc.Arbitrary<unknown>> = {
  text: fc.oneof({ arbitrary: text, weight: 3 }, empty),
  'required text': text.map((value) => value || 'x'),
  email: fc.oneof({ arbitrary: email, weight: 3 }, empty),
  time: fc.oneof({ arbitrary: time, weight: 3 }, empty),
  boolean: fc.constantFrom(true, false, null, ''),
  array: fc.oneof(fc.array(json, { maxLength: 3 }), empty),
  'text or object': fc.oneof({ arbitrary: traits, weight: 3 }, empty),
}

/** Fields that normalizing adds. */
const DERIVED = ['identTraitsParsed', 'visitorTraitsText']
/** Fields whose values are objects with documented fields. */
const NESTED = { '': ['visitor', 'messages'], visitor: [], messages: [] } as const

function documentedAt({ path, documented }: Place, name: string): boolean {
  const nested: readonly string[] = NESTED[path as keyof typeof NESTED]
  return Object.hasOwn(documented, name) || nested.includes(name)
}

/** An object with some of the documented fields of their documented type, and some others. */
function holder(place: Place): fc.Arbitrary<Json> {
  const { documented } = place
  const entries = Object.entries(documented)
  const arbitraries = Object.fromEntries(entries.map(([name, type]) => [name, WELL_TYPED[type]]))
  const requiredKeys = entries.filter(([, type]) => type === 'required text').map(([name]) => name)
  const unknownKey = key.filter((name) => !documentedAt(place, name) && !DERIVED.includes(name))
  return fc
    .tuple(
      fc.dictionary(unknownKey, json, { maxKeys: 4 }),
      fc.record(arbitraries, { requiredKeys }),
    )
    .map(([unknown, known]) => ({ ...unknown, ...known }))
}

/** Any valid webhook of a kind. */
function webhook(kind: Kind): fc.Arbitrary<Json> {
  const [top, nested] = PLACES[kind] as [Place, Place]
  const inner =
    nested.path === 'messages'
      ? fc.array(holder(nested), { maxLength: 3 })
      : kind === 'offline-message'
        ? fc.oneof({ arbitrary: holder(nested), weight: 3 }, empty)
        : holder(nested)
  return fc.tuple(holder(top), inner).map(([own, held]) => ({ ...own, [nested.path]: held }))
}

describe('normalizing', () => {
  it('never throws and pollutes no prototype, on any bytes, JSON and kind', () => {
    const intrinsics = () =>
      [Object, Array, String, Function].map(({ prototype }) => Reflect.ownKeys(prototype).length)
    const before = intrinsics()
    const body = fc.oneof(
      { arbitrary: anyObject.map((value) => JSON.stringify(value)), weight: 4 },
      json.map((value) => JSON.stringify(value)),
      fc.string(),
      fc.uint8Array(),
    )
    fc.assert(
      fc.property(fc.constantFrom(...STORED_KINDS), body, (kind, came) => {
        const bytes = typeof came === 'string' ? new TextEncoder().encode(came) : came
        const reading = readBytes(kind, bytes)
        expect(['valid', 'malformed', 'invalid']).toContain(reading.outcome)
        expect(intrinsics()).toEqual(before)
      }),
      { numRuns: 400 },
    )
  })

  it('changes no documented type, on any JSON that it accepts', () => {
    const nearly = fc.constantFrom(...KINDS).chain((kind) => {
      const wrong = fc.option(fc.tuple(fc.constantFrom(...documentedNames), json), { freq: 2 })
      return fc.tuple(fc.constant(kind), webhook(kind), wrong)
    })
    let tried = 0
    let taken = 0
    fc.assert(
      fc.property(nearly, ([kind, payload, wrong]) => {
        tried += 1
        const reading = read(kind, wrong ? { ...payload, [wrong[0]]: wrong[1] } : payload)
        if (reading.outcome !== 'valid') return
        taken += 1
        // As a raw record, the form that a mapping in AEP reads.
        const record = JSON.parse(JSON.stringify(encodeRaw(reading.event, null))) as Json
        for (const place of PLACES[kind]) {
          for (const held of holders(record, place)) {
            expect(Object.prototype.toString.call(held)).toBe('[object Object]')
            for (const [name, type] of Object.entries(place.documented)) {
              if (Object.hasOwn(held, name)) expectType(held[name], name, type)
            }
          }
        }
      }),
      { numRuns: 300 },
    )
    expect(taken).toBeGreaterThan(tried / 2)
  })

  describe.each(KINDS)('a webhook of the kind %s', (kind) => {
    const runs = { numRuns: 80 }

    it('is idempotent', () => {
      fc.assert(
        fc.property(webhook(kind), (came) => {
          const { leaves } = normalize(kind, came)
          // `message` is required but may be empty, and is then dropped like any empty field.
          const again = kind === 'offline-message' ? { message: '', ...leaves } : leaves
          expect(canonical(normalize(kind, again).leaves)).toBe(canonical(leaves))
        }),
        runs,
      )
    })

    it('keeps every unknown field unchanged, and adds none', () => {
      fc.assert(
        fc.property(webhook(kind), (came) => {
          const { leaves } = normalize(kind, came)
          for (const place of PLACES[kind]) {
            const left = holders(leaves, place)
            holders(withoutEmptyVisitor(came), place).forEach((object, index) => {
              const unknown = (name: string) =>
                !documentedAt(place, name) && !DERIVED.includes(name)
              expect(canonical(only(left[index] ?? {}, unknown))).toBe(
                canonical(only(object, unknown)),
              )
            })
          }
        }),
        runs,
      )
    })

    it('keeps documented fields: text unchanged, emails trimmed, lower-cased and composed', () => {
      fc.assert(
        fc.property(webhook(kind), (came) => {
          const { leaves } = normalize(kind, came)
          for (const place of PLACES[kind]) {
            const left = holders(leaves, place)
            holders(withoutEmptyVisitor(came), place).forEach((object, index) => {
              for (const [name, type] of Object.entries(place.documented)) {
                const expected = expectedLeaving(object[name], type)
                // An offline message that has none: what `emailPretty` says.
                if (name === 'email' && !String(object.email ?? '').trim() && object.emailPretty)
                  continue
                if (expected) expect(canonical(left[index]?.[name])).toBe(canonical(expected.value))
              }
            })
          }
        }),
        runs,
      )
    })

    it('gives every object the prototype it should have', () => {
      fc.assert(
        fc.property(webhook(kind), (came) => {
          const { payload } = normalize(kind, came)
          for (const place of PLACES[kind]) {
            for (const held of holders(payload, place)) {
              expect(Object.getPrototypeOf(held)).toBe(Object.prototype)
            }
          }
        }),
        runs,
      )
    })
  })
})

describe('an issue', () => {
  const CANARY = 'canary-7f3a'
  const NUMBER = 70_317_031
  const VALUES: Record<string, unknown> = {
    'a text': CANARY,
    'an object': { [CANARY]: CANARY },
    'an array': [CANARY, { [CANARY]: CANARY }],
    'a number': NUMBER,
    'a boolean': true,
  }
  const RIGHT: Record<Type, string[]> = {
    text: ['a text'],
    'required text': ['a text'],
    email: ['a text'],
    time: ['a text'],
    boolean: ['a boolean'],
    array: ['an array'],
    'text or object': ['a text', 'an object'],
  }
  const MINIMAL: Record<Kind, Json> = {
    transcript: { messages: [{}] },
    'offline-message': { message: 'Hi', visitor: {} },
    'new-conversation': { visitor: { UUID: 'u' } },
    unanswered: { visitor: { UUID: 'u' } },
    feedback: { visitor: { UUID: 'u' } },
    conversation: { visitor: { UUID: 'u' } },
  }
  const fields = KINDS.flatMap((kind) =>
    PLACES[kind].flatMap((place) =>
      Object.entries(place.documented).map(([name, type]) => {
        const holderPath = place.path === 'messages' ? 'messages.0' : place.path
        const path = holderPath ? `${holderPath}.${name}` : name
        return { kind, place, name, type, path }
      }),
    ),
  )

  it.each(fields)('names $path of $kind, and never repeats its value', (field) => {
    const { kind, place, name, type, path } = field
    for (const [form, value] of Object.entries(VALUES)) {
      const payload = structuredClone(MINIMAL[kind])
      for (const held of holders(payload, place)) held[name] = value
      const reading = read(kind, { ...payload, [CANARY]: CANARY })
      if (RIGHT[type].includes(form)) {
        expect(reading.outcome).toBe('valid')
        continue
      }
      expect(reading).toEqual({
        outcome: 'invalid',
        kind,
        issues: [{ path, message: expect.any(String) as string }],
      })
      expect(JSON.stringify(reading)).not.toContain(CANARY)
      expect(JSON.stringify(reading)).not.toContain(String(NUMBER))
    }
  })

  it.each(['visitor', 'messages'])('never repeats the value of an invalid %s', (name) => {
    const kind = name === 'visitor' ? 'feedback' : 'transcript'
    for (const value of [CANARY, [CANARY], [[CANARY]], { [CANARY]: CANARY }, NUMBER]) {
      const reading = read(kind, { [name]: value })
      expect(reading.outcome).toBe('invalid')
      expect(JSON.stringify(reading)).not.toContain(CANARY)
      expect(JSON.stringify(reading)).not.toContain(String(NUMBER))
    }
  })
})

function expectType(value: unknown, name: string, type: Type): void {
  if (type === 'array') expect(Array.isArray(value)).toBe(true)
  else if (type === 'boolean') expect(value).toBeTypeOf('boolean')
  else if (name === 'visitorTraits')
    expect(Object.prototype.toString.call(value)).toBe('[object Object]')
  else expect(value).toBeTypeOf('string')
  expect(value).not.toBe('')
}

/** The expected form of a field. `time` and traits have separate tests. */
function expectedLeaving(came: unknown, type: Type): { value: unknown } | undefined {
  if (came === undefined || came === null || came === '') return { value: undefined }
  switch (type) {
    case 'email':
      return { value: composed(String(came).trim()) || undefined }
    case 'text':
    case 'required text':
    case 'boolean':
      return { value: came }
    case 'array':
      return { value: JSON.parse(JSON.stringify(came)) }
    default:
      return undefined
  }
}

function only(object: Json, wanted: (name: string) => boolean): Json {
  return Object.fromEntries(Object.entries(object).filter(([name]) => wanted(name)))
}

/** An offline message's visitor may be null or empty, which counts as absent. */
function withoutEmptyVisitor(payload: Json): Json {
  return payload.visitor ? payload : only(payload, (name) => name !== 'visitor')
}
