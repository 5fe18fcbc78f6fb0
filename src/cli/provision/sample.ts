/**
 * Sample: raw records as the relay sends them, for `preview`. Together they fill every field of the mapping.
 * Promises: made of the list of fields by the relay's own normalizer and encoder, so they cannot drift from what is sent.
 * The person in it does not exist.
 */
import { encode } from '../../worker/aep/record/encode.ts'
import { readEvent } from '../../worker/chatlio/event.ts'
import { samplePayload } from '../../worker/chatlio/fields.ts'
import type { EventKind } from '../../worker/chatlio/kind.ts'
import type { Json, JsonRecord } from '../lib/platform-request.ts'

const RECEIVED_AT = Date.parse('2026-11-02T09:30:00.123Z')

const SENDING = { now: RECEIVED_AT + 1_000, source: 'shop', redact: [] }
const RAW = { format: 'raw', url: '', credentials: null, flowId: '' } as const
const MAX_BYTES = 1_000_000

/** One body of each shape, every documented field filled; in the transcript an agent answers the visitor. */
export function samplePayloads(): readonly (readonly [EventKind, Record<string, unknown>])[] {
  const offline = samplePayload('offline-message')
  const transcript = samplePayload('transcript')
  const [asked] = transcript.messages as Record<string, unknown>[]
  const answered = { ...asked, sentAt: '2026-11-02T09:01:00.000Z', isVisitorMsg: false }
  return [
    ['new-conversation', samplePayload('conversation')],
    [
      'offline-message',
      { ...offline, visitor: { ...(offline.visitor as object), IPAddress: '2001:db8::7' } },
    ],
    ['transcript', { ...transcript, messages: [asked, answered] }],
  ]
}

/** What only the parts of a large event have, and traits that are no JSON. */
const PART = {
  unmapped: '{"rating":5}',
  part: { index: 0, count: 2, of: 'x', dropped: ['htmlBody'] },
  visitorTraitsText: 'gold',
  messages: [{ index: 0, text: 'Hello' }],
} satisfies JsonRecord

export function sampleRecords(): readonly JsonRecord[] {
  const records = samplePayloads().map(([kind, value], index) => {
    const id = String(index).padStart(64, '0')
    const reading = readEvent({ id, kind, receivedAt: RECEIVED_AT }, { ok: true, value })
    if (reading.outcome !== 'valid') throw new Error(`The sample of ${kind} is not valid.`)
    const encoded = encode(reading.event, RAW, MAX_BYTES, SENDING)
    if (encoded.split) throw new Error(`The sample of ${kind} is too large.`)
    return JSON.parse(encoded.record) as JsonRecord
  })
  return [...records, { ...records.at(-1), ...PART } as Record<string, Json>]
}
