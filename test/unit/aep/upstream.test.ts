import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AttemptInfo,
  afterAttempt,
  blame,
  type Failed,
} from '../../../src/worker/aep/upstream/blame.ts'
import { allowsRequest, CLOSED } from '../../../src/worker/aep/upstream/breaker.ts'
import { correctClock } from '../../../src/worker/aep/upstream/clock.ts'
import { merge } from '../../../src/worker/aep/upstream/merge.ts'
import type { Refusals } from '../../../src/worker/aep/upstream/refusals.ts'
import {
  activeFailure,
  type FailureReason,
  holdOf,
  INITIAL_UPSTREAM,
  notBefore,
  type UpstreamState,
} from '../../../src/worker/aep/upstream/state.ts'
import {
  afterAcceptance,
  afterCommand,
  afterFailure,
  afterRejection,
  afterThrottle,
} from '../../../src/worker/aep/upstream/transitions.ts'

/** Whether AEP may be called without restraint. */
const isOpen = (state: UpstreamState, now: number) =>
  !state.pause.paused && notBefore(state) <= now && activeFailure(state) === null

const failAt = (state: UpstreamState, at: number, since: number, reason: FailureReason) =>
  afterFailure(state, { at, since, reason, code: 'unavailable', status: 503 })

const moment = fc.integer({ min: 0, max: 50 })
const refusals: fc.Arbitrary<Refusals> = fc.record({
  settings: fc.constant('settings'),
  newest: fc
    .uniqueArray(
      fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), at: moment, status: fc.constant(400) }),
      { selector: ({ id }) => id, maxLength: 3 },
    )
    .map((each) => each.sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1))),
  refusedAt: moment,
  acceptedFrom: moment,
  hold: fc.tuple(moment, moment).map(([since, from]) => ({ since, from: Math.min(since, from) })),
  endedAt: moment,
})

const state: fc.Arbitrary<UpstreamState> = fc.record({
  acceptedAt: moment,
  answeredAt: moment,
  failure: fc.option(
    fc.record({
      at: moment,
      since: moment,
      reason: fc.constantFrom('upstream', 'credentials', 'configuration'),
      firstAt: moment,
      code: fc.constantFrom('unavailable', 'token'),
      status: fc.option(fc.constantFrom(401, 503)),
    }),
  ),
  retryAfter: fc.option(fc.tuple(moment, moment).map(([at, forMs]) => ({ at, until: at + forMs }))),
  throttled: fc.option(fc.record({ id: fc.constantFrom('a', 'b'), at: moment })),
  pause: fc.record({ paused: fc.boolean(), at: moment }),
  resumedAt: moment,
  refusals,
})

