import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Ending } from '../../src/worker/aep/client/verdict.ts'
import { Breaker } from '../../src/worker/breaker.ts'
import { type Aep, INITIAL_AEP } from '../../src/worker/outbox/aep.ts'
import {
  ABORTED,
  ACCEPTED,
  REFUSED,
  SETTINGS,
  THROTTLED,
  UNAUTHORIZED,
  UNAVAILABLE,
} from './outbox/relay-model.ts'

const T = 1_000_000_000
const WINDOW = 3_000
const UNKNOWN = { ...UNAVAILABLE, verdict: 'unknown' } as Ending

const breakerAt = (aep: Partial<Aep> = {}) => {
  const breaker = new Breaker({ settings: SETTINGS, windowMs: WINDOW })
  breaker.update({ ...INITIAL_AEP, ...aep, version: T }, T)
  return breaker
}
/** A request that tries AEP, and how it ends. */
const request = (breaker: Breaker, ending: Ending, now: number, tookMs = 100) =>
  breaker.ended(breaker.began(now - tookMs), ending, now)
const failure = (at: number, reason: 'upstream' | 'credentials' = 'upstream') => ({
  reason,
  since: at,
  at,
  validFrom: at,
  code: 'unavailable',
  status: 503,
})
const refusals = (settings: string) => ({
  ...INITIAL_AEP.refusals,
  settings,
  hold: { since: T, takenBackFrom: 0 },
})

describe('a request', () => {
  it.each<[string, Partial<Aep>, ReturnType<Breaker['reasonToStore']>]>([
    ['tries AEP when nothing is known of it', {}, null],
    ['does not while an operator has paused', { pause: { paused: true, at: T } }, 'paused'],
    ['does not while AEP refuses everything', { refusals: refusals(SETTINGS) }, 'rejecting'],
    [
      'tries AEP when it refuses everything under other settings',
      { refusals: refusals('x') },
      null,
    ],
    ['does not during a Retry-After', { notBefore: T + 60_000 }, 'upstream'],
    ['tries AEP after it', { notBefore: T + 100 }, null],
    ['does not while AEP is failing', { failure: failure(T) }, 'upstream'],
    [
      'does not while no credentials are good',
      { failure: failure(T, 'credentials') },
      'credentials',
    ],
    ['tries AEP when the window is over', { failure: failure(T - WINDOW + 100) }, null],
  ])('%s', (_, aep, reason) => {
    expect(breakerAt(aep).reasonToStore(T + 100)).toBe(reason)
  })

  it.each([
    ['503', UNAVAILABLE, 'upstream'],
    ['an answer that is none', UNKNOWN, 'upstream'],
    ['401', UNAUTHORIZED, 'upstream'],
    ['429', THROTTLED, 'upstream'],
    ['an acceptance', ACCEPTED, null],
    ['a refusal', REFUSED, null],
    ['an exception of the runtime', ABORTED, null],
  ])('that ends with %s decides for the next one at once', (_, ending, reason) => {
    const breaker = breakerAt()
    request(breaker, ending, T + 1_000)
    expect(breaker.reasonToStore(T + 1_001)).toBe(reason)
  })

  it.each([
    ['an acceptance', ACCEPTED],
    ['a refusal', REFUSED],
  ])('that ends with %s closes what this isolate and the outbox had opened', (_, ending) => {
    const breaker = breakerAt({ failure: failure(T) })
    request(breaker, UNAVAILABLE, T + 3_000)
    request(breaker, ending, T + 3_100)
    expect(breaker.reasonToStore(T + 3_100)).toBeNull()
  })

  it('is one a window, which doubles with each failure, up to a minute', () => {
    const breaker = breakerAt()
    let now = T
    request(breaker, UNAVAILABLE, now)
    const windows = [3_000, 6_000, 12_000, 24_000, 48_000, 60_000, 60_000].map((windowMs) => {
      expect(breaker.reasonToStore(now + windowMs - 1)).toBe('upstream')
      now += windowMs
      expect(breaker.reasonToStore(now)).toBeNull()
      expect(breaker.reasonToStore(now)).toBe('upstream')
      request(breaker, UNAVAILABLE, now)
      return windowMs
    })
    expect(windows).toHaveLength(7)
    request(breaker, ACCEPTED, now + 10)
    request(breaker, UNAVAILABLE, now + 20)
    expect(breaker.reasonToStore(now + 20 + WINDOW)).toBeNull()
  })

  it('waits as long as AEP has just asked it to', () => {
    const breaker = breakerAt()
    request(breaker, { ...THROTTLED, retryAfterMs: 20_000 } as Ending, T)
    request(breaker, ACCEPTED, T + 100)
    expect(breaker.reasonToStore(T + 19_999)).toBe('upstream')
    expect(breaker.reasonToStore(T + 20_000)).toBeNull()
  })
})

