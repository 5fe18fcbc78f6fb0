import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Envelope } from '../../../src/worker/aep/client/client.ts'
import type { HttpAnswer } from '../../../src/worker/aep/client/verdict.ts'
import { judgeBatch } from '../../../src/worker/aep/client/verdict.ts'
import { AEP_MAX_REQUEST_BYTES, BATCH_MAX_BYTES } from '../../../src/worker/limits.ts'
import { RAW, XDM } from './split-arbitraries.ts'

const NOW = Date.parse('2026-11-01T12:00:00.000Z')

const answer = (status: number, body: unknown, more: Partial<HttpAnswer> = {}): HttpAnswer => ({
  status,
  retryAfter: null,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  complete: true,
  ...more,
})
/** A 207 with these entries. */
const multi = (...responses: unknown[]) => answer(207, { inletId: 'inlet-1', responses })
const verdicts = (given: HttpAnswer, count: number) => {
  const judged = judgeBatch(given, count, NOW)
  return judged === 'bisect' ? judged : judged.map(({ verdict }) => verdict)
}

const OK = { xactionId: '1565650704337:2124:92:3' }

describe('an answer with one entry per message', () => {
  it('accepts each message whose entry reports no failure', () => {
    expect(verdicts(multi(OK, {}, { status: 200, ...OK }, { statusCode: 202 }), 4)).toEqual([
      'accepted',
      'accepted',
      'accepted',
      'accepted',
    ])
  })

  it('never accepts a failed message because others were accepted', () => {
    expect(verdicts(multi(OK, { status: 400 }, OK, { statusCode: 503 }, OK), 5)).toEqual([
      'accepted',
      'rejected',
      'accepted',
      'deferred',
      'accepted',
    ])
  })

  it.each([
    ['statusCode', { statusCode: 400, message: 'refused' }],
    ['status beside an xactionId', { status: 400, xactionId: '1:2:3', message: 'refused' }],
    ['status alone', { status: 400, message: 'refused' }],
    ['a status in a text', { status: '400' }],
  ])('reads every dialect of a refusal: %s', (_, entry) => {
    expect(verdicts(multi(entry, OK), 2)).toEqual(['rejected', 'accepted'])
  })

  it.each([
    [400, 'rejected'],
    [413, 'rejected'],
    [422, 'rejected'],
    [401, 'held'],
    [403, 'held'],
    [404, 'held'],
    [408, 'deferred'],
    [429, 'deferred'],
    [500, 'deferred'],
    [503, 'deferred'],
  ])('judges an entry of %i as a whole answer of that status: %s', (status, verdict) => {
    expect(verdicts(multi({ status }), 1)).toEqual([verdict])
  })

  it('stores with each event its own entry only', () => {
    const judged = judgeBatch(multi(OK, { status: 400, title: 'Refused' }), 2, NOW)
    expect(judged).toMatchObject([
      { verdict: 'accepted' },
      { error: { status: 400, message: 'Refused' }, answer: '{"status":400,"title":"Refused"}' },
    ])
  })

  it('matches entries by position and ignores their ids', () => {
    const swapped = multi({ messageId: 'second', status: 500 }, { messageId: 'first' })
    expect(verdicts(swapped, 2)).toEqual(['deferred', 'accepted'])
  })

  it.each([
    ['null', null],
    ['a text', 'ok'],
    ['a list', []],
    ['a non-numeric status', { status: 'success' }],
    ['a status below 200', { status: 100 }],
    ['a status above 599', { status: 700 }],
    ['a status with a fraction', { status: 200.5 }],
  ])('sends a message again whose entry cannot be read: %s', (_, entry) => {
    expect(verdicts(multi(OK, entry), 2)).toEqual(['accepted', 'unknown'])
  })
})

describe('an unreadable batch answer', () => {
  it.each<[string, HttpAnswer]>([
    ['nothing', answer(207, '')],
    ['a page', answer(200, '<html></html>')],
    ['JSON cut off', answer(207, '{"responses":[{},{}')],
    [
      'a body that was not read to its end',
      answer(207, { responses: [{}, {}] }, { complete: false }),
    ],
    ['no list of responses', answer(200, { inletId: 'inlet-1' })],
    ['responses that are not a list', answer(207, { responses: { 0: {}, 1: {} } })],
    ['a list without the object around it', answer(207, [{}, {}])],
    ['one entry too few', multi({})],
    ['one entry too many', multi({}, {}, {})],
    ['no entries', multi()],
  ])('%s', (_, given) => {
    expect(verdicts(given, 2)).toEqual(['unknown', 'unknown'])
  })

  it('gives every message a verdict, whatever the answer', () => {
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.array(fc.jsonValue()).map((responses) => JSON.stringify({ responses })),
    )
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 599 }),
        body,
        fc.integer({ min: 1, max: 9 }),
        (...drawn) => {
          const [status, text, count] = drawn
          const judged = judgeBatch(answer(status, text), count, NOW)
          if (judged !== 'bisect') expect(judged).toHaveLength(count)
        },
      ),
    )
  })
})

