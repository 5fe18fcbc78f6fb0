import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Ending } from '../../../src/worker/aep/client/verdict.ts'
import {
  type Aep,
  after,
  afterAttempt,
  type Happened,
  INITIAL_AEP,
  mustPersist,
} from '../../../src/worker/outbox/aep.ts'
import {
  type Attempt,
  type AttemptOutcome,
  fullJitterMs,
  type History,
  NO_HISTORY,
} from '../../../src/worker/outbox/blame.ts'
import { known, logLinesOf } from '../../../src/worker/outbox/known.ts'
import {
  ABORTED,
  ACCEPTED,
  Model,
  REFUSED,
  SETTINGS,
  seeded,
  THROTTLED,
  TOO_LARGE,
  UNAUTHORIZED,
  UNAVAILABLE,
} from './relay-model.ts'

const T = 1_000_000_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** Without jitter, every wait has its maximum. */
const policy = { backoff: { baseMs: 1_000, capMs: 60_000 }, random: () => 1 }
const start: Happened = { what: 'start', settings: SETTINGS, usable: true, deployment: 'first' }
const started = after(INITIAL_AEP, start, T - HOUR, policy)

const happens = (aep: Aep, happened: Happened, now: number) => after(aep, happened, now, policy)
const at = (aep: Aep, now: number) => known(aep, now, policy)
const attempt = (ending: Ending, endedAt: number, more: Partial<Attempt> = {}): Attempt => ({
  id: `event-${endedAt}`,
  beganAt: endedAt - 100,
  endedAt,
  settings: SETTINGS,
  history: NO_HISTORY,
  isPart: false,
  ending,
  ...more,
})
const ended = (aep: Aep, ending: Ending, endedAt: number, more: Partial<Attempt> = {}) =>
  happens(aep, { what: 'attempt', attempt: attempt(ending, endedAt, more) }, endedAt)
const outcomeOf = (aep: Aep, ending: Ending, endedAt: number, more: Partial<Attempt> = {}) =>
  afterAttempt(aep, attempt(ending, endedAt, more), endedAt, policy).outcome
const tried = (triedAt: number, more: Partial<History> = {}): History => ({
  ...NO_HISTORY,
  attempts: 1,
  triedAt,
  ...more,
})
const throttledFor = (retryAfterMs: number): Ending => ({ ...THROTTLED, retryAfterMs }) as Ending

const accepting = ended(started, ACCEPTED, T)
/** Three events refused, and none accepted for a minute. */
const rejecting = [1, 2, 3].reduce(
  (aep, each) => ended(aep, REFUSED, T + MINUTE + each * 1_000, { id: `refused-${each}` }),
  accepting,
)
const HELD_AT = T + MINUTE + 3_000

describe('a failure', () => {
  it.each([
    ['503', UNAVAILABLE, null, true],
    ['429', THROTTLED, null, true],
    ['401', UNAUTHORIZED, 'credentials', false],
  ])('with %s: one probe after its wait, until AEP answers', (_, ending, reason, failing) => {
    const failed = ended(accepting, ending, T + 500)
    expect(at(failed, T + 501)).toMatchObject({
      gate: 'closed',
      mayAskAt: T + 1_500,
      failing,
      hold: reason && { reason, since: T + 500 },
    })
    expect(at(failed, T + 1_500).gate).toBe('probe')
    expect(at(ended(failed, ACCEPTED, T + 1_600), T + 1_600)).toMatchObject({
      gate: 'open',
      failing: false,
      hold: null,
    })
    expect(at(ended(failed, REFUSED, T + 1_600), T + 1_600).gate).toBe('open')
  })

  it('of an attempt that began before the wait does not make it longer', () => {
    const burst = [0, 50, 700, 5_000].reduce(
      (aep, late) => ended(aep, UNAVAILABLE, T + 500 + late, { beganAt: T + 400 }),
      accepting,
    )
    expect(burst).toMatchObject({ failures: 1, retryAt: T + 1_500 })
  })

  it('of a probe doubles the wait, up to the cap', () => {
    let aep = ended(accepting, UNAVAILABLE, T + 500)
    const waits = [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000].map(() => {
      const now = at(aep, aep.retryAt).mayAskAt ?? 0
      aep = ended(happens(aep, { what: 'probe' }, now), UNAVAILABLE, now + 10, { beganAt: now })
      return aep.retryAt - (now + 10)
    })
    expect(waits).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  })

  it('is none of AEP’s when it has accepted another event since', () => {
    const others = ended(accepting, ACCEPTED, T + 400)
    const late = ended(others, UNAVAILABLE, T + 500, { beganAt: T + 300 })
    expect(late).toBe(others)
  })

  it('is taken back by an acceptance that is reported late', () => {
    const failed = ended(accepting, UNAVAILABLE, T + 500, { beganAt: T + 300 })
    const report = (endedAt: number): Happened => ({
      what: 'report',
      accepted: { beganAt: endedAt - 50, at: endedAt },
      settings: SETTINGS,
    })
    expect(at(happens(failed, report(T + 300), T + 900), T + 900).failing).toBe(true)
    expect(at(happens(failed, report(T + 301), T + 900), T + 900).failing).toBe(false)
    const reported = happens(failed, report(T + 301), T + 900)
    expect(happens(reported, report(T + 301), T + 901)).toBe(reported)
  })

  it('among several is taken back only by an acceptance that is newer than what all of them know', () => {
    const first = ended(accepting, UNAVAILABLE, T + 500, { beganAt: T + 400 })
    const both = ended(first, UNAVAILABLE, T + 600, { history: tried(T + 200) })
    const report = (endedAt: number): Happened => ({
      what: 'report',
      accepted: { beganAt: endedAt - 50, at: endedAt },
      settings: SETTINGS,
    })
    expect(at(happens(both, report(T + 300), T + 900), T + 900).failing).toBe(true)
    expect(at(happens(both, report(T + 401), T + 900), T + 900).failing).toBe(false)
  })

  it('keeps the beginning of a hold until its reason changes', () => {
    const first = ended(accepting, UNAUTHORIZED, T + 500)
    const still = ended(first, UNAUTHORIZED, T + 5_000)
    expect(at(still, T + 5_000).hold).toEqual({ reason: 'credentials', since: T + 500 })
    const down = ended(still, UNAVAILABLE, T + 9_000)
    expect(at(down, T + 9_000)).toMatchObject({ hold: null, outageSince: T + 9_000 })
  })

  it.each([
    ['on a first attempt, AEP accepted nothing since it began', T + 401, null, 'destination'],
    ['on a first attempt, AEP accepted another since it began', T + 400, null, 'event'],
    ['on a later one, AEP accepted nothing since the last', T + 450, T + 400, 'destination'],
    ['on a later one, AEP accepted another since the last', T + 450, T + 399, 'event'],
  ])('%s: blamed accordingly', (_, beganAt, triedAt, blamed) => {
    const aep = ended(accepting, ACCEPTED, T + 400)
    const history = triedAt === null ? NO_HISTORY : tried(triedAt)
    expect(outcomeOf(aep, UNAVAILABLE, T + 500, { beganAt, history })).toMatchObject({ blamed })
  })

  it('that is heard late, after AEP has answered, is none any more', () => {
    const answered = ended(accepting, REFUSED, T + 900)
    const late = attempt(UNAVAILABLE, T + 500)
    expect(happens(answered, { what: 'attempt', attempt: late }, T + 1_000)).toBe(answered)
  })

  it('of the runtime is nobody’s: AEP is as before, and the event has no strike', () => {
    expect(ended(accepting, ABORTED, T + 500)).toBe(accepting)
    const outcome = outcomeOf(accepting, ABORTED, T + 500, { history: tried(T - 5_000) })
    expect(outcome).toMatchObject({ end: 'retry', blamed: 'nobody', recorded: { strikes: 0 } })
  })

  it('under other settings says nothing of AEP', () => {
    for (const ending of [UNAVAILABLE, REFUSED, ACCEPTED]) {
      expect(ended(accepting, ending, T + 500, { settings: 'others' })).toBe(accepting)
    }
  })
})

