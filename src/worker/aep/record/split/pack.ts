/**
 * Distributes the long content of an event over parts: texts, then messages, then `unmapped`.
 *
 * Promises: joined in the order of the parts, the content is whole again; nothing that fits into one part is cut; every
 * step places at least one character, so packing always ends. Counts sizes as content is added, instead of encoding the
 * part again.
 */
import type { JsonObject } from '../../../lib/json.ts'
import { cutAt, utf8Length } from '../../../lib/json-text.ts'
import {
  type Draft,
  type DraftMessage,
  dotted,
  itemOf,
  type Unmapped,
  unmappedText,
} from '../draft.ts'

/** The content of one part besides the common fields, by field name. */
export type Contents = Map<string, string | JsonObject[]>

/** With less room than this, a text starts in the next part. */
const MIN_PIECE_BYTES = 64

/** `room`: UTF-8 bytes of a part that its common fields leave. `moved`: fields to add to `unmapped`. */
export function pack(draft: Draft, moved: readonly Unmapped[], room: number): Contents[] {
  const packer = new Packer(room)
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

  constructor(room: number) {
    this.#room = room
    this.#next()
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
    if (bytes <= this.#left || this.#part.size === 0) return
    if (bytes <= this.#room || this.#left < overhead + MIN_PIECE_BYTES) this.#next()
  }

  #next(): void {
    this.#part = new Map()
    this.parts.push(this.#part)
    this.#left = this.#room
  }
}