describe('an answer to the batch as a whole', () => {
  it.each([400, 413, 422])('bisects the batch if one message may be at fault: %i', (status) => {
    expect(judgeBatch(answer(status, { title: 'Refused' }), 3, NOW)).toBe('bisect')
  })

  it.each([
    [302, 'held'],
    [401, 'held'],
    [403, 'held'],
    [404, 'held'],
    [408, 'deferred'],
    [429, 'deferred'],
    [500, 'deferred'],
    [503, 'deferred'],
  ])('applies to every message: %i is %s', (status, verdict) => {
    expect(verdicts(answer(status, ''), 3)).toEqual([verdict, verdict, verdict])
  })

  it.each([302, 503])('counts, whatever its entries say: %i', (status) => {
    const [verdict] = verdicts(answer(status, ''), 1)
    expect(verdicts(answer(status, { responses: [OK, OK] }), 2)).toEqual([verdict, verdict])
  })

  it.each([200, 299])('is one for each message with any 2xx: %i', (status) => {
    expect(verdicts(answer(status, { responses: [OK, { status: 599 }] }), 2)).toEqual([
      'accepted',
      'deferred',
    ])
  })

  it('applies its Retry-After to every message', () => {
    const judged = judgeBatch(answer(429, '', { retryAfter: '30' }), 2, NOW)
    expect(judged).toMatchObject([{ retryAfterMs: 30_000 }, { retryAfterMs: 30_000 }])
  })
})

describe('a request', () => {
  const xdm = new Envelope(XDM)
  const bytesOf = (text: string) => new TextEncoder().encode(text).length
  /** A JSON text of so many bytes, in letters of two. */
  const record = (bytes: number) => `"${'é'.repeat((bytes - 2) >> 1)}${'x'.repeat(bytes % 2)}"`

  it('takes one record in raw, and is it', () => {
    const raw = new Envelope(RAW)
    const fits = raw.filling()
    expect([raw.mostRecords, fits('{}'), fits('{}')]).toEqual([1, true, false])
    expect(raw.batchLength(['{}', '{}'])).toBe(1)
    expect(raw.message('{"a":1}')).toBe('{"a":1}')
    expect(raw.maxRecordBytes(900_000)).toBe(900_000)
    expect(raw.maxRecordBytes(2_000_000)).toBe(AEP_MAX_REQUEST_BYTES)
  })

  it('takes a hundred records in xdm', () => {
    const records = Array.from({ length: 101 }, (_, each) => `{"n":${each}}`)
    expect(xdm.batchLength(records)).toBe(100)
    expect(xdm.batchLength(records.slice(0, 100))).toBe(100)
    expect(xdm.mostRecords).toBe(100)
    const messages = JSON.parse(xdm.batch(records)).messages as { body: { xdmEntity: unknown } }[]
    expect(messages.map(({ body }) => body.xdmEntity)).toEqual(
      records.map((each) => JSON.parse(each)),
    )
  })

  it('takes as many as fit into 990,000 bytes, and not one more', () => {
    const around = bytesOf(xdm.batch(['']))
    const comma = 1
    const half = BATCH_MAX_BYTES / 2 - around - comma
    for (const [first, second, length] of [
      [half, half, 2],
      [half, half + 1, 1],
      [half + 1, half, 1],
    ] as const) {
      expect(xdm.batchLength([record(first), record(second)])).toBe(length)
    }
    expect(bytesOf(xdm.batch([record(half), record(half)]))).toBeLessThanOrEqual(BATCH_MAX_BYTES)
  })

  it('takes its first record whatever its size, and a record alone fits into what AEP takes', () => {
    const largest = xdm.maxRecordBytes(2_000_000)
    expect(bytesOf(xdm.batch([record(largest)]))).toBe(AEP_MAX_REQUEST_BYTES)
    expect(xdm.batchLength([record(largest), '{}'])).toBe(1)
  })
})
