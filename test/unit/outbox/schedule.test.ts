import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Gate,
  nextAttemptAt,
  nextWakeAt,
  type PendingWork,
} from '../../../src/worker/outbox/delivery/schedule.ts'

const NOW = 1_000
const open: Gate = { paused: false, usable: true, failing: false, retryAt: 0, notBefore: 0 }
const nothing: PendingWork = { untried: false, dueAt: null, expiresAt: null }
const untried: PendingWork = { ...nothing, untried: true, expiresAt: 9_000 }

describe('the next attempt', () => {
  it.each<[string, PendingWork, Partial<Gate>, number | null]>([
    ['no work: never', nothing, {}, null],
    ['a new event: at once', untried, {}, NOW],
    ['a tried event: when it is due', { ...nothing, dueAt: 1_500 }, {}, 1_500],
    ['AEP failing: at the next probe', untried, { failing: true, retryAt: 1_200 }, 1_200],
    [
      'AEP failing: at the next probe, even if no event is due',
      { ...nothing, dueAt: 5_000 },
      { failing: true, retryAt: 1_200 },
      1_200,
    ],
    ['AEP asked for a wait: after it', untried, { notBefore: 1_300 }, 1_300],
    [
      'AEP failing and asked for a wait: after the later',
      untried,
      { failing: true, retryAt: 1_200, notBefore: 1_300 },
      1_300,
    ],
    ['paused: never', untried, { paused: true }, null],
    ['an invalid configuration: never', untried, { usable: false }, null],
  ])('%s', (_, work, gate, at) => {
    expect(nextAttemptAt(work, { ...open, ...gate }, NOW)).toBe(at)
  })

  it('always schedules a wake-up while anything is stored', () => {
    const moment = fc.integer({ min: 0, max: 3_000 })
    return fc.assert(
      fc.property(
        fc.record({ untried: fc.boolean(), dueAt: fc.option(moment), expiresAt: moment }),
        fc.record({
          paused: fc.boolean(),
          usable: fc.boolean(),
          failing: fc.boolean(),
          retryAt: moment,
          notBefore: moment,
        }),
        (work, gate) => {
          expect(nextWakeAt(work, gate, NOW, 60)).not.toBeNull()
        },
      ),
    )
  })
})
