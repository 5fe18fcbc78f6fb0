/**
 * Splits a draft that is too large for one record into parts: what every part repeats (identities, time, kind, part number,
 * the small fields), what only the first has (numbers, which would add up), and what is distributed over them (texts,
 * messages, `unmapped`).
 *
 * Promises: joined in the order of the parts, the content is whole again; nothing that fits into one part is cut; every
 * step places at least one character, so packing always ends. A field that is not repeated goes into `unmapped`, unless it
 * only repeats or derives from another. Identities stay, so that Profile can use each part; they are dropped (the email
 * before the visitor) only if they leave almost no room. Counts sizes as content is added, instead of encoding the part
 * again.
 */
import { cutAt, type JsonObject, utf8Length } from '../../lib/json.ts'
import {
  assemble,
  type Draft,
  type DraftMessage,
  dotted,
  inside,
  itemOf,
  type RecordField,
  recordOf,
  type Unmapped,
  unmappedText,
} from './draft.ts'

/** The `part` field of each part. `of`: the event's id. `dropped`: texts left out because they repeat the messages. */
type PartInfo = { index: number; count: number; of: string; dropped?: string[] }

/** These repeat the messages, so they are dropped before anything is cut. */
const REPEATING: readonly string[] = ['htmlBody', 'textBody']

/** The least room that a part has for content, even if long names fill it: enough for any character in any field. */
const LEAST_ROOM_BYTES = 64

/** Exceeds the number of parts of the largest body. Reserves room for index and count before they are known. */
const MANY = 999_999

/** `generation`: how often AEP had some of the parts when the event had to be split anew, for other settings. */
export function split(
  draft: Draft,
  id: string,
  generation: number,
  limit: number,
  fits: (record: string) => boolean,
): string[] {
  const dropped: string[] = []
  const hasText = draft.messages.some(({ text }) => text !== undefined)
  const texts = new Map(draft.texts)
  for (const name of hasText ? REPEATING : []) {
    if (!texts.delete(name)) continue
    dropped.push(name)
    const only = partFields(draft, generation, { index: 0, count: 1, of: id, dropped })
    const record = JSON.stringify(recordOf({ ...draft, texts }, only))
    if (fits(record)) return [record]
  }
  const partFieldsOf = (index: number, count: number) =>
    partFields(draft, generation, {
      index,
      count,
      of: id,
      ...(dropped.length > 0 ? { dropped } : {}),
    })
  const common = commonOf(draft, partFieldsOf(MANY, MANY), limit)
  const room = Math.max(limit - common.bytes, LEAST_ROOM_BYTES)
  const once = onceFields(draft.once, room)
  const parts = pack({ ...draft, texts }, common.moved, room, once.bytes)
  return parts.map((contents, index) => {
    const first = index === 0 ? once.fields : []
    const own = [...first, ...inside(draft.base, contents), ...partFieldsOf(index, parts.length)]
    return JSON.stringify(assemble([...common.fields, ...own]))
  })
}

/** `{id}-{index}`; from the second split on `{id}-r{generation}-{index}`, so that no id stands for two contents. */
export function partId(id: string, generation: number, index: number): string {
  return generation === 0 ? `${id}-${index}` : `${id}-r${generation}-${index}`
}

function partFields({ base }: Draft, generation: number, part: PartInfo): RecordField[] {
  return [
    { at: ['_id'], from: null, value: partId(part.of, generation, part.index) },
    ...inside(base, [['part', part]]),
  ]
}

/** What only the first part has; nothing if it took more than half of it. */
function onceFields(
  fields: readonly RecordField[],
  room: number,
): Pick<Common, 'fields' | 'bytes'> {
  const bytes = fields.reduce((sum, field) => sum + maxBytes(field), 0)
  return bytes <= room / 2 ? { fields, bytes } : { fields: [], bytes: 0 }
}

/** Identities are dropped until a part has at least this much room beside them. */
const MIN_ROOM_BYTES = 400

/** The most that repeated fields may take, unless half of a part is less. */
const MAX_COMMON_BYTES = 10_000

/** `bytes`: UTF-8 size of `fields` as a record. `moved`: fields left out, for `unmapped`. */
type Common = { fields: readonly RecordField[]; bytes: number; moved: readonly Unmapped[] }

/** `limit`: UTF-8 bytes of a part. */
function commonOf(draft: Draft, partFields: readonly RecordField[], limit: number): Common {
  const sizeOf = (fields: readonly RecordField[]) =>
    utf8Length(JSON.stringify(assemble([...draft.core, ...fields, ...partFields])))
  const kept = [...draft.identities]
  const left: RecordField[] = []
  while (kept.length > 0 && sizeOf(kept) > limit - MIN_ROOM_BYTES) left.push(...kept.splice(-1))

  const budget = Math.min(limit / 2, MAX_COMMON_BYTES)
  let spent = sizeOf(kept)
  for (const { field, bytes } of smallestFirst(draft.fields)) {
    if (spent + bytes > budget) left.push(field)
    else {
      kept.push(field)
      spent += bytes
    }
  }
  const moved = left.flatMap(({ from, value }) => (from === null ? [] : [[from, value] as const]))
  return { fields: [...draft.core, ...kept, ...partFields], bytes: sizeOf(kept), moved }
}

