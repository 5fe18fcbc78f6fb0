/** Whose event it is, by the documented places in every form that they take; and who has opted out. */
import { describe, expect, it } from 'vitest'
import { readEvent } from '../../../src/worker/chatlio/event.ts'
import type { StoredKind } from '../../../src/worker/chatlio/kind.ts'
import {
  hasTrait,
  isOf,
  normalizedKey,
  type Subject,
  subjectOf,
} from '../../../src/worker/chatlio/person.ts'
import { parseJson, utf8Bytes } from '../../../src/worker/lib/json.ts'

function subject(kind: StoredKind, text: string) {
  const body = utf8Bytes(text)
  const parsed = parseJson(body)
  const reading = readEvent({ id: 'x', kind, receivedAt: 0 }, parsed)
  return subjectOf({ kind: reading.kind, parsed, body, isValid: reading.outcome === 'valid' })
}

function raise(): never {
  throw new Error('a fault of our own')
}

describe('an event is of the person', () => {
  it.each([
    ['in visitor.email', 'feedback', '{"visitor":{"UUID":"u","email":" ADA@example.com "}}'],
    ['in a transcript', 'transcript', '{"messages":[],"visitorEmail":"Ada@Example.com"}'],
    ['in an offline message', 'offline-message', '{"message":"","email":"ada@example.com"}'],
    [
      'in emailPretty alone',
      'offline-message',
      '{"message":"","emailPretty":"Ada <ada@example.com>"}',
    ],
    [
      'in a list',
      'feedback',
      '{"visitor":{"UUID":"u","email":["bo@example.com","ada@example.com"]}}',
    ],
    ['in an object', 'offline-message', '{"message":"","email":{"address":"ada@example.com"}}'],
    [
      'with a name around it',
      'feedback',
      '{"visitor":{"UUID":"u","email":"\\"A\\" <ada@example.com>"}}',
    ],
    ['with the end of a sentence', 'offline-message', '{"message":"","email":"ada@example.com."}'],
    [
      'beside another',
      'offline-message',
      '{"message":"","email":"bo@example.com|ada@example.com"}',
    ],
    [
      'after a slash',
      'transcript',
      '{"messages":[],"visitorEmail":"bo@example.com / ada@example.com"}',
    ],
    [
      'before a sign of no width',
      'transcript',
      '{"messages":[],"visitorEmail":"ada@example.com\u200b"}',
    ],
    ['after a mark', 'feedback', '{"visitor":{"UUID":"u","email":"\\ufeffada@example.com"}}'],
    ['after a mark in a text', 'auto', '\u200eada@example.com\u200f'],
    ['as a link', 'feedback', '{"visitor":{"UUID":"u","email":"mailto:ada%40example.com"}}'],
    [
      'first of two equal keys',
      'feedback',
      '{"visitor":{"email":"ada@example.com","UUID":"u","email":"bo@example.com"}}',
    ],
    [
      'last of two equal keys',
      'feedback',
      '{"visitor":{"email":"bo@example.com","UUID":"u","email":"ada@example.com"}}',
    ],
    [
      'in the first of two visitors',
      'feedback',
      '{"visitor":{"email":"ada@example.com"},"x":[{"visitor":1}],"visitor":{"UUID":"u"}}',
    ],
    [
      'behind an escaped key',
      'feedback',
      '{"visitor":{"\\u0065mail":"ada@example.com","UUID":"u","email":"bo@example.com"}}',
    ],
    ['in a form', 'auto', 'name=Ada&email=ada%40example.com'],
    ['in JSON that is cut', 'feedback', '{"visitor":{"email":"ada\\u0040example.com"'],
    ['in a list of bodies', 'feedback', '[{"visitor":{"email":"ada@example.com"}}]'],
    ['in a body of another shape', 'feedback', '{"data":{"person":{"mail":"ada@example.com"}}}'],
  ] as const)('%s', (_, kind, text) => {
    const named = subject(kind, text)
    expect(isOf({ field: 'email', value: 'ada@example.com' }, named)).toBe(true)
    expect(isOf({ field: 'email', value: 'da@example.com' }, named)).toBe(false)
  })

  it.each([
    ['composed', 'andr\u00e9@example.com', 'andre\u0301@example.com'],
    ['punycode', 'ada@xn--bcher-kva.example', 'ada@B\u00fccher.example'],
  ])('%s or not', (_, one, other) => {
    for (const [typed, sent] of [
      [one, other],
      [other, one],
    ]) {
      const person = normalizedKey({ field: 'email', value: String(typed) })
      expect(
        isOf(person, subject('feedback', JSON.stringify({ visitor: { UUID: 'u', email: sent } }))),
      ).toBe(true)
    }
  })

  it.each([
    '{"visitor":{"UUID":"v-1"}}',
    '{"visitor":{"UUID":"v-1","UUID":"v-2"}}',
    '{"visitor":{"UUID":["v-1"]}}',
    '{"visitor":{"UUID":"v-1"',
    'visitor[UUID]=v-1&message=Hi',
    '{"visitor":{"\\u0055UID":"v-1"',
  ])('by the visitor id in %s', (text) => {
    expect(isOf({ field: 'visitor', value: 'v-1' }, subject('feedback', text))).toBe(true)
  })
})