describe('a Retry-After', () => {
  const asked = ended(accepting, throttledFor(20_000), T + 500)

  it('is waited for in full, though AEP accepts others meanwhile', () => {
    const meanwhile = ended(asked, ACCEPTED, T + 600)
    expect(at(meanwhile, T + 20_499)).toMatchObject({ gate: 'closed', failing: true })
    expect(at(meanwhile, T + 20_500)).toMatchObject({ gate: 'open', failing: false })
  })

  it('is not shortened by a later and shorter one, nor by an arrival', () => {
    const shorter = ended(asked, throttledFor(1_000), T + 600)
    expect(at(happens(shorter, { what: 'arrival' }, T + 700), T + 700).mayAskAt).toBe(T + 20_500)
  })

  it('is honoured when it is heard after an acceptance', () => {
    const late = attempt(throttledFor(20_000), T + 500)
    const aep = happens(
      ended(accepting, ACCEPTED, T + 900),
      { what: 'attempt', attempt: late },
      T + 950,
    )
    expect(at(aep, T + 950)).toMatchObject({ gate: 'closed', mayAskAt: T + 20_500 })
  })

  it('ends when an operator resumes, and what was asked before that is not heard any more', () => {
    const resumed = happens(asked, { what: 'resume' }, T + 600)
    expect(at(resumed, T + 600).gate).toBe('open')
    const late = attempt(throttledFor(20_000), T + 550)
    expect(
      at(happens(resumed, { what: 'attempt', attempt: late }, T + 700), T + 700),
    ).toMatchObject({
      gate: 'open',
    })
  })

  it('is the event’s own from the second time on, if AEP took others in between', () => {
    const others = ended(asked, ACCEPTED, T + 30_000)
    const second = {
      id: `event-${T + 500}`,
      beganAt: T + 39_900,
      history: tried(T + 500, { throttles: 1 }),
    }
    expect(ended(others, throttledFor(20_000), T + 40_000, second)).toBe(others)
    expect(outcomeOf(others, throttledFor(20_000), T + 40_000, second)).toMatchObject({
      end: 'retry',
      blamed: 'event',
      recorded: { strikes: 0, throttles: 2, nextAt: T + 60_000, askedToWait: true },
    })
    const busy = ended(others, THROTTLED, T + 35_000, { id: 'another' })
    expect(outcomeOf(busy, throttledFor(20_000), T + 40_000, second)).toMatchObject({
      blamed: 'destination',
    })
    // Itself, or another before AEP took others: that speaks of this event all the same.
    const itself = ended(others, THROTTLED, T + 35_000, { id: second.id })
    const before = ended(ended(accepting, THROTTLED, T + 400, { id: 'another' }), ACCEPTED, T + 900)
    for (const aep of [itself, before]) {
      expect(outcomeOf(aep, throttledFor(20_000), T + 40_000, second)).toMatchObject({
        blamed: 'event',
      })
    }
  })

  it('is not the event’s own where AEP took no other since, or where it is IMS that asks', () => {
    const again = { id: `event-${T + 500}`, history: tried(T + 500, { throttles: 1 }) }
    const once = { recorded: { throttles: 1, askedToWait: false }, blamed: 'destination' }
    expect(outcomeOf(asked, throttledFor(20_000), T + 40_000, again)).toMatchObject(once)
    const atThatMoment = ended(asked, ACCEPTED, T + 500)
    expect(outcomeOf(atThatMoment, THROTTLED, T + 40_000, again)).toMatchObject(once)
    const token = {
      ...throttledFor(20_000),
      error: { code: 'token', status: 429, message: 'busy' },
    } as Ending
    const others = ended(asked, ACCEPTED, T + 30_000)
    expect(outcomeOf(others, token, T + 40_000, again)).toMatchObject({
      ...{ blamed: 'destination', recorded: { throttles: 0 } },
    })
  })

  it('that AEP does not name is the doubled wait of the event, once it is the event’s own', () => {
    const others = ended(asked, ACCEPTED, T + 30_000)
    const second = { id: `event-${T + 500}`, history: tried(T + 500, { throttles: 2 }) }
    expect(outcomeOf(others, THROTTLED, T + 40_000, second)).toMatchObject({
      ...{ blamed: 'event', recorded: { throttles: 3, nextAt: T + 44_000, askedToWait: false } },
    })
  })
})

