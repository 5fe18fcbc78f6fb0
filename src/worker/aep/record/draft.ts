/**
 * A draft: the content of a record, sorted by how each piece is treated if the record must be split.
 * Both formats (raw and XDM) produce drafts, so that splitting is independent of the format.
 *
 * Paths in `unmapped` are dotted; a dot inside a key is written `\.`, so that each path names exactly one place.
 */
import type { JsonObject } from '../../lib/json.ts'

/** `at`: the path in the record. `from`: the path in the payload; `null` if the value only repeats or derives. */
export type RecordField = { at: readonly string[]; from: string | null; value: unknown }

/** A path of the payload, and its value. */
export type Unmapped = readonly [from: string, value: unknown]

/** One message of a transcript. `index`: its position there. `rest`: its fields other than `text`. */
export type DraftMessage = {
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
  /** The path of the object that holds `texts`, `messages`, `unmapped` and `part`; empty for raw. */
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
  return assemble([...core, ...identities, ...fields, ...once, ...inside(base, contents), ...extra])
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

/** Fields placed inside the object at `base`. */
export function inside(
  base: readonly string[],
  contents: Iterable<readonly [string, unknown]>,
): RecordField[] {
  return Array.from(contents, ([key, value]) => ({ at: [...base, key], from: null, value }))
}

/** Builds the record; later fields override earlier ones. */
export function assemble(fields: readonly RecordField[]): JsonObject {
  const root: JsonObject = new Bare()
  for (const { at, value } of fields) {
    let holder = root
    const last = at.length - 1
    for (let level = 0; level < last; level += 1) {
      const key = at[level] as string
      holder[key] ??= new Bare()
      holder = holder[key] as JsonObject
    }
    holder[at[last] as string] = value
  }
  return root
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
