/**
 * Printable: text from outside, made safe to show on a terminal, which obeys control characters and would be told by
 * them to hide, move or rename things. They are shown as escapes. A webhook key in a URL never is shown, nor is a secret
 * that this process holds, also when a server repeats it.
 */

const secrets = new Set<string>()

/** Shorter ones are no secrets, and would hide parts of other words. */
const MIN_SECRET_CHARACTERS = 6

/** From now on `…` stands wherever it would be shown, as it is or encoded for a URL. */
export function keepSecret(secret: string): void {
  for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
    if (form.length >= MIN_SECRET_CHARACTERS) secrets.add(form)
  }
}

/** C0, DEL, C1, and the format characters that reorder or hide text. Line breaks too: one text is one line. */
export function printable(text: string): string {
  return withoutSecrets(text).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped)
}

/** As `printable`, of several lines: line breaks and tabs stay, and so do the colours of this project's own. */
export function printableLines(text: string): string {
  return withoutSecrets(text).replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /(?!\u001b\[(?:[12]|22|3[1-69])m)(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    escaped,
  )
}

function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16)
  return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u{${code}}`
}

function withoutSecrets(text: string): string {
  let shown = withoutKey(text)
  for (const secret of secrets) shown = shown.replaceAll(secret, '…')
  return shown
}

/** Also where the URL stands encoded within another. */
function withoutKey(text: string): string {
  return text.replaceAll(/((?:\b|%3f|%26)key(?:=|%3d))[^&\s"'<>\\]+/gi, '$1…')
}
