/**
 * Parses JSON from bytes, checks JSON values, measures text as UTF-8 and as a JSON string, and cuts it into pieces that fit.
 *
 * Promises: parsing never throws; values are those of `JSON.parse` (the last of duplicate keys wins), but for numbers that a
 * double cannot hold (`9007199254740993`, `1e400`): they stay as they are written, as `JSON.rawJSON`, and `JSON.stringify`
 * writes them so. Cutting never takes a code point in two, and the pieces, concatenated, equal the text; a lone surrogate counts
 * as the six-byte escape that `JSON.stringify` writes (`\ud83d`).
 */
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../limits.ts'

export type JsonObject = Record<string, unknown>
export type Parsed = { ok: true; value: unknown } | { ok: false }

/** With the text that was parsed. */
export type ParsedText = { ok: true; value: unknown; text: string } | { ok: false }

/** Fatal, so that invalid UTF-8 is refused instead of relayed as replacement characters. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Byte order marks: some senders write one, and their proxies another. */
const MARKS = /^\uFEFF+/

export function parseJson(bytes: Uint8Array): ParsedText {
  try {
    const text = utf8.decode(bytes).replace(MARKS, '')
    return { ok: true, value: parseExactly(text), text }
  } catch {
    return { ok: false }
  }
}

/** `undefined` where it is no JSON. */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** In V8 since 2023 (tc39/proposal-json-parse-with-source), not yet in TypeScript's library. */
const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON(text: string): unknown
  isRawJSON(value: unknown): boolean
}

/** A number of 16 digits or more, or with an exponent: some of them do not fit into a double. */
const LONG_NUMBER = /\d(?<=(?:^|[:,[\s])-?.)(?:[\d.]{15}|[\d.]*[eE])/

/** Throws where `JSON.parse` does. A second look, far slower, only where there may be such a number. */
export function parseExactly(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (!LONG_NUMBER.test(text) || exceededLimit(value)) return value
  return JSON.parse(text, exactNumber as (key: string, value: unknown) => unknown)
}

function exactNumber(_: string, value: unknown, { source = '' }: { source?: string }): unknown {
  const isExact = typeof value !== 'number' || decimal(source) === decimal(String(value))
  return isExact ? value : rawJSON(source)
}

/** One text for each decimal number: `1.20e3` and `1200` are `12e2`. */
function decimal(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? []
  const digits = whole + fraction
  let from = 0
  while (digits[from] === '0') from += 1
  let to = digits.length
  while (to > from && digits[to - 1] === '0') to -= 1
  if (from === to) return whole === '' ? text : '0'
  return `${sign}${digits.slice(from, to)}e${Number(exponent) - fraction.length + digits.length - to}`
}

/** Whether a value is a number as it is written, since no double is equal to it. */
export const isLongNumber: (value: unknown) => boolean = isRawJSON

export function isObject(value: unknown): value is JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  // Asking for the field first spares nearly every object a call into the runtime.
  return !('rawJSON' in value && isLongNumber(value))
}

export function isNonEmptyString(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** `depth`: levels of nesting. `values`: object members and array elements, on all levels together. */
type JsonLimits = { depth: number; values: number }

const JSON_LIMITS: JsonLimits = { depth: MAX_JSON_DEPTH, values: MAX_JSON_VALUES }

/**
 * The first limit that a value exceeds, or `null`. `JSON.parse` takes any depth but `JSON.stringify` recurses, so a body
 * of a million brackets could be parsed and then not sent. And a value of two bytes takes a hundred times as much memory
 * once it is parsed and normalized. The search stops at the limit: it neither recurses deeper nor counts further.
 */
export function exceededLimit(
  value: unknown,
  limits: JsonLimits = JSON_LIMITS,
): keyof JsonLimits | null {
  let left = limits.values
  function search(found: unknown, depth: number): keyof JsonLimits | null {
    if (typeof found !== 'object' || found === null) return null
    if (depth === 0) return 'depth'
    const held: unknown[] = Array.isArray(found) ? found : Object.values(found)
    left -= held.length
    if (left < 0) return 'values'
    for (const each of held) {
      const exceeded = search(each, depth - 1)
      if (exceeded) return exceeded
    }
    return null
  }
  return search(value, limits.depth)
}

/** Half of each limit, so that the event around it stays within them too. */
const EMBEDDED_LIMITS: JsonLimits = { depth: MAX_JSON_DEPTH / 2, values: MAX_JSON_VALUES / 2 }

/** Parses JSON embedded in a string. `undefined` if the text is not JSON, or holds too much to be sent as an object. */
export function parseEmbedded(text: string): unknown {
  try {
    const value = parseExactly(text)
    return exceededLimit(value, EMBEDDED_LIMITS) ? undefined : value
  } catch {
    return undefined
  }
}

const encoder = new TextEncoder()

export function utf8Bytes(text: string): Uint8Array {
  return encoder.encode(text)
}

export function utf8Length(text: string): number {
  return encoder.encode(text).length
}

/**
 * The end (exclusive, in UTF-16 units) of the longest piece of `text` that starts at `from` and takes at most
 * `maxBytes` UTF-8 bytes between the quotes of a JSON string. Takes at least one code point even if that exceeds
 * `maxBytes`, so that a caller's loop always ends.
 */
export function cutAt(text: string, from: number, maxBytes: number): number {
  let bytes = 0
  let at = from
  while (at < text.length) {
    const unit = text.charCodeAt(at)
    const isPair = isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(at + 1))
    bytes += isPair ? 4 : jsonBytes(unit)
    if (bytes > maxBytes && at > from) break
    at += isPair ? 2 : 1
  }
  return at
}

/** Characters that JSON escapes in two bytes: `"`, `\` and \b \t \n \f \r. */
const SHORT_ESCAPES = new Set([0x22, 0x5c, 0x08, 0x09, 0x0a, 0x0c, 0x0d])

/** UTF-8 bytes of one UTF-16 unit that is not part of a surrogate pair, inside a JSON string. */
function jsonBytes(unit: number): number {
  if (SHORT_ESCAPES.has(unit)) return 2
  if (unit < 0x20 || (unit >= 0xd800 && unit <= 0xdfff)) return 6
  if (unit < 0x80) return 1
  return unit < 0x800 ? 2 : 3
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}
