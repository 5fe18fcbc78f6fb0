/** Whose a record is, as the encoders of both formats write it: what is screened before it is sent again. */
import { describe, expect, it } from 'vitest'
import { personKeysIn } from '../../../src/worker/aep/record/identity.ts'
import type { EventKind } from '../../../src/worker/chatlio/kind.ts'
import { subjectOf } from '../../../src/worker/chatlio/person.ts'
import { parseJson, utf8Bytes } from '../../../src/worker/lib/json.ts'
import { encodeParts } from './encode-parts.ts'
import { eventOf, RAW, XDM_EXTRAS } from './split-arbitraries.ts'
import { entity, record } from './split-whole.ts'

const visitor = { UUID: 'visitor-1', email: 'Ada@Example.com', agentEmail: 'agent@example.com' }
const messages = [
  { isVisitorMsg: true, text: 'I am bo@example.com', email: 'agent@example.com', name: 'Sam' },
]
const CASES: readonly [string, EventKind, Record<string, unknown>][] = [
  [
    'a conversation',
    'feedback',
    { visitor, message: 'from bo@example.com', conversationUUID: 'c' },
  ],
  [
    'a list of addresses',
    'feedback',
    { visitor: { ...visitor, email: 'ada@x.de, eve@x.de' }, message: '' },
  ],
  [
    'a transcript',
    'transcript',
    {
      visitorEmail: 'ada@example.com',
      replyToEmail: 'bo@example.com',
      agentEmail: 'agent@example.com',
      messages,
    },
  ],
  [
    'an offline message',
    'offline-message',
    {
      email: 'ada@example.com',
      emailPretty: 'Ada <ada@x.de>',
      message: 'bo@example.com',
      name: 'Ada',
    },
  ],
]

describe.each([
  ['raw', RAW, record],
  ['xdm', XDM_EXTRAS, entity],
] as const)('a %s record', (_, destination, recordIn) => {
  it.each(CASES)(
    'of %s is of everybody whom the event is of, and of nobody else',
    (_, kind, payload) => {
      const event = eventOf(kind, payload)
      const body = utf8Bytes(JSON.stringify(payload))
      const parsed = parseJson(body)
      const { visitors, emails } = subjectOf({ kind, parsed, body, isValid: true })
      expect(visitors.length + emails.length).toBeGreaterThan(0)
      for (const part of encodeParts(event, destination, 1_500)) {
        const keys = personKeysIn(recordIn(part)).map(({ field, value }) => `${field} ${value}`)
        for (const id of visitors) expect(keys).toContain(`visitor ${id}`)
        for (const email of emails) expect(keys).toContain(`email ${email}`)
        expect(keys.join()).not.toMatch(/bo@|agent@/)
      }
    },
  )
})

/** Every value in the record, by the key that reads it. */
const valuesIn = (one: unknown, field: 'email' | 'visitor') =>
  new Set(personKeysIn(one).flatMap((key) => (key.field === field ? [key.value] : [])))

it.each<[string, unknown, string[], string[]]>([
  ['all that stands below an identity', { identity: { a: { b: ['v-1'] } } }, ['v-1'], []],
  ['a list of lists below one', { identityMap: { Email: [[{ id: 'v-1' }]] } }, ['v-1'], []],
  [
    'a list of objects, in which each is looked into',
    { x: [{ UUID: 'v-1' }, { uuid: 'v-2' }] },
    ['v-1', 'v-2'],
    [],
  ],
  [
    'a name at the end of a path',
    { 'visitor.UUID': 'v-1', 'visitor.name': 'v-2' },
    ['v-1'],
    ['v-2'],
  ],
  ['no path through what others say', { 'messages.0.email': 'v-1', UUID: 'v-2' }, ['v-2'], ['v-1']],
  ['nothing below an agent', { agent: { UUID: 'v-1' }, replyToEmail: 'v-2' }, [], ['v-1', 'v-2']],
  [
    'the text of what has no place',
    { unmapped: '{"visitor.UUID":"v-1","x":"v-2"}' },
    ['v-1'],
    ['v-2'],
  ],
  ['a text of another name as it is', { x: '{"UUID":"v-1"}' }, [], ['v-1']],
  ['no blank value', { UUID: '  ', email: 'v-1' }, ['v-1'], ['']],
  ['1,024 characters', { UUID: 'x'.repeat(1_024) }, ['x'.repeat(1_024)], []],
  ['no more than these', { UUID: 'x'.repeat(1_025) }, [], ['x'.repeat(1_025)]],
])('has %s', (_, one, has, lacks) => {
  const values = valuesIn(one, 'visitor')
  for (const value of has) expect(values).toContain(value)
  for (const value of lacks) expect(values).not.toContain(value)
})

it('has both forms of each value: an id as it is, an address folded', () => {
  expect([...valuesIn({ email: ' ADA@Example.com ' }, 'email')]).toContain('ada@example.com')
  expect([...valuesIn({ UUID: ' V-1 ' }, 'visitor')]).toContain('V-1')
})

it.each([null, 'text', [], { identityMap: null }, { unmapped: '{' }])(
  'of %j is of nobody',
  (one) => {
    expect(personKeysIn(one)).toEqual([])
  },
)
