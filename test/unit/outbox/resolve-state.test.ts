import { describe, expect, it } from 'vitest'
import { resolveState } from '../../../src/worker/outbox/storage/resolve-state.ts'

describe('an event that arrives under an id that is already stored', () => {
  it.each([
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
  ] as const)('stored %s, arriving %s: is %s', (stored, arriving, resolved) => {
    expect(resolveState(stored, arriving)).toBe(resolved)
  })
})
