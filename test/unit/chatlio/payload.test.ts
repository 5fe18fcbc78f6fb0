import { describe, expect, it } from 'vitest'
import { type Issue, readEvent } from '../../../src/worker/chatlio/event.ts'
import type { EventKind } from '../../../src/worker/chatlio/kind.ts'
import { parseJson } from '../../../src/worker/lib/json.ts'
import conversation from '../../fixtures/conversation.json'
import conversationMinimal from '../../fixtures/conversation-minimal.json'
import offlineMessage from '../../fixtures/offline-message.json'
import transcript from '../../fixtures/transcript.json'
import transcriptSparse from '../../fixtures/transcript-sparse.json'

type Json = Record<string, unknown>

const RECEIVED_AT = Date.parse('2026-11-01T12:00:00.000Z')
const CONVERSATIONS = ['new-conversation', 'unanswered', 'feedback', 'conversation'] as const

/** Reads a payload through JSON text, as the relay does. */
function read(kind: EventKind, payload: unknown) {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const parsed = parseJson(new TextEncoder().encode(text))
  return readEvent({ id: 'id', kind, receivedAt: RECEIVED_AT }, parsed)
}

/** The normalized payload, through JSON text. */
function normalized(kind: EventKind, payload: unknown): Json {
  const reading = read(kind, payload)
  if (reading.outcome !== 'valid') throw new Error(`${kind} is ${JSON.stringify(reading)}`)
  return JSON.parse(JSON.stringify(reading.event.payload)) as Json
}

function issues(kind: EventKind, payload: unknown): Issue[] {
  const reading = read(kind, payload)
  if (reading.outcome !== 'invalid') throw new Error(`${kind} is ${reading.outcome}`)
  return reading.issues
}

const visitorOf = (visitor: Json) =>
  normalized('feedback', { visitor: { UUID: 'u', ...visitor } }).visitor
const transcriptOf = (fields: Json) => normalized('transcript', { messages: [], ...fields })
const messageOf = (message: Json) => normalized('transcript', { messages: [message] }).messages

describe('the samples', () => {
  it.each(CONVERSATIONS)('lose their empty fields: the conversation as %s', (kind) => {
    const { visitor, ...rest } = conversation
    expect(normalized(kind, conversation)).toEqual({
      ...rest,
      visitor: {
        UUID: visitor.UUID,
        userAgent: visitor.userAgent,
        handle: 'netherlands-12',
        currentPage: 'http://shop.example.com/checkout',
        createdAt: '2016-02-07T19:02:17.839Z',
        IPAddress: '203.0.113.21',
        location: 'Utrecht, Utrecht, Netherlands',
      },
    })
  })

  it.each(CONVERSATIONS)(
    'stay unchanged without empty fields: the minimal conversation as %s',
    (kind) => {
      expect(normalized(kind, conversationMinimal)).toEqual(conversationMinimal)
    },
  )

  it('gain identTraitsParsed, and have emails in lower case', () => {
    const { referrerURL: _, ...visitor } = offlineMessage.visitor
    expect(normalized('offline-message', offlineMessage)).toEqual({
      ...offlineMessage,
      email: 'ada@example.com',
      emailPretty: '"Ada Example" <Ada@Example.com>',
      visitor: {
        ...visitor,
        email: 'ada@example.com',
        identTraits: '{"plan":"gold","seats":3}',
        identTraitsParsed: { plan: 'gold', seats: 3 },
        createdAt: '2016-02-07T19:02:17.839Z',
      },
    })
  })

  it('have every time of a transcript in UTC', () => {
    const { visitorEmail: _, ...rest } = transcript
    const [question, answer] = transcript.messages
    const { userId: __, ...asked } = question ?? {}
    expect(normalized('transcript', transcript)).toEqual({
      ...rest,
      startedAt: '2018-05-19T15:58:02.560Z',
      endedAt: '2018-05-19T16:14:32.000Z',
      messages: [
        { ...asked, sentAt: '2018-05-19T15:58:09.000Z' },
        { ...answer, sentAt: '2018-05-19T15:58:27.000Z' },
      ],
    })
  })

  it('stay unchanged: a transcript with an empty message', () => {
    expect(normalized('transcript', transcriptSparse)).toEqual(transcriptSparse)
  })

  it("keep the paths of Adobe's sample mapping", () => {
    for (const sample of [conversation, conversationMinimal]) {
      const payload = normalized('unanswered', sample)
      expect(payload).toMatchObject({
        visitor: { UUID: sample.visitor.UUID },
        message: sample.message,
        channelId: sample.channelId,
        slackChannelId: sample.slackChannelId,
        slackChannelName: sample.slackChannelName,
      })
    }
    expect(normalized('feedback', conversationMinimal)).toHaveProperty(
      'visitor.email',
      'test@example.com',
    )
  })
})

