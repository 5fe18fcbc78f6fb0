import { describe, expect, it } from 'vitest'
import { safeReport } from '../../../src/worker/aep/client/verdict.ts'
import {
  type Cause,
  causeKey,
  quarantineError,
  reasonOf,
} from '../../../src/worker/outbox/event.ts'

const issue = (path: string) => ({ path, message: 'expected text' })

describe('the cause of an event that is parked', () => {
  it.each([
    [[issue('visitor.UUID'), issue('message')], 'visitor.UUID'],
    [[issue('messages.12.text')], 'messages.*.text'],
    [[issue(''), issue('visitor')], ''],
  ])('is the first documented place that is not valid: %j', (issues, path) => {
    const error = quarantineError({ outcome: 'invalid', kind: 'feedback', issues })
    expect(reasonOf(error)).toEqual({ code: 'invalid-payload', path })
  })

  it.each([
    ['#/_tenant/chatlio/messages/3/sentAt', '#/_tenant/chatlio/messages/*/sentAt'],
    ['#', ''],
    [undefined, ''],
  ])('is the first pointer of what AEP reports: %j', (pointerToViolation, path) => {
    const violation = { keyword: 'format', pointerToViolation }
    const cause = {
      _streamingValidation: [violation, { keyword: 'type', pointerToViolation: '#/z' }],
    }
    const message = safeReport({ title: 'Not valid, as it is', report: { cause } }, 400)
    expect(reasonOf({ code: 'rejected', message })).toEqual({ code: 'rejected', path })
  })

  it.each([
    [{ code: 'rejected', message: 'AEP answered 400' } as const, 'rejected'],
    [{ code: 'malformed-json', message: 'not JSON in UTF-8' } as const, 'malformed-json'],
    [null, 'unknown'],
  ])('is a code alone where no place is known: %j', (error, code) => {
    expect(reasonOf(error)).toEqual({ code, path: '' })
  })
})

describe('what is on record of an event in quarantine', () => {
  const kind = 'feedback'
  const issues = [issue('visitor.UUID'), issue(''), issue('message')]
  it.each([
    [{ outcome: 'unsupported-media-type', kind } as const, 'not sent as JSON'],
    [{ outcome: 'malformed', kind } as const, 'not JSON in UTF-8'],
    [{ outcome: 'too-many-values', kind } as const, 'more than 100000 values'],
    [
      { outcome: 'invalid', kind, issues } as const,
      'visitor.UUID: expected text; expected text; message: expected text',
    ],
  ])('says why, and repeats nothing of it: $outcome', (reading, message) => {
    const codes = { malformed: 'malformed-json', invalid: 'invalid-payload' } as const
    const { outcome } = reading
    const code = outcome === 'malformed' || outcome === 'invalid' ? codes[outcome] : outcome
    expect(quarantineError(reading)).toEqual({ code, status: null, message })
  })
})

it('causes that differ in anything have two keys', () => {
  const cause: Cause = { state: 'dead', kind: 'feedback', code: 'rejected', path: '#/a' }
  const others: Cause[] = [
    { ...cause, state: 'quarantined' },
    { ...cause, kind: 'transcript' },
    { ...cause, code: 'too-large' },
    { ...cause, path: '#/b' },
    { ...cause, path: '' },
  ]
  expect(new Set([cause, { ...cause }, ...others].map(causeKey)).size).toBe(6)
})
