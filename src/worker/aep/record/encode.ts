/**
 * An event as the JSON texts to be sent: one record, or, where that is too large, several parts.
 *
 * Profile drops an ExperienceEvent over 10 KB and says nothing (PGUARD); AEP refuses a request over 1 MB (MULTI).
 * Promises: each record within `maxEventBytes` (UTF-8 of the `xdmEntity`, or of the raw record) and each message
 * within the request limit; parts joined in order give the whole text (`split-join.ts`); every part has the
 * event's time and kind, and its identities where they leave room; the same input gives the same parts. Never
 * throws, always ends.
 * Accepts: where the tenant's or a namespace's name alone fills a part, its parts are larger than the limit.
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

/** Beside the parts' own fields: said of a part, and in `part`. `of` is the event's id. */
export type PartInfo = { index: number; count: number; of: string; dropped?: TextName[] }

/**
 * JSON texts as they are sent. `parts` must be stored before the first is sent, also where dropping what repeats the
 * messages has left only one: its `_id` is another than that of the whole.
 */
export type Encoded = { split: false; record: string } | { split: true; parts: string[] }

/** `maxRecordBytes`: UTF-8 bytes (`Envelope.maxRecordBytes`). */
export function encode(
  event: ChatEvent,
  destination: Destination,
  maxRecordBytes: number,
): Encoded {
  // Three bytes a character at most: most records need not be measured.
  const fits = (record: string) =>
    record.length * 3 <= maxRecordBytes || utf8Length(record) <= maxRecordBytes
  const record = JSON.stringify(
    destination.format === 'raw' ? encodeRaw(event) : recordOf(draftXdm(event, destination)),
  )
  if (fits(record)) return { split: false, record }
  const draft = destination.format === 'raw' ? draftRaw(event) : draftXdm(event, destination)
  return { split: true, parts: split(draft, event.id, maxRecordBytes, fits) }
}

/** These repeat what the messages say: they go before anything is cut. */
const REPEATING: readonly TextName[] = ['htmlBody', 'textBody']

/** Room that a part has at the least, however long the names around it: enough for any character in any place. */
const LEAST_ROOM_BYTES = 64

/** More parts than the largest body can be cut into; stands for index and count while they are not known. */
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