describe('the required field', () => {
  it.each(CONVERSATIONS)('of %s is visitor.UUID, not empty', (kind) => {
    const missing = [{}, { visitor: null }, { visitor: '' }, { visitor: {} }, { message: 'Hi' }]
    for (const payload of [...missing, { visitor: { UUID: '' } }, { visitor: { UUID: null } }]) {
      expect(issues(kind, payload)).toEqual([
        { path: 'visitor.UUID', message: expect.any(String) as string },
      ])
    }
    expect(normalized(kind, { visitor: { UUID: ' ' } })).toEqual({ visitor: { UUID: ' ' } })
  })

  it('of an offline message is message, possibly empty', () => {
    expect(issues('offline-message', { email: 'a@b.c' })[0]?.path).toBe('message')
    expect(issues('offline-message', { message: null })[0]?.path).toBe('message')
    expect(read('offline-message', { message: '' }).outcome).toBe('valid')
  })

  it('of an offline message is neither a visitor nor its UUID', () => {
    for (const visitor of [{}, null, { UUID: '', name: '' }]) {
      expect(read('offline-message', { message: 'Hi', visitor }).outcome).toBe('valid')
    }
    const older = { message: 'Hi', name: 'A', email: 'a@b.c', subject: 'S' }
    expect(normalized('offline-message', older)).toEqual(older)
  })

  it('of a transcript is messages, an array, possibly empty', () => {
    for (const payload of [{}, { messages: {} }, { messages: 'none' }, { messages: '' }]) {
      expect(issues('transcript', payload).map(({ path }) => path)).toEqual(['messages'])
    }
    expect(normalized('transcript', { messages: [] })).toEqual({ messages: [] })
    // As Go writes an empty one.
    expect(normalized('transcript', { messages: null })).toEqual({ messages: [] })
  })
})

describe('empty strings and nulls', () => {
  const visitorFields = [
    'email',
    'name',
    'identUserId',
    'identTraits',
    'userAgent',
    'handle',
    'currentPage',
    'referrerURL',
    'createdAt',
    'IPAddress',
    'location',
  ]
  const conversationFields = [
    'message',
    'conversationUUID',
    'channelId',
    'slackChannelName',
    'slackChannelId',
  ]
  const transcriptFields = [
    'agentEmail',
    'agentName',
    'archiveUrl',
    'channelId',
    'channelName',
    'conversationUUID',
    'startedAt',
    'endedAt',
    'htmlBody',
    'textBody',
    'visitorEmail',
    'replyToEmail',
    'visitorName',
    'visitorTraits',
    'slackTeamID',
  ]
  const offlineFields = ['name', 'email', 'emailPretty', 'subject']
  const messageFields = ['text', 'ts', 'sentAt', 'userId', 'username']
  const all = (fields: string[], value: unknown) =>
    Object.fromEntries(fields.map((field) => [field, value]))

  it.each(['', null])('are dropped from every documented text field: %j', (empty) => {
    expect(visitorOf(all(visitorFields, empty))).toEqual({ UUID: 'u' })
    expect(
      normalized('new-conversation', {
        visitor: { UUID: 'u' },
        ...all(conversationFields, empty),
      }),
    ).toEqual({ visitor: { UUID: 'u' } })
    expect(transcriptOf(all(transcriptFields, empty))).toEqual({ messages: [] })
    expect(messageOf(all(messageFields, empty))).toEqual([{}])
    expect(
      normalized('offline-message', {
        message: 'Hi',
        visitor: { UUID: empty, ...all(visitorFields, empty) },
        ...all(offlineFields, empty),
      }),
    ).toEqual({ message: 'Hi', visitor: {} })
  })

  it('are dropped from an empty offline message', () => {
    expect(normalized('offline-message', { message: '' })).toEqual({})
  })

  it.each([null, ''])('are dropped from a documented field of another type: %j', (empty) => {
    expect(transcriptOf({ extraData: empty })).toEqual({ messages: [] })
    expect(messageOf({ isVisitorMsg: empty })).toEqual([{}])
    expect(normalized('offline-message', { message: 'Hi', visitor: empty })).toEqual({
      message: 'Hi',
    })
  })

  it('are dropped only from documented fields; false, 0 and blanks are kept', () => {
    expect(messageOf({ isVisitorMsg: false, text: ' ' })).toEqual([
      { isVisitorMsg: false, text: ' ' },
    ])
    const unknown = { rating: 0, comment: '', agent: null, tags: ['', null], more: { a: '' } }
    expect(messageOf(unknown)).toEqual([unknown])
    expect(visitorOf(unknown)).toEqual({ UUID: 'u', ...unknown })
    expect(transcriptOf({ ...unknown, extraData: ['', null], visitorTraits: { a: '' } })).toEqual({
      messages: [],
      ...unknown,
      extraData: ['', null],
      visitorTraits: { a: '' },
    })
  })
})

