/**
 * Whose event it is, and which conversation: what operators look an event up by, what a privacy request erases, and whether
 * the visitor has opted out.
 *
 * Promises: reads what arrived, valid or not, in the same documented places as normalizing does; a person is the visitor
 * UUID, `visitor.email`, a transcript's `visitorEmail` and an offline message's `email` and `emailPretty`, in a list or with a
 * name around it, of two equal keys both; never an agent or anybody who is only mentioned. Where a body cannot be read as an
 * event and names nobody there, its text is searched. Pure, and never throws.
 */
import {
  exceededLimit,
  isObject,
  type JsonObject,
  type ParsedText,
  parseEmbedded,
} from '../lib/json.ts'
import { addressesIn, addressesOf, folded, readingsOf } from '../lib/spellings.ts'
import { NAMING, type Naming } from './fields.ts'
import { KINDS, type StoredKind } from './kind.ts'

/** Emails and ids as they are compared: emails folded, ids trimmed. Several visitors only where a text was searched. */
export type Subject = {
  conversation: string | null
  visitors: readonly string[]
  emails: readonly string[]
}

/** What a person is known by. */
export type PersonKey = { field: 'email' | 'visitor'; value: string }

/** Longer values identify nobody (an address has 254 characters at most), and are not worth hashing. */
const MAX_VALUE_CHARACTERS = 1_024

/** Addresses, and ids, taken from a text or a list. */
const MAX_FROM_TEXT = 32

/** The same address or id in one form only. */
export function normalizedKey({ field, value }: PersonKey): PersonKey {
  const trimmed = value.trim()
  return { field, value: field === 'email' ? folded(trimmed) : trimmed }
}

const NOBODY: Subject = { conversation: null, visitors: [], emails: [] }

/** What arrived. `isValid`: it was read as an event. */
type Arrived = { kind: StoredKind; parsed: ParsedText; body: Uint8Array; isValid: boolean }

/** An event that our own code fails on names nobody: it must not be lost for that. */
export function subjectOf(arrived: Arrived): Subject {
  try {
    return namedIn(arrived)
  } catch {
    return NOBODY
  }
}

function namedIn({ kind, parsed, body, isValid }: Arrived): Subject {
  const members = everyMember(parsed, OF_PERSON)
  if (!members) return inText(body)
  const subject = inObjects(kind, members)
  if (isValid || !namesNobody(subject)) return subject
  return { ...inText(body), conversation: subject.conversation }
}

/** All values that a name has in the body, and in its visitor. */
type Members = {
  inBody: (name: string) => readonly unknown[]
  inVisitor: (name: string) => readonly unknown[]
}

/** What a text in such a field names: an email as it is written, and what is in it if it is more than one address. */
const NAMED_IN: Record<Naming, (text: string) => readonly string[]> = {
  id: (text) => [text.trim()],
  email: (text) => [folded(text.trim()), ...addressesOf(text, MAX_FROM_TEXT)],
  mailbox: (text) => addressesOf(text, MAX_FROM_TEXT),
}

function inObjects(kind: StoredKind, { inBody, inVisitor }: Members): Subject {
  const visitors = new Set<string>()
  const emails = new Set<string>()
  for (const { holder, name, person, kinds } of NAMING) {
    // In a `visitor` they name one whatever the kind.
    const isInBody = holder === ''
    if (isInBody && kind !== 'auto' && !kinds.includes(KINDS[kind].shape)) continue
    const found = person === 'id' ? visitors : emails
    for (const text of (isInBody ? inBody : inVisitor)(name).flatMap(textsAt)) {
      for (const value of NAMED_IN[person](text)) if (value !== '') found.add(value)
    }
  }
  const conversation = textValue(inBody('conversationUUID').at(-1))
  return { conversation, visitors: [...visitors], emails: [...emails] }
}

/** A text, or those in a list or an object. */
function textsAt(value: unknown): string[] {
  const found: string[] = []
  const left: unknown[] = [value]
  while (left.length > 0 && found.length < MAX_FROM_TEXT) {
    const next = left.pop()
    if (typeof next === 'string') {
      if (next.length <= MAX_VALUE_CHARACTERS) found.push(next)
    } else if (typeof next === 'object' && next !== null)
      left.push(...Object.values(next).slice(0, MAX_FROM_TEXT))
  }
  return found
}

function textValue(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > MAX_VALUE_CHARACTERS) return null
  return value.trim() || null
}

const ID_IN_TEXT = /uuid["'\]]{0,3}\s{0,8}[:=]\s{0,8}["']?([^\s"'&,;<>{}[\]]{1,128})/g

function inText(body: Uint8Array): Subject {
  const readings = readingsOf(body)
  const ids = new Set<string>()
  // Chatlio writes its ids in lower case, and so are these readings.
  for (const text of readings) {
    for (const [, id = ''] of text.matchAll(ID_IN_TEXT)) if (ids.size < MAX_FROM_TEXT) ids.add(id)
  }
  return { conversation: null, visitors: [...ids], emails: addressesIn(readings, MAX_FROM_TEXT) }
}

/** Names that an event may have twice, in the body or in its visitor. */
type Names = { readonly all: readonly string[]; readonly quoted: RegExp }

function namesOf(...names: readonly string[]): Names {
  const all = [...new Set(names)]
  return { all, quoted: new RegExp(`"(?:${all.join('|')})"`, 'g') }
}

const OF_PERSON = namesOf('visitor', ...NAMING.map(({ name }) => name), 'conversationUUID')

