import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type HttpAnswer,
  Interrupted,
  isAbort,
  judge,
  noAnswer,
  retryAfterMs,
} from '../../../src/worker/aep/client/verdict.ts'
import { KEPT_ANSWER_BYTES, MAX_RETRY_AFTER_MS } from '../../../src/worker/limits.ts'

const NOW = Date.parse('2026-11-01T12:00:00.000Z')

const answer = (status: number, more: Partial<HttpAnswer> = {}): HttpAnswer => ({
  status,
  retryAfter: null,
  body: '',
  complete: true,
  ...more,
})
const verdictOf = (status: number, more?: Partial<HttpAnswer>) => judge(answer(status, more), NOW)

/** All statuses from `first` to `last` except those in `but`. */
const statuses = (first: number, last: number, but: number[] = []) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index).filter(
    (status) => !but.includes(status),
  )

const ACCEPTANCE =
  '{"inletId":"inlet-1","xactionId":"1584479347507:2153:240","receivedTimeMs":1584479347507}'

describe('a 2xx', () => {
  it.each([200, 201, 202, 203, 206, 207, 226, 299])(
    'accepts the event if its body is a JSON object: %i',
    (status) => {
      for (const body of [ACCEPTANCE, '{}', ' {"a":[1]}\n']) {
        expect(verdictOf(status, { body })).toEqual({ verdict: 'accepted', status })
      }
    },
  )

  it.each([
    ['nothing', ''],
    ['blanks', ' \n'],
    ['an array', '[{"xactionId":"1"}]'],
    ['null', 'null'],
    ['true', 'true'],
    ['a number', '200'],
    ['a JSON text', '"ok"'],
    ['a word', 'OK'],
    ['a page', '<!doctype html><title>Welcome to the hotel</title>'],
    ['an object cut off', '{"inletId":"inlet-1"'],
    ['two objects', '{}{}'],
  ])('is unknown, and sent again, if its body is %s', (_, body) => {
    for (const status of [200, 202, 204, 207]) {
      expect(verdictOf(status, { body })).toEqual({
        verdict: 'unknown',
        error: { code: 'unknown-answer', status, message: `AEP answered ${status}` },
        answer: body || null,
        retryAfterMs: null,
      })
    }
  })

  it('is unknown if its body was not read to the end, even if the part read is an object', () => {
    expect(verdictOf(200, { body: ACCEPTANCE, complete: false })).toMatchObject({
      verdict: 'unknown',
      answer: ACCEPTANCE,
    })
  })

  it.each([
    [{ status: 400 }, { verdict: 'rejected', error: { code: 'rejected', status: 400 } }],
    [{ status: 401 }, { verdict: 'held', error: { code: 'credentials', status: 401 } }],
    [{ status: 599 }, { verdict: 'deferred', error: { code: 'unavailable', status: 599 } }],
    [{ status: '413' }, { verdict: 'rejected', error: { code: 'too-large', status: 413 } }],
    [{ statusCode: 503 }, { verdict: 'deferred', error: { code: 'unavailable', status: 503 } }],
    [
      { status: 400, statusCode: 200 },
      { verdict: 'rejected', error: { status: 400 } },
    ],
  ])('is judged by the failure that its body states: %j', (stated, verdict) => {
    for (const status of [200, 299]) {
      expect(verdictOf(status, { body: JSON.stringify(stated) })).toMatchObject(verdict)
    }
  })

  it.each([399, 600, 400.5, 'success', null, {}, [500, 400]])(
    'accepts the event if what its body states is no status of a failure: %j',
    (status) => {
      const body = JSON.stringify({ status })
      expect(verdictOf(207, { body })).toEqual({ verdict: 'accepted', status: 207 })
    },
  )
})