describe('an empty list where an object is documented, as PHP writes an empty one', () => {
  it('is an empty object', () => {
    expect(visitorOf({ identTraits: [] })).toEqual({
      UUID: 'u',
      identTraits: '{}',
      identTraitsParsed: {},
    })
    expect(transcriptOf({ visitorTraits: [] })).toEqual({ messages: [], visitorTraits: {} })
    expect(normalized('transcript', { messages: [[], { text: 'Hi' }] })).toEqual({
      messages: [{}, { text: 'Hi' }],
    })
    expect(normalized('offline-message', { message: 'Hi', visitor: [] })).toEqual({
      message: 'Hi',
      visitor: {},
    })
    expect(issues('feedback', { visitor: [] })[0]?.path).toBe('visitor.UUID')
  })

  it('is none with something in it', () => {
    expect(issues('feedback', { visitor: [{}] })[0]?.path).toBe('visitor')
    expect(issues('transcript', { messages: [[1]] })[0]?.path).toBe('messages.0')
  })
})

describe('emails', () => {
  it.each([
    ['Ada@Example.COM', 'ada@example.com'],
    ['  ada@example.com\t\n', 'ada@example.com'],
    [' ÄDA@EXAMPLE.com ', 'äda@example.com'],
    ['not an email', 'not an email'],
  ])('are trimmed and lower-cased: %j', (came, leaves) => {
    expect(visitorOf({ email: came })).toEqual({ UUID: 'u', email: leaves })
    expect(normalized('offline-message', { message: 'Hi', email: came }).email).toBe(leaves)
    expect(transcriptOf({ agentEmail: came, visitorEmail: came, replyToEmail: came })).toEqual({
      messages: [],
      agentEmail: leaves,
      visitorEmail: leaves,
      replyToEmail: leaves,
    })
  })

  it('count as absent if they consist of blanks', () => {
    expect(visitorOf({ email: ' \t ' })).toEqual({ UUID: 'u' })
    expect(transcriptOf({ replyToEmail: ' ' })).toEqual({ messages: [] })
  })

  it('are left alone in emailPretty and in undocumented fields', () => {
    const emailPretty = ' "Ada" <Ada@Example.com> '
    const payload = { message: ' Hi ', emailPretty, name: ' Ada ', Email: 'A@B.C' }
    expect(normalized('offline-message', payload)).toEqual(payload)
    expect(visitorOf({ identUserId: ' Ada@Example.com ' })).toEqual({
      UUID: 'u',
      identUserId: ' Ada@Example.com ',
    })
  })

  it('are composed, and their domain stays as it came', () => {
    expect(visitorOf({ email: 'Andre\u0301@xn--bcher-kva.example' })).toEqual({
      UUID: 'u',
      email: 'andr\u00e9@xn--bcher-kva.example',
    })
  })
})

