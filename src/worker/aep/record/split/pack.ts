/**
 * The long things of an event, laid out over parts: texts, messages, and at last `unmapped`.
 *
 * Promises: in the order of the parts they are whole again; what fits into one part is not cut; every step
 * takes something, so that there is an end. Sizes are counted as things are added: nothing is encoded twice.
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

/** What one part holds besides the common fields. */
export type Contents = Map<string, string | JsonObject[]>

/** A piece is not begun where less than this is left of a part. */
const MIN_PIECE_BYTES = 64

/** `room`: bytes that a part has besides its common fields. */
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

/** A message that fits into no part, without the fields that leave too little room for its text. */
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

/** What a value takes in an object that holds others: a comma, a key, a colon, the value. */
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
      // Only the last piece leaves anything: what it takes need not be known of the others.
      if (end === text.length) this.#left -= utf8Length(JSON.stringify(piece)) - 2 + overhead
    }
  }

  /** Adds it whole, or, where it fits into no part, not at all. */
  addMessage(message: DraftMessage): boolean {
    const bytes = itemBytes(message)
    if (bytes + LIST_BYTES > this.#room) return false
    if (bytes + this.#listBytes() > this.#left) this.#next()
    this.#push(message, bytes)
    return true
  }

  /** Pieces of one message have its index; its other fields stand with the first. */
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

  /** What the list takes that a first message stands in. */
  #listBytes(): number {
    return this.#part.has('messages') ? 0 : LIST_BYTES
  }

  /** A fresh part for what is whole there and not here, or could only just begin here. */
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