function smallestFirst(fields: readonly RecordField[]): { field: RecordField; bytes: number }[] {
  return fields
    .map((field) => ({ field, bytes: maxBytes(field) }))
    .sort((a, b) => a.bytes - b.bytes)
}

/** An upper bound of a field's UTF-8 size: as if it shared no object with another field. */
function maxBytes({ at, value }: RecordField): number {
  const alone = at.reduceRight((held, key) => ({ [key]: held }), value)
  return utf8Length(JSON.stringify(alone))
}

/** The content of one part besides the common fields, by field name. */
export type Contents = Map<string, string | JsonObject[]>

/** With less room than this, a text starts in the next part. */
const MIN_PIECE_BYTES = 64

/**
 * `room`: UTF-8 bytes of a part that its common fields leave; `reserved`: those of it that the first part needs for others.
 * `moved`: fields to add to `unmapped`.
 */
export function pack(
  draft: Draft,
  moved: readonly Unmapped[],
  room: number,
  reserved = 0,
): Contents[] {
  const packer = new Packer(room, reserved)
  const unmapped: Unmapped[] = [...draft.unmapped, ...moved]
  for (const [name, text] of draft.texts) packer.addText(name, text)
  for (const message of draft.messages) {
    if (packer.addMessage(message)) continue
    const slim = slimmed(message, room, unmapped)
    if (!packer.addMessage(slim)) packer.cutMessage(slim)
  }
  if (unmapped.length > 0) packer.addText('unmapped', unmappedText(unmapped))
  return packer.parts
}

/** Moves the large fields of a message that fits into no part to `unmapped`, so that its text has room. */
function slimmed(message: DraftMessage, room: number, unmapped: Unmapped[]): DraftMessage {
  let left = room / 4
  const rest = message.rest.filter(([key, value]) => {
    const bytes = entryBytes(key, utf8Length(JSON.stringify(value)))
    const fits = bytes <= left
    if (fits) left -= bytes
    else unmapped.push([dotted('messages', String(message.index), key), value])
    return fits
  })
  return { ...message, rest }
}

/** The UTF-8 size of an entry in an object: comma, key, colon and value. */
function entryBytes(key: string, valueBytes: number): number {
  return utf8Length(JSON.stringify(key)) + 2 + valueBytes
}

const LIST_BYTES = entryBytes('messages', '[]'.length)

function itemBytes(message: DraftMessage): number {
  return utf8Length(JSON.stringify(itemOf(message))) + ','.length
}

class Packer {
  readonly parts: Contents[] = []
  readonly #room: number
  #part: Contents = new Map()
  #left = 0

  constructor(room: number, reserved: number) {
    this.#room = room
    this.#next()
    this.#left -= reserved
  }

  addText(key: string, text: string): void {
    const overhead = entryBytes(key, '""'.length)
    this.#makeRoom(utf8Length(JSON.stringify(text)) - 2 + overhead, overhead)
    for (let from = 0, end = 0; from < text.length; from = end) {
      if (from > 0) this.#next()
      end = cutAt(text, from, this.#left - overhead)
      const piece = text.slice(from, end)
      this.#part.set(key, piece)
      // Every piece but the last fills its part, so only the last one's size matters.
      if (end === text.length) this.#left -= utf8Length(JSON.stringify(piece)) - 2 + overhead
    }
  }

  /** Adds the message uncut and returns true, or returns false if it fits into no part. */
  addMessage(message: DraftMessage): boolean {
    const bytes = itemBytes(message)
    if (bytes + LIST_BYTES > this.#room) return false
    if (bytes + this.#listBytes() > this.#left) this.#next()
    this.#push(message, bytes)
    return true
  }

  /** Every piece repeats the message's `index`; only the first has its other fields. */
  cutMessage({ index, text = '', rest }: DraftMessage): void {
    let piece: DraftMessage = { index, text: '', rest }
    this.#makeRoom(Number.POSITIVE_INFINITY, itemBytes(piece) + LIST_BYTES)
    for (let from = 0, end = 0; from < text.length; from = end) {
      if (from > 0) this.#next()
      end = cutAt(text, from, this.#left - itemBytes(piece) - this.#listBytes())
      piece = { ...piece, text: text.slice(from, end) }
      this.#push(piece, itemBytes(piece))
      piece = { index, text: '', rest: [] }
    }
  }

  #push(message: DraftMessage, bytes: number): void {
    this.#left -= bytes + this.#listBytes()
    const items = this.#part.get('messages')
    if (Array.isArray(items)) items.push(itemOf(message))
    else this.#part.set('messages', [itemOf(message)])
  }

  /** The size of the `messages` list itself, which only the first message of a part pays for. */
  #listBytes(): number {
    return this.#part.has('messages') ? 0 : LIST_BYTES
  }

  /** Starts a new part if the content fits there uncut but not here, or if a first piece here would be tiny. */
  #makeRoom(bytes: number, overhead: number): void {
    if (bytes <= this.#left || this.#left === this.#room) return
    if (bytes <= this.#room || this.#left < overhead + MIN_PIECE_BYTES) this.#next()
  }

  #next(): void {
    this.#part = new Map()
    this.parts.push(this.#part)
    this.#left = this.#room
  }
}
