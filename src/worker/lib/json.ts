/**
 * Parses JSON from bytes, and checks JSON values.
 * Never throws. Values are exactly those of `JSON.parse` (the last of duplicate keys wins).
 */
import { MAX_JSON_DEPTH } from '../limits.ts'

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

/**
 * Whether a value nests deeper than `limit` levels. `JSON.parse` takes any depth but `JSON.stringify` recurses, so a
 * body of a million brackets could be parsed and then not sent. The recursion here stops at the limit.
 */
export function nestsDeeper(value: unknown, limit = MAX_JSON_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (limit === 0) return true
  if (Array.isArray(value)) return value.some((held) => nestsDeeper(held, limit - 1))
  for (const key in value) {
    if (nestsDeeper((value as JsonObject)[key], limit - 1)) return true
  }
  return false
}

/** Parses JSON embedded in a string. `undefined` if the text is not JSON, or nests too deeply to be sent. */
export function parseEmbedded(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return nestsDeeper(value, MAX_JSON_DEPTH / 2) ? undefined : value
  } catch {
    return undefined
  }
}
