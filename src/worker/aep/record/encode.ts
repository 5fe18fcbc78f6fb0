/**
 * Encodes an event as JSON texts: one record, or several parts if that record is too large.
 *
 * Why: Profile silently drops an ExperienceEvent over 10 KB (PGUARD), and AEP refuses a request over 1 MB (MULTI).
 * Promises: each record is at most `maxRecordBytes` long; parts joined in order give the whole text; every part has the
 * event's time and kind, and its identities if there is room; the same input gives the same parts. Never throws, always
 * ends.
 * Accepts: if the name of the tenant or of a namespace alone fills a part, its parts exceed the limit.
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import type { Destination } from '../../config/config.ts'
import { utf8Length } from '../../lib/json-text.ts'
import { recordOf } from './draft.ts'
import { draftRaw, encodeRaw } from './raw.ts'
import { split } from './split.ts'
import { draftXdm } from './xdm.ts'

/**
 * JSON texts without an envelope. Store `parts` before the first is sent, even if there is only one (dropping repeated
 * texts was enough): its `_id` differs from that of the unsplit record.
 */
export type Encoded = { split: false; record: string } | { split: true; parts: string[] }

/** `maxRecordBytes`: UTF-8 bytes of one record (`Envelope.maxRecordBytes`). */
export function encode(
  event: ChatEvent,
  destination: Destination,
  maxRecordBytes: number,
): Encoded {
  // A UTF-16 unit takes at most three bytes, so short records need no measuring.
  const fits = (record: string) =>
    record.length * 3 <= maxRecordBytes || utf8Length(record) <= maxRecordBytes
  const record = JSON.stringify(
    destination.format === 'raw' ? encodeRaw(event) : recordOf(draftXdm(event, destination)),
  )
  if (fits(record)) return { split: false, record }
  const draft = destination.format === 'raw' ? draftRaw(event) : draftXdm(event, destination)
  return { split: true, parts: split(draft, event.id, maxRecordBytes, fits) }
}
