/**
 * A draft: the content of a record, sorted by how each piece is treated if the record must be split; and how it is split.
 * Both formats (raw and XDM) produce drafts, so that splitting is independent of the format.
 *
 * A draft that is too large for one record becomes parts: what every part repeats (identities, time, kind, part number, the
 * small fields), what only the first has (numbers, which would add up), and what is distributed over them (texts, messages,
 * `unmapped`). Promises: joined in the order of the parts, the content is whole again; nothing that fits into one part is cut;
 * every step places at least one character, so packing always ends. A field that is not repeated goes into `unmapped`, unless it
 * only repeats or derives from another. Identities stay, so that Profile can use each part; they are dropped (the email
 * before the visitor) only if they leave almost no room. Counts sizes as content is added, instead of encoding the part
 * again.
 *
 * Paths in `unmapped` are dotted; a dot inside a key is written `\.`, so that each path names exactly one place.
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import { cutAt, isNonEmptyString, isObject, type JsonObject, utf8Length } from '../../lib/json.ts'

/**
 * `at`: the path in the record; `own`: below `Draft.base`. `from`: the path in the payload; `null` if the value only repeats or
 * derives.
 */
export type RecordField = {
  at: readonly string[]
  own: boolean
  from: string | null
  value: unknown
}

type RecordPlace = Pick<RecordField, 'at' | 'own'>

/** Each place, taken apart once: there are no more than the schema has. */
const places = new Map<string, RecordPlace>()

/** `chatlio.` stands for our field group. */
export function placed(place: string): RecordPlace {
  let found = places.get(place)
  if (!found) {
    const keys = place.split('.')
    const own = keys[0] === 'chatlio'
    found = { at: own ? keys.slice(1) : keys, own }
    places.set(place, found)
  }
  return found
}

/** Fields that the relay adds, by their places; none where a value is `undefined`. */
export function fieldsOf(values: Readonly<Record<string, unknown>>): RecordField[] {
  const fields: RecordField[] = []
  for (const place in values) {
    const value = values[place]
    if (value === undefined) continue
    const { at, own } = placed(place)
    fields.push({ at, own, from: null, value })
  }
  return fields
}

/** A path of the payload, and its value. */
export type Unmapped = readonly [from: string, value: unknown]

/** One message of a transcript. `index`: its position there. `rest`: its fields other than `text`. */
type DraftMessage = {
  index: number
  text: string | undefined
  rest: readonly (readonly [key: string, value: unknown])[]
}

export type Draft = {
  /** Always in every part. */
  core: readonly RecordField[]
  /** In every part while there is room, the most important first. */
  identities: readonly RecordField[]
  /** The smallest ones are in every part, up to a budget; the others go into `unmapped`. */
  fields: readonly RecordField[]
  /** Only in the first part: numbers that a sum over all parts would count again. Left out where there is no room. */
  once: readonly RecordField[]
  /** The path of the object that holds own fields, `texts`, `messages`, `unmapped` and `part`; empty for raw. */
  base: readonly string[]
  /** `LONG_TEXTS`, in that order. */
  texts: ReadonlyMap<string, string>
  messages: readonly DraftMessage[]
  unmapped: readonly Unmapped[]
}

/**
 * In seconds, 31 years: room for it is kept in each record, so that a part that waits never grows beyond its limit.
 */
export const LONGEST_DELAY = 999_999_999

/** The unsplit record of a draft. `extra` fields override those of the draft. */
export function recordOf(draft: Draft, extra: readonly RecordField[] = []): JsonObject {
  const contents: [string, unknown][] = [...draft.texts]
  if (draft.messages.length > 0) contents.push(['messages', draft.messages.map(itemOf)])
  if (draft.unmapped.length > 0) contents.push(['unmapped', unmappedText(draft.unmapped)])
  const { core, identities, fields, once, base } = draft
  return assemble(base, [...core, ...identities, ...fields, ...once, ...owned(contents), ...extra])
}

/** A message as it appears in a record. */
export function itemOf({ index, text, rest }: DraftMessage): JsonObject {
  const item: JsonObject = new Bare()
  item.index = index
  for (const [key, value] of rest) item[key] = value
  if (text !== undefined) item.text = text
  return item
}

/** The text of the `unmapped` field: a JSON object keyed by payload paths. */
export function unmappedText(unmapped: readonly Unmapped[]): string {
  return JSON.stringify(Object.fromEntries(unmapped))
}

function owned(contents: Iterable<readonly [string, unknown]>): RecordField[] {
  return Array.from(contents, ([key, value]) => ({ at: [key], own: true, from: null, value }))
}

/** Builds the record; later fields override earlier ones. */
function assemble(base: readonly string[], fields: readonly RecordField[]): JsonObject {
  const root: JsonObject = new Bare()
  let ours: JsonObject | null = null
  for (const { at, own, value } of fields) {
    if (own) ours ??= below(root, base, base.length)
    const last = at.length - 1
    below(own && ours ? ours : root, at, last)[at[last] as string] = value
  }
  return root
}

/** The object at the first `levels` keys of a path; made if it is not there. */
function below(root: JsonObject, path: readonly string[], levels: number): JsonObject {
  let holder = root
  for (let level = 0; level < levels; level += 1) {
    const key = path[level] as string
    holder[key] ??= new Bare()
    holder = holder[key] as JsonObject
  }
  return holder
}