describe('any other status', () => {
  const REJECTED = [
    [400, 'rejected'],
    [413, 'too-large'],
    [422, 'rejected'],
  ] as const
  const CREDENTIALS = [401, 403]
  const THROTTLED = [408, 429]

  it.each(REJECTED)('rejects the event for good: %i', (status, code) => {
    expect(verdictOf(status)).toMatchObject({
      verdict: 'rejected',
      error: { code, status },
    })
  })

  it.each(CREDENTIALS)('holds all events because of the credentials: %i', (status) => {
    expect(verdictOf(status)).toMatchObject({
      verdict: 'held',
      reason: 'credentials',
      error: { code: 'credentials', status },
    })
  })

  it.each([
    ['3xx', statuses(300, 399)],
    [
      '4xx that no event can cause',
      statuses(400, 499, [...REJECTED.map(([status]) => status), ...CREDENTIALS, ...THROTTLED]),
    ],
  ])('holds all events because of the configuration: each %s', (_, each) => {
    expect(each.length).toBeGreaterThan(90)
    for (const status of each) {
      expect(verdictOf(status)).toMatchObject({
        verdict: 'held',
        reason: 'configuration',
        error: { code: 'configuration', status },
      })
    }
  })

  it.each([
    ['too many requests', THROTTLED, 'throttled'],
    ['any 5xx', statuses(500, 599), 'unavailable'],
  ])('defers the event: %s', (_, each, code) => {
    for (const status of each) {
      expect(verdictOf(status)).toMatchObject({ verdict: 'deferred', error: { code, status } })
    }
  })

  it('is judged independently of its body', () => {
    const stated = ['{"status":200}', '{"status":400}', '{"statusCode":503}']
    const bodies = [ACCEPTANCE, ...stated, 'OK', '{"status":"ok"', '\0']
    for (const status of [199, ...statuses(300, 599)]) {
      const { verdict } = verdictOf(status)
      expect(verdict).not.toBe('accepted')
      for (const body of bodies) {
        expect(verdictOf(status, { body }).verdict).toBe(verdict)
        expect(verdictOf(status, { body, complete: false }).verdict).toBe(verdict)
      }
    }
  })
})

describe('a failure', () => {
  it('has the HTTP status if the status in the body is not a number', () => {
    const body = JSON.stringify({
      type: 'https://ns.adobe.com/adobecloud/problem/data-collection-service-authorization',
      status: '401',
      title: 'Authorization',
      report: { message: '[id] Ims service token is empty' },
    })
    expect(verdictOf(401, { body })).toEqual({
      verdict: 'held',
      reason: 'credentials',
      error: { code: 'credentials', status: 401, message: 'Authorization' },
      answer: body,
      retryAfterMs: null,
    })
  })

  it("reports AEP's title, keyword and pointer, and nothing that quotes a value", () => {
    const canary = 'canary-7f3a'
    const body = JSON.stringify({
      title: 'Invalid XDM Message Format',
      detail: canary,
      report: {
        message: canary,
        cause: {
          _streamingValidation: [
            { keyword: 'type', pointerToViolation: '#/_id', message: `found: ${canary}` },
          ],
        },
      },
    })
    for (const status of [400, 403, 404, 429, 500]) {
      const failed = verdictOf(status, { body })
      expect('error' in failed && failed.error.message).toBe(
        'Invalid XDM Message Format: type at #/_id',
      )
    }
    for (const text of [canary, `{"title":"${canary}`, `["${canary}"]`]) {
      expect(verdictOf(400, { body: text })).toMatchObject({
        error: { message: 'AEP answered 400' },
      })
    }
  })

  it('keeps the answer unchanged for the operator', () => {
    for (const body of ['<html>\0\uFEFF', '{"title": "x"}', 'x'.repeat(KEPT_ANSWER_BYTES)]) {
      expect(verdictOf(400, { body })).toMatchObject({ answer: body })
    }
    expect(verdictOf(400)).toMatchObject({ answer: null })
  })

  it('keeps at most 8 KiB of the answer, and cuts no code point', () => {
    for (const character of ['x', 'é', '€', '😀']) {
      for (const shift of ['', 'x', 'xx', 'xxx']) {
        const body = shift + character.repeat(KEPT_ANSWER_BYTES)
        const failed = verdictOf(400, { body })
        const kept = ('answer' in failed && failed.answer) || ''
        const { length } = new TextEncoder().encode(kept)
        expect(body.startsWith(kept)).toBe(true)
        expect(kept.isWellFormed()).toBe(true)
        expect(length).toBeLessThanOrEqual(8_192)
        expect(length).toBeGreaterThan(8_192 - 4)
      }
    }
  })

  it.each([408, 429, 500, 503, 400, 401, 404])(
    'reports the wait that the answer asks for: %i',
    (status) => {
      expect(verdictOf(status, { retryAfter: '7' })).toMatchObject({ retryAfterMs: 7_000 })
      expect(verdictOf(status, { retryAfter: 'Sun, 01 Nov 2026 12:00:09 GMT' })).toMatchObject({
        retryAfterMs: 9_000,
      })
      expect(verdictOf(status)).toMatchObject({ retryAfterMs: null })
    },
  )
})

