import { describe, expect, it } from 'vitest'
import { metricsOf } from '../../../src/worker/aep/record/metrics.ts'
import transcript from '../../fixtures/transcript.json'
import sparse from '../../fixtures/transcript-sparse.json'
import { encodeParts } from './encode-parts.ts'
import { eventOf, RAW, RECEIVED_AT, XDM, XDM_EXTRAS } from './split-arbitraries.ts'
import { entity, record } from './split-whole.ts'

const BEGAN = RECEIVED_AT - 7_200_000
/** `seconds` after the chat began. */
const at = (seconds: number) => new Date(BEGAN + seconds * 1_000).toISOString()

type Message = Record<string, unknown>
const visitor = (seconds: number, more: object = {}): Message => ({
  text: 'x',
  sentAt: at(seconds),
  userId: '',
  isVisitorMsg: true,
  ...more,
})
const agent = (seconds: number, userId = 'U1', more: object = {}): Message => ({
  ...visitor(seconds),
  userId,
  isVisitorMsg: false,
  ...more,
})

type Numbers = { durationSeconds?: number; visitorMessages?: number }

const of = (messages: readonly Message[], more: object = {}) =>
  metricsOf(eventOf('transcript', { messages, ...more })) as Numbers | null

const NONE = { visitorMessages: 0, agentMessages: 0, answered: false, agentCount: 0 }

describe('the numbers of a chat', () => {
  it.each<[string, readonly Message[], object]>([
    [
      'an answered question',
      [visitor(0), agent(12.9)],
      {
        ...{ visitorMessages: 1, agentMessages: 1, firstResponseSeconds: 12 },
        ...{ longestWaitSeconds: 12, answered: true, agentCount: 1, endedBy: 'agent' },
      },
    ],
    [
      'several agents, and a wait that is longer than the first',
      [
        visitor(0),
        visitor(5),
        agent(10),
        agent(20, 'U2'),
        visitor(30),
        agent(90, 'U2'),
        visitor(95),
      ],
      {
        ...{ visitorMessages: 4, agentMessages: 3, firstResponseSeconds: 10 },
        ...{ longestWaitSeconds: 60, answered: true, agentCount: 2, endedBy: 'visitor' },
      },
    ],
    ['nobody', [], NONE],
    [
      'nobody who answers',
      [visitor(0), visitor(60)],
      { ...NONE, visitorMessages: 2, endedBy: 'visitor' },
    ],
    [
      'a bot that writes first, and then nobody',
      [agent(0, ''), visitor(5)],
      { ...NONE, visitorMessages: 1, agentMessages: 1, endedBy: 'visitor' },
    ],
    [
      'a bot that writes first, and then an agent',
      [agent(0, ''), visitor(5), agent(8)],
      {
        ...{ visitorMessages: 1, agentMessages: 2, firstResponseSeconds: 3 },
        ...{ longestWaitSeconds: 3, answered: true, agentCount: 1, endedBy: 'agent' },
      },
    ],
    [
      'an unreadable time of a question',
      [visitor(0, { sentAt: 'yesterday' }), visitor(5), agent(8)],
      { visitorMessages: 2, agentMessages: 1, answered: true, agentCount: 1, endedBy: 'agent' },
    ],
    [
      'an unreadable time of a later answer',
      [visitor(0), agent(8), visitor(10), agent(0, 'U1', { sentAt: '' })],
      {
        ...{ visitorMessages: 2, agentMessages: 2, firstResponseSeconds: 8 },
        ...{ answered: true, agentCount: 1, endedBy: 'agent' },
      },
    ],
    [
      'a clock that goes back',
      [visitor(60), agent(8)],
      { visitorMessages: 1, agentMessages: 1, answered: true, agentCount: 1, endedBy: 'agent' },
    ],
    [
      'a clock that is ahead, so that all times are capped at receipt',
      [visitor(8_000), agent(9_000)],
      { visitorMessages: 1, agentMessages: 1, answered: true, agentCount: 1, endedBy: 'agent' },
    ],
    [
      'a message of nobody between them, and one at the end',
      [visitor(0), { text: 'joined' }, agent(8), { text: 'left' }],
      {
        ...{ visitorMessages: 1, agentMessages: 1, firstResponseSeconds: 8 },
        ...{ longestWaitSeconds: 8, answered: true, agentCount: 1 },
      },
    ],
  ])('of %s', (_, messages, expected) => {
    expect(of(messages)).toEqual(expected)
  })

  it.each([
    ['begin and end', at(0), at(600.9), 600],
    ['no begin', '', at(600), undefined],
    ['an unreadable end', at(0), 'soon', undefined],
    ['an end before the begin', at(600), at(0), undefined],
    ['the same moment', at(5), at(5), 0],
    ['a begin in the future', at(8_000), at(9_000), undefined],
    ['an end in the future, which counts as receipt', at(0), at(9_000), 7_200],
    ['Go’s zero time', '0001-01-01T00:00:00Z', at(9), undefined],
  ])('have a duration by %s', (_, startedAt, endedAt, seconds) => {
    expect(of([], { startedAt, endedAt })?.durationSeconds).toBe(seconds)
  })

  it('say nothing of who wrote where no message tells', () => {
    expect(metricsOf(eventOf('transcript', sparse))).toBeNull()
    const times = { startedAt: at(0), endedAt: at(9) }
    expect(of([{ text: 'Hi' }], times)).toEqual({ durationSeconds: 9 })
  })

  it('are those of the sample', () => {
    expect(metricsOf(eventOf('transcript', transcript))).toEqual({
      ...{ durationSeconds: 989, visitorMessages: 1, agentMessages: 1, agentCount: 1 },
      ...{ firstResponseSeconds: 18, longestWaitSeconds: 18, answered: true, endedBy: 'agent' },
    })
  })

  it('of an unanswered message say that it is, and of others nothing', () => {
    const payload = { visitor: { UUID: 'u1' } }
    expect(metricsOf(eventOf('unanswered', payload))).toEqual({ answered: false })
    for (const kind of ['new-conversation', 'feedback', 'conversation'] as const) {
      expect(metricsOf(eventOf(kind, payload))).toBeNull()
    }
    expect(metricsOf(eventOf('offline-message', { message: 'Hi' }))).toBeNull()
  })
})

