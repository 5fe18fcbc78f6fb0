import { describe, expect, it } from 'vitest'
import { safeReport } from '../../../src/worker/aep/client/verdict.ts'
import { quarantineError, reasonOf } from '../../../src/worker/outbox/cause.ts'

const issue = (path: string) => ({ path, message: 'expected text' })

describe('the cause of an event that is set aside', () => {
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
