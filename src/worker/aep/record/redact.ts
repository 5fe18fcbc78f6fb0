/**
 * Redaction: replaces what looks like a card number, an IBAN, an email address or a phone number by `[card]` and so on,
 * in an event that is about to be sent. What is stored stays as it came.
 *
 * Promises: pure; linear in the length of any text; redacting a text again changes nothing. Where there are checksums they
 * decide (cards: issuer, length, Luhn; IBANs: country, length, mod 97), so that order numbers, EANs, IMEIs, coordinates and
 * timestamps stay.
 * Looks into every string of the body that is no id, name, channel, time or documented address; of a URL only at the
 * values of its query. `htmlBody` is left out where something is found in it: marks and entities could hide more.
 * Accepts: one order number of a hundred that has an issuer's digits, its length and its checksum becomes `[card]`.
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import { documentedAt, type Field } from '../../chatlio/fields.ts'
import type { RedactRule } from '../../config/config.ts'
import { isObject, type JsonObject, parseEmbedded } from '../../lib/json.ts'

/** How many were replaced, by rule. */
export type Redacted = { [rule in RedactRule]?: number }

/** What is looked for, in its order, and who hears of each that is found. */
type Search = { rules: readonly RedactRule[]; found: (rule: RedactRule) => void }

/** The same event where nothing is found. */
export function redactEvent(
  event: ChatEvent,
  rules: readonly RedactRule[],
): { event: ChatEvent; redacted: Redacted } {
  const redacted: Redacted = {}
  if (rules.length === 0) return { event, redacted }
  const found = (rule: RedactRule) => {
    redacted[rule] = (redacted[rule] ?? 0) + 1
  }
  const payload = inObject(event.payload, BODY, { rules: inOrder(rules), found })
  // Redaction changes texts only, and leaves one of them out: the type stays.
  const changed = { ...event, payload } as ChatEvent
  return { event: payload === event.payload ? event : changed, redacted }
}

type Treatment = 'verbatim' | 'query' | 'html' | 'json'

/** How a text is treated, one in an object by its name, one in a list by what its items are; `undefined`: as any text. */
type NestedTreatment = Treatment | Treatments | readonly [Treatments] | undefined
type Treatments = ReadonlyMap<string, NestedTreatment>

function treatmentOf({ from, form, verbatim }: Field): Treatment | undefined {
  if (verbatim || form === 'email' || form === 'dateTime' || form === 'ip') return 'verbatim'
  if (from === 'htmlBody') return 'html'
  if (form === 'traits') return 'json'
  return form === 'url' || from === 'archiveUrl' ? 'query' : undefined
}

const placesIn = (holder: string) =>
  [...documentedAt(holder)].map(([name, field]) => [name, treatmentOf(field)] as const)

/**
 * Of documented fields only: a sender's own field under one of the relay's names is redacted like any text. A tree, so that no
 * path is built for each text of each event, and a field name that contains `.` or `[*]` never passes for a documented path.
 */
const BODY: Treatments = new Map<string, NestedTreatment>([
  ...placesIn(''),
  ['visitor', new Map(placesIn('visitor'))],
  ['messages', [new Map(placesIn('messages[*]'))]],
])
const NOWHERE: Treatments = new Map()

/** The value itself where nothing is found in it. */
function inValue(value: unknown, treatment: NestedTreatment, search: Search): unknown {
  if (typeof value === 'string') return inString(value, treatment, search)
  if (Array.isArray(value)) {
    const ofItems = Array.isArray(treatment) ? treatment[0] : undefined
    const items = value.map((item) => inValue(item, ofItems, search))
    return items.some((item, at) => item !== value[at]) ? items : value
  }
  if (!isObject(value)) return value
  return inObject(value, treatment instanceof Map ? treatment : NOWHERE, search)
}

function inObject(object: JsonObject, treatments: Treatments, search: Search): JsonObject {
  let changed: Map<string, unknown> | null = null
  for (const key in object) {
    const held = object[key]
    if (typeof held !== 'string' && typeof held !== 'object') continue
    const redacted = inValue(held, treatments.get(key), search)
    if (redacted !== held) changed = (changed ?? new Map()).set(key, redacted)
  }
  return changed ? { ...object, ...Object.fromEntries(changed) } : object
}

function inString(text: string, treatment: NestedTreatment, search: Search): string | undefined {
  switch (treatment) {
    case 'verbatim':
      return text
    case 'query':
      // With blanks it is no address, whatever the field is for.
      if (!/\s/.test(text)) return inQuery(text, search)
      return inText(HAS_URL.test(text) ? inQuery(text, search) : text, search)
    case 'html':
      return isCleanHtml(text, search) ? text : undefined
    case 'json': {
      const parsed = parseEmbedded(text)
      if (!isObject(parsed) && !Array.isArray(parsed)) break
      // A mark in the place of a number would break the text.
      const redacted: unknown = inValue(parsed, undefined, search)
      return redacted === parsed ? text : JSON.stringify(redacted)
    }
  }
  const isUrl = text.includes('://') && IS_URL.test(text)
  return isUrl ? inQuery(text, search) : inText(text, search)
}