describe('a report of an isolate', () => {
  const report = (accepted: { beganAt: number; at: number }, settings = SETTINGS): Happened => {
    return { what: 'report', accepted, settings }
  }

  it('changes nothing that is known, and nothing under other settings', () => {
    const known = { beganAt: T - 100, at: T }
    const older = { beganAt: T - 200, at: T - 150 }
    const newer = { beganAt: T + 200, at: T + 300 }
    for (const happened of [report(known), report(older), report(newer, 'others')]) {
      expect(happens(accepting, happened, T + 400)).toBe(accepting)
    }
  })

  it('moves each of its moments forward, and none back', () => {
    const acceptedAfter = (accepted: { beganAt: number; at: number }) =>
      happens(accepting, report(accepted), T + 400).refusals.accepted
    expect(acceptedAfter({ beganAt: T - 200, at: T + 50 })).toEqual({
      beganAt: T - 100,
      at: T + 50,
    })
    expect(acceptedAfter({ beganAt: T - 50, at: T - 10 })).toEqual({ beganAt: T - 50, at: T })
    expect(acceptedAfter({ beganAt: T + 900, at: T + 900 })).toEqual({
      beganAt: T + 400,
      at: T + 400,
    })
  })

  it('that is no newer than a failure leaves it, and a newer one ends it', () => {
    const failed = ended(accepting, UNAVAILABLE, T + 500, { beganAt: T + 450 })
    const since = (at: number) =>
      happens(failed, report({ beganAt: T + 10, at }), T + 600).failure?.since ?? null
    expect([since(T + 450), since(T + 451), since(T + 500)]).toEqual([T + 500, null, null])
  })
})

