import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ErrorCode, Verdict } from '../../../src/worker/aep/client/verdict.ts'
import { INITIAL_UPSTREAM, type UpstreamState } from '../../../src/worker/aep/upstream/state.ts'
import { MAX_STRIKES } from '../../../src/worker/limits.ts'
import {
  type AttemptContext,
  attemptOutcome,
  tryOfRequest,
} from '../../../src/worker/outbox/delivery/attempt-outcome.ts'
import type { StoreRequest } from '../../../src/worker/outbox/state.ts'

const NOW = 1_000_000
const BEGAN = NOW - 200
const PREVIOUS = NOW - 5_000
/** Without jitter, every wait has its maximum. */
const longest = () => 1
const backoff = { baseMs: 1_000, capMs: 60_000 }

const failure = (code: ErrorCode, status: number | null, retryAfterMs: number | null = null) => ({
  error: { code, status, message: 'as AEP said' },
  answer: 'AEP’s own words',
  retryAfterMs,
})
const REJECTED: Verdict = { verdict: 'rejected', ...failure('rejected', 400) }
const UNAVAILABLE: Verdict = { verdict: 'deferred', ...failure('unavailable', 503) }
const UNKNOWN: Verdict = { verdict: 'unknown', ...failure('unknown-answer', 200) }
const FORBIDDEN: Verdict = {
  verdict: 'held',
  reason: 'credentials',
  ...failure('credentials', 403),
}
const NOT_FOUND: Verdict = {
  verdict: 'held',
  reason: 'configuration',
  ...failure('configuration', 404),
}
const THROTTLED: Verdict = { verdict: 'deferred', ...failure('throttled', 429) }
const FAILED = [UNAVAILABLE, UNKNOWN, FORBIDDEN, NOT_FOUND]

const accepting = (acceptedAt: number): UpstreamState => ({ ...INITIAL_UPSTREAM, acceptedAt })

const attempt = (previousAt: number | null) => ({
  id: 'a',
  beganAt: BEGAN,
  previousAt,
  throttles: 0,
  refusedBefore: false,
  isPart: false,
})

/** A second try, five seconds after the first; AEP has accepted nothing in between. */
const context = (more: Partial<AttemptContext> = {}): AttemptContext => ({
  at: NOW,
  attempt: attempt(PREVIOUS),
  tries: { attempts: 1, strikes: 0, throttles: 0, triedAt: PREVIOUS, refused: false },
  state: INITIAL_UPSTREAM,
  rejecting: false,
  backoff,
  random: longest,
  ...more,
})
const firstTry = { attempt: attempt(null), tries: null }
const struck = (strikes: number) => ({
  attempts: 40,
  strikes,
  throttles: 0,
  triedAt: PREVIOUS,
  refused: false,
})

describe('an attempt', () => {
  it('makes a refused event dead at once, with the reason and AEP’s answer', () => {
    expect(attemptOutcome(REJECTED, context(firstTry))).toMatchObject({
      end: 'dead',
      tried: {
        attempts: 1,
        strikes: 0,
        triedAt: NOW,
        nextAt: null,
        error: { code: 'rejected', status: 400, message: 'as AEP said' },
        answer: 'AEP’s own words',
      },
    })
  })

  it.each(FAILED)('never drops an event that failed ($verdict, $error.code)', (verdict) => {
    expect(attemptOutcome(verdict, context())).toMatchObject({
      end: 'retry',
      tried: {
        attempts: 2,
        triedAt: NOW,
        error: { code: verdict.error.code },
      },
    })
  })

  it('never drops an event, whatever its verdict and history', () => {
    const moment = fc.integer({ min: 0, max: NOW })
    const history = fc.option(
      fc.record({
        attempts: fc.nat(100),
        strikes: fc.nat(MAX_STRIKES - 1),
        throttles: fc.nat(3),
        triedAt: moment,
        refused: fc.boolean(),
      }),
    )
    const verdict = fc.constantFrom(REJECTED, THROTTLED, ...FAILED)
    fc.assert(
      fc.property(
        verdict,
        history,
        moment,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (...drawn) => {
          const [given, tries, acceptedAt, chance] = drawn
          const outcome = attemptOutcome(
            given,
            context({
              tries,
              attempt: attempt(tries?.triedAt ?? null),
              state: accepting(acceptedAt),
              random: () => chance,
            }),
          )
          expect(outcome.tried.attempts).toBe((tries?.attempts ?? 0) + 1)
          expect(['retry', 'dead']).toContain(outcome.end)
          if (outcome.end === 'retry') expect(outcome.tried.nextAt).toBeGreaterThanOrEqual(NOW)
          else expect(outcome.tried.nextAt).toBeNull()
        },
      ),
    )
  })
})

