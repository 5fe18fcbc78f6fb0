/**
 * Contents: whether AEP has of a webhook what was sent, all of it and nothing else: every text and number at its own path or
 * in `unmapped`, split or not, in either format. By the list of fields and the contract, without the relay's code; only where
 * a redaction that nobody planted changed a text is the relay's own redaction asked. Pure.
 */

import { redactText } from '../../src/worker/aep/record/redact.ts'
import {
  documentedIn,
  FIELDS,
  type Field,
  type Form,
  LONG_TEXTS,
  placeIn,
} from '../../src/worker/chatlio/fields.ts'
import { difference, isJson, type Json, parseExact } from './exact.ts'
import { isEmpty, shapeOf, type Taken } from './model.ts'
import type { Arrived } from './receiver.ts'
import { PLANTED } from './written.ts'

export type Whose = {
  readonly taken: Taken
  readonly id: string
  readonly format: 'raw' | 'xdm'
  readonly tenant: string
  /** What is masked in texts. */
  readonly masks: boolean
  /** Of the moments at which it may have been received, the earliest and latest (epoch ms). */
  readonly from: number
  readonly to: number
}

/** Whether all parts of it are there. */
export function isWhole(
  records: ReadonlyMap<string, Arrived>,
  whose: Pick<Whose, 'format' | 'tenant'>,
): boolean {
  const [first] = records.values()
  if (!first) return false
  const part = baseOf(first.record, whose).part
  return !isJson(part) || records.size === part.count
}

export function isSplit(records: ReadonlyMap<string, Arrived>, id: string): boolean {
  return !records.has(id)
}

/** One line for each fault. */
export function contentFaults(records: ReadonlyMap<string, Arrived>, whose: Whose): string[] {
  const faults = [...records.values()].flatMap((each) => each.faults)
  try {
    const whole = join(records, whose)
    const leaves = leavesOf(whose.taken)
    return [
      ...faults,
      ...envelopeFaults(whole, whose),
      ...lost(leaves, whole, whose),
      ...added(leaves, whole, whose),
    ]
  } catch (error) {
    return [
      ...faults,
      `its records cannot be read: ${error instanceof Error ? error.message : error}`,
    ]
  }
}

// ---- what was sent

type Leaf = {
  readonly keys: readonly string[]
  readonly value: unknown
  readonly form: Form | null
  readonly verbatim: boolean
}
type Leaves = ReadonlyMap<string, Leaf>

/** Every value of a payload that must arrive, by its dotted path. */
function leavesOf({ kind, payload }: Taken): Leaves {
  const shape = shapeOf(kind)
  const leaves = new Map<string, Leaf>()
  const documented = new Map(documentedIn(shape).map((field) => [field.from, field]))
  const add = (holder: string, keys: readonly string[], value: unknown) => {
    const name = keys.at(-1) ?? ''
    if (DERIVED.has(dotted(keys))) return
    const known = fieldAt(documented, holder, name)
    if (known && isEmpty(value)) return
    leaves.set(dotted(keys), {
      keys,
      value,
      form: known?.form ?? null,
      verbatim: typeof value === 'string' && fieldAt(VERBATIM, holder, name) !== undefined,
    })
  }
  const { visitor, messages } = payload
  for (const [name, value] of Object.entries(payload)) {
    if (name === 'messages' && kind === 'transcript') continue
    if (name === 'visitor' && isJson(visitor)) {
      for (const [own, held] of Object.entries(visitor)) add('visitor', ['visitor', own], held)
    } else if (name !== 'visitor' || kind === 'transcript' || !isEmptyObject(visitor)) {
      if (name !== 'visitor' || !isEmpty(visitor) || kind === 'transcript') add('', [name], value)
    }
  }
  if (kind === 'transcript' && Array.isArray(messages)) {
    for (const [index, message] of messages.entries()) {
      for (const [own, held] of Object.entries(message as Json)) {
        add('messages[*]', ['messages', String(index), own], held)
      }
    }
  }
  return leaves
}