describe('the hold `rejecting`', () => {
  it('begins when three events were refused, and none was accepted since nor in the last minute', () => {
    expect(at(rejecting, HELD_AT)).toMatchObject({
      hold: { reason: 'rejecting', since: HELD_AT },
      rejecting: true,
      refusedFrom: T - 100,
      gate: 'closed',
    })
  })

  it.each([
    ['two events', [1, 2, 2, 2], REFUSED],
    ['events that are too large', [1, 2, 3, 4], TOO_LARGE],
  ])('does not begin with %s', (_, ids, ending) => {
    const aep = ids.reduce(
      (value, id, index) => ended(value, ending, T + MINUTE + index * 1_000, { id: `${id}` }),
      accepting,
    )
    expect(at(aep, T + HOUR)).toMatchObject({ hold: null, nextChangeAt: null })
  })

  const early = [1, 2, 3].reduce((aep, each) => ended(aep, REFUSED, T + each * 1_000), accepting)

  it('begins by the alarm when the minute ends, and takes back what died in it', () => {
    expect(at(early, T + 3_000)).toMatchObject({ hold: null, nextChangeAt: T + MINUTE })
    const time: Happened = { what: 'time' }
    expect(happens(early, time, T + MINUTE - 1)).toBe(early)
    const held = happens(early, time, T + MINUTE)
    expect(at(held, T + MINUTE)).toMatchObject({
      hold: { reason: 'rejecting' },
      refusedFrom: T - 100,
      nextChangeAt: null,
    })
  })

  it('does not begin when one was accepted in that minute by an attempt that began after the first', () => {
    const other = ended(early, ACCEPTED, T + 3_500, { beganAt: T + 2_500 })
    expect(at(other, T + 4_000).nextChangeAt).toBeNull()
    const older = ended(early, ACCEPTED, T + 3_500, { beganAt: T + 900 })
    expect(at(older, T + 4_000).nextChangeAt).toBe(T + 3_500 + MINUTE)
  })

  it('is not put off by the acceptance of a part', () => {
    const part = ended(early, ACCEPTED, T + 10_000, { isPart: true })
    expect(at(part, T + 10_000).nextChangeAt).toBe(T + MINUTE)
  })

  it('costs no event anything', () => {
    const outcome = outcomeOf(rejecting, REFUSED, HELD_AT + 5_000, {
      history: tried(T, { strikes: 7 }),
    })
    expect(outcome).toMatchObject({ end: 'retry', recorded: { strikes: 7, refused: true } })
    const third = outcomeOf(
      [1, 2].reduce((aep, each) => ended(aep, REFUSED, T + MINUTE + each), accepting),
      REFUSED,
      T + MINUTE + 3,
    )
    expect(third.end).toBe('retry')
    expect(outcomeOf(rejecting, TOO_LARGE, HELD_AT + 5_000).end).toBe('dead')
  })

  it('ends with an acceptance whose attempt began after the latest refusal', () => {
    const before = ended(rejecting, ACCEPTED, HELD_AT + 50, { beganAt: HELD_AT })
    expect(at(before, HELD_AT + 50).rejecting).toBe(true)
    const later = ended(rejecting, ACCEPTED, HELD_AT + 50, { beganAt: HELD_AT + 1 })
    expect(at(later, HELD_AT + 50)).toMatchObject({ hold: null, gate: 'open' })
    expect(
      outcomeOf(later, REFUSED, HELD_AT + 900, { history: tried(HELD_AT, { refused: true }) }).end,
    ).toBe('dead')
  })

  it('does not begin anew with events that it gave back, once AEP took others', () => {
    let aep = ended(rejecting, ACCEPTED, HELD_AT + 50, { beganAt: HELD_AT + 1 })
    for (let each = 1; each <= 5; each += 1) {
      const again = { id: `refused-${each}`, history: tried(HELD_AT, { refused: true }) }
      aep = ended(aep, REFUSED, HELD_AT + 2 * MINUTE + each, again)
    }
    expect(at(aep, HELD_AT + HOUR)).toMatchObject({ hold: null, nextChangeAt: null })
  })

  it('begins anew with them when an operator resumes and AEP still takes none', () => {
    let aep = happens(rejecting, { what: 'resume' }, HELD_AT + 100)
    expect(at(aep, HELD_AT + 100)).toMatchObject({ hold: null, gate: 'open' })
    for (let each = 1; each <= 3; each += 1) {
      const again = { id: `refused-${each}`, history: tried(HELD_AT, { refused: true }) }
      aep = ended(aep, REFUSED, HELD_AT + 200 + each, again)
    }
    expect(at(aep, HELD_AT + 300)).toMatchObject({
      hold: { reason: 'rejecting' },
      refusedFrom: T - 100,
    })
  })

  it('ends when nothing is pending any more; before it begins, that changes nothing', () => {
    const idle: Happened = { what: 'nothing-pending' }
    expect(at(happens(rejecting, idle, HELD_AT + 100), HELD_AT + 100).hold).toBeNull()
    expect(happens(early, idle, T + 4_000)).toBe(early)
  })

  it('is asked at once by an arrival, but only while a refusal set the wait', () => {
    const arrival: Happened = { what: 'arrival' }
    const now = HELD_AT + 10
    expect(at(rejecting, now).gate).toBe('closed')
    expect(at(happens(rejecting, arrival, now), now).gate).toBe('probe')
    for (const ending of [UNAVAILABLE, THROTTLED, UNAUTHORIZED]) {
      const failing = ended(rejecting, ending, HELD_AT + 1_500)
      expect(happens(failing, arrival, HELD_AT + 1_501)).toBe(failing)
    }
    expect(happens(accepting, arrival, T + 1)).toBe(accepting)
  })

  it('begins with the newest of them, however late one is heard of', () => {
    const late = [3, 1, 4, 2].reduce(
      (aep, each) => {
        const refusal = attempt(REFUSED, T + MINUTE + each * 1_000, { id: `refused-${each}` })
        return happens(aep, { what: 'attempt', attempt: refusal }, T + MINUTE + 5_000)
      },
      ended(started, ACCEPTED, T + 30_000),
    )
    expect(late.refusals.hold).toBeNull()
    expect(late.refusals.newest.map(({ id }) => id)).toEqual([
      'refused-4',
      'refused-3',
      'refused-2',
    ])
    expect(late.refusals.refusedAt).toBe(T + MINUTE + 4_000)
    expect(at(late, T + MINUTE + 5_000).nextChangeAt).toBe(T + 90_000)
  })

  it('takes back only what was refused under these settings', () => {
    const others = happens(accepting, { ...start, settings: 'others' }, T + HOUR)
    const wrong = [1, 2, 3].reduce(
      (aep, each) => ended(aep, REFUSED, T + HOUR + each, { settings: 'others', id: `${each}` }),
      others,
    )
    expect(at(wrong, T + HOUR + 3)).toMatchObject({ rejecting: true, refusedFrom: T + HOUR })
  })
})

describe('settings under which AEP has never accepted anything', () => {
  it('kill no event with a refusal, from the first on', () => {
    const history = tried(T, { refused: true })
    expect(outcomeOf(started, REFUSED, T + 500)).toMatchObject({
      end: 'retry',
      recorded: { refused: true },
    })
    expect(outcomeOf(started, REFUSED, T + 500, { history }).end).toBe('retry')
    expect(outcomeOf(started, TOO_LARGE, T + 500).end).toBe('dead')
    expect(outcomeOf(accepting, REFUSED, T + 500).end).toBe('dead')
    expect(outcomeOf(accepting, REFUSED, T + 500, { settings: 'others' }).end).toBe('retry')
  })

  it('hold everything at the third refused event, whenever it was refused before', () => {
    const aep = [1, 2, 3].reduce(
      (value, each) =>
        ended(value, REFUSED, T + each, { id: `${each}`, history: tried(T, { refused: true }) }),
      started,
    )
    expect(at(aep, T + 3).hold).toMatchObject({ reason: 'rejecting' })
  })
})

describe('a start', () => {
  const failing = ended(accepting, UNAUTHORIZED, T + 500)

  it('goes on with the wait that was running', () => {
    expect(happens(failing, start, T + 600)).toBe(failing)
  })

  it('of another deployment asks at once, but for a Retry-After', () => {
    const deployed: Happened = { ...start, deployment: 'second' }
    expect(at(happens(failing, deployed, T + 600), T + 600)).toMatchObject({
      gate: 'probe',
      hold: { reason: 'credentials' },
    })
    const asked = ended(accepting, throttledFor(20_000), T + 500)
    expect(at(happens(asked, deployed, T + 600), T + 600).mayAskAt).toBe(T + 20_500)
    const again = happens(rejecting, deployed, HELD_AT + 10)
    expect(at(again, HELD_AT + 10)).toMatchObject({
      gate: 'probe',
      hold: { reason: 'rejecting', since: HELD_AT },
    })
  })

  it('with other settings forgets what was refused', () => {
    const aep = happens(rejecting, { ...start, settings: 'others' }, HELD_AT + 10)
    expect(at(aep, HELD_AT + 10)).toMatchObject({ hold: null, gate: 'open' })
  })

  it('without usable settings asks nothing, and forgets nothing', () => {
    const broken: Happened = { ...start, settings: '', usable: false, deployment: 'second' }
    const aep = happens(rejecting, broken, HELD_AT + 10)
    expect(at(aep, HELD_AT + 10)).toMatchObject({
      gate: 'closed',
      mayAskAt: null,
      hold: { reason: 'configuration', since: HELD_AT + 10 },
    })
    expect(at(happens(aep, broken, HELD_AT + 20), HELD_AT + 20).hold?.since).toBe(HELD_AT + 10)
    const mended = happens(aep, { ...start, deployment: 'third' }, HELD_AT + 30)
    expect(at(mended, HELD_AT + 30)).toMatchObject({
      gate: 'probe',
      hold: { reason: 'rejecting', since: HELD_AT },
    })
  })
})

