import { describe, expect, it, vi } from 'vitest'
import { type PostRequest, poster } from '../../../src/worker/aep/client/client.ts'
import { type Ending, judge, noAnswer } from '../../../src/worker/aep/client/verdict.ts'
import type { Fetch } from '../../../src/worker/lib/bounded.ts'
import { MAX_ANSWER_BYTES, SENDER_GRACE_MS } from '../../../src/worker/limits.ts'
import { type Posted, postThrough } from '../../../src/worker/sender.ts'

/** Posts and judges as `AepClient` does. */
async function send(
  attempt: PostRequest,
  timeoutMs: number,
  fetch: Fetch,
  aborts: boolean,
): Promise<Ending> {
  try {
    return judge(await poster(fetch, aborts)(attempt, timeoutMs), NOW)
  } catch (thrown) {
    return noAnswer(thrown)
  }
}

const NOW = Date.parse('2026-11-01T12:00:00.000Z')
const ATTEMPT = {
  url: 'https://dcs.adobedc.net/collection/inlet-1?a=b',
  headers: { 'content-type': 'application/json', 'x-adobe-flow-id': 'flow-1' },
  body: '{"_id":"id-1","message":"é😀"}',
}
const ACCEPTANCE = '{"inletId":"inlet-1","xactionId":"1:2:3"}'

const LONG_MS = 20_000
const SHORT_MS = 5
const answering = (...answer: ConstructorParameters<typeof Response>) =>
  vi.fn<Fetch>(async () => new Response(...answer))
const sending = (fetch: Fetch, timeoutMs = LONG_MS, aborts = true) =>
  send(ATTEMPT, timeoutMs, fetch, aborts)

/** No answer comes; ends as the runtime's own `fetch` does, when its signal is aborted. */
const stalled: Fetch = (_, { signal }) =>
  new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason))
  })

/** An answer whose body never comes; it too ends with its signal. */
const withoutBody =
  (status: number): Fetch =>
  async (_, { signal }) =>
    new Response(
      new ReadableStream({
        start(controller) {
          signal?.addEventListener('abort', () => controller.error(signal.reason))
        },
      }),
      { status },
    )

/** A body that breaks off after its first chunk. */
function breaking(text: string, cause: unknown): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
    pull: (controller) => controller.error(cause),
  })
}

/** An endless body that counts how many chunks were read. */
function endless(chunk: string) {
  const bytes = new TextEncoder().encode(chunk)
  const seen = { bytes: 0, cancelled: false }
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        seen.bytes += bytes.length
        controller.enqueue(bytes)
      },
      cancel() {
        seen.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, seen }
}

describe('one request', () => {
  it('is sent once, unchanged, and follows no redirect', async () => {
    const fetch = answering(ACCEPTANCE)
    expect(await sending(fetch)).toEqual({ verdict: 'accepted', status: 200 })
    expect(fetch.mock.calls).toEqual([
      [
        ATTEMPT.url,
        {
          method: 'POST',
          headers: ATTEMPT.headers,
          body: ATTEMPT.body,
          redirect: 'manual',
          signal: expect.any(AbortSignal) as AbortSignal,
        },
      ],
    ])
  })

  it.each([
    [200, ACCEPTANCE, { verdict: 'accepted' }],
    [207, '{"responses":[]}', { verdict: 'accepted' }],
    [200, '', { verdict: 'unknown' }],
    [204, null, { verdict: 'unknown', answer: null }],
    [200, '<html>', { verdict: 'unknown', answer: '<html>' }],
    [302, null, { verdict: 'held', reason: 'configuration' }],
    [304, null, { verdict: 'held', reason: 'configuration' }],
    [400, '{"title":"Bad"}', { verdict: 'rejected', error: { status: 400, message: 'Bad' } }],
    [401, '{"status":"401"}', { verdict: 'held', reason: 'credentials' }],
    [404, '', { verdict: 'held', reason: 'configuration' }],
    [413, '', { verdict: 'rejected' }],
    [429, '', { verdict: 'deferred', error: { code: 'throttled' } }],
    [503, 'busy', { verdict: 'deferred', error: { code: 'unavailable' }, answer: 'busy' }],
  ])('is judged by its answer: %i %j', async (status, body, verdict) => {
    const fetch = answering(body, { status, headers: { location: 'https://elsewhere.example/' } })
    expect(await sending(fetch)).toMatchObject(verdict)
    expect(fetch).toHaveBeenCalledTimes(1)
  })

  it('reports the wait that the answer asks for, counted from now', async () => {
    const asking = (value: string) =>
      sending(answering('', { status: 503, headers: { 'retry-after': value } }))
    expect(await asking('5')).toMatchObject({ retryAfterMs: 5_000 })
    expect(await asking('Sun, 01 Nov 2026 12:00:30 GMT')).toMatchObject({ retryAfterMs: 30_000 })
  })

  it('is judged even if the answer is not UTF-8', async () => {
    const bytes = new Uint8Array([0xff, 0xfe, 0x80])
    expect(await sending(answering(bytes, { status: 500 }))).toMatchObject({ verdict: 'deferred' })
    expect(await sending(answering(bytes))).toMatchObject({ verdict: 'unknown' })
  })
})

