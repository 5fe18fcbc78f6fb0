/**
 * Model: what the contract says of a request, in the order of its checks, made without the relay's code but for the list of
 * fields. Pure.
 */
import { createHash } from 'node:crypto'
import { gunzipSync, inflateSync } from 'node:zlib'
import { documentedIn, type Form, placeIn } from '../../src/worker/chatlio/fields.ts'
import type { Shape } from '../../src/worker/chatlio/kind.ts'
import type { Sent } from './connection.ts'
import { isJson, type Json, parseExact } from './exact.ts'
import { KEYS, SOURCE } from './requests.ts'

type Route =
  | 'auto'
  | 'transcript'
  | 'offline-message'
  | 'new-conversation'
  | 'unanswered'
  | 'feedback'
type Kind = Exclude<Route, 'auto'> | 'conversation'

/** A webhook that the relay must take in. */
export type Taken = {
  readonly kind: Kind
  readonly payload: Json
  /** The name of its key. */
  readonly source: string | null
}

/** `ids`: of which one must be its id. */
export type Expected =
  /** Nothing is stored. */
  | { readonly answer: 'refused'; readonly status: number; readonly code: string }
  | {
      readonly answer: 'quarantined'
      readonly status: number
      readonly codes: readonly string[]
      ids: string[]
    }
  | { readonly answer: 'suppressed'; ids: string[] }
  | { readonly answer: 'taken'; readonly taken: Taken; ids: string[] }
  /** The contract leaves open what it is; below 500 it must be. */
  | { readonly answer: 'open' }

const MAX_BYTES = 1_572_864
/** No generated body is larger once it is decoded. */
const MOST_UNPACKED = 50_000_000
const MAX_DEPTH = 1_000
const MAX_VALUES = 100_000
const SEGMENTS = ['transcript', 'offline-message', 'new-conversation', 'unanswered', 'feedback']

/** `days`: UTC days on which it may have been received. `optsOut`: whether a trait of the settings says no. */
export function expectedOf(sent: Sent, days: readonly string[], optsOut: boolean): Expected {
  const [path = '', ...rest] = sent.target.split('?')
  const route = routeOf(path)
  if (route === 'elsewhere') return { answer: 'open' }
  const key = keyIn(rest.join('?'))
  if (key === null) return refused(401, 'unauthorized')
  if (route === 'strange') return { answer: 'open' }
  if (route === null) return refused(404, 'unknown-kind')
  if (sent.method !== 'POST') return refused(405, 'method-not-allowed')
  const body = decoded(sent)
  if (body === 'unsupported') return refused(415, 'unsupported-media-type')
  if (body === 'too-large') return refused(413, 'payload-too-large')
  if (body === 'either') return { answer: 'open' }
  const bytes = body ?? sent.body
  const parsed = body === null ? undefined : parsedJson(bytes)
  const json = isJson(parsed) ? parsed : null
  const namesItself = ['conversationUUID', 'endedAt'].some(
    (name) => json && isText(json[name]) && json[name] !== '',
  )
  const ids = idsOf(route, bytes, namesItself ? [''] : days.map((day) => `${day}\n`))
  if (optsOut && (saysNo(parsed) || (json && saysNoBefore(textOf(bytes)))))
    return { answer: 'suppressed', ids }
  const quarantined = (status: number, ...codes: string[]) =>
    ({ answer: 'quarantined', status, codes, ids }) as const
  if (!isJsonType(headerOf(sent, 'content-type'))) return quarantined(415, 'unsupported-media-type')
  if (parsed === undefined) return quarantined(400, 'malformed-json')
  const kind = json ? kindOf(route, json) : null
  const exceeded = exceeds(parsed)
  if (exceeded.length > 0) return quarantined(422, ...exceeded)
  if (json === null || kind === null || !isValid(kind, json)) {
    return quarantined(422, 'invalid-payload')
  }
  const source = key === KEYS.named ? SOURCE : null
  return { answer: 'taken', taken: { kind, payload: json, source }, ids }
}

const refused = (status: number, code: string): Expected => ({ answer: 'refused', status, code })

// ---- the request line

