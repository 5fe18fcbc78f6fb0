import { Envelope } from '../../../src/worker/aep/client/client.ts'
import { encode } from '../../../src/worker/aep/record/encode.ts'
import type { ChatEvent } from '../../../src/worker/chatlio/event.ts'
import type { Destination } from '../../../src/worker/config/config.ts'
import { SENDING } from './split-arbitraries.ts'

/** The messages of an event as they are sent, split or not. */
export function encodeParts(
  event: ChatEvent,
  destination: Destination,
  maxEventBytes: number,
): string[] {
  const envelope = new Envelope(destination)
  const encoded = encode(event, destination, envelope.maxRecordBytes(maxEventBytes), SENDING)
  const records = encoded.split ? encoded.parts : [encoded.record]
  return records.map((record) => envelope.message(record))
}
