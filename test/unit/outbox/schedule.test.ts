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
    ['nothing owed', nothing, {}, null],
    ['something new: at once', untried, {}, NOW],
    ['a tried event: when its wait is over', { ...nothing, dueAt: 1_500 }, {}, 1_500],
    [
      'failing: when the destination’s wait is over',
      untried,
      { failing: true, retryAt: 1_200 },
      1_200,
    ],
    [
      'failing: any event will do, its own wait or not',
      { ...nothing, dueAt: 5_000 },
      { failing: true, retryAt: 1_200 },
      1_200,
    ],
    ['told to wait', untried, { notBefore: 1_300 }, 1_300],
    [
      'told to wait, and failing',
      untried,
      { failing: true, retryAt: 1_200, notBefore: 1_300 },
      1_300,
    ],
    ['paused', untried, { paused: true }, null],
    ['a configuration that does not parse', untried, { usable: false }, null],
  ])('%s', (_, owed, gate, at) => {
    expect(nextAttemptAt(owed, { ...open, ...gate }, NOW)).toBe(at)
  })

  it('there is always a next moment to wake while anything is stored', () => {
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
        (owed, gate) => {
          expect(nextWakeAt(owed, gate, NOW, 60)).not.toBeNull()
        },
      ),
    )
  })
})
