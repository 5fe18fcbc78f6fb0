/** Promise 8, as a pure function: when each alert is sent, repeated and resolved. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ALERTS } from '../../src/worker/alerts/alerts.ts'
import {
  type AlertStates,
  afterSending,
  evaluate,
  INITIAL_STATES,
  type Notice,
  readStates,
} from '../../src/worker/alerts/evaluate.ts'
import type { OutboxFacts } from '../../src/worker/alerts/facts.ts'
import { MAX_CAUSES_KEPT } from '../../src/worker/limits.ts'
import { cause, DAY, factsAt, type GivenFacts, HOUR, MINUTE } from './alerts-support.ts'

const START = Date.UTC(2026, 10, 24, 10, 0)
const TICK = 5 * MINUTE

/** Runs tick after tick; what is said gets through unless `sends` says otherwise. */
function clockwork(sends: (tick: number) => boolean = () => true) {
  let states: AlertStates = INITIAL_STATES
  let tick = 0
  let now = START
  return {
    get states() {
      return states
    },
    get now() {
      return now
    },
    /** Notices as `event name`. */
    run(build: (now: number) => GivenFacts, stepMs = TICK): Notice[] {
      now += tick === 0 ? 0 : stepMs
      const found = evaluate(build(now), states)
      const error = sends(tick) ? null : 'it answered 500'
      states = afterSending(found.states, found.notices, error, now)
      tick += 1
      return found.notices
    },
    said(build: (now: number) => GivenFacts, stepMs = TICK): string[] {
      return this.run(build, stepMs).map(({ event, name }) => `${event} ${name}`)
    },
  }
}

const hold = (reason: string, since = START): Partial<OutboxFacts> => ({
  hold: { reason: reason as 'credentials', since, code: reason, status: 403 },
})

describe('hold', () => {
  it.each(['credentials', 'configuration', 'rejecting', 'some-later-reason'])(
    'says %s at the first run, and its end once, with how long it lasted',
    (reason) => {
      const clock = clockwork()
      const [first] = clock.run((now) => factsAt(now, hold(reason, START - 2 * MINUTE)))
      expect(first).toMatchObject({ name: 'hold', event: 'firing', since: START - 2 * MINUTE })
      expect(first?.facts.join()).toContain(reason)
      expect(first?.action).not.toBe('')
      expect(clock.said((now) => factsAt(now, hold(reason)))).toEqual([])
      const [end] = clock.run((now) => factsAt(now))
      expect(end).toEqual({
        ...{
          name: 'hold',
          event: 'resolved',
          keys: [reason],
          urgent: false,
          facts: [],
          action: '',
        },
        ...{ title: ALERTS.hold.resolved.title, meaning: ALERTS.hold.resolved.meaning },
        ...{ since: START - 2 * MINUTE, durationMs: 12 * MINUTE },
      })
      expect(clock.states.alerts.hold).toMatchObject({ state: 'ok', since: clock.now })
      const ended = clock.now
      expect(clock.said((now) => factsAt(now))).toEqual([])
      expect(clock.states.alerts.hold).toMatchObject({ state: 'ok', since: ended })
    },
  )

  it('is one from its beginning to its end, whatever the outbox says of when it began', () => {
    const clock = clockwork()
    clock.run((now) => factsAt(now, hold('credentials')))
    clock.run((now) => factsAt(now, hold('credentials', now - MINUTE)))
    expect(clock.states.alerts.hold).toMatchObject({ state: 'firing', since: START })
  })

  it('repeats itself after four hours, not before', () => {
    const clock = clockwork()
    const said = Array.from({ length: 100 }, () =>
      clock.said((now) => factsAt(now, hold('credentials'))),
    )
    const ticks = said.flatMap((each, tick) => (each.length > 0 ? [tick] : []))
    expect(ticks).toEqual([0, 48, 96])
    expect(said[48]).toEqual(['still hold'])
  })

  it('says another reason at once, and a known one that comes back not again', () => {
    const clock = clockwork()
    clock.said((now) => factsAt(now, hold('credentials')))
    const both = (now: number) => {
      const { config, ...facts } = factsAt(now, hold('credentials'))
      return { ...facts, config: { ...config, webhookKeys: [] } }
    }
    expect(clock.said(both)).toEqual(['firing hold'])
    expect(clock.said((now) => factsAt(now, hold('credentials')))).toEqual([])
    expect(clock.said(both)).toEqual([])
  })
})

