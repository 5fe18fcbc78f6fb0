import { describe, expect, it } from 'vitest'
import { judge, safeReport } from '../../../src/worker/aep/client/verdict.ts'
import { MAX_REPORT_CHARACTERS } from '../../../src/worker/limits.ts'

const CANARY = 'canary-7f3a'

/** An answer from Adobe's page on synchronous validation, with a customer's values in the places that AEP quotes. */
const VIOLATED = {
  type: 'http://ns.adobe.com/adobecloud/problem/data-collection-service/inlet',
  status: 400,
  title: 'Invalid XDM Message Format',
  report: {
    message: `inletId: [${CANARY}] imsOrgId: [${CANARY}] Message is invalid`,
    cause: {
      _streamingValidation: [
        {
          schemaLocation: '#',
          pointerToViolation: '#',
          causingExceptions: [
            {
              schemaLocation: '#/properties/_id',
              pointerToViolation: '#/_id',
              causingExceptions: [],
              keyword: 'type',
              message: `expected type: String, found: ${CANARY}`,
            },
            {
              schemaLocation: '#',
              pointerToViolation: '#',
              causingExceptions: [],
              keyword: 'additionalProperties',
              message: `extraneous key [${CANARY}] is not permitted`,
            },
          ],
          message: `3 schema violations found in ${CANARY}`,
        },
      ],
    },
  },
}

/** A chain of causes, the innermost with a keyword. */
function nested(levels: number): unknown {
  let node: unknown = { keyword: 'type', pointerToViolation: '#/deep' }
  for (let level = 0; level < levels; level += 1) node = { causingExceptions: [node] }
  return node
}

const report = (cause: unknown, title: unknown = 'Invalid') =>
  safeReport({ title, report: { cause: { _streamingValidation: cause } } }, 400)

describe('the report of an answer', () => {
  it('has its title, and the keyword and pointer of each violation', () => {
    expect(safeReport(VIOLATED, 400)).toBe(
      'Invalid XDM Message Format: type at #/_id, additionalProperties at #',
    )
  })

  it('has only its title if there are no violations', () => {
    const body = { status: '401', title: 'Authorization', report: { message: `[${CANARY}] empty` } }
    expect(safeReport(body, 401)).toBe('Authorization')
  })

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['text', CANARY],
    ['a list', [{ title: CANARY }]],
    ['an object without a title', { message: CANARY, detail: CANARY, error: CANARY }],
    ['an empty title', { title: '' }],
    ['a title that is not text', { title: { text: CANARY } }],
    ['a batch answer', { responses: [{ status: 400, message: CANARY }] }],
  ])('is its status where it is %s', (_, answer) => {
    const body = JSON.stringify(answer) ?? ''
    const judged = judge({ status: 503, retryAfter: null, body, complete: true }, 0)
    expect(judged).toMatchObject({ error: { message: 'AEP answered 503' } })
  })

  it('repeats no other text, since it may quote a value', () => {
    const everywhere = {
      ...VIOLATED,
      type: CANARY,
      status: CANARY,
      detail: CANARY,
      message: CANARY,
      instance: CANARY,
      [CANARY]: CANARY,
      report: { ...VIOLATED.report, detail: CANARY, [CANARY]: [CANARY] },
    }
    expect(safeReport(everywhere, 400)).toBe(safeReport(VIOLATED, 400))
    expect(safeReport({ ...everywhere, title: undefined }, 400)).not.toContain(CANARY)
  })
})

describe('the report of violations', () => {
  it('names the root if there is no pointer', () => {
    expect(report([{ keyword: 'required' }, { keyword: 'type', pointerToViolation: 7 }])).toBe(
      'Invalid: required at #, type at #',
    )
  })

  it('follows the status if there is no title', () => {
    expect(
      safeReport({ report: { cause: { _streamingValidation: [{ keyword: 'enum' }] } } }, 422),
    ).toBe('AEP answered 422: enum at #')
  })

  it('names a violation and the ones nested in it', () => {
    const cause = [{ keyword: 'allOf', causingExceptions: [{ keyword: 'type' }] }]
    expect(report(cause)).toBe('Invalid: allOf at #, type at #')
  })

  it.each([
    ['not a list', { keyword: 'type' }],
    ['a text', CANARY],
    ['a list without objects', [null, 7, CANARY, [{ keyword: 'type' }]]],
    ['keywords that are not text', [{ keyword: 7 }, { keyword: '' }, { keyword: [CANARY] }]],
    ['causes that are not a list', [{ causingExceptions: { keyword: 'type' } }]],
  ])('is empty if they are %s', (_, cause) => {
    expect(report(cause)).toBe('Invalid')
  })

  it('names at most five', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => ({ keyword: `k${index}` }))
    const five = 'Invalid: k0 at #, k1 at #, k2 at #, k3 at #, k4 at #'
    expect(report(many)).toBe(five)
    expect(report([{ causingExceptions: many }])).toBe(five)
  })

  it('stops at a limited depth', () => {
    expect(report([nested(3)])).toBe('Invalid: type at #/deep')
    expect(report([nested(50_000)])).toBe('Invalid')
  })

  it('shortens long texts', () => {
    const long = 'x'.repeat(100_000)
    const cut = 'x'.repeat(MAX_REPORT_CHARACTERS)
    expect(report([{ keyword: long, pointerToViolation: long }], long)).toBe(
      `${cut}: ${cut} at ${cut}`,
    )
  })
})
