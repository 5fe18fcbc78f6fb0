import { describe, expect, it } from 'vitest'
import { encodeRaw } from '../../../src/worker/aep/record/raw.ts'
import minimal from '../../fixtures/conversation-minimal.json'
import sparse from '../../fixtures/transcript-sparse.json'
import { eventOf, ID } from './split-arbitraries.ts'

describe('the raw record', () => {
  it('has every path of Adobe’s sample mapping where Chatlio has it', () => {
    expect(JSON.parse(JSON.stringify(encodeRaw(eventOf('feedback', minimal))))).toEqual({
      ...minimal,
      _id: ID,
      timestamp: '2026-11-02T09:30:00.123Z',
      eventType: 'chatlio.feedback',
      receivedAt: '2026-11-02T09:30:00.123Z',
    })
  })

  it('has what an ExperienceEvent needs in place of own fields of the same name', () => {
    const own = { _id: 'x:y', timestamp: 1, eventType: null, receivedAt: {} }
    expect(encodeRaw(eventOf('transcript', { ...sparse, ...own }))).toMatchObject({
      _id: ID,
      timestamp: '2026-11-02T09:30:00.123Z',
      eventType: 'chatlio.transcript',
      receivedAt: '2026-11-02T09:30:00.123Z',
    })
  })

  it('keeps a field nobody documented as it came', () => {
    const rating = { stars: 4, why: [null, ''] }
    const event = eventOf('feedback', { visitor: { UUID: 'u1', vip: true }, rating })
    expect(encodeRaw(event)).toMatchObject({ visitor: { vip: true }, rating })
  })
})