describe('a request without an answer', () => {
  const canary = 'canary-7f3a'

  it.each([
    ['the connection is lost', new TypeError(`Network connection lost: ${canary}`), 'network'],
    ['time is up', new DOMException(canary, 'TimeoutError'), 'timeout'],
    ['it is aborted', new DOMException(canary, 'AbortError'), 'timeout'],
    ['something strange is thrown', canary, 'network'],
    ['nothing is thrown', undefined, 'network'],
  ])('is deferred, and never throws, if %s', async (_, cause, code) => {
    const rejecting = () => Promise.reject(cause)
    const throwing = () => {
      throw cause
    }
    for (const fetch of [rejecting, throwing]) {
      const verdict = await sending(fetch)
      expect(verdict).toMatchObject({ verdict: 'deferred', error: { code, status: null } })
      expect(JSON.stringify(verdict)).not.toContain(canary)
    }
  })

  it.each([true, false])('ends at its deadline: aborted %s', async (aborts) => {
    expect(await sending(stalled, SHORT_MS, aborts)).toMatchObject({
      verdict: 'deferred',
      error: { code: 'timeout' },
    })
  })

  it('is aborted at its deadline where it would go on, and carries no signal else', async () => {
    let seen: AbortSignal | null | undefined
    const watched: Fetch = (url, init) => {
      seen = init.signal
      return stalled(url, init)
    }
    await sending(watched, SHORT_MS)
    expect(seen?.aborted).toBe(true)
    await sending(watched, SHORT_MS, false)
    expect(seen).toBe(null)
  })
})

describe('an answer that breaks off', () => {
  const reset = new TypeError('Network connection lost')
  const late = new DOMException('The operation timed out', 'TimeoutError')

  it.each([
    [reset, 'network'],
    [late, 'timeout'],
  ])(
    'is never an acceptance, even if the part received reads like one: %s',
    async (cause, code) => {
      for (const status of [200, 202, 207]) {
        const verdict = await sending(answering(breaking(ACCEPTANCE, cause), { status }))
        expect(verdict.verdict).not.toBe('accepted')
        expect(verdict).toMatchObject({ error: { code } })
      }
    },
  )

  it.each([
    [400, { verdict: 'rejected' }],
    [401, { verdict: 'held', reason: 'credentials' }],
    [404, { verdict: 'held', reason: 'configuration' }],
    [429, { verdict: 'deferred', error: { code: 'throttled', status: 429 } }],
    [503, { verdict: 'deferred', error: { code: 'unavailable', status: 503 } }],
  ])('is still a refusal if its status is: %i', async (status, verdict) => {
    for (const cause of [reset, late]) {
      const init = { status, headers: { 'retry-after': '9' } }
      expect(await sending(answering(breaking('{"title":', cause), init))).toMatchObject({
        ...verdict,
        retryAfterMs: 9_000,
      })
    }
  })
})