describe('queue-age', () => {
  const waitingSince = (at: number) => (now: number) =>
    factsAt(now, { pending: 3, oldestPendingAt: at })

  it('is pending at the first run over the age and fires at the second', () => {
    const clock = clockwork()
    const over = waitingSince(START - 16 * MINUTE)
    expect(clock.said(over)).toEqual([])
    expect(clock.states.alerts['queue-age']).toMatchObject({ state: 'pending', since: START })
    expect(clock.said(over)).toEqual(['firing queue-age'])
  })

  it('is ok again when the second run is not over', () => {
    const clock = clockwork()
    clock.said(waitingSince(START - 16 * MINUTE))
    expect(clock.said(waitingSince(START + 4 * MINUTE))).toEqual([])
    expect(clock.states.alerts['queue-age'].state).toBe('ok')
  })

  it('is ok again when a hold says it at the second run', () => {
    const clock = clockwork()
    const over = { pending: 3, oldestPendingAt: START - 16 * MINUTE }
    clock.said((now) => factsAt(now, over))
    expect(clock.said((now) => factsAt(now, { ...over, ...hold('credentials') }))).toEqual([
      'firing hold',
    ])
    expect(clock.states.alerts['queue-age']).toMatchObject({ state: 'ok', since: clock.now })
  })

  it('is still pending while the outbox does not answer', () => {
    const clock = clockwork()
    const over = waitingSince(START - 16 * MINUTE)
    clock.said(over)
    clock.said((now) => factsAt(now, null))
    expect(clock.states.alerts['queue-age']).toMatchObject({ state: 'pending', since: START })
    expect(clock.said(over)).toContain('firing queue-age')
  })

  it('ends at half the age, so that it does not come and go around it', () => {
    const clock = clockwork()
    const over = waitingSince(START - 16 * MINUTE)
    clock.said(over)
    clock.said(over)
    expect(clock.said((now) => waitingSince(now - 10 * MINUTE)(now))).toEqual([])
    expect(clock.said((now) => waitingSince(now - 16 * MINUTE)(now))).toEqual([])
    expect(clock.said((now) => waitingSince(now - 7 * MINUTE)(now))).toEqual(['resolved queue-age'])
  })

  it('is silent while a hold says it, and begins to count when that is over', () => {
    const clock = clockwork()
    const old = { pending: 3, oldestPendingAt: START - DAY }
    const held = (now: number) => factsAt(now, { ...hold('credentials'), ...old })
    expect(clock.said(held)).toEqual(['firing hold'])
    expect(clock.said(held)).toEqual([])
    expect(clock.said(held)).toEqual([])
    expect(clock.said((now) => factsAt(now, old))).toEqual(['resolved hold'])
    expect(clock.said((now) => factsAt(now, old))).toEqual(['firing queue-age'])
  })

  it('says a pause that nobody has ended', () => {
    const clock = clockwork()
    const forgotten = (now: number) =>
      factsAt(now, { pending: 1, oldestPendingAt: START - HOUR, pausedSince: START - HOUR })
    clock.run(forgotten)
    expect(clock.run(forgotten)[0]?.action).toContain('Resume it on /admin')
  })
})

describe('expiring', () => {
  const expiring = (soon: number, today: number) => (now: number) =>
    factsAt(now, { expiring: { soon, today, oldestAt: now - 29 * DAY } })

  it('is said at seven days, again at one day, and its end', () => {
    const clock = clockwork()
    const [week] = clock.run(expiring(4, 0))
    expect(week).toMatchObject({ name: 'expiring', event: 'firing', urgent: false })
    expect(week?.title).toContain('7 days')
    expect(clock.said(expiring(4, 0))).toEqual([])
    const [today] = clock.run(expiring(4, 2))
    expect(today).toMatchObject({ event: 'firing', urgent: true })
    expect(today?.title).toContain('1 day')
    expect(today?.facts.join()).toContain('2 events')
    expect(clock.said((now) => factsAt(now))).toEqual(['resolved expiring'])
  })

  it('is repeated daily while there are days left', () => {
    const clock = clockwork()
    clock.said(expiring(4, 0))
    expect(clock.said(expiring(4, 0), 23 * HOUR)).toEqual([])
    expect(clock.said(expiring(4, 0), HOUR)).toEqual(['still expiring'])
  })
})

