/** Events of `verify`: a type of their own, one person, and no part in what is known of Chatlio's shapes. */
import { describe, expect, it } from 'vitest'
import { testWebhook } from '../../../src/cli/lib/test-webhook.ts'
import { readEvent } from '../../../src/worker/chatlio/event.ts'
import { ROUTE_KINDS } from '../../../src/worker/chatlio/kind.ts'
import { subjectOf, TEST_PERSON } from '../../../src/worker/chatlio/person.ts'
import { DriftDetector } from '../../../src/worker/drift/detector.ts'
import { parseJson, utf8Bytes } from '../../../src/worker/lib/json.ts'

const AT = Date.UTC(2026, 10, 24)

function read(kind: (typeof ROUTE_KINDS)[number] | 'auto', text: string) {
  const body = utf8Bytes(text)
  const parsed = parseJson(body)
  const reading = readEvent({ id: 'x', kind, receivedAt: AT }, parsed)
  return { reading, parsed, subject: subjectOf({ kind, parsed, body, isValid: true }) }
}

describe.each(ROUTE_KINDS)('a test webhook of %s', (kind) => {
  it('is a test event of the one test person, and each run another event', () => {
    for (const route of [kind, 'auto'] as const) {
      const { reading, subject } = read(route, testWebhook(kind, 'run-1', new Date(AT)))
      expect(reading).toMatchObject({ outcome: 'valid', event: { eventType: 'chatlio.test' } })
      expect(subject.emails).toEqual([TEST_PERSON.email])
    }
    const [one, two] = ['run-1', 'run-2'].map((run) => testWebhook(kind, run, new Date(AT)))
    expect(one).not.toBe(two)
  })

  it('has no part in drift, valid or not', () => {
    const detector = new DriftDetector()
    const body = JSON.parse(testWebhook(kind, 'run-1', new Date(AT))) as Record<string, unknown>
    for (const change of [{}, { brandNew: 1 }, { message: 7, messages: 7 }]) {
      const { reading, parsed } = read(kind, JSON.stringify({ ...body, ...change }))
      detector.observe(reading, parsed, 'x', AT)
    }
    expect(detector.takeReports(AT + 1)).toEqual([])
    // The same of somebody else is seen.
    const other = JSON.stringify({ ...body, brandNew: 1 }).replaceAll('relay-test', 'somebody')
    const { reading, parsed } = read(kind, other)
    expect(reading).toMatchObject({ event: { eventType: expect.not.stringContaining('test') } })
    detector.observe(reading, parsed, 'x', AT)
    expect(detector.takeReports(AT + 1)).toHaveLength(1)
  })
})
