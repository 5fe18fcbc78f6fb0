import { describe, expect, it } from 'vitest'
import {
  type ChatEvent,
  type Issue,
  type Reading,
  readEvent,
} from '../../../src/worker/chatlio/event.ts'
import { KINDS as KNOWN, ROUTE_KINDS, STORED_KINDS } from '../../../src/worker/chatlio/kind.ts'
import { parseJson } from '../../../src/worker/lib/json.ts'
import {
  MAX_BODY_BYTES,
  MAX_ISSUES,
  MAX_JSON_DEPTH,
  MAX_JSON_VALUES,
} from '../../../src/worker/limits.ts'
import conversation from '../../fixtures/conversation.json'
import conversationMinimal from '../../fixtures/conversation-minimal.json'
import offlineMessage from '../../fixtures/offline-message.json'
import transcript from '../../fixtures/transcript.json'
import transcriptSparse from '../../fixtures/transcript-sparse.json'

type Kind = (typeof STORED_KINDS)[number]

const RECEIVED = '2026-11-01T12:00:00.007Z'
const RECEIVED_AT = Date.parse(RECEIVED)

function readText(kind: Kind, text: string): Reading {
  const parsed = parseJson(new TextEncoder().encode(text))
  return readEvent({ id: 'id-1', kind, receivedAt: RECEIVED_AT }, parsed)
}

const read = (kind: Kind, payload: unknown) => readText(kind, JSON.stringify(payload))

function eventOf(kind: Kind, payload: unknown): ChatEvent {
  const reading = read(kind, payload)
  if (reading.outcome !== 'valid') throw new Error(`${kind} is ${JSON.stringify(reading)}`)
  return reading.event
}

function issuesOf(reading: Reading): Issue[] {
  if (reading.outcome !== 'invalid') throw new Error(reading.outcome)
  return reading.issues
}

describe('an event', () => {
  it.each([
    ['transcript', transcript, 'chatlio.transcript', '2018-05-19T16:14:32.000Z'],
    ['transcript', transcriptSparse, 'chatlio.transcript', RECEIVED],
    ['offline-message', offlineMessage, 'chatlio.offlineMessage', RECEIVED],
    ['new-conversation', conversation, 'chatlio.newConversation', RECEIVED],
    ['unanswered', conversation, 'chatlio.unanswered', RECEIVED],
    ['feedback', conversationMinimal, 'chatlio.feedback', RECEIVED],
    ['conversation', conversationMinimal, 'chatlio.conversation', RECEIVED],
  ] as const)('has a type, an id and a timestamp: %s', (kind, sample, eventType, timestamp) => {
    expect(read(kind, sample)).toEqual({
      outcome: 'valid',
      kind,
      event: {
        kind,
        id: 'id-1',
        eventType,
        timestamp,
        receivedAt: RECEIVED,
        payload: expect.any(Object) as object,
      },
    })
  })

  it.each([
    ['a transcript', transcript, 'transcript'],
    ['a sparse transcript', transcriptSparse, 'transcript'],
    ['an offline message', offlineMessage, 'offline-message'],
    ['an older offline message', { message: 'Hi', subject: 'S' }, 'offline-message'],
    ['a conversation', conversation, 'conversation'],
    ['a minimal conversation', conversationMinimal, 'conversation'],
  ] as const)('by the one URL has the kind that its shape tells: %s', (_, sample, kind) => {
    expect(eventOf('auto', sample)).toMatchObject({ kind, eventType: KNOWN[kind].eventType })
  })

  it('has the kind of its URL, whatever its body looks like', () => {
    const both = { ...transcript, ...offlineMessage, ...conversation }
    for (const kind of ROUTE_KINDS) expect(eventOf(kind, both).kind).toBe(kind)
  })

  it('is read from JSON that starts with a byte order mark', () => {
    const text = `\uFEFF${JSON.stringify(conversation)}`
    expect(readText('feedback', text)).toEqual(read('feedback', conversation))
  })

  it('leaves the parsed JSON unchanged, so that it can be read again', () => {
    for (const [kind, sample] of [
      ['transcript', transcript],
      ['offline-message', offlineMessage],
      ['feedback', conversation],
    ] as const) {
      const value: unknown = structuredClone(sample)
      const arrival = { id: 'id-1', kind, receivedAt: RECEIVED_AT }
      const first = readEvent(arrival, { ok: true, value })
      expect(value).toEqual(sample)
      expect(readEvent(arrival, { ok: true, value })).toEqual(first)
    }
  })
})