describe('identTraits', () => {
  it.each([
    ['JSON text', '{"plan":"gold","seats":3}', { plan: 'gold', seats: 3 }],
    ['JSON text with blanks', ' { "plan" : "gold" } ', { plan: 'gold' }],
    ['JSON text of an array', '[1,2]', [1, 2]],
    ['JSON text of an empty object', '{}', {}],
  ])('stays a string and is parsed into identTraitsParsed: %s', (_, identTraits, parsed) => {
    expect(visitorOf({ identTraits })).toEqual({
      UUID: 'u',
      identTraits,
      identTraitsParsed: parsed,
    })
  })

  it.each(['gold', '{"plan":', '{"plan":"gold"', "{'plan':'gold'}", 'undefined'])(
    'is not parsed if it holds no JSON: %s',
    (identTraits) => {
      expect(visitorOf({ identTraits })).toEqual({ UUID: 'u', identTraits })
    },
  )

  it('is serialized if it is an object', () => {
    const identTraits = { plan: 'gold', nested: { list: [1, null, ''] }, '': 'é' }
    expect(visitorOf({ identTraits })).toEqual({
      UUID: 'u',
      identTraits: '{"plan":"gold","nested":{"list":[1,null,""]},"":"é"}',
      identTraitsParsed: identTraits,
    })
    expect(visitorOf({ identTraits: {} })).toEqual({
      UUID: 'u',
      identTraits: '{}',
      identTraitsParsed: {},
    })
  })

  it('is not parsed if it nests 100,000 levels deep', () => {
    const identTraits = `${'[{"a":'.repeat(50_000)}1${'}]'.repeat(50_000)}`
    const visitor = visitorOf({ identTraits }) as Json
    expect(Object.keys(visitor)).toEqual(['UUID', 'identTraits'])
    expect(visitor.identTraits === identTraits).toBe(true)
  })

  it('pollutes no prototype, as text or as an object', () => {
    const hostile = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'
    for (const identTraits of [hostile, JSON.parse(hostile) as Json]) {
      const reading = read('feedback', { visitor: { UUID: 'u', identTraits } })
      const parsed =
        reading.outcome === 'valid' &&
        (reading.event.payload as { visitor: Json }).visitor.identTraitsParsed
      expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype)
      expect((parsed as Json).polluted).toBeUndefined()
    }
    expect(({} as Json).polluted).toBeUndefined()
  })

  it.each([[['plan', 'gold']], 5, true])(
    'is refused if it is neither a string nor an object: %j',
    (identTraits) => {
      expect(issues('feedback', { visitor: { UUID: 'u', identTraits } })).toEqual([
        { path: 'visitor.identTraits', message: 'expected a string or an object' },
      ])
    },
  )

  it('leaves a field named identTraitsParsed unchanged if nothing parses', () => {
    for (const identTraits of ['gold', '', undefined]) {
      expect(visitorOf({ identTraits, identTraitsParsed: [0, ''] })).toMatchObject({
        identTraitsParsed: [0, ''],
      })
    }
  })

  it('is parsed in the visitor of an offline message too', () => {
    const visitor = { identTraits: { plan: 'gold' } }
    expect(normalized('offline-message', { message: 'Hi', visitor }).visitor).toEqual({
      identTraits: '{"plan":"gold"}',
      identTraitsParsed: { plan: 'gold' },
    })
  })
})

