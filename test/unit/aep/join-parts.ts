/**
 * Joins the parts of one event, as a reader of the data lake has to.
 *
 * The rule: order by `part.index`. Concatenate `message`, `textBody`, `htmlBody` and `unmapped` over the parts;
 * `unmapped` then is a JSON object keyed by payload paths. Append the `messages`; one with the `index` of the message
 * before it continues its text. Everything else is the same in every part.
 */

import { LONG_TEXTS as TEXTS } from '../../../src/worker/chatlio/fields.ts'
import { isObject, type JsonObject } from '../../../src/worker/lib/json.ts'

type Joined = {
  /** The fields that every part repeats, without `part`; `_id` is the event's. */
  record: JsonObject
  texts: { [name: string]: string }
  messages: JsonObject[]
  unmapped: JsonObject
  dropped: readonly unknown[]
}

/** `records`: at least one. `base`: the path of the object that holds `part`; empty for raw records. */
export function joinParts(records: readonly JsonObject[], base: readonly string[]): Joined {
  const parts = records
    .map((record) => holderOf(record, base))
    .sort((a, b) => Number(partOf(a).index) - Number(partOf(b).index))
  const texts: Joined['texts'] = {}
  const messages: JsonObject[] = []
  for (const part of parts) {
    for (const name of [...TEXTS, 'unmapped']) {
      if (typeof part[name] === 'string') texts[name] = (texts[name] ?? '') + part[name]
    }
    for (const message of Array.isArray(part.messages) ? part.messages : []) {
      const last = messages.at(-1)
      if (last?.index !== message.index) messages.push({ ...message })
      else if (last) last.text = `${last.text}${message.text}`
    }
  }
  const record = structuredClone(records[0] ?? {})
  const held = holderOf(record, base)
  const { of, dropped = [] } = partOf(held)
  for (const name of [...TEXTS, 'unmapped', 'messages', 'part']) delete held[name]
  record._id = of
  const { unmapped = '{}', ...rest } = texts
  return {
    record,
    texts: rest,
    messages,
    unmapped: JSON.parse(unmapped),
    dropped: Array.isArray(dropped) ? dropped : [],
  }
}

/** The raw record before the split: every value at its own path again. */
export function restoreRaw({ record, texts, messages, unmapped }: Joined): JsonObject {
  const restored: JsonObject = { ...record, ...texts }
  if (messages.length > 0) restored.messages = messages.map(({ index: _, ...message }) => message)
  for (const [path, value] of Object.entries(unmapped)) {
    const keys = keysOf(path)
    const holder = holderOf(restored, keys.slice(0, -1))
    holder[keys.at(-1) ?? ''] = value
  }
  return restored
}

function holderOf(record: JsonObject, path: readonly string[]): JsonObject {
  let holder = record
  for (const key of path) {
    holder[key] ??= {}
    holder = holder[key] as JsonObject
  }
  return holder
}

function partOf({ part }: JsonObject): JsonObject {
  return isObject(part) ? part : {}
}

/** The keys of a dotted path: the inverse of `dotted`. */
function keysOf(path: string): string[] {
  const keys: string[] = []
  let key = ''
  for (let at = 0; at < path.length; at++) {
    const char = path.charAt(at)
    if (char === '.') {
      keys.push(key)
      key = ''
    } else key += char === '\\' ? path.charAt(++at) : char
  }
  return [...keys, key]
}