describe('rejected', () => {
  const refused =
    (...causes: Parameters<typeof cause>[0][]) =>
    (now: number) =>
      factsAt(now, { refusals: causes.map(cause) })

  it('says the first of a cause at once, and the others of that day together', () => {
    const clock = clockwork()
    expect(clock.run(refused({ count: 2 }))[0]?.facts).toEqual([
      '2 events dead: feedback, rejected',
    ])
    expect(clock.said(refused({ count: 3 }))).toEqual([])
    expect(clock.said(refused({ count: 5 }), 23 * HOUR)).toEqual([])
    const [digest] = clock.run((now) => factsAt(now), HOUR)
    expect(digest).toMatchObject({ name: 'rejected', event: 'still' })
    expect(digest?.facts).toEqual(['8 events dead: feedback, rejected'])
  })

  it('says another cause at once', () => {
    const clock = clockwork()
    clock.said(refused({}))
    const quarantined = {
      state: 'quarantined',
      code: 'invalid-payload',
      kind: 'transcript',
    } as const
    const [notice] = clock.run(refused({ ...quarantined, path: 'messages.*.text' }))
    expect(notice).toMatchObject({ event: 'firing' })
    expect(notice?.facts.join()).toContain('messages.*.text')
    expect(clock.said(refused({ path: '#/visitor' }))).toEqual(['firing rejected'])
  })

  it('ends when none was refused for 24 hours, and a cause is new again after that', () => {
    const clock = clockwork()
    clock.said(refused({}))
    expect(clock.said((now) => factsAt(now), 23 * HOUR)).toEqual([])
    expect(clock.said((now) => factsAt(now), HOUR)).toEqual(['resolved rejected'])
    expect(clock.said(refused({}))).toEqual(['firing rejected'])
  })

  it('forgets a cause that was sent and has not come for 24 hours, while others go on', () => {
    const clock = clockwork()
    clock.said(refused({}))
    for (let day = 0; day < 2; day += 1) clock.said(refused({ path: '#/other' }), 13 * HOUR)
    expect(clock.said(refused({}))).toEqual(['firing rejected'])
  })

  it('keeps the count of what could not be said for seven days, and the causes with most of it', () => {
    let gets = false
    const clock = clockwork(() => gets)
    const causes = Array.from({ length: MAX_CAUSES_KEPT + 1 }, (_, each) => {
      return { path: `#/${each}`, count: each + 1 }
    })
    clock.run(refused(...causes))
    clock.run(refused({ path: '#/5', count: 1 }), HOUR)
    expect(Object.keys(clock.states.causes)).toHaveLength(MAX_CAUSES_KEPT)
    gets = true
    const [notice] = clock.run((now) => factsAt(now), 6 * DAY)
    const largest = MAX_CAUSES_KEPT + 1
    const total = (largest * (largest + 1)) / 2
    expect(notice).toMatchObject({
      since: START,
      title: `${total.toLocaleString('en')} events refused`,
    })
    expect(notice?.facts[0]).toContain(`${largest} events dead`)
    expect(clock.said((now) => factsAt(now), DAY + HOUR)).toEqual(['resolved rejected'])
    expect(clock.states.causes).toEqual({})
  })

  it('forgets after seven days what could not be said', () => {
    const clock = clockwork(() => false)
    clock.run(refused({}))
    expect(clock.said((now) => factsAt(now), 7 * DAY - 1)).toEqual(['firing rejected'])
    expect(clock.said((now) => factsAt(now), 1)).toEqual([])
  })

  it('keeps the count of what could not be said', () => {
    const clock = clockwork((tick) => tick >= 3)
    for (let run = 0; run < 3; run += 1) {
      expect(clock.said(refused({ count: 2 }))).toEqual(['firing rejected'])
    }
    expect(clock.run((now) => factsAt(now))[0]?.facts).toEqual([
      '6 events dead: feedback, rejected',
    ])
    expect(clock.run((now) => factsAt(now))).toEqual([])
  })
})

