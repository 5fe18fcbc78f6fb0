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
import { assemble, type Draft, type Field, inside, recordOf, type TextName } from './draft.ts'
import { encodeRaw } from './raw.ts'
import { commonOf } from './split/common.ts'
import { pack } from './split/pack.ts'
import { draftRaw } from './split/raw-draft.ts'
import { draftXdm } from './xdm-draft.ts'

/** The `part` field of each part. `of`: the event's id. `dropped`: texts left out because they repeat the messages. */
export type PartInfo = { index: number; count: number; of: string; dropped?: TextName[] }

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

/** These repeat the messages, so they are dropped before anything is cut. */
const REPEATING: readonly TextName[] = ['htmlBody', 'textBody']

/** The least room that a part has for content, even if long names fill it: enough for any character in any field. */
const LEAST_ROOM_BYTES = 64

/** Exceeds the number of parts of the largest body. Reserves room for index and count before they are known. */
const MANY = 999_999

function split(
  draft: Draft,
  id: string,
  limit: number,
  fits: (record: string) => boolean,
): string[] {
  const dropped: TextName[] = []
  const hasText = draft.messages.some(({ text }) => text !== undefined)
  const texts = new Map(draft.texts)
  for (const name of hasText ? REPEATING : []) {
    if (!texts.delete(name)) continue
    dropped.push(name)
    const only = partFields(draft, { index: 0, count: 1, of: id, dropped })
    const record = JSON.stringify(recordOf({ ...draft, texts }, only))
    if (fits(record)) return [record]
  }
  const partFieldsOf = (index: number, count: number) =>
    partFields(draft, { index, count, of: id, ...(dropped.length > 0 ? { dropped } : {}) })
  const common = commonOf(draft, partFieldsOf(MANY, MANY), limit)
  const room = Math.max(limit - common.bytes, LEAST_ROOM_BYTES)
  const parts = pack({ ...draft, texts }, common.moved, room)
  return parts.map((contents, index) => {
    const own = [...inside(draft.base, contents), ...partFieldsOf(index, parts.length)]
    return JSON.stringify(assemble([...common.fields, ...own]))
  })
}

function partFields({ base }: Draft, part: PartInfo): Field[] {
  return [
    { at: ['_id'], from: null, value: `${part.of}-${part.index}` },
    ...inside(base, [['part', part]]),
  ]
}