/** A text there is never masked, in whichever kind it comes: ids, names, channels, addresses, times. */
const VERBATIM: ReadonlyMap<string, Field> = new Map(
  FIELDS.filter(
    ({ kinds, form, verbatim }) =>
      kinds.length > 0 && (verbatim || ['email', 'dateTime', 'ip'].includes(form)),
  ).map((field) => [field.from, field]),
)

/** `visitor.UUID` at the top is another field than the one that is documented. */
function fieldAt(fields: ReadonlyMap<string, Field>, holder: string, name: string) {
  const field = fields.get(holder === '' ? name : `${holder}.${name}`)
  return field && placeIn(field).name === name ? field : undefined
}

const isEmptyObject = (value: unknown) => Array.isArray(value) && value.length === 0

const dotted = (keys: readonly string[]) =>
  keys.map((key) => key.replace(/[\\.]/g, '\\$&')).join('.')

// ---- what AEP has

type Whole = {
  readonly ids: readonly string[]
  readonly id: string
  /** Of the first part. */
  readonly record: Json
  /** The object that holds texts, messages and `unmapped`. */
  readonly own: Json
  readonly texts: ReadonlyMap<string, string>
  readonly messages: ReadonlyMap<string, Json>
  readonly unmapped: Json
  readonly dropped: readonly unknown[]
  readonly isSplit: boolean
}

function baseOf(record: Json, { format, tenant }: Pick<Whose, 'format' | 'tenant'>): Json {
  if (format === 'raw') return record
  const held = record[`_${tenant}`]
  return isJson(held) && isJson(held.chatlio) ? held.chatlio : {}
}

function join(records: ReadonlyMap<string, Arrived>, whose: Whose): Whole {
  const partOf = (record: Json) => baseOf(record, whose).part as Json
  const isSplitUp = isSplit(records, whose.id)
  const all = [...records.values()].map(({ record }) => record)
  if (isSplitUp) all.sort((a, b) => Number(partOf(a).index) - Number(partOf(b).index))
  const texts = new Map<string, string>()
  const messages = new Map<string, Json>()
  let unmapped = ''
  let last: Json | null = null
  for (const record of all) {
    const own = baseOf(record, whose)
    for (const name of LONG_TEXTS) {
      const piece = own[name]
      if (typeof piece === 'string') texts.set(name, (texts.get(name) ?? '') + piece)
    }
    if (typeof own.unmapped === 'string') unmapped += own.unmapped
    if (whose.taken.kind !== 'transcript' || !Array.isArray(own.messages)) continue
    for (const [at, message] of (own.messages as Json[]).entries()) {
      const hasIndex = isSplitUp || whose.format === 'xdm'
      const { index, ...rest } = message
      if (hasIndex && last?.index === index && last) last.text = `${last.text}${message.text}`
      else {
        last = hasIndex ? { ...rest, index } : { ...message }
        messages.set(String(hasIndex ? index : at), last)
      }
    }
  }
  const [record = {}] = all
  const part = partOf(record)
  return {
    ids: [...records.keys()],
    id: isSplitUp ? String(part?.of) : String(record._id),
    record,
    own: baseOf(record, whose),
    texts,
    messages,
    unmapped: unmapped === '' ? {} : (parseExact(unmapped) as Json),
    dropped: Array.isArray(part?.dropped) && isSplitUp ? part.dropped : [],
    isSplit: isSplitUp,
  }
}

const EVENT_TYPES = {
  transcript: 'chatlio.transcript',
  'offline-message': 'chatlio.offlineMessage',
  'new-conversation': 'chatlio.newConversation',
  unanswered: 'chatlio.unanswered',
  feedback: 'chatlio.feedback',
  conversation: 'chatlio.conversation',
}