/** A text that contains a URL. */
const HAS_URL = /[a-z][a-z\d+.-]{1,20}:\/\//i
/** A text that is one URL and nothing else. */
const IS_URL = /^[a-z][a-z\d+.-]{1,20}:\/\/\S+$/i

/** A value in which something is found is replaced as a whole: it may be in percent escapes. */
function inQuery(url: string, search: Search): string {
  return url.replace(/([?&#;][^=&#;?]*=)([^&#;]*)/g, (whole, name: string, value: string) => {
    const first = firstIn(unescaped(value), search)
    return first ? `${name}[${first}]` : whole
  })
}

function unescaped(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '))
  } catch {
    return value
  }
}

/** The first rule that finds something. */
function firstIn(text: string, { rules, found }: Search): RedactRule | undefined {
  const all: RedactRule[] = []
  inText(text, { rules, found: (rule) => all.push(rule) })
  all.forEach(found)
  return all[0]
}

function isCleanHtml(html: string, search: Search): boolean {
  const text = html.replace(/<[^<>]*>/g, '').replace(/&(?:nbsp|#160|#xa0);/gi, ' ')
  return [html, text].every((each) => firstIn(each, search) === undefined)
}

/** The offsets of a match in a text. */
type Span = readonly [from: number, to: number]
const NONE: readonly Span[] = []

/** In this order: a card number may be part of what looks like an address, and never the other way round. */
const FINDERS: Record<RedactRule, (text: string) => readonly Span[]> = {
  email: emailsIn,
  iban: ibansIn,
  card: cardsIn,
  phone: phonesIn,
}

function inOrder(rules: readonly RedactRule[]): readonly RedactRule[] {
  return (Object.keys(FINDERS) as RedactRule[]).filter((rule) => rules.includes(rule))
}

export function redactText(text: string, rules: readonly RedactRule[]): string {
  return inText(text, { rules: inOrder(rules), found: () => undefined })
}

function inText(text: string, search: Search): string {
  let before = text
  for (;;) {
    let after = before
    for (const rule of search.rules) after = without(rule, after, search)
    if (after === before) return after
    // What stood beside something replaced may be seen only then.
    before = after
  }
}

function without(rule: RedactRule, text: string, { found }: Search): string {
  const spans = FINDERS[rule](text)
  if (spans.length === 0) return text
  let written = ''
  let from = 0
  for (const [begin, end] of spans) {
    written += `${text.slice(from, begin)}[${rule}]`
    found(rule)
    from = end
  }
  return written + text.slice(from)
}

// ---- cards

/** Digits in groups, with one blank, hyphen or dot between them. */
const DIGITS =
  /\d(?<![\p{L}\p{N}_].)(?:[ \u00a0\u2007\u2009\u202f.\u2010-\u2013-]?\d){12,}[\p{L}_]?/gu

/** Issuers by their first digits, with the lengths that they use. A Visa card has had 16 digits for decades. */
const ISSUERS: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [16]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:6011|65|64[4-9])/, [16, 19]],
  [/^35(?:2[89]|[3-8])/, [16]],
  [/^3(?:0[0-5]|095|[689])/, [14]],
  [/^(?:62|81)/, [16, 17, 18, 19]],
  [/^(?:5018|5020|5038|5893|6304|6759|676[1-3])/, [16, 18, 19]],
]

/** Has as many digits at all: what nearly every text ends with, before the slow one is compiled in a fresh isolate. */
const MANY_DIGITS = /(?:\d\D?){13}/

const LEAST_CARD_DIGITS = 14
const MOST_CARD_DIGITS = 19
const PREFIX_DIGITS = 4

function cardsIn(text: string): readonly Span[] {
  if (text.length < LEAST_CARD_DIGITS || !MANY_DIGITS.test(text)) return NONE
  return Array.from(text.matchAll(DIGITS)).flatMap(({ 0: run, index }) =>
    cardsInRun(run).map(([from, to]): Span => [index + from, index + to]),
  )
}

type Group = { readonly digits: string; readonly from: number; readonly to: number }

