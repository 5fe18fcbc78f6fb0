/**
 * The raw record: what Adobe's Data Prep maps to XDM.
 *
 * Promises: every documented path stays where Chatlio has it, so that a mapping made from Adobe's own sample
 * works unchanged; beside it stand the fields that an ExperienceEvent needs and that sample does not map
 * (`_id`, `timestamp`: CHAT, EE). These win over own fields of the same name.
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