describe('a failure while AEP accepts nothing', () => {
  it.each(FAILED)('blames AEP and costs no strike ($verdict, $error.code)', (verdict) => {
    expect(attemptOutcome(verdict, context({ tries: struck(MAX_STRIKES - 1) }))).toMatchObject({
      end: 'retry',
      blamed: 'upstream',
      tried: { strikes: MAX_STRIKES - 1, nextAt: NOW + backoff.baseMs },
    })
  })

  it('ignores an acceptance from before the previous attempt', () => {
    const state = accepting(PREVIOUS - 1)
    expect(attemptOutcome(UNAVAILABLE, context({ state }))).toMatchObject({ blamed: 'upstream' })
  })
})

describe('a failure after AEP has accepted another event', () => {
  const state = accepting(PREVIOUS + 1)

  it.each([
    [0, 2_000],
    [1, 4_000],
    [4, 32_000],
    [5, 60_000],
    [28, 60_000],
  ])('is a strike against the event: after %i strikes it waits up to %i ms', (strikes, waitMs) => {
    expect(attemptOutcome(UNAVAILABLE, context({ state, tries: struck(strikes) }))).toMatchObject({
      end: 'retry',
      blamed: 'event',
      tried: { strikes: strikes + 1, nextAt: NOW + waitMs },
    })
  })

  it('is not a strike on the first attempt, which may have met a passing fault', () => {
    const first = context({ ...firstTry, state: accepting(BEGAN) })
    expect(attemptOutcome(UNAVAILABLE, first)).toMatchObject({
      end: 'retry',
      blamed: 'event',
      tried: { attempts: 1, strikes: 0, nextAt: NOW + 1_000 },
    })
  })

  it('makes the event dead with the thirtieth strike, and not before', () => {
    const ends = [28, 29].map((strikes) => {
      const outcome = attemptOutcome(UNAVAILABLE, context({ state, tries: struck(strikes) }))
      return outcome.end
    })
    expect(ends).toEqual(['retry', 'dead'])
  })

  it.each([
    ['429', THROTTLED],
    ['503 with Retry-After', { verdict: 'deferred', ...failure('unavailable', 503, 15_000) }],
  ] satisfies [string, Verdict][])('is not a strike if AEP reports overload: %s', (_, verdict) => {
    const outcome = attemptOutcome(verdict, context({ state, tries: struck(29) }))
    expect(outcome).toMatchObject({ end: 'retry', tried: { strikes: 29 } })
  })
})

describe('the attempt of a request before it stored the event', () => {
  const error = { code: 'unavailable', status: 503, message: 'AEP answered 503' } as const
  const request = (more: Partial<StoreRequest>): StoreRequest => ({
    id: 'a'.repeat(64),
    kind: 'feedback',
    receivedAt: NOW,
    body: new Uint8Array(),
    state: 'pending',
    parts: [],
    attempt: { at: NOW, error, answer: null },
    error: null,
    upstream: INITIAL_UPSTREAM,
    ...more,
  })

  it('counts as the first, and is not repeated at once', () => {
    expect(tryOfRequest(request({}), backoff, longest)).toEqual({
      attempts: 1,
      strikes: 0,
      throttles: 0,
      askedToWait: false,
      triedAt: NOW,
      nextAt: NOW + 1_000,
      error,
      answer: null,
    })
  })

  it('has no successor if AEP refused the event', () => {
    expect(tryOfRequest(request({ state: 'dead' }), backoff, longest)).toMatchObject({
      attempts: 1,
      nextAt: null,
    })
  })

  it('is null if the request made none, so that the event is sent at once', () => {
    expect(tryOfRequest(request({ attempt: null }), backoff, longest)).toBeNull()
  })

  it('counts no attempt for a quarantined event, and keeps the reason', () => {
    const why = { code: 'malformed-json', status: null, message: 'not JSON in UTF-8' } as const
    const quarantined = request({ state: 'quarantined', attempt: null, error: why })
    expect(tryOfRequest(quarantined, backoff, longest)).toMatchObject({
      attempts: 0,
      triedAt: null,
      nextAt: null,
      error: why,
    })
  })
})