describe('an answer of the outbox', () => {
  const well = (version: number): Aep => ({ ...INITIAL_AEP, version })

  it('replaces the copy, unless it is older', () => {
    const breaker = breakerAt({ failure: failure(T) })
    breaker.update(well(T - 1), T + 100)
    expect(breaker.reasonToStore(T + 100)).toBe('upstream')
    breaker.update(well(T + 1), T + 100)
    expect(breaker.reasonToStore(T + 100)).toBeNull()
  })

  it('judges a failure that it has been told of: it may have been the event’s', () => {
    const breaker = breakerAt()
    request(breaker, UNAVAILABLE, T + 100)
    breaker.update(well(T + 1), T + 99)
    expect(breaker.reasonToStore(T + 200)).toBe('upstream')
    breaker.update(well(T + 1), T + 100)
    expect(breaker.reasonToStore(T + 200)).toBeNull()
  })

  it('that AEP is well ends the wait that AEP asked for, and the doubling of the window', () => {
    const breaker = breakerAt()
    for (const ms of [100, 200, 300]) {
      request(breaker, { ...THROTTLED, retryAfterMs: 60_000 } as Ending, T + ms)
    }
    breaker.update(well(T + 1), T + 300)
    expect(breaker.reasonToStore(T + 301)).toBeNull()
    request(breaker, UNAVAILABLE, T + 400)
    expect(breaker.reasonToStore(T + 400 + WINDOW)).toBeNull()
  })

  it('counts for nothing where this isolate’s own acceptance is newer than its failure', () => {
    const breaker = breakerAt()
    request(breaker, ACCEPTED, T + 500)
    breaker.update(
      { ...well(T + 1), failure: { ...failure(T + 600), validFrom: T + 400 } },
      T + 600,
    )
    expect(breaker.reasonToStore(T + 601)).toBeNull()
    breaker.update({ ...well(T + 2), failure: failure(T + 600) }, T + 600)
    expect(breaker.reasonToStore(T + 601)).toBe('upstream')
  })
})