describe('the timestamp', () => {
  it.each([
    ['2018-05-19T18:14:32.000026941+02:00', '2018-05-19T16:14:32.000Z'],
    ['2018-05-19T18:14:32.999999999-08:00', '2018-05-20T02:14:32.999Z'],
    ['2026-11-01T12:00:00.007Z', RECEIVED],
    ['2026-11-01T12:00:00.006Z', '2026-11-01T12:00:00.006Z'],
  ])('is the end of a transcript: %s', (endedAt, timestamp) => {
    expect(eventOf('transcript', { messages: [], endedAt })).toMatchObject({
      timestamp,
      payload: { endedAt: timestamp },
    })
  })

  it.each([
    ['in the future', '2026-11-01T12:00:00.008Z', RECEIVED],
    ['far in the future', '9999-12-31T23:59:59.999999999-12:00', RECEIVED],
    ['unreadable', 'yesterday', 'yesterday'],
    ['a day that does not exist', '2023-02-30T10:00:00Z', '2023-02-30T10:00:00Z'],
    ["Go's zero time", '0001-01-01T00:00:00Z', undefined],
    ['in year 1', '0001-07-01T10:00:00.5+02:00', undefined],
    ['empty', '', undefined],
    ['null', null, undefined],
    ['missing', undefined, undefined],
  ])('is the time of receipt if the end of a transcript is %s', (_, endedAt, leaves) => {
    const event = eventOf('transcript', { messages: [], endedAt })
    expect(event.timestamp).toBe(RECEIVED)
    expect(event.payload).toEqual({ messages: [], endedAt: leaves })
  })

  it('is never the creation of the visitor record, nor the start of a transcript', () => {
    const old = '2016-02-07T11:02:17.839766-08:00'
    for (const kind of ['new-conversation', 'unanswered', 'feedback', 'offline-message'] as const) {
      const payload = { message: 'Hi', visitor: { UUID: 'u', createdAt: old }, endedAt: old }
      expect(eventOf(kind, payload).timestamp).toBe(RECEIVED)
    }
    const messages = [{ sentAt: old, ts: '1526745489.000005' }]
    const payload = { messages, startedAt: old, visitor: { createdAt: old } }
    expect(eventOf('transcript', payload).timestamp).toBe(RECEIVED)
  })
})

describe('a time field', () => {
  const came = [
    '2018-05-19T17:58:02.560106+02:00',
    '2030-01-01T00:00:00Z',
    'soon',
    '2023-02-30T10:00:00Z',
    '0001-01-01T00:00:00Z',
  ]
  const leaves = ['2018-05-19T15:58:02.560Z', RECEIVED, 'soon', '2023-02-30T10:00:00Z', undefined]

  it('is normalized to UTC milliseconds, at most receipt, and left unchanged if unreadable', () => {
    came.forEach((text, index) => {
      for (const kind of ['feedback', 'offline-message'] as const) {
        const payload = { message: 'Hi', visitor: { UUID: 'u', createdAt: text } }
        expect(eventOf(kind, payload).payload).toEqual({
          message: 'Hi',
          visitor: { UUID: 'u', createdAt: leaves[index] },
        })
      }
      expect(eventOf('transcript', { messages: [], startedAt: text }).payload).toEqual({
        messages: [],
        startedAt: leaves[index],
      })
    })
    const messages = came.map((sentAt) => ({ sentAt, ts: sentAt }))
    expect(eventOf('transcript', { messages }).payload).toEqual({
      messages: came.map((ts, index) => ({ sentAt: leaves[index], ts })),
    })
  })

  it('is left unchanged if it is undocumented', () => {
    const time = '2030-01-01T00:00:00+02:00'
    const payload = { messages: [], createdAt: time, visitor: { createdAt: time } }
    expect(eventOf('transcript', payload).payload).toEqual(payload)
    const other = { visitor: { UUID: 'u' }, startedAt: time, sentAt: time, timestamp: time }
    expect(eventOf('feedback', other).payload).toEqual(other)
  })
})

