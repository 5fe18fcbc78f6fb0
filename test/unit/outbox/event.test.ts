/** What becomes of an event that arrives while one is stored under its id. */
import { expect, it } from 'vitest'
import { EVENT_STATES, stateOnArrival } from '../../../src/worker/outbox/event.ts'

it.each([
  // stored, arriving, then
  [null, 'pending', 'pending'],
  [null, 'dead', 'dead'],
  [null, 'quarantined', 'quarantined'],
  ['pending', 'pending', 'pending'],
  ['pending', 'dead', 'pending'],
  ['pending', 'quarantined', 'pending'],
  ['dead', 'pending', 'pending'],
  ['dead', 'dead', 'dead'],
  ['dead', 'quarantined', 'dead'],
  ['quarantined', 'pending', 'pending'],
  ['quarantined', 'dead', 'dead'],
  ['quarantined', 'quarantined', 'quarantined'],
] as const)('stored as %s, arriving as %s: it is %s', (stored, arriving, then) => {
  expect(stateOnArrival(stored, arriving)).toBe(then)
})

it('is the same whatever arrives in which order, and however often', () => {
  for (const first of EVENT_STATES) {
    for (const second of EVENT_STATES) {
      const both = stateOnArrival(first, second)
      expect(both).toBe(stateOnArrival(second, first))
      expect(stateOnArrival(both, first)).toBe(both)
      expect(stateOnArrival(both, second)).toBe(both)
    }
  }
})