describe('an answer without an end', () => {
  it.each([true, false])(
    'is judged by its status if that is a refusal: aborted %s',
    async (aborts) => {
      const refused = await sending(withoutBody(400), SHORT_MS, aborts)
      expect(refused).toMatchObject({ verdict: 'rejected', answer: null })
      expect(await sending(withoutBody(200), SHORT_MS, aborts)).toMatchObject({
        verdict: 'deferred',
        error: { code: 'timeout' },
      })
    },
  )

  it('is read up to the limit, and its connection released', async () => {
    const chunk = 'x'.repeat(10_000)
    for (const [status, verdict] of [
      [200, 'unknown'],
      [400, 'rejected'],
      [503, 'deferred'],
    ] as const) {
      const { stream, seen } = endless(chunk)
      expect(await sending(answering(stream, { status }))).toMatchObject({ verdict })
      expect(seen.bytes).toBeGreaterThan(MAX_ANSWER_BYTES)
      expect(seen.bytes).toBeLessThanOrEqual(MAX_ANSWER_BYTES + 2 * chunk.length)
      expect(seen.cancelled).toBe(true)
    }
  })

  it('is never an acceptance, even if the part read is a complete object', async () => {
    const filled = ACCEPTANCE + ' '.repeat(MAX_ANSWER_BYTES - ACCEPTANCE.length)
    expect(await sending(answering(filled))).toMatchObject({ verdict: 'accepted' })
    expect(await sending(answering(`${filled} `))).toMatchObject({ verdict: 'unknown' })
  })

  it('is judged even if its connection cannot be released', async () => {
    const stuck = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(MAX_ANSWER_BYTES).fill(0x78)),
        cancel: () => Promise.reject(new Error('already gone')),
      })
    expect(await sending(answering(stuck()))).toMatchObject({ verdict: 'unknown' })
    expect(await sending(answering(stuck(), { status: 400 }))).toMatchObject({
      verdict: 'rejected',
      answer: expect.stringMatching(/^x+$/) as string,
    })
  })
})

describe('a poster', () => {
  it('resolves to the answer without judging it', async () => {
    const fetch = answering('busy', { status: 503, headers: { 'retry-after': '5' } })
    expect(await poster(fetch, true)(ATTEMPT, LONG_MS)).toEqual({
      status: 503,
      retryAfter: '5',
      body: 'busy',
      complete: true,
    })
  })

  it('rejects with the error of fetch', async () => {
    const lost = new TypeError('Network connection lost')
    await expect(poster(() => Promise.reject(lost), true)(ATTEMPT, LONG_MS)).rejects.toBe(lost)
  })
})

describe('a request that another invocation sends', () => {
  const through = (posted: () => Promise<Posted>) =>
    postThrough({ post: posted })(ATTEMPT, SHORT_MS)
  const ending = (posted: () => Promise<Posted>) => through(posted).catch(noAnswer)

  it('has the answer that AEP gave it', async () => {
    const answer = { status: 200, retryAfter: null, body: ACCEPTANCE, complete: true }
    expect(await through(async () => ({ answer }))).toEqual(answer)
  })

  it.each([
    ['timeout', 'deferred', 'timeout'],
    ['network', 'deferred', 'network'],
    ['aborted', 'aborted', 'internal'],
  ] as const)('without one because of %s is %s', async (none, verdict, code) => {
    expect(await ending(async () => ({ none }))).toMatchObject({ verdict, error: { code } })
  })

  it('is nobody’s failure when that invocation dies, whatever it throws', async () => {
    for (const thrown of [new Error('internal error'), new TypeError('x'), undefined]) {
      expect(await ending(() => Promise.reject(thrown))).toMatchObject({ verdict: 'aborted' })
    }
  })

  it('is nobody’s failure either when it never says how its request went', async () => {
    vi.useFakeTimers()
    const ended = ending(() => new Promise(() => undefined))
    await vi.advanceTimersByTimeAsync(SHORT_MS + SENDER_GRACE_MS)
    expect(await ended).toMatchObject({ verdict: 'aborted' })
    vi.useRealTimers()
  })
})