describe('a body that is not an event', () => {
  it.each(STORED_KINDS)(
    'is malformed if it is not JSON, and keeps the kind of its URL: %s',
    (kind) => {
      for (const text of ['', '{', 'message=Hi', ' \uFEFF{}']) {
        expect(readText(kind, text)).toEqual({ outcome: 'malformed', kind })
      }
    },
  )

  it.each(STORED_KINDS)('is invalid if it is not an object: %s', (kind) => {
    for (const text of ['[]', '[{"messages":[]}]', '"Hi"', '7', 'true', 'null']) {
      expect(readText(kind, text)).toEqual({
        outcome: 'invalid',
        kind,
        issues: [{ path: '', message: 'expected an object' }],
      })
    }
  })

  it('has the kind auto if the single URL received it and it matches none', () => {
    for (const payload of [{}, { rating: 5 }, { conversationUUID: 'c', channelId: 'C' }]) {
      expect(read('auto', payload)).toEqual({
        outcome: 'invalid',
        kind: 'auto',
        issues: [
          { path: '', message: 'expected a transcript, an offline message or a conversation' },
        ],
      })
    }
  })

  it('has the inferred kind if the single URL received it', () => {
    expect(read('auto', { messages: 7 })).toMatchObject({ outcome: 'invalid', kind: 'transcript' })
    expect(read('auto', { emailPretty: 'x' })).toMatchObject({ kind: 'offline-message' })
    expect(read('auto', { message: 'Hi' })).toMatchObject({ kind: 'conversation' })
  })
})

describe('an issue', () => {
  it.each([
    ['feedback', {}, 'visitor.UUID'],
    ['feedback', { visitor: 'Ada' }, 'visitor'],
    ['feedback', { visitor: ['Ada'] }, 'visitor'],
    ['feedback', { visitor: { UUID: 7 } }, 'visitor.UUID'],
    ['feedback', { visitor: { UUID: 'u', email: ['a@b.c'] } }, 'visitor.email'],
    ['feedback', { visitor: { UUID: 'u' }, channelId: 7 }, 'channelId'],
    ['offline-message', { name: 'Ada' }, 'message'],
    ['offline-message', { message: 'Hi', visitor: { UUID: {} } }, 'visitor.UUID'],
    ['offline-message', { message: 'Hi', subject: false }, 'subject'],
    ['transcript', { textBody: 'Hi' }, 'messages'],
    ['transcript', { messages: { 0: {} } }, 'messages'],
    ['transcript', { messages: [{}, null] }, 'messages.1'],
    ['transcript', { messages: [{}, [1]] }, 'messages.1'],
    ['transcript', { messages: [{ text: 7 }] }, 'messages.0.text'],
    ['transcript', { messages: [{}, {}, { isVisitorMsg: 'true' }] }, 'messages.2.isVisitorMsg'],
    ['transcript', { messages: [], extraData: {} }, 'extraData'],
    ['transcript', { messages: [], endedAt: 1526745489 }, 'endedAt'],
  ] as const)('names the place, dotted: %s %j', (kind, payload, path) => {
    const issues = issuesOf(read(kind, payload))
    expect(issues).toEqual([{ path, message: expect.stringMatching(/^(expected|required)/) }])
  })

  it('is reported for every fault', () => {
    const payload = {
      messages: [{ text: 1, ts: 2 }, 'x', {}, { isVisitorMsg: 0 }],
      agentEmail: 3,
      visitorTraits: 4,
    }
    expect(
      issuesOf(read('transcript', payload))
        .map(({ path }) => path)
        .sort(),
    ).toEqual([
      'agentEmail',
      'messages.0.text',
      'messages.0.ts',
      'messages.1',
      'messages.3.isVisitorMsg',
      'visitorTraits',
    ])
  })

  it('never names an undocumented field, beside or inside the one at fault', () => {
    const made = { 'ada@example.com': { canary: 7 }, '203.0.113.21': 'canary' }
    const broken: [Kind, unknown][] = [
      ['feedback', { ...made, visitor: { ...made } }],
      ['feedback', { visitor: { UUID: made, email: made } }],
      ['offline-message', { ...made, message: made, visitor: [made] }],
      ['transcript', { ...made, messages: [{ ...made, text: made }], extraData: made }],
      ['auto', made],
    ]
    for (const [kind, payload] of broken) {
      const issues = issuesOf(read(kind, payload))
      expect(issues.length).toBeGreaterThan(0)
      for (const { path } of issues) {
        expect(path).toMatch(/^((visitor|messages\.0)(\.(UUID|email|text))?|message|extraData|)$/)
      }
      expect(JSON.stringify(issues)).not.toMatch(/canary|ada|203/)
    }
  })
})