/**
 * An object that inherits nothing, so that `__proto__` and `constructor` are ordinary keys. Not `Object.create(null)`: those
 * are kept as hash tables, which are slow to fill and to write.
 */
class Bare {
  [key: string]: unknown
}
Object.setPrototypeOf(Bare.prototype, null)
delete (Bare.prototype as { constructor?: unknown }).constructor

/** Joins keys to a dotted path, escaping dots and backslashes in them. */
export function dotted(...keys: string[]): string {
  return keys.map(escaped).join('.')
}

function escaped(key: string): string {
  // Nearly no key has either.
  return key.includes('.') || key.includes('\\') ? key.replace(/[\\.]/g, '\\$&') : key
}

/** Takes the values of the payload, those of its visitor each by itself; not what normalizing left out, nor messages. */
export function eachLeaf(
  { kind, payload }: ChatEvent,
  take: (value: unknown, keys: readonly string[]) => void,
): void {
  for (const [key, value] of Object.entries(payload)) {
    if (value === undefined || (key === 'messages' && kind === 'transcript')) continue
    if (key !== 'visitor' || !isObject(value)) take(value, [key])
    else {
      for (const [name, held] of Object.entries(value)) {
        if (held !== undefined) take(held, [key, name])
      }
    }
  }
}

/** The messages of a transcript. Fields that do not fit go into `unmapped`. */
export function messagesOf(
  event: ChatEvent,
  unmapped: Unmapped[],
  fits: (key: string, value: unknown) => boolean,
): DraftMessage[] {
  const messages = event.kind === 'transcript' ? event.payload.messages : []
  return messages.map((message, index) => {
    let text: string | undefined
    const rest: [string, unknown][] = []
    for (const [key, value] of Object.entries(message)) {
      if (value === undefined) continue
      if (key === 'text' && isNonEmptyString(value)) text = value
      else if (fits(key, value)) rest.push([key, value])
      else unmapped.push([dotted('messages', String(index), key), value])
    }
    return { index, text, rest }
  })
}

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
  /** Its id, and which part it is. `dropped`: texts left out because they repeat the messages. */
  const partFields = (index: number, count: number) => {
    const part = { index, count, of: id, ...(dropped.length > 0 && { dropped }) }
    return fieldsOf({ _id: partId(id, generation, index), 'chatlio.part': part })
  }
  const hasText = draft.messages.some(({ text }) => text !== undefined)
  const texts = new Map(draft.texts)
  for (const name of hasText ? REPEATING : []) {
    if (!texts.delete(name)) continue
    dropped.push(name)
    const record = JSON.stringify(recordOf({ ...draft, texts }, partFields(0, 1)))
    if (fits(record)) return [record]
  }
  const common = commonOf(draft, partFields(MANY, MANY), limit)
  const room = Math.max(limit - common.bytes, LEAST_ROOM_BYTES)
  // What only the first part has; nothing if it took more than half of it.
  const onceBytes = draft.once.reduce((sum, field) => sum + maxBytes(field, draft.base), 0)
  const hasOnce = onceBytes <= room / 2
  const parts = pack({ ...draft, texts }, common.moved, room, hasOnce ? onceBytes : 0)
  return parts.map((contents, index) => {
    const first = index === 0 && hasOnce ? draft.once : []
    const own = [...first, ...owned(contents), ...partFields(index, parts.length)]
    return JSON.stringify(assemble(draft.base, [...common.fields, ...own]))
  })
}

/** `{id}-{index}`; from the second split on `{id}-r{generation}-{index}`, so that no id stands for two contents. */
function partId(id: string, generation: number, index: number): string {
  return generation === 0 ? `${id}-${index}` : `${id}-r${generation}-${index}`
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
    utf8Length(JSON.stringify(assemble(draft.base, [...draft.core, ...fields, ...partFields])))
  const kept = [...draft.identities]
  const left: RecordField[] = []
  while (kept.length > 0 && sizeOf(kept) > limit - MIN_ROOM_BYTES) left.push(...kept.splice(-1))

  const budget = Math.min(limit / 2, MAX_COMMON_BYTES)
  let spent = sizeOf(kept)
  const sized = draft.fields.map((field) => ({ field, bytes: maxBytes(field, draft.base) }))
  for (const { field, bytes } of sized.sort((a, b) => a.bytes - b.bytes)) {
    if (spent + bytes > budget) left.push(field)
    else {
      kept.push(field)
      spent += bytes
    }
  }
  const moved = left.flatMap(({ from, value }) => (from === null ? [] : [[from, value] as const]))
  return { fields: [...draft.core, ...kept, ...partFields], bytes: sizeOf(kept), moved }
}

/** An upper bound of a field's UTF-8 size: as if it shared no object with another field. */
function maxBytes({ at, own, value }: RecordField, base: readonly string[]): number {
  const path = own ? [...base, ...at] : at
  return utf8Length(JSON.stringify(path.reduceRight((held, key) => ({ [key]: held }), value)))
}

/** The content of one part besides the common fields, by field name. */
type Contents = Map<string, string | JsonObject[]>

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
