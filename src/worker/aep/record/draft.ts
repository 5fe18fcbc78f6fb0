/**
 * A draft: a record taken apart by what may happen to its pieces when it is too large for one event.
 * Drafts are made for raw and for XDM; whoever splits one need not know which it is.
 *
 * Paths in `unmapped` are dotted, and a dot within a key is written `\.`, so that each names one place only.
 */
import type { JsonObject } from '../../lib/json.ts'

/** `at`: where it stands in the record. `from`: the payload's path; `null` for what only repeats or derives. */
export type Field = { at: readonly string[]; from: string | null; value: unknown }

/** A path of the payload, and what stands there. */
export type Unmapped = readonly [from: string, value: unknown]

/** One message of a transcript; `index` is its position there. */
export type DraftMessage = {
  index: number
  text: string | undefined
  rest: readonly (readonly [key: string, value: unknown])[]
}

/** The long texts beside `messages`, in the order in which parts hold them. */
export const TEXTS = ['message', 'textBody', 'htmlBody'] as const
export type TextName = (typeof TEXTS)[number]

export type Draft = {
  /** In every part, whatever happens. */
  core: readonly Field[]
  /** In every part as far as there is room, the most important first. */
  identities: readonly Field[]
  /** In every part as long as they are small together; else in `unmapped`. */
  fields: readonly Field[]
  /** The object in which the rest stands, and `part`. */
  base: readonly string[]
  texts: ReadonlyMap<TextName, string>
  messages: readonly DraftMessage[]
  unmapped: readonly Unmapped[]
}

/** The record of a draft in one piece. `extra` fields win over those of the draft. */
export function recordOf(draft: Draft, extra: readonly Field[] = []): JsonObject {
  const contents: [string, unknown][] = [...draft.texts]
  if (draft.messages.length > 0) contents.push(['messages', draft.messages.map(itemOf)])
  if (draft.unmapped.length > 0) contents.push(['unmapped', unmappedText(draft.unmapped)])
  const { core, identities, fields, base } = draft
  return assemble([...core, ...identities, ...fields, ...inside(base, contents), ...extra])
}

/** A message as it stands in a record. */
export function itemOf({ index, text, rest }: DraftMessage): JsonObject {
  const item: JsonObject = { index, ...Object.fromEntries(rest) }
  if (text !== undefined) item.text = text
  return item
}

export function unmappedText(unmapped: readonly Unmapped[]): string {
  return JSON.stringify(Object.fromEntries(unmapped))
}

export function inside(
  base: readonly string[],
  contents: Iterable<readonly [string, unknown]>,
): Field[] {
  return Array.from(contents, ([key, value]) => ({ at: [...base, key], from: null, value }))
}

/** Objects without a prototype: a key named `__proto__` is a key like any other. */
export function assemble(fields: readonly Field[]): JsonObject {
  const root: JsonObject = Object.create(null)
  for (const { at, value } of fields) {
    let holder = root
    for (const key of at.slice(0, -1)) {
      holder[key] ??= Object.create(null)
      holder = holder[key] as JsonObject
    }
    holder[at.at(-1) as string] = value
  }
  return root
}

export function dotted(...keys: string[]): string {
  return keys.map((key) => key.replace(/[\\.]/g, '\\$&')).join('.')
}

/** The keys of a dotted path. */
export function keysOf(path: string): string[] {
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