/** What the relay says of every event. */
function envelopeFaults(whole: Whole, { taken, id, from, to, format }: Whose): string[] {
  const { record, own } = whole
  const { eventType, timestamp } = record
  const receivedAt = String(format === 'raw' ? record.receivedAt : own.receivedAt)
  const faults: string[] = []
  if (whole.id !== id) faults.push(`is called ${whole.id}`)
  if (eventType !== EVENT_TYPES[taken.kind]) faults.push(`eventType ${eventType}`)
  const received = Date.parse(receivedAt)
  if (!(received >= from && received <= to)) faults.push(`receivedAt ${receivedAt}`)
  const ended = taken.kind === 'transcript' ? taken.payload.endedAt : undefined
  if (timestamp !== receivedAt && !isSameTime(timestamp, ended, receivedAt)) {
    faults.push(`timestamp ${timestamp}`)
  }
  const source = format === 'raw' ? record.source : own.source
  if (source !== undefined && source !== taken.source) faults.push(`source ${source}`)
  if (format === 'raw' && taken.source !== null && source === undefined)
    faults.push('has no source')
  return [...faults, ...identityFaults(whole, taken, format)]
}

/** An address as it is sent: trimmed, in lower case, each letter one sign. */
const inOneForm = (address: string) =>
  address.trim().normalize('NFC').toLowerCase().normalize('NFC')

/** Where an offline message names its address alone, in one form; empty otherwise. */
function prettyIn(kind: Taken['kind'], { email, emailPretty }: Json): string {
  const isAlone = kind === 'offline-message' && (isEmpty(email) || String(email).trim() === '')
  return isAlone && typeof emailPretty === 'string' ? inOneForm(emailPretty) : ''
}

/** Only the visitor's own id and addresses, in one form; always where they are plain. */
function identityFaults(
  { record }: Whole,
  { kind, payload }: Taken,
  format: 'raw' | 'xdm',
): string[] {
  const visitor = isJson(payload.visitor) && kind !== 'transcript' ? payload.visitor : {}
  const named = (value: unknown) => (typeof value === 'string' ? [inOneForm(value)] : [])
  const emails = [
    ...named(kind === 'transcript' ? payload.visitorEmail : visitor.email),
    ...(kind === 'offline-message' ? named(payload.email) : []),
  ]
  const map = (record.identityMap ?? {}) as { [namespace: string]: { id: string }[] }
  const raw = (record.identity ?? {}) as { visitor?: string; email?: string }
  const actual =
    format === 'raw' ? raw : { visitor: map.ChatlioVisitor?.[0]?.id, email: map.Email?.[0]?.id }
  const faults: string[] = []
  if (actual.visitor !== undefined && actual.visitor !== visitor.UUID)
    faults.push('another visitor')
  const isNamed =
    emails.includes(actual.email ?? '') || prettyIn(kind, payload).includes(actual.email ?? '')
  if (actual.email !== undefined && !isNamed) faults.push('another address')
  const isPlain = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
  if (isPlain.test(String(visitor.UUID)) && actual.visitor !== visitor.UUID)
    faults.push('no visitor')
  const plain = emails.find((each) => /^[a-z0-9.]+@example\.com$/.test(each))
  if (plain !== undefined && actual.email === undefined) faults.push('no address')
  return faults
}

// ---- is all of it there, and nothing else

/** Field of a place in XDM, and the other way round. */
const XDM_PLACES = FIELDS.filter(
  ({ kinds, to, from }) => kinds.length > 0 && to !== null && !from.startsWith('messages'),
)

function placesIn(whole: Whole, path: string): unknown[] {
  return XDM_PLACES.filter(({ from }) => from === path).flatMap(({ to, form }) =>
    form === 'ip'
      ? ['ipV4', 'ipV6'].map((name) => at(whole, `environment.${name}`))
      : [at(whole, String(to))],
  )
}

function at({ record, own }: Whole, place: string): unknown {
  const [first, ...rest] = place.split('.')
  const keys = first === 'chatlio' ? rest : [first, ...rest]
  let held: unknown = first === 'chatlio' ? own : record
  for (const key of keys) held = isJson(held) ? held[String(key)] : undefined
  return held
}

