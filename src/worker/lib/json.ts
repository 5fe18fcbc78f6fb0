/**
 * Parses JSON from bytes, and checks JSON values.
 * Never throws. Values are exactly those of `JSON.parse` (the last of duplicate keys wins).
 */
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../limits.ts'

export type JsonObject = Record<string, unknown>
export type Parsed = { ok: true; value: unknown } | { ok: false }

/** Fatal, so that invalid UTF-8 is refused instead of relayed as replacement characters. Drops a leading BOM. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

export function parseJson(bytes: Uint8Array): Parsed {
  try {
    return { ok: true, value: JSON.parse(utf8.decode(bytes)) }
  } catch {
    return { ok: false }
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isNonEmptyString(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** `depth`: levels of nesting. `values`: object members and array elements, on all levels together. */
export type JsonLimits = { depth: number; values: number }

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
    if (Array.isArray(found)) {
      left -= found.length
      if (left < 0) return 'values'
      for (const item of found) {
        const exceeded = search(item, depth - 1)
        if (exceeded) return exceeded
      }
      return null
    }
    for (const key in found) {
      left -= 1
      if (left < 0) return 'values'
      const exceeded = search((found as JsonObject)[key], depth - 1)
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
    const value: unknown = JSON.parse(text)
    return exceededLimit(value, EMBEDDED_LIMITS) ? undefined : value
  } catch {
    return undefined
  }
}