describe('no answer', () => {
  it.each([
    ['a timeout', new DOMException('canary', 'TimeoutError'), 'timeout'],
    ['an abort', new DOMException('canary', 'AbortError'), 'timeout'],
    ['a lost connection', new TypeError('canary'), 'network'],
    ['any other error', new Error('canary'), 'network'],
    ['a thrown text', 'canary', 'network'],
    ['a thrown object', { name: 'canary' }, 'network'],
    ['nothing thrown', undefined, 'network'],
    ['null thrown', null, 'network'],
  ])('defers the event and quotes nothing: %s', (_, cause, code) => {
    const verdict = noAnswer(cause)
    const message = code === 'timeout' ? 'AEP did not answer in time' : 'no connection to AEP'
    expect(verdict).toEqual({
      verdict: 'deferred',
      error: { code, status: null, message },
      answer: null,
      retryAfterMs: null,
    })
    expect(JSON.stringify(verdict)).not.toContain('canary')
  })

  it('is a timeout for the errors that the runtime throws', async () => {
    const signal = AbortSignal.timeout(1)
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    expect(noAnswer(signal.reason)).toMatchObject({ error: { code: 'timeout' } })
    expect(noAnswer(AbortSignal.abort().reason)).toMatchObject({ error: { code: 'timeout' } })
  })
})

describe('an attempt that the runtime ended', () => {
  const withProperty = (property: object) => Object.assign(new Error('canary'), property)

  it.each([
    ['without saying how', new Interrupted()],
    ['by a reset of the object', withProperty({ durableObjectReset: true })],
    ['for overload', withProperty({ overloaded: true })],
    ['for overload, by its text', new Error('Durable Object is overloaded. canary')],
    ['by a reset, by its text', new Error('Durable Object storage was reset, canary')],
    ['for its subrequests', new Error('Too many subrequests by single Worker invocation.')],
    ['for its requests', new Error('Too many API requests by single worker invocation.')],
    ['for its time', new Error('Worker exceeded CPU time limit.')],
    ['for its memory', new Error('Worker exceeded memory limit.')],
  ])('is nobody’s failure: %s', (_, thrown) => {
    expect(isAbort(thrown)).toBe(true)
    expect(noAnswer(thrown)).toEqual({
      verdict: 'aborted',
      error: { code: 'internal', status: null, message: 'ended by the runtime' },
      answer: null,
      retryAfterMs: null,
    })
  })

  it.each([
    ['a flag that is off', withProperty({ durableObjectReset: false, overloaded: false })],
    ['a text in the place of a flag', withProperty({ overloaded: 'no' })],
    ['a lost connection', new TypeError('Network connection lost.')],
    ['an error without a text', {}],
  ])('is not %s', (_, thrown) => {
    expect(isAbort(thrown)).toBe(false)
  })
})

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['1', 1_000],
    ['120', 120_000],
    [' 7 ', 7_000],
    ['007', 7_000],
    ['3600', 3_600_000],
    ['3601', 3_600_000],
    ['86400', 3_600_000],
    ['9'.repeat(400), 3_600_000],
  ])('is seconds, up to an hour: %s', (header, ms) => {
    expect(retryAfterMs(header, NOW)).toBe(ms)
  })

  it.each([
    ['Sun, 01 Nov 2026 12:00:30 GMT', 30_000],
    ['Sunday, 01-Nov-26 12:00:30 GMT', 30_000],
    ['Sun Nov  1 12:00:30 2026', 30_000],
    ['Sun, 01 Nov 2026 12:00:00 GMT', 0],
    ['Sun, 01 Nov 2026 13:00:00 GMT', 3_600_000],
    ['Mon, 02 Nov 2026 12:00:00 GMT', 3_600_000],
    ['Sun, 01 Nov 2026 11:59:59 GMT', 0],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ])('is a date, up to an hour away: %s', (header, ms) => {
    expect(retryAfterMs(header, NOW)).toBe(ms)
  })

  it.each([
    null,
    '',
    ' ',
    'soon',
    'Monday',
    'Mon, tomorrow',
    '1 Nov 2026 12:00:30 GMT (Sun)',
    '-1',
    '+1',
    '1.5',
    '1e3',
    '0x10',
    '1, 2',
    '10s',
    '٣',
    '2026-11-01T12:00:30Z',
    'NaN',
    'Infinity',
  ])('is ignored if it cannot be read: %j', (header) => {
    expect(retryAfterMs(header, NOW)).toBeNull()
  })

  it('is never negative, never above an hour and never NaN, whatever AEP sends', () => {
    const header = fc.oneof(
      fc.string(),
      fc.nat().map(String),
      fc.date().map((date) => (Number.isNaN(Number(date)) ? 'Mon,' : date.toUTCString())),
      fc.stringMatching(/^(Mon|Sun),? \d{1,2}[ -](Jan|Nov)[ -]\d{2,4} \d\d:\d\d:\d\d GMT$/),
    )
    fc.assert(
      fc.property(header, (text) => {
        const ms = retryAfterMs(text, NOW)
        if (ms === null) return
        expect(ms).toBeGreaterThanOrEqual(0)
        expect(ms).toBeLessThanOrEqual(MAX_RETRY_AFTER_MS)
      }),
    )
    expect(MAX_RETRY_AFTER_MS).toBe(3_600_000)
  })
})
