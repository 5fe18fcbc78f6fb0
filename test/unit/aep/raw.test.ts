import { describe, expect, it } from 'vitest'
import { encodeRaw } from '../../../src/worker/aep/record/raw.ts'
import minimal from '../../fixtures/conversation-minimal.json'
import sparse from '../../fixtures/transcript-sparse.json'
import { eventOf, ID } from './split-arbitraries.ts'

describe('the raw record', () => {
  it('keeps every path of Adobe’s sample mapping', () => {
    expect(JSON.parse(JSON.stringify(encodeRaw(eventOf('feedback', minimal))))).toEqual({
      ...minimal,
      _id: ID,
      timestamp: '2026-11-02T09:30:00.123Z',
      eventType: 'chatlio.feedback',
      receivedAt: '2026-11-02T09:30:00.123Z',
    })
  })

  it('overrides payload fields with those that an ExperienceEvent needs', () => {
    const own = { _id: 'x:y', timestamp: 1, eventType: null, receivedAt: {} }
    expect(encodeRaw(eventOf('transcript', { ...sparse, ...own }))).toMatchObject({
      _id: ID,
      timestamp: '2026-11-02T09:30:00.123Z',
      eventType: 'chatlio.transcript',
      receivedAt: '2026-11-02T09:30:00.123Z',
    })
  })

  it('keeps undocumented fields unchanged', () => {
    const rating = { stars: 4, why: [null, ''] }
    const event = eventOf('feedback', { visitor: { UUID: 'u1', vip: true }, rating })
    expect(encodeRaw(event)).toMatchObject({ visitor: { vip: true }, rating })
  })
})
