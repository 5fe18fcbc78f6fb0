/**
 * How long a text is as JSON in UTF-8, and where to cut it so that a piece of it fits.
 *
 * Promises: no code point is cut in two, and a surrogate that has lost its other half stays whole too: as JSON
 * it is an escape (`\ud83d`), which is what `JSON.stringify` makes of it. Pieces put together are the text.
 */

const encoder = new TextEncoder()

export function utf8Bytes(text: string): Uint8Array {
  return encoder.encode(text)
}

export function utf8Length(text: string): number {
  return encoder.encode(text).length
}

/**
 * The end of the longest piece of `text` that starts at `from` and takes at most `maxBytes` between its quotes;
 * never less than one code point, so that whoever loops comes to an end.
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

/** `"`, `\`, and the control characters with a short escape: \b \t \n \f \r. */
const SHORT_ESCAPES = new Set([0x22, 0x5c, 0x08, 0x09, 0x0a, 0x0c, 0x0d])

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
