/**
 * Every way in which a body may spell an address: the one function that turns bytes into the texts to compare.
 *
 * Promises: pure, never throws, and takes time in proportion to the bytes. Reads UTF-8, UTF-16 and, where it is no UTF-8,
 * Windows-1252; JSON and percent escapes, HTML entities, quoted-printable, form encoding, each within the others up to
 * `LAYERS` deep; composed and decomposed letters, wide ones, capitals and punycode are one. A value is found where it stands
 * as a whole in one of these readings: `da@example.com` is not in `ada@example.com`, however that is spelled.
 * Accepts: what is split by markup, or packed (base64, an archive), is not found.
 */

/** Escapes within escapes that are looked into. */
const LAYERS = 4

/** Characters beside a match that tell where its word ends: room for any escape. */
const CONTEXT = 32

/** In small letters, each of them one sign. */
export function composed(text: string, form = 'NFC'): string {
  return isAscii(text) ? text.toLowerCase() : text.normalize(form).toLowerCase().normalize(form)
}

/** The same address or id in one form: composed, of one width (`＠` is an `@`), domains in letters. */
export function folded(text: string): string {
  return withoutPunycode(composed(text, 'NFKC'))
}

/** Folded, and with the signs that stand for letters (`™`) left as they are: one may follow an address. */
function foldings(text: string): string[] {
  return isAscii(text) ? [folded(text)] : [withoutPunycode(composed(text)), folded(text)]
}

/** Such a text has one form but for its capitals. */
function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text)
}

/** Loaded with the first punycode: an import costs every isolate some 3 ms of its start. */
declare const process: {
  getBuiltinModule(name: 'node:url'): { domainToUnicode(domain: string): string }
}

/** Labels that are no domain's stay as they are. */
function withoutPunycode(lower: string): string {
  if (!lower.includes('xn--')) return lower
  const { domainToUnicode } = process.getBuiltinModule('node:url')
  return lower.replace(/xn--[a-z0-9-]{1,59}/g, (label) => domainToUnicode(label))
}

/** What these bytes may say, folded; the plain text first. */
export function readingsOf(bytes: Uint8Array): string[] {
  return [...new Set(decoded(bytes).flatMap(readingsOfText))]
}

export function readingsOfText(text: string): string[] {
  const layers = unescaped(text)
  const readings = [...layers]
  for (const each of [text, layers.at(-1) ?? text]) {
    const unquoted = withoutQuotes(each)
    if (unquoted !== each) readings.push(...unescaped(unquoted))
  }
  // Form encoding escapes each `@` and each literal `+`; an unescaped `+` is a blank.
  if (/^[^\s"@<{\\#]+$/.test(text) && text.includes('+') && text.includes('%40')) {
    readings.push(...unescaped(text.replaceAll('+', ' ')))
  }
  return [...new Set(readings.flatMap(foldings))]
}

/** Whether one of the readings has the value as a whole. `value`: folded. */
export function mentions(readings: readonly string[], value: string): boolean {
  if (value === '') return false
  return readings.some((text) => {
    for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + 1)) {
      if (standsAt(text, at, value)) return true
    }
    return false
  })
}

const MAX_LOCAL = 64
const MAX_DOMAIN = 253

/** Addresses in the readings, each once, at most `limit`. */
export function addressesIn(readings: readonly string[], limit: number): string[] {
  const found = new Set<string>()
  for (const text of readings) {
    for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
      const [local] =
        /[^\s\p{Cf}@"'<>\\,;:(){}[\]]+$/u.exec(text.slice(Math.max(at - MAX_LOCAL, 0), at)) ?? []
      const [domain] =
        /^[\p{L}\p{M}\p{N}.-]*[\p{L}\p{M}\p{N}]/u.exec(text.slice(at + 1, at + 1 + MAX_DOMAIN)) ??
        []
      if (!local || !domain) continue
      // `email=ada`: some of these signs may be in an address, and mostly are not.
      for (const name of new Set([local, local.replace(/^.*[=&?/|]/s, '')])) {
        if (name && standsAt(text, at - name.length, `${name}@${domain}`))
          found.add(`${name}@${domain}`)
        if (found.size >= limit) return [...found]
      }
    }
  }
  return [...found]
}