describe('an operator', () => {
  it('pauses and resumes, whatever the clock says', () => {
    const paused = happens(accepting, { what: 'pause' }, T + 10 * HOUR)
    expect(at(paused, T + 10 * HOUR)).toMatchObject({
      gate: 'closed',
      mayAskAt: null,
      hold: { reason: 'paused' },
    })
    const resumed = happens(paused, { what: 'resume' }, T)
    expect(at(resumed, T)).toMatchObject({ gate: 'open', hold: null })
    expect(at(ended(resumed, UNAVAILABLE, T + 1_000), T + 1_000).failing).toBe(true)
  })

  it('who pauses what is paused changes nothing: it is paused since the first time', () => {
    const paused = happens(accepting, { what: 'pause' }, T + 500)
    expect(happens(paused, { what: 'pause' }, T + 10 * HOUR)).toBe(paused)
    expect(at(paused, T + 10 * HOUR).hold).toEqual({ reason: 'paused', since: T + 500 })
    const resumed = happens(paused, { what: 'resume' }, T + 600)
    const again = happens(resumed, { what: 'pause' }, T + 700)
    expect(at(again, T + 700).hold).toEqual({ reason: 'paused', since: T + 700 })
  })

  it('opens at once with a resume, whatever AEP was waited for', () => {
    for (const ending of [UNAVAILABLE, UNAUTHORIZED, throttledFor(HOUR)]) {
      const failing = ended(accepting, ending, T + 500)
      expect(at(happens(failing, { what: 'resume' }, T + 500), T + 500)).toMatchObject({
        gate: 'open',
        hold: null,
        failing: false,
      })
    }
  })
})

describe('a clock that runs ahead', () => {
  it('in an isolate makes neither an acceptance nor a wait later than it can be', () => {
    const accepted = { beganAt: T + HOUR, at: T + HOUR }
    const report: Happened = { what: 'report', accepted, settings: SETTINGS }
    expect(happens(started, report, T)).toMatchObject({
      acceptedAt: T,
      refusals: { accepted: { beganAt: T, at: T } },
    })
    const { outcome } = afterAttempt(started, attempt(UNAVAILABLE, T + 6 * HOUR), T, policy)
    expect(outcome).toMatchObject({ recorded: { triedAt: T, nextAt: T + 1_000 } })
  })

  it('in the outbox is no reason to wait, once it is set right, though nothing has happened since', () => {
    const failed = ended(accepting, UNAVAILABLE, T + 6 * HOUR)
    expect(at(failed, T).mayAskAt).toBe(T + 60_000)
    const asked = ended(accepting, throttledFor(300_000), T + 6 * HOUR)
    expect(at(asked, T).mayAskAt).toBe(T + 300_000)
  })
})

describe('an event', () => {
  const struck = (strikes: number, struckAt: number | null) =>
    tried(T + 24 * HOUR, { strikes, struckAt })
  const others = ended(accepting, ACCEPTED, T + 24 * HOUR + 1_000)
  const now = T + 24 * HOUR + 5_000

  it.each<[string, History, AttemptOutcome['end'], object]>([
    [
      'no strike on its first attempt',
      NO_HISTORY,
      'retry',
      { strikes: 0, struckAt: null, nextAt: now + 1_000 },
    ],
    [
      'its first strike, and when',
      struck(0, null),
      'retry',
      { strikes: 1, struckAt: now, nextAt: now + 2_000 },
    ],
    [
      'more strikes than thirty within a day',
      struck(45, now - 24 * HOUR + 1),
      'retry',
      { strikes: 46, nextAt: now + 60_000 },
    ],
    ['fewer than thirty in more than a day', struck(28, T - HOUR), 'retry', { strikes: 29 }],
    [
      'thirty strikes in minutes, whatever a clock said that was days behind at the first of them',
      tried(now - 72 * HOUR, { strikes: 29, struckAt: now - 72 * HOUR }),
      'retry',
      { strikes: 30, struckAt: now - HOUR },
    ],
    [
      'thirty strikes over a day, and is dead',
      struck(29, now - 24 * HOUR),
      'dead',
      { strikes: 30, nextAt: null },
    ],
  ])('that alone fails has %s', (_, history, end, recorded) => {
    const beganAt = history.triedAt === null ? T + 24 * HOUR : now - 100
    expect(outcomeOf(others, UNAVAILABLE, now, { beganAt, history })).toMatchObject({
      end,
      recorded,
    })
  })

  it('that fails as all do has none, for as long as that lasts', () => {
    let aep = accepting
    let history = NO_HISTORY
    for (let hour = 1; hour < 24 * 30; hour += 1) {
      const endedAt = T + hour * HOUR
      const result = afterAttempt(
        aep,
        attempt(UNAVAILABLE, endedAt, { history, id: 'good' }),
        endedAt,
        policy,
      )
      if (result.outcome.end !== 'retry') throw new Error('dead')
      aep = result.aep
      history = result.outcome.recorded
    }
    expect(history).toMatchObject({ strikes: 0, attempts: 719 })
  })

  it('waits a random part of a doubled time, up to the cap', () => {
    const half = { ...policy, random: () => 0.5 }
    expect([0, 1, 2, 3, 7, 1_000].map((failures) => fullJitterMs(failures, half))).toEqual([
      500, 500, 1_000, 2_000, 30_000, 30_000,
    ])
  })
})

