/**
 * Bytes to JSON, and small questions about JSON values.
 * Never throws, never changes a value beyond what `JSON.parse` does (the last of duplicate keys wins).
 */
import { MAX_JSON_DEPTH } from '../limits.ts'

export type JsonObject = Record<string, unknown>
export type Parsed = { ok: true; value: unknown } | { ok: false }

/** Fatal: bytes that are not UTF-8 must not be relayed as replacement characters. Drops a leading BOM. */
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
 * Whether a value nests deeper than `limit`. `JSON.parse` takes any depth, `JSON.stringify` recurses: a body of
 * a million brackets would be accepted and then could not be sent. The recursion here ends at the limit.
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

/** What a string that holds JSON parses to; `undefined` for any other, and for JSON too deep to be sent again. */
export function parseEmbedded(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return nestsDeeper(value, MAX_JSON_DEPTH / 2) ? undefined : value
  } catch {
    return undefined
  }
}
