/**
 * The person of `npm run verify`: one identity that is used again, so that AEP has one profile of it,
 * and one command erases it. Its events have a type of their own, so that they can be filtered anywhere.
 *
 * Promises: pure. The address is of a domain that is reserved for examples (RFC 2606): no mail can reach anybody.
 */
import { isObject } from '../lib/json.ts'

export const TEST_PERSON = { uuid: 'relay-test', email: 'relay-test@example.com' } as const

export const TEST_EVENT_TYPE = 'chatlio.test'

/** Whether a body is of the test person, by the places in which Chatlio names a visitor. */
export function isOfTestPerson(body: unknown): boolean {
  if (!isObject(body)) return false
  const { visitor, visitorEmail } = body
  if (isObject(visitor)) return visitor.UUID === TEST_PERSON.uuid
  return visitorEmail === TEST_PERSON.email
}