describe('what is written down and said', () => {
  it('is what decides whether AEP is asked, not each acceptance', () => {
    expect(mustPersist(accepting, ended(accepting, ACCEPTED, T + 100))).toBe(false)
    expect(mustPersist(accepting, happens(accepting, { what: 'probe' }, T + 100))).toBe(false)
    expect(mustPersist(started, accepting)).toBe(true)
    expect(mustPersist(accepting, ended(accepting, UNAVAILABLE, T + 500))).toBe(true)
    expect(mustPersist(accepting, ended(accepting, REFUSED, T + 100))).toBe(true)
    expect(mustPersist(accepting, happens(accepting, { what: 'pause' }, T + 100))).toBe(true)
    expect(mustPersist(accepting, accepting)).toBe(false)
  })

  const failure = {
    reason: 'upstream',
    since: T,
    at: T,
    validFrom: T,
    code: 'x',
    status: 503,
  } as const
  const { refusals } = accepting
  it.each<[string, Partial<Aep>, boolean]>([
    ['another deployment', { deployment: 'second' }, true],
    ['settings that cannot be used', { unusableSince: T }, true],
    ['a pause', { pause: { paused: true, at: T } }, true],
    ['a failure', { failure }, true],
    ['a wait', { retryAt: T }, true],
    ['a wait that AEP asked for', { notBefore: T }, true],
    ['other settings', { refusals: { ...refusals, settings: 'others' } }, true],
    ['a refusal', { refusals: { ...refusals, newest: [{ id: 'a', at: T, status: 400 }] } }, true],
    ['a hold', { refusals: { ...refusals, hold: { since: T, takenBackFrom: 0 } } }, true],
    ['no acceptance ever', { refusals: { ...refusals, accepted: null } }, true],
    ['a later acceptance', { refusals: { ...refusals, accepted: { beganAt: T, at: T } } }, false],
    ['a probe', { probedAt: T }, false],
    ['an answer', { answeredAt: T + 1, acceptedAt: T + 1 }, false],
  ])('before anybody sees it, or not: %s', (_, change, must) => {
    expect(mustPersist(accepting, { ...accepting, ...change })).toBe(must)
    expect(mustPersist({ ...accepting, ...change }, accepting)).toBe(must)
  })

  it.each<[string, Partial<Aep['failure']>, boolean]>([
    ['another reason', { reason: 'credentials' }, true],
    ['another beginning', { since: T + 1 }, true],
    ['another moment', { at: T + 1, validFrom: T + 1, code: 'y', status: 500 }, false],
  ])('of a failure: %s', (_, change, must) => {
    const failing = { ...accepting, failure }
    expect(mustPersist(failing, { ...failing, failure: { ...failure, ...change } })).toBe(must)
  })

  it.each<[string, Aep, object]>([
    [
      'refused credentials',
      ended(accepting, UNAUTHORIZED, T + 500),
      { reason: 'credentials', code: 'credentials', upstreamStatus: 401 },
    ],
    [
      'a token that IMS refuses',
      ended(
        accepting,
        { ...UNAUTHORIZED, error: { code: 'token', status: 400, message: '' } } as Ending,
        T + 500,
      ),
      { reason: 'credentials', code: 'token', imsStatus: 400 },
    ],
    [
      'settings that cannot be used',
      happens(accepting, { ...start, usable: false }, T + 500),
      { reason: 'configuration', code: 'configuration' },
    ],
    [
      'a pause',
      happens(ended(accepting, UNAVAILABLE, T + 400), { what: 'pause' }, T + 500),
      { reason: 'paused' },
    ],
  ])('is a warning with its cause: %s', (_, aep, fields) => {
    const lines = logLinesOf(at(accepting, T + 500), at(aep, T + 500), T + 500)
    expect(lines.filter((line) => line.fields.event === 'hold')).toEqual([
      { level: 'warn', fields: { event: 'hold', ...fields } },
    ])
    const over = logLinesOf(at(aep, T + 500), at(accepting, T + 600), T + 600)
    expect(over.filter((line) => line.fields.event === 'hold')).toMatchObject([
      { level: 'log', fields: { event: 'hold', reason: null } },
    ])
  })

  it('is a warning when an outage begins, and none when it ends', () => {
    const down = ended(accepting, UNAVAILABLE, T + 500)
    const levels = (before: Aep, next: Aep) =>
      logLinesOf(at(before, T + 600), at(next, T + 600), T + 600).map(({ level }) => level)
    expect([levels(accepting, down), levels(down, accepting)]).toEqual([['warn'], ['log']])
  })

  it('is a line when a hold or an outage begins and when it ends', () => {
    const lines = (before: Aep, next: Aep, now: number) =>
      logLinesOf(at(before, now), at(next, now), now).map(({ fields }) => fields)
    const down = ended(accepting, UNAVAILABLE, T + 500)
    expect(lines(accepting, down, T + 500)).toEqual([
      { event: 'upstream', status: 'failing', code: 'unavailable', upstreamStatus: 503 },
    ])
    expect(lines(down, ended(down, UNAVAILABLE, T + 5_000), T + 5_000)).toEqual([])
    expect(lines(down, ended(down, ACCEPTED, T + 5_000), T + 5_000)).toEqual([
      { event: 'upstream', status: 'recovered', failedForMs: 4_500 },
    ])
    expect(lines(accepting, rejecting, HELD_AT)).toEqual([
      { event: 'hold', reason: 'rejecting', code: 'rejected', upstreamStatus: 400 },
    ])
    const over = happens(rejecting, { what: 'resume' }, HELD_AT + 1)
    expect(lines(rejecting, over, HELD_AT + 1)).toEqual([
      { event: 'hold', reason: null, lifted: 'rejecting' },
    ])
  })
})

