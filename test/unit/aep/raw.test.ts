import { describe, expect, it } from 'vitest'
import { encodeRaw } from '../../../src/worker/aep/record/encode.ts'
import minimal from '../../fixtures/conversation-minimal.json'
import sparse from '../../fixtures/transcript-sparse.json'
import { encodeParts } from './encode-parts.ts'
import { eventOf, ID, RAW } from './split-arbitraries.ts'
import { record } from './split-whole.ts'

const OWN = {
  _id: ID,
  timestamp: '2026-11-02T09:30:00.123Z',
  eventType: 'chatlio.feedback',
  receivedAt: '2026-11-02T09:30:00.123Z',
}
const IDENTITY = { visitor: minimal.visitor.UUID, email: 'test@example.com' }

describe('the raw record', () => {
  it('keeps every path of Adobe’s sample mapping', () => {
    const raw = encodeRaw(eventOf('feedback', minimal), null)
    expect(JSON.parse(JSON.stringify(raw))).toEqual({ ...minimal, ...OWN, identity: IDENTITY })
  })

  it('says which key it came by, and how long it took', () => {
    const [only = ''] = encodeParts(eventOf('feedback', minimal), RAW, 9_500)
    expect(record(only)).toMatchObject({ source: 'shop', delaySeconds: 0 })
  })

  it('has no identity where nobody is known', () => {
    expect(encodeRaw(eventOf('transcript', { messages: [] }), null).identity).toBeUndefined()
  })

  it('keeps undocumented fields unchanged', () => {
    const rating = { stars: 4, why: [null, ''] }
    const event = eventOf('feedback', { visitor: { UUID: 'u1', vip: true }, rating })
    expect(encodeRaw(event, null)).toMatchObject({ visitor: { vip: true }, rating })
  })
})

describe('a payload’s own field with a name of the relay’s', () => {
  const theirs = {
    ...{ _id: 'x:y', timestamp: 1, eventType: null, receivedAt: {}, source: 'theirs' },
    ...{ chatMetrics: { answered: true }, delaySeconds: 7, part: { index: 3 } },
    ...{ unmapped: '{}', identity: { visitor: 'somebody', email: 'else@example.com' } },
  }

  it.each([
    ['in one piece', 9_500],
    ['split', 2_000],
  ])('goes into `unmapped` and changes nothing else: %s', (_, limit) => {
    const payload = { ...minimal, message: 'Hi! '.repeat(1_000), ...theirs }
    const whole = encodeParts(eventOf('feedback', payload), RAW, limit).map(record)
    const unmapped = whole.map((part) => part.unmapped ?? '').join('')
    expect(JSON.parse(unmapped)).toEqual(theirs)
    for (const part of whole) {
      expect(part).toMatchObject({ ...OWN, _id: expect.stringMatching(ID), identity: IDENTITY })
      expect(part).toMatchObject({ source: 'shop', delaySeconds: 0 })
      expect(part.chatMetrics).toBeUndefined()
    }
  })

  it('goes there from a transcript too', () => {
    const raw = encodeRaw(eventOf('transcript', { ...sparse, ...theirs }), null)
    expect(JSON.parse(String(raw.unmapped))).toEqual(theirs)
    expect(raw).toMatchObject({ ...OWN, eventType: 'chatlio.transcript' })
    expect(raw.source).toBeUndefined()
  })
})

describe('traits', () => {
  const flatOf = (visitorTraits: unknown) =>
    encodeRaw(eventOf('transcript', { messages: [], visitorTraits }), null).visitorTraitsFlat

  it('leave as they came; objects and lists once more as text, for a map of texts', () => {
    const visitorTraits = { plan: 'gold', seats: 3, more: { a: [1] }, list: ['x'], none: null }
    const raw = encodeRaw(eventOf('transcript', { messages: [], visitorTraits }), null)
    expect(raw.visitorTraits).toEqual(visitorTraits)
    expect(raw.visitorTraitsFlat).toEqual({
      ...{ plan: 'gold', seats: 3, more: '{"a":[1]}', list: '["x"]', none: null },
    })
  })

  it.each([[{}], [{ plan: 'gold', seats: 3 }], ['gold'], [undefined]])(
    'leave once where a map takes them: %j',
    (traits) => {
      expect(flatOf(traits)).toBeUndefined()
    },
  )
})
