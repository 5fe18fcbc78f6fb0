/**
 * Printable: text from outside, made safe to show on a terminal, which obeys control characters and would be told by
 * them to hide, move or rename things. They are shown as escapes; a webhook key in a URL never is. Pure.
 */

/** C0, DEL, C1, and the format characters that reorder or hide text. Line breaks too: one text is one line. */
export function printable(text: string): string {
  return withoutKey(text).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped)
}

function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16)
  return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u{${code}}`
}

/** Also where the URL stands encoded within another. */
export function withoutKey(text: string): string {
  return text.replaceAll(/((?:\b|%3f|%26)key(?:=|%3d))[^&\s"'<>\\]+/gi, '$1…')
}