describe('visitorTraits', () => {
  it.each([
    ['an object', { current_page: 'x', a: [1] }, { current_page: 'x', a: [1] }],
    ['an empty object', {}, {}],
    ['JSON text of an object', '{"current_page":"x","a":[1]}', { current_page: 'x', a: [1] }],
    ['JSON text of an empty object', ' {} ', {}],
  ])('becomes an object: %s', (_, visitorTraits, leaves) => {
    expect(transcriptOf({ visitorTraits })).toEqual({ messages: [], visitorTraits: leaves })
  })

  it.each(['current_page: x', '{"current_page":', '[1,2]', '3', 'null', '"{}"', ' '])(
    'becomes visitorTraitsText if it is a string without an object: %j',
    (visitorTraits) => {
      expect(transcriptOf({ visitorTraits })).toEqual({
        messages: [],
        visitorTraitsText: visitorTraits,
      })
    },
  )

  it('becomes visitorTraitsText if the string nests 100,000 levels deep', () => {
    const visitorTraits = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`
    const payload = transcriptOf({ visitorTraits })
    expect(Object.keys(payload).sort()).toEqual(['messages', 'visitorTraitsText'])
    expect(payload.visitorTraitsText === visitorTraits).toBe(true)
  })

  it.each([[['a']], 5, true])(
    'is refused if it is neither a string nor an object: %j',
    (visitorTraits) => {
      expect(issues('transcript', { messages: [], visitorTraits })).toEqual([
        { path: 'visitorTraits', message: 'expected a string or an object' },
      ])
    },
  )

  it('leaves a field named visitorTraitsText unchanged if nothing replaces it', () => {
    for (const visitorTraits of [{ a: 1 }, '{"a":1}', '', undefined]) {
      expect(transcriptOf({ visitorTraits, visitorTraitsText: [0, ''] })).toMatchObject({
        visitorTraitsText: [0, ''],
      })
    }
  })
})

describe('undocumented fields', () => {
  const unknown = {
    rating: 5,
    comment: 'Great',
    nested: { list: [1, [2, { three: null }]], empty: {} },
    toString: 'a text',
    hasOwnProperty: 1,
    '': 0,
    'a.b': true,
    '0': 'zero',
  }

  it('pass through unchanged in every object', () => {
    expect(visitorOf(unknown)).toEqual({ UUID: 'u', ...unknown })
    expect(messageOf(unknown)).toEqual([unknown])
    expect(transcriptOf(unknown)).toEqual({ messages: [], ...unknown })
    expect(normalized('feedback', { visitor: { UUID: 'u' }, ...unknown })).toEqual({
      visitor: { UUID: 'u' },
      ...unknown,
    })
    expect(normalized('offline-message', { message: 'Hi', ...unknown })).toEqual({
      message: 'Hi',
      ...unknown,
    })
  })

  it('pass through even if they are documented for another kind', () => {
    const inTranscript = { visitor: ['x'], message: 7, emailPretty: { a: '' }, slackChannelId: 5 }
    expect(transcriptOf(inTranscript)).toEqual({ messages: [], ...inTranscript })
    const inConversation = {
      visitor: { UUID: 'u', text: 7 },
      messages: 7,
      endedAt: 5,
      emailPretty: { a: '' },
      visitorTraits: '',
    }
    expect(normalized('feedback', inConversation)).toEqual(inConversation)
    const offline = { message: 'Hi', messages: null, endedAt: 'Soon', channelId: 0 }
    expect(normalized('offline-message', offline)).toEqual(offline)
  })

  it('pollute nothing if they are named like prototypes', () => {
    const hostile =
      '"__proto__":{"polluted":1,"text":"x","UUID":"x"},"constructor":{"prototype":{"polluted":1}},' +
      '"prototype":{"polluted":1}'
    const bodies: [EventKind, string][] = [
      ['feedback', `{"visitor":{"UUID":"u",${hostile}},${hostile}}`],
      ['offline-message', `{"message":"Hi","visitor":{${hostile}},${hostile}}`],
      ['transcript', `{"messages":[{${hostile}}],"visitorTraits":{${hostile}},${hostile}}`],
    ]
    for (const [kind, body] of bodies) {
      const reading = read(kind, body)
      if (reading.outcome !== 'valid') throw new Error(`${kind} is ${reading.outcome}`)
      const payload = reading.event.payload as Json
      const messages = (payload.messages ?? []) as Json[]
      for (const holder of [payload, payload.visitor, payload.visitorTraits, ...messages]) {
        if (holder === undefined) continue
        expect(Object.getPrototypeOf(holder)).toBe(Object.prototype)
        expect((holder as Json).polluted).toBeUndefined()
        expect(Object.hasOwn(holder as Json, 'text')).toBe(false)
      }
    }
    expect(({} as Json).polluted).toBeUndefined()
  })

  it('cannot supply a required field from a key named __proto__', () => {
    expect(issues('feedback', '{"visitor":{"__proto__":{"UUID":"u"}}}')[0]?.path).toBe(
      'visitor.UUID',
    )
    expect(issues('transcript', '{"__proto__":{"messages":[]}}')[0]?.path).toBe('messages')
  })
})

describe('text', () => {
  it.each([
    ['emoji and right-to-left text', '👩‍👩‍👧 שלום \u202Eabc'],
    ['a NUL', 'a\0b'],
    ['lone surrogates', '\uD83D and \uDE00'],
    ['a byte order mark', '\uFEFFHi'],
    ['line separators', 'a\u2028b\u2029c\r\n'],
    ['markup', '<script>alert("x")</script>'],
    ['a megabyte', 'é'.repeat(500_000)],
  ])('passes through unchanged: %s', (_, message) => {
    const leaves = normalized('feedback', { visitor: { UUID: 'u' }, message }).message
    expect(leaves === message).toBe(true)
    const [inTranscript] = messageOf({ text: message }) as Json[]
    expect(inTranscript?.text === message).toBe(true)
  })

  it('has the value of the last duplicate key', () => {
    const body =
      '{"visitor":{"UUID":7},"message":"a","message":"b","visitor":{"UUID":"u","UUID":"v"}}'
    expect(normalized('feedback', body)).toEqual({ visitor: { UUID: 'v' }, message: 'b' })
  })
})