describe('an event is not of whom it', () => {
  it.each([
    ['mentions', 'feedback', '{"visitor":{"UUID":"u"},"message":"write to ada@example.com"}'],
    [
      'mentions, and is of somebody',
      'feedback',
      '{"visitor":{"UUID":"u"},"message":{"x":"ada@example.com"}}',
    ],
    [
      'is answered by',
      'transcript',
      '{"messages":[{"text":"a","agentEmail":"ada@example.com"}],"visitorEmail":"bo@example.com"}',
    ],
    [
      'replies to',
      'offline-message',
      '{"message":"","email":"bo@example.com","replyToEmail":"ada@example.com"}',
    ],
    [
      'has two keys in a message',
      'transcript',
      '{"messages":[{"email":"ada@example.com","email":"ada@example.com"}],"visitorEmail":"bo@example.com"}',
    ],
  ] as const)('%s', (_, kind, text) => {
    expect(subject(kind, text).emails).not.toContain('ada@example.com')
  })
})

describe('the subject of an event, whole', () => {
  const long = 'x'.repeat(1_024)

  it.each<[string, StoredKind, string, Partial<Subject>]>([
    [
      'ids are trimmed, and each stands once',
      'feedback',
      '{"visitor":{"UUID":" v-1 ","UUID":"v-1","UUID":"  "},"conversationUUID":" c-1 "}',
      { visitors: ['v-1'], conversation: 'c-1' },
    ],
    [
      'the last of two conversations',
      'feedback',
      '{"visitor":{"UUID":"u"},"conversationUUID":"c-1","conversationUUID":"c-2"}',
      { conversation: 'c-2' },
    ],
    [
      'an empty conversation is none',
      'feedback',
      '{"visitor":{"UUID":"u"},"conversationUUID":"  "}',
      { conversation: null },
    ],
    [
      'a number is no conversation',
      'feedback',
      '{"visitor":{"UUID":"u"},"conversationUUID":7}',
      { conversation: null },
    ],
    [
      'a conversation of 1,024 characters',
      'feedback',
      `{"visitor":{"UUID":"u"},"conversationUUID":"${long}"}`,
      { conversation: long },
    ],
    [
      'a longer one is none',
      'feedback',
      `{"visitor":{"UUID":"u"},"conversationUUID":"${long}x"}`,
      { conversation: null },
    ],
    [
      'an id of 1,024 characters',
      'feedback',
      `{"visitor":{"UUID":"${long}"}}`,
      { visitors: [long] },
    ],
    [
      'a longer one is none',
      'feedback',
      `{"visitor":{"UUID":["${long}x","v-1"]}}`,
      { visitors: ['v-1'] },
    ],
    [
      'an address as it is written, and what is in it',
      'feedback',
      '{"visitor":{"UUID":"u","email":"Ada <ada@example.com>"}}',
      { emails: ['ada <ada@example.com>', 'ada@example.com'] },
    ],
    [
      'an address alone stands once, an empty one not at all',
      'feedback',
      '{"visitor":{"UUID":"u","email":[" "," Ada@example.com","ada@example.com"]}}',
      { emails: ['ada@example.com'] },
    ],
    [
      'of a transcript its own address, and not one that offline messages have',
      'transcript',
      '{"messages":[],"visitorEmail":"ada@example.com","email":"bo@example.com"}',
      { emails: ['ada@example.com'] },
    ],
    [
      'of an offline message both, and not one that transcripts have',
      'offline-message',
      '{"message":"","email":"ada@example.com","emailPretty":"Bo <bo@example.com>","visitorEmail":"cy@example.com"}',
      { emails: ['ada@example.com', 'bo@example.com'] },
    ],
    [
      'of feedback neither',
      'feedback',
      '{"visitor":{"UUID":"u"},"email":"bo@example.com","visitorEmail":"cy@example.com"}',
      { emails: [], visitors: ['u'] },
    ],
    [
      'of what is no kind both',
      'auto',
      '{"email":"bo@example.com","visitorEmail":"cy@example.com"}',
      { emails: ['bo@example.com', 'cy@example.com'] },
    ],
    [
      'a name of the visitor in the body is not of the visitor',
      'feedback',
      '{"UUID":"not-this","visitor":{"UUID":"v-1"},"messages":[{"UUID":"nor-this"}]}',
      { visitors: ['v-1'] },
    ],
    [
      'signs of JSON in a text are text',
      'feedback',
      '{"a":"\\"},{\\"visitor\\":","visitor":{"UUID":"v-1","UUID":"v-2"},"b":[1,[2]],"c":{"d":{}}}',
      { visitors: ['v-1', 'v-2'] },
    ],
    [
      'a visitor that is a list has no members',
      'feedback',
      '{"visitor":[{"UUID":"nobody"}],"visitor":{"UUID":"v-1"}}',
      { visitors: ['v-1'] },
    ],
    [
      'what cannot be read and names somebody is not searched',
      'feedback',
      '{"message":7,"visitor":{"UUID":7,"email":"ada@example.com"},"x":"bo@example.com"}',
      { emails: ['ada@example.com'], visitors: [] },
    ],
    [
      'what cannot be read and names nobody is, and keeps its conversation',
      'feedback',
      '{"conversationUUID":"c-1","visitor":7,"x":"bo@example.com"}',
      { emails: ['bo@example.com'], conversation: 'c-1' },
    ],
    [
      'what can be read and names nobody is not',
      'transcript',
      '{"messages":[],"x":"bo@example.com"}',
      { emails: [], visitors: [] },
    ],
  ])('%s', (_, kind, text, expected) => {
    expect(subject(kind, text)).toMatchObject(expected)
  })

  it('has 32 values of a place at most, and of a list its first 32', () => {
    const ids = Array.from({ length: 40 }, (_, at) => `v-${at}`)
    const named = (UUID: unknown) => subject('feedback', JSON.stringify({ visitor: { UUID } }))
    expect(named(ids).visitors.toSorted()).toEqual(ids.slice(0, 32).toSorted())
    expect(named([ids.slice(0, 20), ids.slice(20)]).visitors).toHaveLength(32)
    const searched = subject('feedback', ids.map((id) => `uuid=${id} `).join(''))
    expect(searched.visitors).toEqual(ids.slice(0, 32))
  })

  it('is nobody where our own code fails, and not an exception', () => {
    const parsed = { ok: true, text: '{}', value: { visitor: {} } } as const
    const text = { match: () => raise() } as unknown as string
    const body = utf8Bytes('{}')
    const nobody = { conversation: null, visitors: [], emails: [] }
    expect(
      subjectOf({ kind: 'feedback', parsed: { ...parsed, text }, body, isValid: true }),
    ).toEqual(nobody)
  })
})