describe('hostile JSON', () => {
  it('is refused at 100,000 levels, without a crash', () => {
    const arrays = '['.repeat(100_000) + ']'.repeat(100_000)
    const objects = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`
    const issues = [{ path: '', message: 'expected less deeply nested JSON' }]
    for (const deep of [arrays, objects]) {
      expect(readText('transcript', `{"messages":${deep}}`)).toEqual({
        outcome: 'invalid',
        kind: 'transcript',
        issues,
      })
      expect(readText('auto', `{"visitor":{"UUID":"u","x":${deep}}}`)).toEqual({
        outcome: 'invalid',
        kind: 'conversation',
        issues,
      })
    }
    expect(readText('auto', objects)).toEqual({ outcome: 'invalid', kind: 'auto', issues })
  })

  it('is refused if a body of the largest size consists of brackets', () => {
    const levels = MAX_BODY_BYTES / 2
    const text = '['.repeat(levels) + ']'.repeat(levels)
    expect(readText('feedback', text)).toMatchObject({ outcome: 'invalid', kind: 'feedback' })
  })

  it('can be serialized if it was accepted, at any depth and place', () => {
    const inside = MAX_JSON_DEPTH - 2
    const deep: unknown = JSON.parse('['.repeat(inside) + ']'.repeat(inside))
    const taken: [Kind, unknown][] = [
      ['transcript', { messages: [], extraData: [deep] }],
      ['transcript', { messages: [], visitorTraits: { deep } }],
      ['feedback', { visitor: { UUID: 'u' }, more: [deep] }],
    ]
    for (const [kind, payload] of taken) {
      const { payload: leaves } = eventOf(kind, payload)
      expect(JSON.stringify(leaves)).toBe(JSON.stringify(payload))
    }
    const traits = { UUID: 'u', identTraits: { deep: (deep as unknown[])[0] } }
    expect(eventOf('feedback', { visitor: traits }).payload).toMatchObject({
      visitor: { identTraits: JSON.stringify(traits.identTraits) },
    })
  })

  it('yields few issues if tens of thousands of messages are invalid', () => {
    for (const broken of ['7', 'null', '{"text":7,"ts":7,"sentAt":7}']) {
      const count = broken.length > 4 ? 20_000 : 90_000
      const text = `{"messages":[${Array(count).fill(broken).join()}]}`
      const issues = issuesOf(readText('transcript', text))
      expect(issues).toHaveLength(MAX_ISSUES)
      expect(issues[0]?.path).toMatch(/^messages\.0(\.\w+)?$/)
    }
  })

  it('yields one issue if the last of 90,000 messages is invalid', () => {
    const text = `{"messages":[${'{},'.repeat(89_999)}7]}`
    expect(issuesOf(readText('transcript', text))).toEqual([
      { path: 'messages.89999', message: 'expected an object' },
    ])
  })

  it('is not validated further after enough invalid messages', () => {
    const count = 10_000
    let reads = 0
    const message = {
      get text() {
        reads += 1
        return 7
      },
    }
    const value = { messages: Array(count).fill(message) as unknown[] }
    const arrival = { id: 'id-1', kind: 'transcript', receivedAt: RECEIVED_AT } as const
    expect(issuesOf(readEvent(arrival, { ok: true, value }))).toHaveLength(MAX_ISSUES)
    // One read for the depth check, then only the first few messages.
    expect(reads).toBeLessThan(count + 3 * MAX_ISSUES)
  })

  it('is accepted with 90,000 elements in a field without a limit', () => {
    const text = `{"messages":[],"extraData":[${'7,'.repeat(89_999)}7]}`
    const reading = readText('transcript', text)
    expect(reading.outcome === 'valid' && JSON.stringify(reading.event.payload) === text).toBe(true)
  })

  it.each([
    ['transcript', `{"messages":[${'{},'.repeat(499_999)}{}]}`],
    ['transcript', `{"messages":[],"extraData":[${'7,'.repeat(499_999)}7]}`],
    ['feedback', `{"visitor":{"UUID":"u"},"more":[${'{},'.repeat(499_999)}{}]}`],
  ] as const)('is not validated if it has 500,000 values: %s', (kind, text) => {
    expect(readText(kind, text)).toEqual({ outcome: 'too-many-values', kind })
  })

  it('is an event up to the limit of values, which no real transcript reaches', () => {
    const message = {
      text: 'ok',
      ts: '1526745489.000005',
      sentAt: '2018-05-19T15:58:09Z',
      userId: 'U1NABCDEF',
      username: 'ada',
      isVisitorMsg: true,
    }
    const count = Math.floor(MAX_BODY_BYTES / (JSON.stringify(message).length + 1)) - 1
    const largest = { messages: Array(count).fill(message) as unknown[] }
    expect(read('transcript', largest).outcome).toBe('valid')
    const list = (length: number) => ({ messages: [], extraData: Array(length).fill(7) })
    expect(read('transcript', list(MAX_JSON_VALUES - 2)).outcome).toBe('valid')
    expect(read('transcript', list(MAX_JSON_VALUES - 1)).outcome).toBe('too-many-values')
  })

  it('cannot gain fields from a key named like a prototype', () => {
    expect(readText('auto', '{"__proto__":{"messages":[]}}').kind).toBe('auto')
    expect(readText('auto', '{"__proto__":{"messages":[]},"visitor":{}}')).toMatchObject({
      outcome: 'invalid',
      kind: 'conversation',
    })
  })

  it('has the value of the last duplicate key', () => {
    const text = '{"messages":7,"endedAt":"2018-05-19T16:00:00Z","messages":[],"endedAt":""}'
    expect(readText('transcript', text)).toMatchObject({
      outcome: 'valid',
      event: { timestamp: RECEIVED, payload: { messages: [] } },
    })
    expect(readText('transcript', '{"messages":[],"messages":7}').outcome).toBe('invalid')
  })

  it('keeps lone surrogates and NULs as valid JSON', () => {
    const text = String.raw`{"messages":[{"text":"\ud800 \udc00 \u0000"}]}`
    const reading = readText('transcript', text)
    expect(reading.outcome === 'valid' && JSON.stringify(reading.event.payload)).toBe(text)
  })
})