/** Anything that may happen, in any order, at moments that a wrong clock gives. */
const endings = [
  ACCEPTED,
  REFUSED,
  TOO_LARGE,
  UNAVAILABLE,
  UNAUTHORIZED,
  throttledFor(HOUR),
  ABORTED,
]
const anything = fc.oneof(
  fc.constantFrom<Happened>(
    { what: 'probe' },
    { what: 'no-probe' },
    { what: 'arrival' },
    { what: 'pause' },
    { what: 'resume' },
    { what: 'nothing-pending' },
    { what: 'time' },
    start,
    { ...start, settings: 'others' },
    { ...start, deployment: 'second' },
    { ...start, usable: false },
  ),
  fc
    .record({
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      ending: fc.constantFrom(...endings),
      tookMs: fc.integer({ min: -1_000, max: 20_000 }),
      aheadMs: fc.constantFrom(0, 0, 0, 5_000, 6 * HOUR, -20_000),
      isPart: fc.boolean(),
      refused: fc.boolean(),
    })
    .map((drawn) => ({ what: 'drawn' as const, ...drawn })),
)
const pauses = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 70_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(6 * HOUR, -6 * HOUR, 48 * HOUR, -48 * HOUR) },
)
const sequence = fc.array(fc.tuple(anything, pauses), { maxLength: 40 })

/** Runs a sequence; `check` sees each change. */
function each(
  steps: readonly (typeof sequence extends fc.Arbitrary<infer Steps> ? Steps : never)[number][],
  check: (before: Aep, next: Aep, now: number, happened: Happened) => void,
): void {
  let now = T
  let aep = started
  for (const [drawn, ms] of steps) {
    now += ms
    const happened = drawn.what === 'drawn' ? attemptAt(drawn, now) : drawn
    const next = after(aep, happened, now, policy)
    check(aep, next, now, happened)
    aep = next
  }
}

function attemptAt(
  drawn: { id: string; ending: Ending; tookMs: number; aheadMs: number } & {
    isPart: boolean
    refused: boolean
  },
  now: number,
): Happened {
  const { id, ending, isPart, refused, tookMs, aheadMs } = drawn
  const endedAt = now + aheadMs
  const history = { ...NO_HISTORY, refused, triedAt: refused ? endedAt - 30_000 : null }
  const beganAt = endedAt - tookMs
  return {
    what: 'attempt',
    attempt: { id, ending, isPart, history, endedAt, beganAt, settings: SETTINGS },
  }
}

describe('whatever happens, in any order and by any clock', () => {
  it('no wait is longer than its maximum', () => {
    fc.assert(
      fc.property(sequence, (steps) => {
        each(steps, (_, next, now) => {
          const { mayAskAt, nextChangeAt, hold } = at(next, now)
          expect((mayAskAt ?? 0) - now).toBeLessThanOrEqual(HOUR)
          const own = at({ ...next, notBefore: 0 }, now).mayAskAt ?? 0
          expect(own - now).toBeLessThanOrEqual(policy.backoff.capMs)
          expect((nextChangeAt ?? 0) - now).toBeLessThanOrEqual(MINUTE)
          expect(hold?.since ?? 0).toBeLessThanOrEqual(now + 1)
        })
      }),
      { numRuns: 500 },
    )
  })

  it('a refusal never ends the hold `rejecting`, and neither does a failure', () => {
    fc.assert(
      fc.property(sequence, (steps) => {
        each(steps, (before, next, _, happened) => {
          if (before.refusals.hold === null || happened.what !== 'attempt') return
          if (happened.attempt.ending.verdict === 'accepted') return
          expect(next.refusals.hold).not.toBeNull()
        })
      }),
      { numRuns: 500 },
    )
  })

  it('a resume opens at once, and a pause closes', () => {
    fc.assert(
      fc.property(sequence, (steps) => {
        each(steps, (_, next, now) => {
          const resumed = happens(next, { what: 'resume' }, now)
          if (next.unusableSince === null) expect(at(resumed, now).gate).toBe('open')
          const paused = happens(resumed, { what: 'pause' }, now)
          expect(at(paused, now).hold?.reason).toBe('paused')
        })
      }),
      { numRuns: 200 },
    )
  })

  it('what follows from the value stays so until the moment that it names, also once a clock was set back', () => {
    const within = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(sequence, within, (steps, share) => {
        each(steps, (_, next, now) => {
          for (const from of [now, now - MINUTE]) {
            const follows = at(next, from)
            expect(follows.until).toBeGreaterThan(from)
            const last = Math.min(follows.until - 1, from + 2 * HOUR)
            expect(at(next, from + Math.floor((last - from) * share))).toEqual(follows)
          }
        })
      }),
      { numRuns: 500 },
    )
  })

  it('each change has a larger version, what changes nothing is the same value, and all of it is JSON', () => {
    fc.assert(
      fc.property(sequence, (steps) => {
        each(steps, (before, next, now) => {
          if (next !== before) expect(next.version).toBeGreaterThan(before.version)
          expect(JSON.parse(JSON.stringify(next))).toEqual(next)
          const again = happens(next, { what: 'time' }, now)
          expect(happens(again, { what: 'time' }, now)).toBe(again)
        })
      }),
      { numRuns: 200 },
    )
  })

  it('an event that AEP never refused is not dead before a day of attempts', () => {
    const attempts = fc.array(
      fc.record({
        waitMs: fc.integer({ min: 1, max: 90_000 }),
        jumpMs: fc.oneof(
          { weight: 20, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: -4, max: 4 }).map((days) => days * 24 * HOUR) },
        ),
        ending: fc.oneof(
          { weight: 5, arbitrary: fc.constant(UNAVAILABLE) },
          { weight: 1, arbitrary: fc.constantFrom(THROTTLED, throttledFor(1_000), ABORTED) },
        ),
      }),
      { minLength: 60, maxLength: 120 },
    )
    fc.assert(
      fc.property(attempts, (tries) => {
        let [now, history, countedMs]: [number, History, number] = [T, NO_HISTORY, 0]
        for (const { waitMs, jumpMs, ending } of tries) {
          now += waitMs + jumpMs
          countedMs += waitMs + (jumpMs === 0 ? 0 : HOUR)
          if (countedMs >= 24 * HOUR) return
          const others = ended(accepting, ACCEPTED, now - 1)
          const outcome = outcomeOf(others, ending, now, { beganAt: now - 1, history })
          expect(outcome.end).toBe('retry')
          if (outcome.end === 'retry') history = outcome.recorded
        }
      }),
      { numRuns: 500 },
    )
  })

  it('an event that was refused is dead only under settings that AEP has accepted one under', () => {
    fc.assert(
      fc.property(sequence, (steps) => {
        each(steps, (before, next, now, happened) => {
          if (happened.what !== 'attempt' || happened.attempt.ending !== REFUSED) return
          const { outcome } = afterAttempt(before, happened.attempt, now, policy)
          const { accepted, hold } = next.refusals
          if (outcome.end === 'dead') expect([accepted === null, hold]).toEqual([false, null])
        })
      }),
      { numRuns: 500 },
    )
  })
})