describe('drift', () => {
  const drifted = (newestAt: number) => (now: number) =>
    factsAt(now, { drift: [{ kind: 'feedback', change: 'new', count: 2, newestAt }] })

  it('is a digest a day at most, only of what is new since the last, and ends when all is accepted', () => {
    const clock = clockwork()
    const [first] = clock.run(drifted(START - MINUTE))
    expect(first).toMatchObject({ name: 'drift', event: 'firing', urgent: false })
    expect(first?.facts).toEqual(['feedback: 2 new fields'])
    expect(clock.said(drifted(START + MINUTE), HOUR)).toEqual([])
    expect(clock.said(drifted(START + MINUTE), 23 * HOUR)).toEqual(['still drift'])
    expect(clock.said(drifted(START + MINUTE), 5 * DAY)).toEqual([])
    expect(clock.said((now) => factsAt(now))).toEqual(['resolved drift'])
    expect(clock.said((now) => drifted(now)(now))).toEqual([])
    expect(clock.said(drifted(clock.now), DAY)).toEqual(['firing drift'])
  })
})

describe('storage', () => {
  it.each([
    [null, 'It did not answer'],
    [{ writable: false }, 'It could not write'],
  ])('says that the outbox is %j, and when it is well again', (own, fact) => {
    const clock = clockwork()
    const [notice] = clock.run((now) => factsAt(now, own))
    expect(notice).toMatchObject({ name: 'storage', event: 'firing', urgent: true })
    expect(notice?.facts).toEqual([fact])
    expect(clock.said((now) => factsAt(now))).toEqual(['resolved storage'])
  })

  it('takes nothing to have ended while the outbox does not answer', () => {
    const clock = clockwork()
    clock.said((now) => factsAt(now, hold('credentials')))
    expect(clock.said((now) => factsAt(now, null))).toEqual(['firing storage'])
    expect(clock.said((now) => factsAt(now))).toEqual(['resolved hold', 'resolved storage'])
  })
})

