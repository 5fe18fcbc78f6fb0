import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { afterAttempt, blame, type Failed } from '../../../src/worker/aep/upstream/blame.ts'
import { allowsRequest, CLOSED } from '../../../src/worker/aep/upstream/breaker.ts'
import {
  activeFailure,
  afterAcceptance,
  afterFailure,
  afterRejection,
  afterRetryAfter,
  holdOf,
  INITIAL_UPSTREAM,
  merge,
  type UpstreamState,
} from '../../../src/worker/aep/upstream/state.ts'

/** Nothing stands against asking AEP at full speed. */
const isOpen = (state: UpstreamState, now: number) =>
  !state.pause.paused && state.notBefore <= now && activeFailure(state) === null

const moment = fc.integer({ min: 0, max: 50 })
const state: fc.Arbitrary<UpstreamState> = fc.record({
  acceptedAt: moment,
  answeredAt: moment,
  failure: fc.option(
    fc.record({
      at: moment,
      since: moment,
      reason: fc.constantFrom('upstream', 'credentials', 'configuration'),
      firstAt: moment,
    }),
  ),
  notBefore: moment,
  pause: fc.record({ paused: fc.boolean(), at: moment }),
})

describe('the one value for the destination', () => {
  it('merges to the same whoever tells whom, how often, and in which order', () => {
    return fc.assert(
      fc.property(state, state, state, (a, b, c) => {
        expect(merge(a, b)).toEqual(merge(b, a))
        expect(merge(a, merge(b, c))).toEqual(merge(merge(a, b), c))
        expect(merge(a, a)).toEqual(a)
        expect(merge(a, INITIAL_UPSTREAM)).toEqual(merge(INITIAL_UPSTREAM, a))
      }),
    )
  })

  const failed = afterFailure(INITIAL_UPSTREAM, { at: 100, since: 90, reason: 'upstream' })

  it('fails from a failure on until something newer speaks against it', () => {
    expect(activeFailure(failed)).toMatchObject({ at: 100 })
    expect(isOpen(failed, 200)).toBe(false)
    expect(isOpen(afterAcceptance(failed, 101), 200)).toBe(true)
    expect(isOpen(afterRejection(failed, 101), 200)).toBe(true)
    expect(isOpen(afterRejection(failed, 95), 200)).toBe(false)
  })

  it('takes a failure back when another event was accepted since the failed one was tried before', () => {
    expect(isOpen(merge(failed, afterAcceptance(INITIAL_UPSTREAM, 95)), 200)).toBe(true)
    expect(isOpen(merge(failed, afterAcceptance(INITIAL_UPSTREAM, 90)), 200)).toBe(false)
  })

  it.each([
    ['an acceptance', afterAcceptance],
    ['a refusal of one event', afterRejection],
  ])('works again after %s that is learnt in the same millisecond', (_, after) => {
    const failing = afterFailure(INITIAL_UPSTREAM, { at: 100, since: 100, reason: 'upstream' })
    expect(activeFailure(failing)).not.toBeNull()
    expect(activeFailure(after(failing, 100))).toBeNull()
  })

  it('waits for a Retry-After whatever is accepted meanwhile', () => {
    const told = afterRetryAfter(INITIAL_UPSTREAM, 500)
    expect(isOpen(afterAcceptance(told, 400), 499)).toBe(false)
    expect(isOpen(told, 500)).toBe(true)
  })

  it('keeps the beginning of a hold while it goes on, and begins anew with another reason', () => {
    const held = afterFailure(INITIAL_UPSTREAM, { at: 10, since: 9, reason: 'credentials' })
    const still = afterFailure(held, { at: 20, since: 19, reason: 'credentials' })
    expect(holdOf(still)).toEqual({ reason: 'credentials', since: 10 })
    const other = afterFailure(still, { at: 30, since: 29, reason: 'configuration' })
    expect(holdOf(other)).toEqual({ reason: 'configuration', since: 30 })
    expect(holdOf(failed)).toBeNull()
  })

  it('a resume lifts the hold that stands, and not one that comes after it', () => {
    const held = afterFailure(INITIAL_UPSTREAM, { at: 10, since: 9, reason: 'credentials' })
    const resumed = { ...held, pause: { paused: false, at: 11 } }
    expect(holdOf(resumed)).toBeNull()
    expect(holdOf({ ...resumed, pause: { paused: true, at: 12 } })).toEqual({
      reason: 'paused',
      since: 12,
    })
    expect(
      holdOf(afterFailure(resumed, { at: 12, since: 11, reason: 'credentials' })),
    ).not.toBeNull()
  })
})

const failure = (over: Partial<Failed> = {}): Failed =>
  ({
    verdict: 'deferred',
    error: { code: 'unavailable', status: 500, message: '' },
    answer: null,
    retryAfterMs: null,
    ...over,
  }) as Failed

describe('blame', () => {
  const accepted = (at: number) => afterAcceptance(INITIAL_UPSTREAM, at)

  it.each([
    [
      'first try, nothing accepted',
      { beganAt: 100, previousAt: null },
      accepted(99),
      'destination',
    ],
    [
      'first try, another accepted since it began',
      { beganAt: 100, previousAt: null },
      accepted(100),
      'event',
    ],
    [
      'tried before, nothing accepted since',
      { beganAt: 100, previousAt: 50 },
      accepted(50),
      'destination',
    ],
    [
      'tried before, another accepted since',
      { beganAt: 100, previousAt: 50 },
      accepted(51),
      'event',
    ],
  ] as const)('%s', (_, times, known, blamed) => {
    expect(blame(failure(), times, known)).toBe(blamed)
  })

  it.each([
    ['429 or 408', failure({ error: { code: 'throttled', status: 429, message: '' } })],
    ['any Retry-After', failure({ retryAfterMs: 0 })],
  ])('%s is always the destination’s', (_, verdict) => {
    const times = { beganAt: 100, previousAt: 50 }
    expect(blame(verdict, times, accepted(99))).toBe('destination')
    expect(activeFailure(afterAttempt(accepted(99), verdict, times, 110))).not.toBeNull()
  })

  it('an event’s own fault says nothing about the destination', () => {
    const times = { beganAt: 100, previousAt: 50 }
    expect(afterAttempt(accepted(60), failure(), times, 110)).toEqual(accepted(60))
  })
})

describe('the breaker', () => {
  const failed = afterFailure(INITIAL_UPSTREAM, { at: 1_000, since: 900, reason: 'upstream' })

  it.each([
    [{ failures: 1, triedAt: 0 }, 3_999, false],
    [{ failures: 1, triedAt: 0 }, 4_000, true],
    [{ failures: 2, triedAt: 0 }, 6_999, false],
    [{ failures: 2, triedAt: 0 }, 7_000, true],
    [{ failures: 1, triedAt: 3_500 }, 6_499, false],
    [{ failures: 30, triedAt: 0 }, 61_000, true],
  ])('%j at %i: %s', (breaker, now, may) => {
    expect(allowsRequest(failed, breaker, 3_000, now)).toBe(may)
  })

  it('never tries while paused or told to wait', () => {
    const paused = { ...INITIAL_UPSTREAM, pause: { paused: true, at: 1 } }
    expect(allowsRequest(paused, CLOSED, 3_000, 1e12)).toBe(false)
    expect(allowsRequest(afterRetryAfter(INITIAL_UPSTREAM, 50), CLOSED, 3_000, 49)).toBe(false)
    expect(allowsRequest(INITIAL_UPSTREAM, CLOSED, 3_000, 49)).toBe(true)
  })
})
