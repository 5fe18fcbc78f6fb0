/**
 * Builds the raw record, which Adobe's Data Prep maps to XDM.
 *
 * Promises: every documented field keeps Chatlio's path, so that a mapping made from Adobe's sample works unchanged.
 * Adds the fields that an ExperienceEvent needs and that sample lacks (`_id`, `timestamp`: CHAT, EE); they override
 * payload fields of the same name.
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import type { JsonObject } from '../../lib/json.ts'

export function encodeRaw({
  payload,
  id,
  timestamp,
  eventType,
  receivedAt,
}: ChatEvent): JsonObject {
  return { ...payload, _id: id, timestamp, eventType, receivedAt }
}