describe('the state of AEP', () => {
  it('merges to the same value in any order and any number of times', () => {
    return fc.assert(
      fc.property(state, state, state, (a, b, c) => {
        expect(merge(a, b)).toEqual(merge(b, a))
        expect(merge(a, merge(b, c))).toEqual(merge(merge(a, b), c))
        expect(merge(a, a)).toEqual(a)
        expect(merge(a, INITIAL_UPSTREAM)).toEqual(merge(INITIAL_UPSTREAM, a))
        expect(merge(a, INITIAL_UPSTREAM)).toEqual(a)
      }),
    )
  })

  const failed = failAt(INITIAL_UPSTREAM, 100, 90, 'upstream')

  it('is failing from a failure until something newer supersedes it', () => {
    expect(activeFailure(failed)).toMatchObject({ at: 100 })
    expect(isOpen(failed, 200)).toBe(false)
    expect(isOpen(afterAcceptance(failed, 101), 200)).toBe(true)
    expect(isOpen(afterRejection(failed, 101), 200)).toBe(true)
    expect(isOpen(afterRejection(failed, 95), 200)).toBe(false)
  })

  it('drops a failure if another event was accepted since the failed event’s previous attempt', () => {
    expect(isOpen(merge(failed, afterAcceptance(INITIAL_UPSTREAM, 95)), 200)).toBe(true)
    expect(isOpen(merge(failed, afterAcceptance(INITIAL_UPSTREAM, 90)), 200)).toBe(false)
  })

  it.each([
    ['an acceptance', afterAcceptance],
    ['a refusal of one event', afterRejection],
  ])('is not failing after %s in the same millisecond', (_, after) => {
    const failing = failAt(INITIAL_UPSTREAM, 100, 100, 'upstream')
    expect(activeFailure(failing)).not.toBeNull()
    expect(activeFailure(after(failing, 100))).toBeNull()
  })

  it('waits for a Retry-After even if AEP accepts events meanwhile', () => {
    const throttled = afterThrottle(INITIAL_UPSTREAM, 'a', 400, 100)
    expect(isOpen(afterAcceptance(throttled, 400), 499)).toBe(false)
    expect(isOpen(throttled, 500)).toBe(true)
  })

  it('keeps the beginning of a hold until its reason changes', () => {
    const held = failAt(INITIAL_UPSTREAM, 10, 9, 'credentials')
    const still = failAt(held, 20, 19, 'credentials')
    expect(holdOf(still)).toEqual({ reason: 'credentials', since: 10 })
    const other = failAt(still, 30, 29, 'configuration')
    expect(holdOf(other)).toEqual({ reason: 'configuration', since: 30 })
    expect(holdOf(failed)).toBeNull()
  })

  it('a resume ends the current hold, and no later one', () => {
    const held = failAt(INITIAL_UPSTREAM, 10, 9, 'credentials')
    const resumed = afterCommand(held, false, 11)
    expect(holdOf(resumed)).toBeNull()
    expect(holdOf({ ...resumed, pause: { paused: true, at: 12 } })).toEqual({
      reason: 'paused',
      since: 12,
    })
    expect(holdOf(failAt(resumed, 12, 11, 'credentials'))).not.toBeNull()
  })
})

const attempt = (over: Partial<AttemptInfo> = {}): AttemptInfo => ({
  id: 'a',
  beganAt: 100,
  previousAt: null,
  throttles: 0,
  refusedBefore: false,
  isPart: false,
  ...over,
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
    ['first try, nothing accepted', { beganAt: 100, previousAt: null }, accepted(99), 'upstream'],
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
      'upstream',
    ],
    [
      'tried before, another accepted since',
      { beganAt: 100, previousAt: 50 },
      accepted(51),
      'event',
    ],
  ] as const)('%s', (_, times, known, blamed) => {
    expect(blame(failure(), attempt(times), known)).toBe(blamed)
  })

  it.each([
    ['429 or 408', failure({ error: { code: 'throttled', status: 429, message: '' } })],
    ['any Retry-After', failure({ retryAfterMs: 0 })],
  ])(
    '%s is AEP’s while it throttles other events too, or has accepted none in between',
    (_, verdict) => {
      const times = attempt({ beganAt: 100, previousAt: 50 })
      expect(blame(verdict, times, accepted(99))).toBe('upstream')
      expect(activeFailure(afterAttempt(accepted(99), verdict, times, 110))).not.toBeNull()
    },
  )

  it('a failure blamed on the event leaves AEP’s state unchanged', () => {
    const times = attempt({ beganAt: 100, previousAt: 50 })
    expect(afterAttempt(accepted(60), failure(), times, 110)).toEqual(accepted(60))
  })
})

describe('an event that is throttled repeatedly', () => {
  const throttled = failure({
    error: { code: 'throttled', status: 429, message: '' },
    retryAfterMs: 15_000,
  })

  it('is blamed from the second time on, if AEP accepted others in between', () => {
    const first = afterAttempt(INITIAL_UPSTREAM, throttled, attempt(), 110)
    expect(notBefore(first)).toBe(15_110)
    const others = afterAcceptance(first, 20_000)
    const second = attempt({ beganAt: 21_000, previousAt: 110, throttles: 1 })
    expect(blame(throttled, second, others)).toBe('event')
    expect(afterAttempt(others, throttled, second, 21_100)).toBe(others)
  })

  it('is not blamed if AEP accepted nothing in between', () => {
    const first = afterAttempt(INITIAL_UPSTREAM, throttled, attempt(), 110)
    const second = attempt({ beganAt: 21_000, previousAt: 110, throttles: 1 })
    expect(blame(throttled, second, first)).toBe('upstream')
  })

  it('is not blamed if another event was throttled since the latest acceptance', () => {
    const others = afterAcceptance(INITIAL_UPSTREAM, 20_000)
    const busy = afterThrottle(others, 'b', null, 20_500)
    const second = attempt({ beganAt: 21_000, previousAt: 110, throttles: 1 })
    expect(blame(throttled, second, busy)).toBe('upstream')
    expect(blame(throttled, second, afterThrottle(others, 'a', null, 20_500))).toBe('event')
  })
})