/** Where a value may be. */
function candidates({ keys }: Leaf, path: string, whole: Whole, format: 'raw' | 'xdm'): unknown[] {
  const found: unknown[] = [Object.hasOwn(whole.unmapped, path) ? whole.unmapped[path] : undefined]
  const [first = '', second = '', third = ''] = keys
  if (keys.length === 3) found.push(whole.messages.get(second)?.[third])
  else if (LONG_TEXTS.includes(path)) found.push(whole.texts.get(path))
  if (format === 'xdm') found.push(...placesIn(whole, path))
  else if (keys.length === 1 && !OWN.has(first)) found.push(whole.record[first])
  else if (keys.length === 2) found.push(heldIn(whole.record[first], second))
  return found.filter((each) => each !== undefined)
}

const heldIn = (holder: unknown, key: string) =>
  isJson(holder) && Object.hasOwn(holder, key) ? holder[key] : undefined

function lost(leaves: Leaves, whole: Whole, whose: Whose): string[] {
  const receivedAt = String(whose.format === 'raw' ? whole.record.receivedAt : whole.own.receivedAt)
  const faults: string[] = []
  for (const [path, leaf] of leaves) {
    if (leaf.form === 'email' && String(leaf.value).trim() === '') continue
    const found = candidates(leaf, path, whole, whose.format)
    if (leaf.form === 'traits') found.push(...traitsIn(path, whole, whose))
    if (found.some((each) => matches(each, leaf, receivedAt, whose))) continue
    if (found.length === 0 && mayBeMissing(path, leaf, whole, receivedAt, whose)) continue
    faults.push(
      `${path.slice(0, 80)} is ${found.length === 0 ? 'lost' : 'changed'}: ${short(found[0])} of ${short(leaf.value)}`,
    )
  }
  return faults
}

/** Traits of a transcript that are no object are a text under another name. */
function traitsIn(path: string, whole: Whole, { format }: Whose): unknown[] {
  if (path !== 'visitorTraits') return []
  const text =
    whole.unmapped.visitorTraitsText ??
    (format === 'raw' ? whole.record.visitorTraitsText : undefined)
  return text === undefined ? [] : [text]
}

function mayBeMissing(
  path: string,
  leaf: Leaf,
  whole: Whole,
  receivedAt: string,
  { masks, taken }: Whose,
): boolean {
  const { value, form } = leaf
  if (form === 'dateTime') return isSameTime(undefined, value, receivedAt)
  if (whole.dropped.includes(path)) {
    const { messages } = taken.payload
    const isRepeated =
      Array.isArray(messages) &&
      messages.some((each) => isJson(each) && typeof each.text === 'string' && each.text !== '')
    return isRepeated && ['htmlBody', 'textBody'].includes(path)
  }
  if (path === 'htmlBody' && masks) return true
  return false
}

function matches(
  actual: unknown,
  { value, form, verbatim }: Leaf,
  receivedAt: string,
  { masks }: Whose,
): boolean {
  const same = (masked: boolean) => (one: string, other: string) => masked && isMasked(one, other)
  switch (form) {
    case 'email':
      return actual === inOneForm(String(value))
    case 'dateTime':
      return isSameTime(actual, value, receivedAt)
    case 'traits': {
      const parsed = parsedText(actual)
      if (isEmptyObject(value)) return difference(parsed ?? actual, {}, same(false)) === null
      if (isJson(value)) return difference(parsed ?? actual, value, same(masks)) === null
      if (
        actual === value ||
        (masks && typeof actual === 'string' && isMasked(actual, String(value)))
      )
        return true
      const sent = parsedText(value)
      return sent !== undefined && difference(parsed ?? actual, sent, same(masks)) === null
    }
  }
  if (masks && !verbatim && isUnmasked(actual)) return false
  return difference(actual, value, same(masks && !verbatim)) === null
}

function parsedText(value: unknown): unknown {
  try {
    return typeof value === 'string' ? parseExact(value) : undefined
  } catch {
    return undefined
  }
}