const no = { path: ['consent', 'chat'], value: 'false' }
const saysNo = (text: string, trait = no) => hasTrait(parseJson(utf8Bytes(text)), trait)

describe('a visitor has opted out', () => {
  it.each([
    [{ visitor: { identTraits: { consent: { chat: false } } } }],
    [{ visitor: { identTraits: '{"consent":{"chat":"false"}}' } }],
    [{ visitor: { identTraits: JSON.stringify('{"consent":{"chat":false}}') } }],
    [{ visitor: { identTraits: { 'consent.chat': ' false ' } } }],
    [{ visitor: { identTraits: { consent: '{"chat":false}' } } }],
    [{ messages: [], visitorTraits: { consent: { chat: [true, false] } } }],
    [{ messages: [], visitorTraits: '{"consent":{"chat":false}}' }],
    [{ visitorTraits: [{ consent: { chat: true } }, { consent: { chat: false } }] }],
    [[{ data: { visitor: { identTraits: { consent: { chat: false } } } } }]],
    [{ message: 7, visitor: { identTraits: '{"consent":{"chat":false}}' } }],
  ])('by %j', (body) => {
    expect(saysNo(JSON.stringify(body))).toBe(true)
  })

  it.each([
    [{ visitor: { identTraits: { consent: { chat: true } } } }],
    [{ visitor: { identTraits: { consent: {} } } }],
    [{ visitor: { identTraits: '' } }],
    [{ visitor: { identTraits: [] } }],
    [{ consent: { chat: false } }],
    [{ visitor: { consent: { chat: false } } }],
    [{ message: '{"identTraits":{"consent":{"chat":false}}}' }],
    [null],
    ['identTraits'],
  ])('and not by %j', (body) => {
    expect(saysNo(JSON.stringify(body))).toBe(false)
  })

  it('and not by a hundred thousand brackets', () => {
    const deep = `{"0":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    expect(saysNo(`{"visitorTraits":{"consent":{"chat":${deep}}}}`)).toBe(false)
  })

  it('by a number as it is written, and by null as a word', () => {
    const traits = (value: string) => `{"visitorTraits":{"n":${value}}}`
    const large = '9007199254740993'
    expect(saysNo(traits(large), { path: ['n'], value: large })).toBe(true)
    expect(saysNo(traits('null'), { path: ['n'], value: 'null' })).toBe(true)
  })

  it.each([
    '{"visitorTraits":{"consent":{"chat":false}},"visitorTraits":{},"messages":[]}',
    '{"visitorTraits":{},"visitorTraits":{"consent":{"chat":false}},"messages":[]}',
    '{"visitor":{"UUID":"u","identTraits":"{\\"consent\\":{\\"chat\\":false}}","identTraits":""}}',
    '{"visitor":{"identTraits":{"consent":{"chat":false}}},"visitor":{"UUID":"u"}}',
    '{"visitor":{"identTrait\\u0073":{"consent":{"chat":false}},"identTraits":{},"UUID":"u"}}',
  ])('in either of two equal keys: %s', (text) => {
    expect(saysNo(text)).toBe(true)
  })

  it('whatever the depth', () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    expect(saysNo(deep)).toBe(false)
    expect(saysNo(`{"visitorTraits":${deep}}`)).toBe(false)
    expect(saysNo(`{"visitorTraits":1,"visitorTraits":${deep}}`)).toBe(false)
  })
})
