/**
 * The id of an event: the `_id` that AEP sees, and the key under which it is stored.
 *
 * Promises: the same webhook posted again has the same id, so that Real-Time Customer Profile drops the copy
 * ("drops events if an event with the same `_id` already exists", DUP). Hexadecimal, since an `_id` must hold
 * no colon (EE). Computed once, at receipt, and stored.
 * Accepts: a body with neither `conversationUUID` nor `endedAt` is told from an equal one by the day only.
 */
import { isNonEmptyString, isObject, type Parsed } from '../lib/json.ts'
import { utf8Bytes } from '../lib/json-text.ts'
import type { Route } from './kind.ts'
import { utcDay } from './timestamp.ts'

export async function eventId(
  route: Route,
  body: Uint8Array,
  parsed: Parsed,
  receivedAt: number,
): Promise<string> {
  const prefix = utf8Bytes(
    identifiesItself(parsed) ? `${route}\n` : `${route}\n${utcDay(receivedAt)}\n`,
  )
  const hashed = new Uint8Array(prefix.length + body.length)
  hashed.set(prefix)
  hashed.set(body, prefix.length)
  return new Uint8Array(await crypto.subtle.digest('SHA-256', hashed)).toHex()
}

/** Whether the body holds something that makes it one of a kind. */
function identifiesItself(parsed: Parsed): boolean {
  if (!parsed.ok || !isObject(parsed.value)) return false
  return isNonEmptyString(parsed.value.conversationUUID) || isNonEmptyString(parsed.value.endedAt)
}