/** Whether one time says the other, in UTC with milliseconds, never later than receipt; year 1 is none. */
function isSameTime(actual: unknown, sent: unknown, receivedAt: string): boolean {
  const ms =
    typeof sent === 'string' && /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d/.test(sent)
      ? Date.parse(sent.toUpperCase())
      : Number.NaN
  if (actual === undefined) return ms < Date.UTC(2001, 0, 1) && String(sent).startsWith('000')
  if (actual === sent) return true
  const latest = Math.min(ms, Date.parse(receivedAt))
  return typeof actual === 'string' && actual === new Date(latest).toISOString()
}

const RULES = ['card', 'iban', 'email', 'phone'] as const

/** Something planted as a word of its own, which must not be there. */
function isUnmasked(actual: unknown): boolean {
  if (typeof actual !== 'string' || /^[a-z][a-z\d+.-]*:\/\/\S+$/i.test(actual)) return false
  return [...PLANTED.keys()].some((planted) => actual.includes(`so ${planted} it`))
}

/** The text with marks in place of what is masked. */
function isMasked(actual: string, sent: string): boolean {
  let masked = sent
  for (const [planted, rule] of PLANTED) masked = masked.replaceAll(planted, `[${rule}]`)
  if (actual === masked || actual === redactText(sent, RULES)) return true
  // Of a URL the values of its query only, each as a whole.
  if (!/[a-z][a-z\d+.-]*:\/\//i.test(sent)) return false
  const values = /=[^&#;]*/g
  return (
    actual.replace(values, '') === sent.replace(values, '') &&
    /=\[(?:card|iban|email|phone)\]/.test(actual)
  )
}

/** Names of the relay's own at the top of a raw record. */
const OWN: ReadonlySet<string> = new Set([
  ...['_id', 'timestamp', 'eventType', 'receivedAt', 'source', 'delaySeconds', 'chatMetrics'],
  ...['identity', 'visitorTraitsFlat', 'part', 'unmapped'],
])
/** What the relay derives, under the names that it documents: a sender's own of these names may be replaced. */
const DERIVED: ReadonlySet<string> = new Set(['visitorTraitsText', 'visitor.identTraitsParsed'])

/** An object where something else was sent for it: `[]`, or a text. */
const NORMALIZED: ReadonlySet<string> = new Set(['visitor', 'visitorTraits'])

function added(leaves: Leaves, whole: Whole, whose: Whose): string[] {
  const { kind, payload } = whose.taken
  const hasPretty = prettyIn(kind, payload) !== ''
  const known = (path: string) =>
    leaves.has(path) || DERIVED.has(path) || NORMALIZED.has(path) || (hasPretty && path === 'email')
  const strangers = Object.keys(whole.unmapped).filter((path) => !known(path))
  for (const [index, message] of whole.messages) {
    const names = Object.keys(message).filter((name) => name !== 'index')
    strangers.push(
      ...names.map((name) => dotted(['messages', index, name])).filter((path) => !known(path)),
    )
  }
  if (whose.format === 'raw') {
    for (const [name, held] of Object.entries(whole.record)) {
      if (OWN.has(name)) continue
      if (name === 'messages' && whose.taken.kind === 'transcript') continue
      if (name !== 'visitor' || !isJson(held)) {
        if (!known(dotted([name]))) strangers.push(name)
        continue
      }
      const own = Object.keys(held).map((each) => dotted([name, each]))
      strangers.push(...own.filter((path) => !known(path)))
    }
  } else {
    // The schema knows no other places; `receiver.ts` checks it.
    for (const { to } of XDM_PLACES) {
      if (at(whole, String(to)) === undefined || String(to) === 'environment') continue
      const from = XDM_PLACES.filter((each) => each.to === to).map((each) => each.from)
      if (!from.some(known)) strangers.push(String(to))
    }
  }
  return strangers.map((path) => `${path.slice(0, 80)} was never sent`)
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