describe('a clock that ran ahead and was corrected', () => {
  const HOUR = 3_600_000
  const ahead = 6 * HOUR

  it('leaves no time in the future except that of a pause', () => {
    return fc.assert(
      fc.property(state, fc.integer({ min: 0, max: 60 }), (any, now) => {
        const later = correctClock(shifted(any, ahead), now)
        expect(later.acceptedAt).toBeLessThanOrEqual(now)
        expect(later.failure?.at ?? 0).toBeLessThanOrEqual(now)
        expect(later.resumedAt).toBeLessThanOrEqual(now)
        expect(notBefore(later)).toBeLessThanOrEqual(now + HOUR)
        expect(later.pause).toEqual(shifted(any, ahead).pause)
        expect(correctClock(later, now)).toBe(later)
      }),
    )
  })

  it('prevents neither a resume from ending a hold nor a failure from beginning one', () => {
    const now = 1_000_000
    const held = correctClock(
      failAt(INITIAL_UPSTREAM, now + ahead, now + ahead, 'credentials'),
      now,
    )
    expect(holdOf(held)).not.toBeNull()
    const resumed = afterCommand(afterCommand(held, true, now + ahead), false, now)
    expect(holdOf(resumed)).toBeNull()
    expect(holdOf(failAt(resumed, now + 1, now + 1, 'credentials'))).not.toBeNull()
  })

  it('leaves a state alone whose times are in the past', () => {
    return fc.assert(
      fc.property(state, (any) => {
        expect(correctClock(any, 60)).toBe(any)
      }),
    )
  })
})

function shifted(value: UpstreamState, by: number): UpstreamState {
  const { failure, retryAfter, throttled, pause } = value
  return {
    acceptedAt: value.acceptedAt + by,
    answeredAt: value.answeredAt + by,
    failure: failure && {
      ...failure,
      at: failure.at + by,
      since: failure.since + by,
      firstAt: failure.firstAt + by,
    },
    retryAfter: retryAfter && { at: retryAfter.at + by, until: retryAfter.until + by },
    throttled: throttled && { ...throttled, at: throttled.at + by },
    pause: { ...pause, at: pause.at + by },
    resumedAt: value.resumedAt + by,
    refusals: value.refusals,
  }
}

describe('a resume', () => {
  it('ends every earlier failure, hold and Retry-After at once', () => {
    const busy = afterThrottle(failAt(INITIAL_UPSTREAM, 10, 9, 'upstream'), 'a', 60_000, 12)
    expect(isOpen(busy, 20)).toBe(false)
    expect(isOpen(afterCommand(busy, false, 20), 20)).toBe(true)
  })

  it('is superseded by the next answer', () => {
    const resumed = afterCommand(INITIAL_UPSTREAM, false, 20)
    expect(isOpen(afterThrottle(resumed, 'a', 60_000, 21), 22)).toBe(false)
  })
})

describe('the breaker', () => {
  const failed = failAt(INITIAL_UPSTREAM, 1_000, 900, 'upstream')

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

  it('allows no request while paused or during a Retry-After', () => {
    const paused = { ...INITIAL_UPSTREAM, pause: { paused: true, at: 1 } }
    expect(allowsRequest(paused, CLOSED, 3_000, 1e12)).toBe(false)
    expect(allowsRequest(afterThrottle(INITIAL_UPSTREAM, 'a', 40, 10), CLOSED, 3_000, 49)).toBe(
      false,
    )
    expect(allowsRequest(INITIAL_UPSTREAM, CLOSED, 3_000, 49)).toBe(true)
  })
})