/** The same without the other scripts, whose classes are slow to compile in a fresh isolate. */
const ONE_ASCII_WORD = /^(?:(?!["'<>()[\]{},;:&%=\\|/?])[!-~])*[a-z\d]$/i
const ONE_WORD = /^[^\s\p{Cf}"'<>()[\]{},;:&%=\\|/?]*[\p{L}\p{M}\p{N}]$/u

/** The addresses in the value of a field for one: itself, or those that have a name or something else around them. */
export function addressesOf(text: string, limit: number): string[] {
  const trimmed = text.trim()
  const isOneWord = ONE_ASCII_WORD.test(trimmed) || ONE_WORD.test(trimmed)
  return isOneWord ? [folded(trimmed)] : addressesIn(readingsOfText(text), limit)
}

const ENDS_IN_WORD = /[\p{L}\p{M}\p{N}._%+-]$/u
const BEGINS_WITH_WORD = /^(?:[\p{L}\p{M}\p{N}_-]|\.[\p{L}\p{N}])/u

/** What is beside it is read as well: `\n` before a word is no letter, and `&#120;` is one. */
function standsAt(text: string, at: number, value: string): boolean {
  const end = at + value.length
  let before = text.slice(Math.max(at - CONTEXT, 0), at)
  let after = text.slice(end, end + CONTEXT)
  if (innermost(value) === value) {
    const read = innermost(before.replace(/=[ \t]{0,8}\r?\n$/, '') + value)
    if (!read.endsWith(value)) return false
    before = read.slice(0, -value.length)
    after = innermost(
      withoutQuotes(after.replace(/^((?:=[0-9a-f]{2})+)/, (run) => run.toUpperCase())),
    )
  }
  return !ENDS_IN_WORD.test(before) && !BEGINS_WITH_WORD.test(after)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
const lenient = new TextDecoder()

function decoded(bytes: Uint8Array): string[] {
  let texts: string[]
  try {
    texts = [utf8.decode(bytes)]
  } catch {
    texts = [lenient.decode(bytes), new TextDecoder('windows-1252').decode(bytes)]
  }
  if (!bytes.includes(0)) return texts
  return [
    ...texts.map((text) => text.replaceAll('\0', '')),
    new TextDecoder('utf-16le').decode(bytes),
    new TextDecoder('utf-16be').decode(bytes),
  ]
}

/** The text, and what is left of it each time that a layer of escapes is taken off. */
function unescaped(text: string): string[] {
  const layers = [text]
  for (let last = text; layers.length <= LAYERS; ) {
    const next = unescapedOnce(last)
    if (next === last) break
    layers.push(next)
    last = next
  }
  return layers
}

function innermost(text: string): string {
  return unescaped(text).at(-1) ?? text
}

const ESCAPE =
  /((?:\\\\)+)|\\u([0-9a-f]{4})|\\u\{0{0,8}([0-9a-f]{1,6})\}|\\x([0-9a-f]{2})|\\(\r?\n|[nrtbfv0"'/])|((?:%[0-9a-f]{2})+)|&#x0{0,8}([0-9a-f]{1,6});|&#0{0,8}([0-9]{1,7});|&([a-z]{1,2})(grave|acute|circ|tilde|uml|ring|cedil|caron);|&([a-z]{2,8});/gi

/** Not JSON alone: scripts and mail programs escape in the same ways. */
const CONTROLS: { readonly [letter: string]: string } = {
  ...{ n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', v: '\v', 0: ' ', '\n': '', '\r\n': '' },
}

const MARKS: { readonly [name: string]: string } = {
  ...{ grave: '\u0300', acute: '\u0301', circ: '\u0302', tilde: '\u0303', uml: '\u0308' },
  ...{ ring: '\u030a', cedil: '\u0327', caron: '\u030c' },
}

const ENTITIES: { readonly [name: string]: string } = {
  ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ', tab: '\t', newline: '\n' },
  ...{ commat: '@', period: '.', plus: '+', lowbar: '_', hyphen: '-', dash: '-', percnt: '%' },
  ...{ num: '#', equals: '=', bsol: '\\', sol: '/', colon: ':', semi: ';', comma: ',', excl: '!' },
  ...{ lpar: '(', rpar: ')', ast: '*', dollar: '$', szlig: 'ß', oslash: 'ø', aelig: 'æ' },
}

function unescapedOnce(text: string): string {
  if (!/[\\%&]/.test(text)) return text
  return text.replace(ESCAPE, (whole: string, ...groups: unknown[]) => {
    const [slashes, unit, point, byte, control, percent, hex, decimal, letter, mark, entity] =
      groups as (string | undefined)[]
    if (slashes !== undefined) return slashes.slice(slashes.length / 2)
    const code = unit ?? point ?? byte ?? hex
    if (code !== undefined) return character(Number.parseInt(code, 16)) ?? whole
    if (decimal !== undefined) return character(Number(decimal)) ?? whole
    if (control !== undefined) return CONTROLS[control.toLowerCase()] ?? control
    if (percent !== undefined) return textOf(percent.replaceAll('%', ''))
    if (letter !== undefined && mark !== undefined)
      return letter + (MARKS[mark.toLowerCase()] ?? '')
    return ENTITIES[(entity ?? '').toLowerCase()] ?? whole
  })
}

/** Half of a pair joins the other half. */
function character(code: number): string | null {
  if (code <= 0xffff) return String.fromCharCode(code)
  return code <= 0x10ffff ? String.fromCodePoint(code) : null
}

/** Quoted-printable: capitals only, or every `email=ada` would be some. */
function withoutQuotes(text: string): string {
  if (!text.includes('=')) return text
  return text
    .replace(/=[ \t]{0,8}\r?\n/g, '')
    .replace(/(?:=[0-9A-F]{2})+/g, (run) => textOf(run.replaceAll('=', '')))
}

/** UTF-8, or else Windows-1252. */
function textOf(hex: string): string {
  return decoded(Uint8Array.fromHex(hex)).at(-1) ?? ''
}