/** A card is whole groups: `12 4111 1111 1111 1111` holds one, a longer number without a gap does not. */
function cardsInRun(run: string): Span[] {
  const spans: Span[] = []
  const groups = Array.from(run.matchAll(/\d+/g), ({ 0: digits, index }): Group => {
    return { digits, from: index, to: index + digits.length }
  })
  // `4111111111111111x` is a name of something.
  if (groups.at(-1)?.to !== run.length) groups.pop()
  for (let at = 0; at < groups.length; at += 1) {
    const first = groups[at] as Group
    const last = cardAt(groups, at, run)
    if (!last) continue
    spans.push([first.from, last.to])
    at = groups.indexOf(last, at)
  }
  return spans
}

/** The last group of the longest card that begins with this one. */
function cardAt(groups: readonly Group[], first: number, run: string): Group | null {
  let digits = ''
  let lengths: readonly number[] | null = null
  let longest: Group | null = null
  for (let at = first; at < groups.length; at += 1) {
    const group = groups[at]
    if (!group) break
    // Between dots four digits each: all else with a dot is a decimal, `4.895167899999999` a longitude.
    const hasDot = at > first && run[group.from - 1] === '.'
    if (hasDot && (group.digits.length !== 4 || groups[at - 1]?.digits.length !== 4)) break
    digits += group.digits
    if (digits.length > MOST_CARD_DIGITS) break
    if (digits.length < PREFIX_DIGITS) continue
    lengths ??= lengthsOf(digits)
    if (lengths.length === 0) break
    if (lengths.includes(digits.length) && isLuhn(digits)) longest = group
  }
  return longest
}

function lengthsOf(digits: string): readonly number[] {
  return ISSUERS.flatMap(([prefix, lengths]) => (prefix.test(digits) ? lengths : []))
}

function isLuhn(digits: string): boolean {
  let sum = 0
  for (let at = digits.length - 1, isDoubled = false; at >= 0; at -= 1, isDoubled = !isDoubled) {
    const digit = digits.charCodeAt(at) - 48
    sum += isDoubled ? digit * 2 - (digit > 4 ? 9 : 0) : digit
  }
  return sum % 10 === 0
}

// ---- IBANs

/** ISO 13616: how long an IBAN of each country is. */
const IBAN_LENGTHS = new Map(
  `AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24
FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24
SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30`
    .split(/\s/)
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)

function ibansIn(text: string): readonly Span[] {
  const spans: Span[] = []
  let after = 0
  for (const { index } of text.matchAll(/(?<![\p{L}\p{N}_])[A-Za-z]{2}\d{2}/gu)) {
    const end = index < after ? null : endOfIban(text, index)
    if (end === null) continue
    spans.push([index, end])
    after = end
  }
  return spans
}

/** Exactly as many characters as the country's have, with at most one blank or hyphen between two. */
function endOfIban(text: string, begin: number): number | null {
  const length = IBAN_LENGTHS.get(text.slice(begin, begin + 2).toUpperCase())
  if (length === undefined) return null
  let iban = ''
  let at = begin
  for (; iban.length < length; at += 1) {
    const char = text[at] ?? ''
    if (/[A-Za-z\d]/.test(char)) iban += char.toUpperCase()
    else if (!/[ \u00a0\u202f-]/.test(char) || !/[A-Za-z\d]/.test(text[at + 1] ?? '')) return null
  }
  return /^[\p{L}\p{N}_]/u.test(text.slice(at, at + 2)) || !isMod97(iban) ? null : at
}

function isMod97(iban: string): boolean {
  let rest = 0
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(char, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}

// ---- email addresses and phone numbers

/** From the `@` on. Letters of any script; the last part of the domain has no digit. */
const AT_DOMAIN = /@(?:[\p{L}\p{M}\p{N}-]{1,63}\.){1,8}[\p{L}\p{M}]{2,63}(?![\p{L}\p{M}])/gu
const LOCAL_PART = /[\p{L}\p{M}\p{N}._%+'-]{1,64}$/u

function emailsIn(text: string): readonly Span[] {
  if (!text.includes('@')) return NONE
  const spans: Span[] = []
  let after = 0
  for (const { 0: domain, index } of text.matchAll(AT_DOMAIN)) {
    const local = LOCAL_PART.exec(text.slice(Math.max(after, index - 64), index))?.[0]
    if (local === undefined) continue
    after = index + domain.length
    spans.push([index - local.length, after])
  }
  return spans
}

/** International form only: without the `+` every order number is one. At least eight digits, at most 15 (E.164). */
const PHONE = /(?<![\p{L}\p{N}_+])\+[1-9](?:[ \u00a0\u202f()./-]{0,2}\d){7,14}(?![ \u00a0.-]?\d)/gu

function phonesIn(text: string): readonly Span[] {
  if (!text.includes('+')) return NONE
  return Array.from(text.matchAll(PHONE), ({ 0: phone, index }) => [index, index + phone.length])
}
