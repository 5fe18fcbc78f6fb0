/**
 * Stored bytes as a person may read them: each character as it stands, but for those that a browser would swallow or that
 * reorder others (controls, directions). These are shown as symbols or escapes. `null`: the bytes are not UTF-8. Pure.
 */
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

export function readable(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return text.replace(HIDDEN, symbol)
  } catch {
    return null
  }
}

/** Symbols for control characters have their own block, in the same order. */
function symbol(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : `\\u{${code.toString(16)}}`
}