const SEEDS = [1, 2]
/** So many webhooks a second, at random. */
function webhooks(model: Model, random: () => number, rate: number, badShare = 0) {
  return () => {
    if (random() >= rate * 0.05) return
    model.arrives(random() < badShare ? 'bad' : 'good')
  }
}

describe('with isolates, webhooks and an AEP that', () => {
  it.each([0.15, 0.6, 0.9, 0.97])(
    'refuses one kind for good, at a share of %d: the others arrive within ten seconds',
    (share) => {
      for (const seed of SEEDS) {
        const random = seeded(seed)
        const answer = ({ kind }: { kind: string }) => ({
          ending: kind === 'bad' ? REFUSED : ACCEPTED,
          afterMs: 100,
        })
        const model = new Model({ random, answer })
        model.run(400_000, webhooks(model, random, 5, share))
        model.run(30_000)
        const ages = model.ages('good')
        expect(Math.max(...ages)).toBeLessThan(10_000)
        expect(ages.filter((age) => age > 2_000).length).toBeLessThanOrEqual(ages.length * 0.05)
        if (share < 0.5) expect(model.holds).toBe(0)
        expect(model.count('pending') + model.count('dead', 'good')).toBe(0)
      }
    },
  )

  it.each([
    ['503', UNAVAILABLE],
    ['429', THROTTLED],
    ['401', UNAUTHORIZED],
  ])(
    'refuses everything and then answers %s is asked at most 23 times a minute, whatever arrives',
    (_, failure) => {
      for (const seed of SEEDS) {
        const random = seeded(seed)
        let ending: Ending = ACCEPTED
        const model = new Model({ random, answer: () => ({ ending, afterMs: 100 }) })
        const arriving = webhooks(model, random, 40)
        model.run(2_000, arriving)
        ending = REFUSED
        model.run(90_000, arriving)
        expect(model.known.hold).toMatchObject({ reason: 'rejecting' })
        const heldAt = model.now
        model.run(60_000, arriving)
        expect(model.busiestMinute(heldAt)).toBeLessThanOrEqual(60)
        ending = failure
        model.run(2_000, arriving)
        const failingAt = model.now
        model.run(240_000, arriving)
        expect(model.busiestMinute(failingAt)).toBeLessThanOrEqual(23)
        expect(model.busiestMinute(failingAt)).toBeGreaterThanOrEqual(3)
        ending = ACCEPTED
        model.run(120_000)
        expect(model.count('delivered')).toBe(model.events.length)
        expect(model.known).toMatchObject({ gate: 'open', hold: null })
      }
    },
  )

  it('is down for a day loses nothing, and has all of it two minutes later', () => {
    const random = seeded(7)
    let ending: Ending = UNAVAILABLE
    const model = new Model({ random, answer: () => ({ ending, afterMs: 100 }) })
    for (let each = 0; each < 24 * 60; each += 1) {
      if (each % 30 === 0) model.arrives('good')
      model.run(MINUTE)
    }
    expect(model.count('pending')).toBe(48)
    ending = ACCEPTED
    model.run(2 * MINUTE)
    expect(model.count('delivered')).toBe(48)
  })

  it('fails nine times of ten by chance takes all of 200 good events', () => {
    for (const seed of SEEDS) {
      const random = seeded(seed)
      const answer = () => ({ ending: random() < 0.9 ? UNAVAILABLE : ACCEPTED, afterMs: 100 })
      const model = new Model({ random, answer })
      for (let each = 0; each < 200; each += 1) {
        model.arrives('good')
        model.run(1_000)
      }
      model.run(2 * HOUR)
      expect(model.count('delivered')).toBe(200)
      expect(Math.max(...model.events.map(({ history }) => history.strikes))).toBeGreaterThan(20)
    }
  })

  it('is set up wrongly from the first event on kills none of them, and takes all once that is mended', () => {
    const random = seeded(3)
    let ending: Ending = REFUSED
    const model = new Model({ random, answer: () => ({ ending, afterMs: 100 }) })
    model.run(300_000, webhooks(model, random, 5))
    expect(model.count('dead')).toBe(0)
    expect(model.known.hold).toMatchObject({ reason: 'rejecting' })
    ending = ACCEPTED
    model.run(120_000)
    expect(model.count('delivered')).toBe(model.events.length)
  })
})