/** `null`: no kind of webhook. `strange`: written so that the contract does not say what it is. */
function routeOf(path: string): Route | null | 'strange' | 'elsewhere' {
  if (!/^\/chatlio(?:\/|$)/.test(path)) return 'elsewhere'
  if (path.includes('%') || path.includes('//')) return 'strange'
  const segment = path.slice('/chatlio'.length).replace(/^\//, '').replace(/\/$/, '')
  if (segment === '') return 'auto'
  return SEGMENTS.includes(segment) ? (segment as Route) : null
}

/** The usable key that a query holds. A plus is a blank there, and blanks around it came along from where it was copied. */
function keyIn(query: string): string | null {
  const presented = new URLSearchParams(query).get('key')?.trim() ?? ''
  const form = (key: string) => key.replaceAll('+', ' ')
  return (
    Object.values(KEYS).find((key) =>
      [key, `${SOURCE}:${key}`].map(form).includes(form(presented)),
    ) ?? null
  )
}

function headerOf({ headers }: Sent, name: string): string | null {
  const values = headers.filter(([each]) => each === name).map(([, value]) => value.trim())
  return values.length === 0 ? null : values.join(', ')
}

function isJsonType(header: string | null): boolean {
  return (header ?? '').split(',').every((each) => {
    const type = each.split(';')[0]?.trim().toLowerCase() ?? ''
    const isNamed = ['', 'application/json', 'text/json', 'text/plain'].includes(type)
    return isNamed || /^[^\s/]+\/[^\s/]+\+json$/.test(type)
  })
}

// ---- the body

/** `null`: it cannot be decoded. `either`: nor is it small enough, and which is seen first is left open. */
function decoded(sent: Sent): Buffer | null | 'unsupported' | 'too-large' | 'either' {
  const encoding = (headerOf(sent, 'content-encoding') ?? '').toLowerCase()
  const isPlain = encoding === '' || encoding === 'identity'
  const isKnown = ['gzip', 'x-gzip', 'deflate'].includes(encoding)
  if (!isPlain && !isKnown) return 'unsupported'
  if (sent.body.length > MAX_BYTES) return 'too-large'
  if (isPlain) return sent.body
  const unpack = encoding === 'deflate' ? inflateSync : gunzipSync
  const unpacked = (maxOutputLength: number) => {
    try {
      const { buffer, engine } = unpack(sent.body, { maxOutputLength, info: true }) as unknown as {
        buffer: Buffer
        engine: { bytesWritten: number }
      }
      // What follows its end belongs to nothing.
      return engine.bytesWritten === sent.body.length ? buffer : null
    } catch (error) {
      return (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : null
    }
  }
  const within = unpacked(MAX_BYTES)
  return within === 'too-large' && unpacked(MOST_UNPACKED) === null ? 'either' : within
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const textOf = (bytes: Buffer) => utf8.decode(bytes).replace(/^\uFEFF+/, '')

/** `undefined`: none. Too deep for its numbers to be read: as `JSON.parse` has it. */
function parsedJson(bytes: Buffer): unknown {
  try {
    const text = textOf(bytes)
    const plain: unknown = JSON.parse(text)
    return exceeds(plain).length > 0 ? plain : parseExact(text)
  } catch {
    return undefined
  }
}

/** The code of the answer, if it is too deep or too wide; of one that is both either. */
function exceeds(json: unknown): string[] {
  let values = 0
  let deepest = 0
  const left: { value: unknown; depth: number }[] = [{ value: json, depth: 1 }]
  for (let next = left.pop(); next; next = left.pop()) {
    const { value, depth } = next
    if (typeof value !== 'object' || value === null) continue
    deepest = Math.max(deepest, depth)
    const held = Object.values(value)
    values += held.length
    for (const each of held) left.push({ value: each, depth: depth + 1 })
  }
  return [
    ...(deepest > MAX_DEPTH ? ['invalid-payload'] : []),
    ...(values > MAX_VALUES ? ['too-many-values'] : []),
  ]
}

function idsOf(route: Route, bytes: Buffer, days: readonly string[]): string[] {
  return [...new Set(days)].map((day) =>
    createHash('sha256').update(`${route}\n${day}`).update(bytes).digest('hex'),
  )
}

// ---- the shape

function kindOf(route: Route, json: Json): Kind | null {
  if (route !== 'auto') return route
  const has = (name: string) => Object.hasOwn(json, name)
  if (has('messages')) return 'transcript'
  if (has('emailPretty')) return 'offline-message'
  if (has('message') && ['name', 'email', 'subject'].some(has)) return 'offline-message'
  return has('message') || has('visitor') ? 'conversation' : null
}

export function shapeOf(kind: Kind): Shape {
  return kind === 'transcript' || kind === 'offline-message' ? kind : 'conversation'
}

function isValid(kind: Kind, json: Json): boolean {
  const shape = shapeOf(kind)
  if (!fits(json, shape, '')) return false
  const { visitor, messages, message } = json
  if (shape === 'transcript') {
    if (messages === null) return true
    return Array.isArray(messages) && messages.every((each) => fits(each, shape, 'messages[*]'))
  }
  if (shape === 'offline-message') {
    if (typeof message !== 'string') return false
    return isEmpty(visitor) || fits(visitor, shape, 'visitor')
  }
  if (!isJson(visitor) || !fits(visitor, shape, 'visitor')) return false
  return typeof visitor.UUID === 'string' && visitor.UUID !== ''
}

export const isEmpty = (value: unknown) => value === undefined || value === null || value === ''
const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0

/** Whether documented fields of an object have their types. `[]` is an object of nothing, as PHP writes it. */
function fits(value: unknown, shape: Shape, holder: string): boolean {
  if (isEmptyList(value)) return true
  if (!isJson(value)) return false
  return documentedIn(shape).every((field) => {
    const place = placeIn(field)
    if (place.holder !== holder || !Object.hasOwn(value, place.name)) return true
    const held = value[place.name]
    return isEmpty(held) || HAS_FORM[field.form]?.(held) !== false
  })
}

const isText = (value: unknown) => typeof value === 'string' && !isLong(value)
/** A number that is kept as a text (`exact.ts`). */
const isLong = (value: string) => value.startsWith('\u0000number ')

const HAS_FORM: { readonly [form in Form]?: (value: unknown) => boolean } = {
  text: isText,
  longText: isText,
  email: isText,
  url: isText,
  dateTime: isText,
  ip: isText,
  boolean: (value) => typeof value === 'boolean',
  texts: Array.isArray,
  traits: (value) => isText(value) || isJson(value) || isEmptyList(value),
}

// ---- opting out

export const OPT_OUT = { setting: 'consent=denied', name: 'consent', value: 'denied' }
const TRAITS = ['identTraits', 'identTraitsParsed', 'visitorTraits', 'visitorTraitsText']

function saysNo(json: unknown): boolean {
  const left: unknown[] = [json]
  for (let next = left.pop(); left.length > 0 || next !== undefined; next = left.pop()) {
    if (typeof next !== 'object' || next === null) continue
    for (const [name, held] of Object.entries(next)) {
      if (TRAITS.includes(name) && traitSaysNo(held)) return true
      if (typeof held === 'object' && held !== null) left.push(held)
    }
  }
  return false
}

/** In one of two equal keys, where traits are documented. */
function saysNoBefore(text: string): boolean {
  const body = membersIn(text)
  const visitors = body.filter(([name]) => name === 'visitor')
  return [...body, ...visitors.flatMap(([, held]) => membersIn(held))].some(
    ([name, held]) => TRAITS.includes(name) && traitSaysNo(JSON.parse(held)),
  )
}

/** Of an object all members, each with its value as text; of another value none. */
function membersIn(json: string): [name: string, value: string][] {
  const members: [string, string][] = []
  const tokens = json.match(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g) ?? []
  if (tokens[0] !== '{') return []
  let depth = 0
  let name: string | null = null
  let value = ''
  for (const token of tokens.slice(1, -1)) {
    if (token === '{' || token === '[') depth += 1
    if (token === '}' || token === ']') depth -= 1
    if (depth === 0 && token === ',') name = null
    else if (name === null) {
      name = JSON.parse(token) as string
      value = ''
      members.push([name, ''])
    } else if (value !== '' || token !== ':') {
      value += token
      members[members.length - 1] = [name, value]
    }
  }
  return members
}

function traitSaysNo(held: unknown): boolean {
  if (Array.isArray(held)) return held.some((each) => !Array.isArray(each) && traitSaysNo(each))
  if (typeof held === 'string') {
    try {
      const parsed: unknown = JSON.parse(held)
      return typeof parsed === 'object' && traitSaysNo(parsed)
    } catch {
      return false
    }
  }
  if (!isJson(held) || !Object.hasOwn(held, OPT_OUT.name)) return false
  const said = held[OPT_OUT.name]
  const texts = Array.isArray(said) ? said : [said]
  return texts.some((each) => typeof each === 'string' && each.trim() === OPT_OUT.value)
}
