import { describe, expect, it } from 'vitest'
import { arrive, heldAfter } from '../../../src/worker/outbox/storage/resolve-state.ts'

describe('an event that arrives under an id that is already stored', () => {
  it.each([
    [null, 'pending', 'insert', 'pending'],
    [null, 'dead', 'insert', 'dead'],
    [null, 'quarantined', 'insert', 'quarantined'],
    ['pending', 'pending', 'keep', 'pending'],
    ['pending', 'dead', 'keep', 'pending'],
    ['pending', 'quarantined', 'keep', 'pending'],
    ['dead', 'pending', 'to-pending', 'pending'],
    ['dead', 'dead', 'keep', 'dead'],
    ['dead', 'quarantined', 'keep', 'dead'],
    ['quarantined', 'pending', 'to-pending', 'pending'],
    ['quarantined', 'dead', 'to-dead', 'dead'],
    ['quarantined', 'quarantined', 'keep', 'quarantined'],
  ] as const)('stored %s, arriving %s: %s, held as %s', (stored, arriving, move, held) => {
    expect(arrive(stored, arriving)).toBe(move)
    expect(heldAfter(stored, arriving)).toBe(held)
  })
})