/** The name of a member, with an escape in it; a value has no such escape before a quote and a colon. */
const ESCAPED_NAME = /\\u00[0-9a-f]{2}(?:\\u00[0-9a-f]{2}|[a-z]){0,16}"\s*:/i

/**
 * Members of the body and of its visitor; `null`: it is no object. The text is read only where it has more of these names than
 * the two objects.
 */
function everyMember(parsed: ParsedText, names: Names): Members | null {
  if (!parsed.ok || !isObject(parsed.value)) return null
  const { value: json, text } = parsed
  const visitor = isObject(json.visitor) ? json.visitor : {}
  const written = text.match(names.quoted)?.length ?? 0
  const isEscaped = text.includes('\\u00') && ESCAPED_NAME.test(text)
  const read = names.all.filter((name) => name in json).length
  const readOfVisitor = names.all.filter((name) => name in visitor).length
  if (written <= read + readOfVisitor && !isEscaped) {
    return { inBody: valuesOf(json), inVisitor: valuesOf(visitor) }
  }
  const byName = (members: Iterable<Member>) => Map.groupBy(members, ([name]) => name)
  const body = byName(membersIn(text))
  const visitors = (body.get('visitor') ?? []).flatMap(([, each]) => [...membersIn(each)])
  return { inBody: parsedOf(body), inVisitor: parsedOf(byName(visitors)) }
}

function valuesOf(object: JsonObject) {
  return (name: string) => (name in object ? [object[name]] : [])
}

type Member = readonly [name: string, value: string]

function parsedOf(members: ReadonlyMap<string, readonly Member[]>) {
  return (name: string): unknown[] => (members.get(name) ?? []).map(([, text]) => JSON.parse(text))
}

/** The members of an object, as the texts of their values, of equal names all. `text` is JSON. Goes over it once. */
function* membersIn(text: string): Generator<Member> {
  let [depth, name, from] = [0, '', -1]
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at]
    if (sign === '"') {
      const start = at
      for (at += 1; text[at] !== '"' && at < text.length; at += 1) if (text[at] === '\\') at += 1
      if (depth === 1 && from === -1) name = JSON.parse(text.slice(start, at + 1))
    } else if (sign === '{' || sign === '[') {
      depth += 1
      if (depth === 1 && sign === '[') return
    } else if (sign === ':' && depth === 1) from = at + 1
    else if (sign === '}' || sign === ']' || sign === ',') {
      if (depth === 1 && from !== -1) {
        yield [name, text.slice(from, at)]
        from = -1
      }
      if (sign !== ',') depth -= 1
    }
  }
}

/** Whether the event is this person's. */
export function isOf({ field, value }: PersonKey, { visitors, emails }: Subject): boolean {
  return field === 'visitor' ? visitors.includes(value) : emails.includes(value)
}

export function namesNobody({ visitors, emails }: Subject): boolean {
  return visitors.length === 0 && emails.length === 0
}

/** A visitor whose trait at `path` has this value, compared as text, has opted out. */
export type Trait = { readonly path: readonly string[]; readonly value: string }

const TRAITS = ['identTraits', 'identTraitsParsed', 'visitorTraits', 'visitorTraitsText']
const OF_TRAITS = namesOf('visitor', ...TRAITS)

/**
 * Whether a body says so of its visitor, in whatever shape it is: traits are looked for at any depth, as an object, as the
 * JSON text of one, or in a list of either; where they are documented, in each of two equal keys.
 */
export function hasTrait(parsed: ParsedText, trait: Trait): boolean {
  if (!parsed.ok) return false
  const members = everyMember(parsed, OF_TRAITS)
  const written = TRAITS.flatMap((name) =>
    members ? [...members.inBody(name), ...members.inVisitor(name)] : [],
  )
  if (written.some((each) => says(each, trait))) return true
  const left: unknown[] = [parsed.value]
  while (left.length > 0) {
    const next = left.pop()
    if (Array.isArray(next)) for (const each of next) left.push(each)
    else if (isObject(next)) {
      for (const name in next) {
        if (TRAITS.includes(name) && says(next[name], trait)) return true
        left.push(next[name])
      }
    }
  }
  return false
}

function says(traits: unknown, { path, value }: Trait): boolean {
  return valuesAt(traits, path).some((each) => asText(each) === value)
}

/** A name may have a dot in it. A list stands for each of its elements, JSON text for what it says. */
function valuesAt(value: unknown, path: readonly string[]): unknown[] {
  if (Array.isArray(value)) {
    return value.flatMap((each) => (Array.isArray(each) ? [] : valuesAt(each, path)))
  }
  if (path.length === 0) return [value]
  if (typeof value === 'string') return valuesAt(parseEmbedded(value), path)
  if (!isObject(value)) return []
  const found: unknown[] = []
  for (let length = 1; length <= path.length; length += 1) {
    const name = path.slice(0, length).join('.')
    if (Object.hasOwn(value, name)) found.push(...valuesAt(value[name], path.slice(length)))
  }
  return found
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value.trim()
  return exceededLimit(value) ? '' : (JSON.stringify(value) ?? '')
}

export const TEST_PERSON = { uuid: 'relay-test', email: 'relay-test@example.com' } as const

export const TEST_EVENT_TYPE = 'chatlio.test'

/** Whether a body is of the test person, by the places in which Chatlio names a visitor. */
export function isOfTestPerson(body: unknown): boolean {
  if (!isObject(body)) return false
  const { visitor, visitorEmail } = body
  if (isObject(visitor)) return visitor.UUID === TEST_PERSON.uuid
  return visitorEmail === TEST_PERSON.email
}
