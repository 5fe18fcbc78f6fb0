/**
 * Sample: raw records as the relay sends them, for `preview`. Together they fill every field of the mapping.
 * Promises: made by the relay's own normalizer and encoder, so they cannot drift from what is sent. The person in it
 * does not exist.
 */
import { encodeRaw } from '../../worker/aep/record/raw.ts'
import { readEvent } from '../../worker/chatlio/event.ts'
import type { EventKind } from '../../worker/chatlio/kind.ts'
import type { Json, JsonRecord } from '../lib/platform-request.ts'

const RECEIVED_AT = Date.parse('2026-11-02T09:30:00.123Z')

const VISITOR = {
  UUID: '00000000-0000-4000-8000-000000000000',
  email: 'visitor@example.com',
  name: 'Test visitor',
  identUserId: 'user-1',
  identTraits: '{"plan":"gold"}',
  userAgent: 'Mozilla/5.0',
  handle: 'test-1',
  currentPage: 'https://shop.example.com/orders',
  referrerURL: 'https://shop.example.com/',
  createdAt: '2026-10-01T09:00:00Z',
  location: 'Utrecht, Utrecht, Netherlands',
}

const SAMPLES: readonly (readonly [EventKind, object])[] = [
  [
    'new-conversation',
    {
      visitor: { ...VISITOR, IPAddress: '203.0.113.21' },
      message: 'Hello',
      conversationUUID: '00000000-0000-4000-8000-000000000001',
      channelId: 'C1',
      slackChannelName: 'chat',
      slackChannelId: 'C2',
    },
  ],
  [
    'offline-message',
    {
      message: 'Do you ship to Belgium?',
      name: 'Test visitor',
      email: 'visitor@example.com',
      emailPretty: '"Test visitor" <visitor@example.com>',
      subject: 'Shipping',
      visitor: { ...VISITOR, IPAddress: '2001:db8::7' },
    },
  ],
  [
    'transcript',
    {
      agentEmail: 'agent@example.com',
      agentName: 'Agent',
      archiveUrl: 'https://example.slack.com/archives/test',
      extraData: ['one', 'two'],
      channelId: 'C1',
      channelName: 'test-1',
      conversationUUID: '00000000-0000-4000-8000-000000000001',
      startedAt: '2026-11-02T09:00:00Z',
      endedAt: '2026-11-02T09:10:00Z',
      htmlBody: '<p>Hello</p>',
      textBody: 'Hello',
      messages: [
        {
          text: 'Hello',
          ts: '1.1',
          sentAt: '2026-11-02T09:00:00Z',
          username: 'test-1',
          isVisitorMsg: true,
        },
        {
          text: 'Hi',
          ts: '1.2',
          sentAt: '2026-11-02T09:01:00Z',
          userId: 'U1',
          username: 'Agent',
          isVisitorMsg: false,
        },
      ],
      visitorEmail: 'visitor@example.com',
      replyToEmail: 'reply@example.com',
      visitorName: 'Test visitor',
      visitorTraits: { plan: 'gold' },
      slackTeamID: 'T1',
    },
  ],
]

/** What only the parts of a large event have. */
const PART = {
  unmapped: '{"rating":5}',
  part: { index: 0, count: 2, of: 'x', dropped: ['htmlBody'] },
}

export function sampleRecords(): readonly JsonRecord[] {
  const records = SAMPLES.map(([kind, payload], index) => {
    const id = String(index).padStart(64, '0')
    const reading = readEvent({ id, kind, receivedAt: RECEIVED_AT }, { ok: true, value: payload })
    if (reading.outcome !== 'valid') throw new Error(`The sample of ${kind} is not valid.`)
    return JSON.parse(JSON.stringify(encodeRaw(reading.event))) as JsonRecord
  })
  const [first, second, transcript] = records
  const messages = [{ index: 0, text: 'Hello' }] satisfies Json
  const traits = { visitorTraitsText: 'gold' }
  const part = { ...transcript, ...PART, ...traits, messages } as JsonRecord
  return [first, second, transcript, part].filter((record) => record !== undefined)
}
