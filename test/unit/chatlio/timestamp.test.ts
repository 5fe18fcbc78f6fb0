import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { normalizedTime, readTime, toIso, utcDay } from '../../../src/worker/chatlio/timestamp.ts'

const RECEIVED_AT = Date.parse('2026-11-01T12:00:00.000Z')

describe('a timestamp of Chatlio', () => {
  it.each([
    // text, normalized
    ['2018-05-19T16:14:32Z', '2018-05-19T16:14:32.000Z'],
    ['2018-05-19T18:14:32+02:00', '2018-05-19T16:14:32.000Z'],
    ['2016-02-07T11:02:17.839766-08:00', '2016-02-07T19:02:17.839Z'],
    ['2018-05-19T18:14:32.000026941+02:00', '2018-05-19T16:14:32.000Z'],
    ['2018-05-19T18:14:32.9999999999999999+02:00', '2018-05-19T16:14:32.999Z'],
    ['2018-05-19T18:14:32.5+02:00', '2018-05-19T16:14:32.500Z'],
    ['2018-05-19T18:14:32.07Z', '2018-05-19T18:14:32.070Z'],
    ['2018-05-19T23:30:00-05:45', '2018-05-20T05:15:00.000Z'],
    ['2018-01-01T00:30:00+14:00', '2017-12-31T10:30:00.000Z'],
    ['2018-05-19T18:14:32-00:00', '2018-05-19T18:14:32.000Z'],
    ['2018-05-19t18:14:32z', '2018-05-19T18:14:32.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['1969-12-31T23:59:59.9999Z', '1969-12-31T23:59:59.999Z'],
    ['0099-07-01T00:00:00Z', '0099-07-01T00:00:00.000Z'],
    ['0002-01-01T00:00:00Z', '0002-01-01T00:00:00.000Z'],
  ])('is normalized to UTC with milliseconds, truncated: %s', (text, expected) => {
    expect(readTime(text)).toBe(Date.parse(expected))
    expect(normalizedTime(text, RECEIVED_AT)).toBe(expected)
  })

  it.each([
    '0001-01-01T00:00:00Z',
    '0001-01-01T00:00:00.000000001Z',
    '0001-01-01T00:00:00+05:30',
    '0000-12-31T16:00:00-08:00',
    '0001-06-15T12:00:00Z',
    '0001-12-31T23:59:59.999999999Z',
  ])("counts as absent in year 1, Go's zero time: %s", (text) => {
    expect(normalizedTime(text, RECEIVED_AT)).toBeUndefined()
  })

  it.each([
    ['2018-05-19T18:14Z', '2018-05-19T18:14:00.000Z'],
    ['2018-05-19T18:14+02:00', '2018-05-19T16:14:00.000Z'],
    ['2018-05-19t18:14z', '2018-05-19T18:14:00.000Z'],
  ])('may be without seconds: %s', (text, expected) => {
    expect(normalizedTime(text, RECEIVED_AT)).toBe(expected)
  })

  it.each([
    '',
    'yesterday',
    '1526745489.000005',
    '1526745489',
    '2018-05-19',
    '2018-05-19T18:14:32',
    '2018-05-19 18:14:32Z',
    '2018-05-19T18Z',
    '2018-05-19T18:14',
    '2018-05-19T18:14.5Z',
    '2018-05-19T18:14:32.Z',
    '2018-05-19T18:14:32,5Z',
    '2018-05-19T18:14:32+02',
    '2018-05-19T18:14:32+0200',
    '2018-05-19T18:14:32+25:00',
    '2018-05-19T24:00:00Z',
    '2018-05-19T18:60:00Z',
    '2016-12-31T23:59:60Z',
    '2023-02-29T00:00:00Z',
    '2023-02-30T00:00:00Z',
    '2023-02-30T23:00:00-08:00',
    '2023-04-31T00:00:00Z',
    '2023-13-01T00:00:00Z',
    '2023-00-10T00:00:00Z',
    '2023-01-00T00:00:00Z',
    '+002018-05-19T18:14:32Z',
    '12018-05-19T18:14:32Z',
    ' 2018-05-19T18:14:32Z',
    '2018-05-19T18:14:32Z\n',
    '٢٠١٨-05-19T18:14:32Z',
    'Sat, 19 May 2018 18:14:32 GMT',
  ])('stays unchanged if it cannot be read: %j', (text) => {
    expect(readTime(text)).toBeNull()
    expect(normalizedTime(text, RECEIVED_AT)).toBe(text)
  })

  it.each([
    '2026-11-01T12:00:00.001Z',
    '2026-11-01T13:30:00+01:00',
    '2027-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999999999-23:59',
  ])('becomes the time of receipt if it lies in the future: %s', (text) => {
    expect(normalizedTime(text, RECEIVED_AT)).toBe('2026-11-01T12:00:00.000Z')
  })

  it.each([
    ['2026-11-01T12:00:00Z', '2026-11-01T12:00:00.000Z'],
    ['2026-11-01T12:00:00.000999999Z', '2026-11-01T12:00:00.000Z'],
    ['2026-11-01T13:59:59.999+02:00', '2026-11-01T11:59:59.999Z'],
  ])('is kept up to the time of receipt: %s', (text, expected) => {
    expect(normalizedTime(text, RECEIVED_AT)).toBe(expected)
  })

  it('may have 100,000 decimals, valid or not', () => {
    const decimals = '9'.repeat(100_000)
    const long = `2018-05-19T18:14:32.${decimals}Z`
    expect(normalizedTime(long, RECEIVED_AT)).toBe('2018-05-19T18:14:32.999Z')
    expect(normalizedTime(`${long}!`, RECEIVED_AT)).toBe(`${long}!`)
  })

  it('keeps its instant to the millisecond, with any offset and decimals', () => {
    const written = fc.record({
      ms: fc.integer({ min: Date.parse('0003-01-01T00:00:00Z'), max: RECEIVED_AT }),
      finer: fc.stringMatching(/^\d{0,6}$/),
      offset: fc.integer({ min: -1439, max: 1439 }),
    })
    fc.assert(
      fc.property(written, ({ ms, finer, offset }) => {
        const local = new Date(ms + offset * 60_000).toISOString().slice(0, -1)
        const hours = String(Math.trunc(Math.abs(offset) / 60)).padStart(2, '0')
        const minutes = String(Math.abs(offset) % 60).padStart(2, '0')
        const text = `${local}${finer}${offset < 0 ? '-' : '+'}${hours}:${minutes}`
        expect(normalizedTime(text, RECEIVED_AT)).toBe(new Date(ms).toISOString())
      }),
    )
  })

  it('is unchanged when normalized again, whatever the text', () => {
    const text = fc.oneof(
      fc.string(),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.stringMatching(/^\d{4}-[01]\d-[0-3]\dT[0-2]\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-][0-2]\d:\d\d)$/),
    )
    fc.assert(
      fc.property(text, (came) => {
        const left = normalizedTime(came, RECEIVED_AT)
        if (left === undefined) return
        expect(normalizedTime(left, RECEIVED_AT)).toBe(left)
        expect(readTime(left) ?? RECEIVED_AT).toBeLessThanOrEqual(RECEIVED_AT)
      }),
    )
  })
})

describe('times of the relay', () => {
  it('are written in UTC with milliseconds', () => {
    expect(toIso(RECEIVED_AT + 7)).toBe('2026-11-01T12:00:00.007Z')
    expect(toIso(0)).toBe('1970-01-01T00:00:00.000Z')
  })

  it.each([
    ['2026-10-31T23:59:59.999Z', '2026-10-31'],
    ['2026-11-01T00:00:00.000Z', '2026-11-01'],
    ['2026-11-01T00:30:00.000+01:00', '2026-10-31'],
  ])('have a UTC day: %s', (moment, day) => {
    expect(utcDay(Date.parse(moment))).toBe(day)
  })
})
