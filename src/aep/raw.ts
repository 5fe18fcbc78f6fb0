/**
 * The record of a raw dataflow: what Chatlio sent, normalized, plus what Data Prep needs ready-made
 * (an ExperienceEvent must have `_id` and `timestamp`, EE).
 */
import type { ChatEvent } from '../chatlio/event.ts'
import type { JsonObject } from '../chatlio/json.ts'

export function encodeRaw(event: ChatEvent): JsonObject {
  return {
    ...event.payload,
    _id: event.id,
    timestamp: event.timestamp,
    eventType: event.eventType,
    receivedAt: event.receivedAt,
  }
}