describe('in the records', () => {
  const chat = (length: number) =>
    Array.from({ length }, (_, index) =>
      index % 2 === 0 ? visitor(index) : agent(index, `U${index % 3}`),
    )

  it.each([1, 2, 60, 5_000])('both formats say the same of %i messages, once', (length) => {
    const payload = { messages: chat(length), startedAt: at(0), endedAt: at(length) }
    const event = eventOf('transcript', payload)
    const raw = encodeParts(event, RAW, 9_500).map(record)
    const xdm = encodeParts(event, XDM_EXTRAS, 9_500).map(entity)
    const whole = metricsOf(event) as Numbers | null
    expect(whole?.visitorMessages).toBe(Math.ceil(length / 2))
    expect(raw.map(({ chatMetrics }) => chatMetrics)).toEqual(onlyFirst(raw, whole))
    expect(xdm.map(({ _acme }) => _acme.chatlio.metrics)).toEqual(onlyFirst(xdm, whole))
    expect(xdm.map(({ customerFeedback }) => customerFeedback?.chatEnd)).toEqual(onlyFirst(xdm, 1))
  })

  function onlyFirst(parts: readonly unknown[], value: unknown): unknown[] {
    return parts.map((_, index) => (index === 0 ? value : undefined))
  }

  it('xdm sends nothing that a schema of the first version lacks', () => {
    const payload = { ...transcript, conversationUUID: 'c1' }
    const [only = ''] = encodeParts(eventOf('transcript', payload), XDM, 9_500)
    const { _acme, customerFeedback } = entity(only)
    expect(customerFeedback).toBeUndefined()
    for (const name of ['metrics', 'delaySeconds', 'source']) {
      expect(_acme.chatlio).not.toHaveProperty(name)
    }
  })

  it.each([
    ['chat', ['metrics', 'delaySeconds', 'source'], false],
    ['contact', [], true],
  ] as const)('xdm sends what the schema has: %s', (extra, names, hasContact) => {
    const payload = { ...transcript, conversationUUID: 'c1' }
    const destination = { ...XDM, schemaExtras: [extra] }
    const [only = ''] = encodeParts(eventOf('transcript', payload), destination, 9_500)
    const { _acme, customerFeedback } = entity(only)
    for (const name of names) expect(_acme.chatlio).toHaveProperty(name)
    expect(customerFeedback).toEqual(hasContact ? { chatSessionID: 'c1', chatEnd: 1 } : undefined)
  })

  it('xdm says in Adobe’s own group what began, and of an offline message its subject', () => {
    const feedbackOf = (kind: 'new-conversation' | 'offline-message', payload: object) =>
      encodeParts(eventOf(kind, payload), XDM_EXTRAS, 9_500).map(entity)[0].customerFeedback
    const started = { visitor: { UUID: 'u1' }, conversationUUID: 'c1' }
    expect(feedbackOf('new-conversation', started)).toEqual({ chatSessionID: 'c1', chatStart: 1 })
    const left = { message: 'Hi', subject: 'Shipping', email: 'a@b' }
    expect(feedbackOf('offline-message', left)).toEqual({ subject: 'Shipping' })
  })
})