describe('when AEP falls silent', () => {
  /** After an acceptance that took so long, requests that began at these moments are under way. */
  const waiting = (slowestMs: number, ...began: number[]) => {
    const breaker = breakerAt()
    request(breaker, ACCEPTED, T, slowestMs)
    return { breaker, underWay: began.map((ms) => breaker.began(T + ms)) }
  }

  it('three requests that wait longer than half a second say so', () => {
    const { breaker } = waiting(50, 10, 20, 30)
    expect(breaker.reasonToStore(T + 530)).toBeNull()
    expect(breaker.reasonToStore(T + 531)).toBe('upstream')
  })

  it('two do not', () => {
    expect(waiting(50, 10, 20).breaker.reasonToStore(T + 2_900)).toBeNull()
  })

  it('twice the slowest acceptance of the last five minutes is waited for', () => {
    const { breaker } = waiting(900, 10, 20, 30)
    expect(breaker.reasonToStore(T + 1_830)).toBeNull()
    expect(breaker.reasonToStore(T + 1_831)).toBe('upstream')
    const later = waiting(900, 400_000, 400_000, 400_000)
    expect(later.breaker.reasonToStore(T + 400_501)).toBe('upstream')
  })

  it.each([
    ['an acceptance', ACCEPTED],
    ['a refusal', REFUSED],
  ])('%s meanwhile says that it has not', (_, ending) => {
    const { breaker } = waiting(50, 10, 20, 30)
    request(breaker, ending, T + 200)
    expect(breaker.reasonToStore(T + 2_000)).toBeNull()
    for (const ms of [210, 220, 230]) breaker.began(T + ms)
    expect(breaker.reasonToStore(T + 2_000)).toBe('upstream')
  })

  it('at 200 webhooks a second, one in ten waits for it in the first six seconds, and all others are stored at once', () => {
    const breaker = breakerAt()
    for (let at = T - 60_000; at < T; at += 5) request(breaker, ACCEPTED, at, 50)
    const timeoutMs = 3_000
    const waiting: ReturnType<Breaker['began']>[] = []
    const waits: number[] = []
    for (let at = T; at < T + 6_000; at += 5) {
      while (waiting[0] && waiting[0].beganAt + timeoutMs <= at) {
        const [first] = waiting.splice(0, 1)
        if (first) breaker.ended(first, UNAVAILABLE, at)
      }
      const tries = breaker.reasonToStore(at) === null
      if (tries) waiting.push(breaker.began(at))
      waits.push(tries ? timeoutMs : 0)
    }
    waits.sort((a, b) => a - b)
    expect(waits).toHaveLength(1_200)
    expect(waits[600]).toBe(0)
    expect(waits.filter((ms) => ms > 0).length).toBeLessThanOrEqual(120)
  })

  it('those that have ended say nothing any more', () => {
    const { breaker, underWay } = waiting(50, 10, 20, 30)
    for (const each of underWay) breaker.ended(each, ABORTED, T + 800)
    expect(breaker.reasonToStore(T + 800)).toBeNull()
  })

  it('one whose end was missed is forgotten', () => {
    const { breaker } = waiting(50, 10, 20, 30)
    expect(breaker.reasonToStore(T + 50_010)).toBe('upstream')
    expect(breaker.reasonToStore(T + 50_011)).toBeNull()
  })

  it('those that began with the last answer still wait', () => {
    const { breaker } = waiting(50, 0, 0, 0)
    expect(breaker.reasonToStore(T + 501)).toBe('upstream')
  })

  it('the slowest acceptance of a minute counts, not its last', () => {
    const { breaker } = waiting(900)
    request(breaker, ACCEPTED, T + 100, 50)
    for (const ms of [110, 120, 130]) breaker.began(T + ms)
    expect(breaker.reasonToStore(T + 1_800)).toBeNull()
    expect(breaker.reasonToStore(T + 1_931)).toBe('upstream')
  })

  it('the slowest acceptance of five minutes ago counts, whatever came in each minute since', () => {
    const { breaker } = waiting(900)
    for (let minute = 1; minute <= 5; minute += 1) {
      request(breaker, ACCEPTED, T + minute * 60_000, 50)
    }
    for (const ms of [1, 2, 3]) breaker.began(T + 300_000 + ms)
    expect(breaker.reasonToStore(T + 301_800)).toBeNull()
    expect(breaker.reasonToStore(T + 301_804)).toBe('upstream')
  })
})

describe('whatever happens, by any clock', () => {
  const step = fc.record({
    what: fc.constantFrom(ACCEPTED, REFUSED, UNAVAILABLE, THROTTLED, ABORTED),
    retryAfterMs: fc.constantFrom(null, 20_000, 3_600_000),
    ms: fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 0, max: 30_000 }) },
      { weight: 1, arbitrary: fc.constantFrom(6 * 3_600_000, -6 * 3_600_000) },
    ),
  })

  it('a request tries AEP within an hour, and within a minute where AEP asked for no wait', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), (steps, asks) => {
        const breaker = breakerAt()
        let now = T
        for (const { what, retryAfterMs, ms } of steps) {
          now += ms
          const throttled = what === THROTTLED && asks ? { ...THROTTLED, retryAfterMs } : what
          request(breaker, throttled as Ending, now)
        }
        breaker.reasonToStore(now)
        const longest = asks ? 3_600_000 : 60_000
        expect(breaker.reasonToStore(now + longest)).toBeNull()
      }),
      { numRuns: 500 },
    )
  })

  it('a clock that was set back leaves a failure a failure, for one window', () => {
    const breaker = breakerAt()
    request(breaker, UNAVAILABLE, T + 6 * 3_600_000)
    expect(breaker.reasonToStore(T)).toBe('upstream')
    expect(breaker.reasonToStore(T + WINDOW - 1)).toBe('upstream')
    expect(breaker.reasonToStore(T + WINDOW)).toBeNull()
    const well = breakerAt()
    request(well, ACCEPTED, T + 6 * 3_600_000)
    expect(well.reasonToStore(T)).toBeNull()
  })

  it('an acceptance that it reports is never ahead of a clock that was set back', () => {
    const breaker = breakerAt()
    request(breaker, ACCEPTED, T + 6 * 3_600_000)
    breaker.reasonToStore(T)
    expect(breaker.accepted).toEqual({ beganAt: T, at: T })
    breaker.reasonToStore(T + 5_000)
    expect(breaker.accepted).toEqual({ beganAt: T, at: T })
  })
})