describe('whatever happens, and whatever gets through', () => {
  const condition = fc.record({
    held: fc.option(fc.constantFrom('credentials', 'configuration', 'rejecting'), { freq: 2 }),
    ageMinutes: fc.option(fc.integer({ min: 0, max: 60 })),
    soon: fc.nat(3),
    refused: fc.option(fc.constantFrom('a', 'b', 'c')),
    missing: fc.boolean(),
    sent: fc.boolean(),
    stepMinutes: fc.constantFrom(5, 5, 5, 60, 600, -30),
  })

  it('says each beginning before its end, each end once, and repeats nothing within four hours', () => {
    fc.assert(
      fc.property(fc.array(condition, { maxLength: 60 }), (conditions) => {
        let states = INITIAL_STATES
        let now = START
        const open = new Map<string, { at: number; keys: string[] }>()
        for (const { held, ageMinutes, soon, refused, missing, sent, stepMinutes } of conditions) {
          now += stepMinutes * MINUTE
          // Of four hours on a clock that was set back, those before it are not counted.
          for (const said of open.values()) said.at = Math.min(said.at, now)
          const facts = factsAt(
            now,
            missing
              ? null
              : {
                  ...(held && hold(held, now)),
                  oldestPendingAt: ageMinutes === null ? null : now - ageMinutes * MINUTE,
                  expiring: { soon, today: 0, oldestAt: now },
                  refusals: refused ? [cause({ path: refused })] : [],
                },
          )
          const found = evaluate(facts, states)
          const { notices } = found
          expect(new Set(notices.map(({ name }) => name)).size).toBe(notices.length)
          for (const { name, event, keys } of notices) {
            const said = open.get(name)
            if (event === 'resolved') expect(said).toBeDefined()
            // Its end may have been seen before, and not got through.
            if (event === 'resolved' && missing) expect(states.alerts[name].state).toBe('ok')
            if (event === 'still') expect(now - (said?.at ?? now)).toBeGreaterThanOrEqual(4 * HOUR)
            if (event === 'firing' && said && name !== 'rejected') {
              expect(keys.some((key) => !said.keys.includes(key))).toBe(true)
            }
            if (!sent) continue
            if (event === 'resolved') open.delete(name)
            else open.set(name, { at: now, keys })
          }
          const error = sent ? null : 'it answered 500'
          states = afterSending(found.states, notices, error, now)
          // What is kept between two runs is JSON.
          states = JSON.parse(JSON.stringify(states))
          for (const [name, state] of Object.entries(states.alerts)) {
            expect(state.sent !== null).toBe(open.has(name))
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('says everything that is still true once messages get through again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), (failures) => {
        const clock = clockwork((tick) => tick >= failures)
        const facts = (now: number) => factsAt(now, hold('credentials'))
        for (let run = 0; run < failures; run += 1) {
          expect(clock.said(facts)).toEqual(['firing hold'])
          expect(clock.states.alerts.hold.lastError).toBe('it answered 500')
        }
        expect(clock.said(facts)).toEqual(['firing hold'])
        expect(clock.states.alerts.hold.lastError).toBeNull()
        expect(clock.said(facts)).toEqual([])
      }),
      { numRuns: 20 },
    )
  })
})

describe('states that an earlier version has kept', () => {
  it('go on: what was sent is not sent again, and its end is', () => {
    const sent = { keys: ['credentials'], at: START, since: START }
    const kept = {
      alerts: {
        hold: { state: 'firing', since: START, told: sent, lastSentAt: START, lastError: null },
      },
      causes: { 'dead feedback rejected 400  r1': { place: '', report: 'r1', fresh: 2 } },
    }
    const states = readStates(JSON.stringify(kept))
    expect(states.causes).toEqual({})
    const now = START + TICK
    expect(evaluate(factsAt(now, hold('credentials')), states).notices).toEqual([])
    expect(evaluate(factsAt(now), states).notices).toMatchObject([
      { name: 'hold', event: 'resolved', durationMs: TICK },
    ])
  })
})

describe('lost', () => {
  it('says at once how many webhooks of a good key were answered 503, and its end an hour later', () => {
    const clock = clockwork()
    expect(clock.said((now) => factsAt(now))).toEqual([])
    const [first] = clock.run((now) => factsAt(now, { lost: 3 }))
    expect(first).toMatchObject({ name: 'lost', event: 'firing', since: clock.now })
    expect(first?.title).toBe('3 webhooks of a good key answered 503')
    expect(clock.said((now) => factsAt(now, { lost: 3 }))).toEqual([])
    expect(clock.said((now) => factsAt(now, { lost: 3 }), 50 * MINUTE)).toEqual([])
    expect(clock.said((now) => factsAt(now, { lost: 3 }), 10 * MINUTE)).toEqual(['resolved lost'])
    expect(clock.said((now) => factsAt(now, { lost: 4 }))).toEqual(['firing lost'])
  })

  it('ends though the clock that saw it ran ahead', () => {
    const clock = clockwork()
    clock.run((now) => factsAt(now))
    clock.run((now) => factsAt(now, { lost: 3 }), 6 * HOUR)
    expect(clock.said((now) => factsAt(now, { lost: 3 }), -6 * HOUR)).toEqual(['resolved lost'])
  })

  it('counts what no message could say, however long that took', () => {
    const clock = clockwork((tick) => tick > 30)
    for (let tick = 0; tick <= 30; tick += 1) clock.run((now) => factsAt(now, { lost: 7 }))
    expect(clock.run((now) => factsAt(now, { lost: 7 }))[0]?.title).toContain('7 webhooks')
  })

  it('goes on with how many more, every four hours at most', () => {
    const clock = clockwork()
    let lost = 0
    const said = Array.from({ length: 50 }, () => {
      lost += 1
      return clock.run((now) => factsAt(now, { lost })).map(({ title }) => title)
    })
    expect(said.flat()).toEqual([
      '1 webhook of a good key answered 503',
      '48 webhooks of a good key answered 503',
    ])
  })
})

describe('refused', () => {
  it('needs ten within an hour', () => {
    const clock = clockwork()
    let refused = 0
    for (let tick = 0; tick < 48; tick += 1) {
      refused += tick % 2
      expect(clock.said((now) => factsAt(now, { refused }))).toEqual([])
    }
    const [first] = clock.run((now) => factsAt(now, { refused: refused + 9 }))
    expect(first).toMatchObject({ name: 'refused', event: 'firing' })
    expect(first?.title).toMatch(/^1\d webhooks refused within an hour/)
    expect(clock.said((now) => factsAt(now, { refused: refused + 9 }), HOUR)).toEqual([
      'resolved refused',
    ])
  })
})

describe('silence', () => {
  const last = START - 23 * HOUR
  it('needs the hours, and three webhooks in the same hours a week before', () => {
    const clock = clockwork()
    const quiet = { lastWebhookAt: last, weekBefore: 3 }
    expect(clock.said((now) => factsAt(now, quiet), HOUR - MINUTE)).toEqual([])
    const [first] = clock.run((now) => factsAt(now, quiet), HOUR)
    expect(first).toMatchObject({ name: 'silence', event: 'firing', since: last })
    expect(first?.facts.join()).toContain('3 webhooks')
    // A week later the same hours were silent too, and nothing has come: that is no end.
    expect(clock.said((now) => factsAt(now, { ...quiet, weekBefore: 0 }), 7 * DAY)).toEqual([])
    expect(clock.said((now) => factsAt(now, { lastWebhookAt: now }))).toEqual(['resolved silence'])
  })

  it.each([
    ['fewer came a week before', { lastWebhookAt: last, weekBefore: 2 }, DAY],
    ['none ever came', { lastWebhookAt: null, weekBefore: 0 }, DAY],
    ['it is not to be looked at', { lastWebhookAt: last, weekBefore: 9 }, 0],
  ])('is none where %s', (_, facts, silenceMs) => {
    const clock = clockwork()
    clock.run((now) => factsAt(now, facts))
    const said = clock.said((now) => {
      const { config, ...rest } = factsAt(now, facts)
      return { ...rest, config: { ...config, alerts: { ...config.alerts, silenceMs } } }
    }, 5 * DAY)
    expect(said).toEqual([])
  })
})

describe('transcripts that do not come', () => {
  const facts = (
    latest: [due: number, missing: number],
    before: [due: number, missing: number],
  ) => {
    const share = ([due, missing]: [number, number]) => ({ due, missing })
    return { completeness: { latest: share(latest), before: share(before) } }
  }

  it('are said with how many, and when they come again', () => {
    const clock = clockwork()
    const [first] = clock.run((now) => factsAt(now, facts([11, 9], [60, 3])))
    expect(first).toMatchObject({ name: 'incomplete', event: 'firing' })
    expect(first?.title).toBe('9 of 11 chats of a day have no transcript')
    expect(first?.facts.join()).toContain('3 of 60')
    expect(first?.action).toContain('/chatlio send-to-webhook')
    // By now it is usual, and no better.
    expect(clock.said((now) => factsAt(now, facts([11, 9], [20, 12])), DAY)).toEqual([])
    expect(clock.said((now) => factsAt(now, facts([0, 0], [20, 12])), DAY)).toEqual([])
    expect(clock.said((now) => factsAt(now, facts([20, 1], [20, 12])))).toEqual([
      'resolved incomplete',
    ])
  })

  it.each([
    ['nine chats', facts([9, 9], [60, 3])],
    ['a fifth', facts([10, 2], [60, 0])],
    ['twice the usual share', facts([10, 4], [60, 12])],
    ['none at all', facts([0, 0], [0, 0])],
    ['what is not looked at', { completeness: null }],
  ])('are no alert for %s', (_, own) => {
    expect(clockwork().said((now) => factsAt(now, own), DAY)).toEqual([])
  })
})
