/**
 * Measures text as UTF-8 and as a JSON string, and cuts it into pieces that fit.
 *
 * Promises: never cuts a code point in two. A lone surrogate counts as the six-byte escape that `JSON.stringify`
 * writes (`\ud83d`). The pieces, concatenated, equal the text.
 */

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
