/**
 * Computes an event's id: its `_id` in AEP, and its key in the outbox.
 *
 * Promises: the same webhook posted again gets the same id, so that Real-Time Customer Profile drops the copy
 * ("drops events if an event with the same `_id` already exists", DUP). Hexadecimal, since an `_id` must not contain
 * a colon (EE). Computed once, at receipt, and stored.
 * Accepts: if a body has neither `conversationUUID` nor `endedAt`, two identical bodies on one UTC day count as one
 * event, and a copy posted on the next day counts as another.
 */
import { isNonEmptyString, isObject, type Parsed } from '../lib/json.ts'
import type { Rim } from '../lib/rim.ts'
import type { Route } from './kind.ts'
import { utcDay } from './timestamp.ts'

/**
 * SHA-256 of the route, the UTC day of `receivedAt` (epoch ms; left out if the body identifies itself) and the body,
 * as 64 hexadecimal digits.
 */
export async function eventId(
  route: Route,
  body: Uint8Array,
  parsed: Parsed,
  receivedAt: number,
  sha256: Rim['sha256'],
): Promise<string> {
  const prefix = identifiesItself(parsed) ? `${route}\n` : `${route}\n${utcDay(receivedAt)}\n`
  const hashed = new Uint8Array(prefix.length + body.length)
  // ASCII only: as many bytes as characters, and for so few an encoder costs more.
  for (let at = 0; at < prefix.length; at += 1) hashed[at] = prefix.charCodeAt(at)
  hashed.set(body, prefix.length)
  return new Uint8Array(await sha256(hashed)).toHex()
}

/** Whether the body holds a field that tells it apart from every other event. */
function identifiesItself(parsed: Parsed): boolean {
  if (!parsed.ok || !isObject(parsed.value)) return false
  return isNonEmptyString(parsed.value.conversationUUID) || isNonEmptyString(parsed.value.endedAt)
}
