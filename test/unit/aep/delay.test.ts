import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode, withDelay } from '../../../src/worker/aep/record/encode.ts'
import { anyEvent, eventOf, holds, RAW, RECEIVED_AT, XDM, XDM_EXTRAS } from './split-arbitraries.ts'
import { type Loose, utf8 } from './split-whole.ts'

const HOUR = 3_600_000

function recordsOf(
  event: Parameters<typeof encode>[0],
  destination: typeof RAW | typeof XDM,
  limit: number,
  now = RECEIVED_AT,
) {
  const encoded = encode(event, destination, limit, { now, source: null, redact: [] })
  return encoded.split ? encoded.parts : [encoded.record]
}

const inRaw = (record: string) => (JSON.parse(record) as Loose).delaySeconds
const inXdm = (record: string) => (JSON.parse(record) as Loose)._acme.chatlio.delaySeconds

describe('delaySeconds', () => {
  it.each([
    [0, 0],
    [999, 0],
    [1_000, 1],
    [90_500, 90],
    [-5_000, 0],
    [86_400_000 * 400, 34_560_000],
  ])('is whole seconds from receipt to sending: after %i ms %i', (ms, seconds) => {
    const event = eventOf('feedback', { visitor: { UUID: 'u1' } })
    expect(inRaw(recordsOf(event, RAW, 9_500, RECEIVED_AT + ms)[0] ?? '')).toBe(seconds)
    expect(inXdm(recordsOf(event, XDM_EXTRAS, 9_500, RECEIVED_AT + ms)[0] ?? '')).toBe(seconds)
  })

  it('of a part is that of the moment it is sent, and nothing else changes', () => {
    holds(
      fc.property(anyEvent, fc.constantFrom(2_000, 9_500), (event, limit) => {
        for (const [destination, delayOf] of [
          [RAW, inRaw],
          [XDM_EXTRAS, inXdm],
        ] as const) {
          for (const part of recordsOf(event, destination, limit)) {
            const later = withDelay(part, RECEIVED_AT, RECEIVED_AT + HOUR)
            expect(delayOf(later)).toBe(3_600)
            expect(withDelay(later, RECEIVED_AT, RECEIVED_AT)).toBe(part)
            const latest = withDelay(part, RECEIVED_AT, Number.MAX_SAFE_INTEGER)
            expect(utf8(latest)).toBeLessThanOrEqual(limit)
          }
        }
      }),
      60,
    )
  })

  it.each([
    ['raw', RAW],
    ['xdm', XDM_EXTRAS],
  ] as const)(
    'never makes an event that was sent whole a split one, so its _id stays (%s)',
    (_, destination) => {
      const splitAfter = (length: number, ms: number) => {
        const event = eventOf('feedback', { visitor: { UUID: 'u1' }, rating: 'x'.repeat(length) })
        const sending = { now: RECEIVED_AT + ms, source: null, redact: [] }
        return encode(event, destination, 9_500, sending).split
      }
      // The longest that is sent whole at once, by halving: what could differ later lies around it.
      let [whole, split] = [7_500, 9_500]
      expect([splitAfter(whole, 0), splitAfter(split, 0)]).toEqual([false, true])
      while (split - whole > 1) {
        const middle = Math.floor((whole + split) / 2)
        if (splitAfter(middle, 0)) split = middle
        else whole = middle
      }
      const lengths = Array.from({ length: 100 }, (_, index) => split - 50 + index)
      const later = lengths.map((length) => splitAfter(length, 400 * 24 * HOUR))
      expect(later).toEqual(lengths.map((length) => length >= split))
      expect(lengths.map((length) => splitAfter(length, 0))).toEqual(later)
    },
  )

  it('is not added to a record that has none, whatever a visitor wrote', () => {
    const payload = { visitor: { UUID: 'u1', delaySeconds: 5 }, message: '{"delaySeconds":5' }
    for (const record of recordsOf(eventOf('feedback', payload), XDM, 9_500)) {
      expect(withDelay(record, RECEIVED_AT, RECEIVED_AT + HOUR)).toBe(record)
    }
  })
})
