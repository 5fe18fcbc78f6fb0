/**
 * What Chatlio documents, and how what it sends may differ: sees once per shape and isolate how an event differs, and counts
 * which fields come. Free-form objects end at their name: what is in them is the customer's own.
 *
 * Promises: a known shape costs its hash and little else; what is remembered and what is looked at in a given time are
 * bounded, whatever is sent; never throws, and never changes the event. No value is looked at beyond its type and its size,
 * none is kept. Keys that look like data become `*`: a map keyed by addresses, ids or words of a visitor must neither
 * reveal them nor fill the list.
 * Accepts: an isolate that ends loses what it has not reported; counts are a lower bound.
 */
import type { Reading } from '../chatlio/event.ts'
import { documentedIn, type Form, placeIn } from '../chatlio/fields.ts'
import {
  type EventKind,
  KINDS,
  type Shape,
  STORED_KINDS,
  type StoredKind,
} from '../chatlio/kind.ts'
import { isOfTestPerson, TEST_EVENT_TYPE } from '../chatlio/person.ts'
import { isLongNumber, isObject, type JsonObject, type Parsed } from '../lib/json.ts'
import {
  DRIFT_REPORT_INTERVAL_MS,
  MAX_DRIFT_FINDINGS,
  MAX_DRIFT_LOOKS,
  MAX_DRIFT_SHAPES,
} from '../limits.ts'

/** `new`: a field that nobody documents; `type`: a known one of another type; `gone`: one that always came, and does not. */
export const DRIFT_CHANGES = ['new', 'type', 'gone'] as const
type DriftChange = (typeof DRIFT_CHANGES)[number]

/** Field names joined by dots, `*` for an array's items and for keys that look like data. */
type Finding = {
  path: string
  change: DriftChange
  from: string | null
  to: string | null
  /** The value's shape: `string(14)`, `object(3)`. */
  sample: string | null
}

/** `eventId`: one event with it; `count`: how many there were since the last report. */
export type CountedFinding = Finding & { eventId: string; count: number }

/** In how many events a field came, and how many could have had it since it last did. */
type Came = readonly [came: number, missed: number]

/** What one isolate saw of one kind since its last report: how many events, and which documented fields came. */
export type DriftReport = {
  kind: StoredKind
  events: number
  /** The last of them. */
  eventId: string
  fields: { readonly [path: string]: Came }
  findings: readonly CountedFinding[]
}

export type DriftRow = CountedFinding & {
  kind: StoredKind
  firstAt: number
  lastAt: number
  accepted: boolean
}

export type DriftKey = Pick<DriftRow, 'kind' | 'path' | 'change'>

/** What is not accepted, for alerts: how many of each, and when the newest was first seen. */
export type DriftSummary = (Pick<DriftRow, 'kind' | 'change' | 'count'> & { newestAt: number })[]

/** Who posts the samples of `npm start`: they say nothing of what Chatlio sends. */
export const SAMPLES_AGENT = 'chatlio-edge-relay'

/** What must be there for a field to be there; empty for one at the top. */
export function holderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('.'), 0))
}

type Documented = { readonly [path: string]: string }

const TYPES: { readonly [form in Form]?: string } = {
  boolean: 'boolean',
  texts: 'array',
}

function documented(shape: Shape): Documented {
  const paths: Record<string, string> = {}
  for (const field of documentedIn(shape)) {
    const { holder } = placeIn(field)
    if (holder === 'messages[*]')
      Object.assign(paths, { messages: 'array', 'messages.*': 'object' })
    else if (holder !== '') paths[holder] = 'object'
    paths[field.from.replace('[*]', '.*')] = TYPES[field.form] ?? 'string'
  }
  // The JSON text in `identTraits` is documented; of `visitorTraits` it is the object, and older senders post text.
  if ('visitorTraits' in paths) paths.visitorTraits = 'object or string'
  return paths
}

/** The documented fields of each kind and the types they come in, by path (`messages.*.text`), from the one list of fields. */
export const DOCUMENTED = Object.fromEntries(
  Object.entries(KINDS).map(([kind, { shape }]) => [kind, documented(shape)]),
) as Record<EventKind, Documented>

/** Events of one shape. `count`: those since it was last reported. */
type SeenShape = {
  kind: StoredKind
  findings: readonly Finding[]
  present: ReadonlySet<string>
  eventId: string
  count: number
  reportedAt: number | null
}

/** Events of one kind since the last report. `run`: how many of one shape came last, not counted in `fields` yet. */
type Tally = { events: number; fields: Map<string, Came>; shape: SeenShape; run: number }

export class DriftDetector {
  /** By the hash of kind and shape. */
  readonly #shapes = new Map<number, SeenShape>()
  readonly #tallies = new Map<StoredKind, Tally>()
  #looks = { since: 0, count: 0 }

  /** `now`: epoch milliseconds. */
  observe(reading: Reading, parsed: Parsed, id: string, now: number): void {
    if (!parsed.ok || !('kind' in reading) || reading.outcome === 'too-many-values') return
    // Written by us: it says nothing of what Chatlio sends.
    const { kind } = reading
    const isTest =
      reading.outcome === 'valid'
        ? reading.event.eventType === TEST_EVENT_TYPE
        : isOfTestPerson(parsed.value)
    if (isTest) return
    const key = shapeHash(parsed.value, STORED_KINDS.indexOf(kind))
    const shape = this.#shapes.get(key) ?? this.#look(key, kind, parsed.value, now)
    if (!shape) return
    shape.count += 1
    shape.eventId = id
    const tally = this.#tallies.get(kind) ?? { events: 0, fields: new Map(), shape, run: 0 }
    this.#tallies.set(kind, tally)
    if (tally.shape !== shape) count(tally)
    tally.shape = shape
    tally.run += 1
  }

  /** What has come since the last call, by kind; differences that go on every five minutes only. */
  takeReports(now: number): DriftReport[] {
    const reports = [...this.#tallies].map(([kind, tally]): DriftReport => {
      count(tally)
      const { events, fields, shape } = tally
      const { eventId } = shape
      const findings = this.#takeFindings(kind, now)
      return { kind, events, eventId, fields: Object.fromEntries(fields), findings }
    })
    this.#tallies.clear()
    return reports
  }

  #takeFindings(kind: StoredKind, now: number): CountedFinding[] {
    return [...this.#shapes.values()].flatMap((shape) => {
      const { findings, eventId, count, reportedAt } = shape
      const isDue = reportedAt === null || now - reportedAt >= DRIFT_REPORT_INTERVAL_MS
      if (shape.kind !== kind || findings.length === 0 || count === 0 || !isDue) return []
      shape.reportedAt = now
      shape.count = 0
      return findings.map((finding) => ({ ...finding, eventId, count }))
    })
  }

  /** Analyzes a new shape; `null` above `MAX_DRIFT_LOOKS` in an interval. */
  #look(key: number, kind: StoredKind, value: unknown, now: number): SeenShape | null {
    if (Math.abs(now - this.#looks.since) >= DRIFT_REPORT_INTERVAL_MS) {
      this.#looks = { since: now, count: 0 }
    }
    this.#looks.count += 1
    if (this.#looks.count > MAX_DRIFT_LOOKS) return null
    if (this.#shapes.size >= MAX_DRIFT_SHAPES) this.#shapes.clear()
    const shape = { kind, ...analyze(kind, value), eventId: '', count: 0, reportedAt: null }
    this.#shapes.set(key, shape)
    return shape
  }
}

/** Adds the events of the run to what is counted. */
function count(tally: Tally): void {
  const { run, shape, fields } = tally
  for (const [path, [came, missed]] of fields) {
    if (shape.present.has(path)) continue
    const holder = holderOf(path)
    if (holder === '' || shape.present.has(holder)) fields.set(path, [came, missed + run])
  }
  for (const path of shape.present) fields.set(path, [(fields.get(path)?.[0] ?? 0) + run, 0])
  tally.events += run
  tally.run = 0
}

/** FNV-1a. */
const SEED = 0x811c9dc5
const PRIME = 0x01000193

/** Documented fields end at the third level. */
const MAX_DEPTH = 16

/**
 * A number for the shape of a JSON value: its keys and the types below them, without the values. Two shapes can have the
 * same number by chance (once in billions); the second is then not looked at until the isolate is a new one. Looks a
 * limited number of levels deep, so that no JSON runs it out of stack. `seed`: what else tells two shapes apart.
 */
export function shapeHash(value: unknown, seed = 0): number {
  return mix(hashAt(value, 0), seed)
}

function hashAt(value: unknown, depth: number): number {
  if (depth > MAX_DEPTH) return SEED
  if (Array.isArray(value)) {
    // Items of one shape count once, in any order: a long transcript has the shape of a short one.
    const shapes = new Set<number>()
    for (const item of value) shapes.add(hashAt(item, depth + 1))
    let sum = 0
    for (const shape of shapes) sum = (sum + shape) | 0
    return mix(mix(SEED, 5), sum)
  }
  if (value === null) return mix(SEED, 1)
  switch (typeof value) {
    case 'string':
      return mix(SEED, 2)
    case 'number':
      return mix(SEED, 3)
    case 'boolean':
      return mix(SEED, 4)
  }
  if (isLongNumber(value)) return mix(SEED, 3)
  let hash = mix(SEED, 6)
  for (const key in value as object) {
    for (let at = 0; at < key.length; at += 1) hash = mix(hash, key.charCodeAt(at))
    hash = mix(hash, hashAt((value as Record<string, unknown>)[key], depth + 1))
  }
  return hash
}

function mix(hash: number, more: number): number {
  return Math.imul(hash ^ more, PRIME)
}

/** Longest name shown; no documented one is half as long. */
const MAX_NAME = 40

/** Unknown keys beside each other above this are a map. */
const MAX_NEW_SIBLINGS = 20

/** The name of a key, if it is one and not data. Accepts: a name with many digits in it is hidden too. */
export function shownName(key: string): string {
  if (key.length > MAX_NAME || !/^[A-Za-z_$][\w$-]*$/.test(key)) return '*'
  // Digits by themselves number a field (`line2`); many, or between letters again and again, are an id.
  if (/\d{4}/.test(key)) return '*'
  const turns = key.match(/[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0
  return turns > 2 || (turns > 0 && key.length > 20) ? '*' : key
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (isLongNumber(value)) return 'number'
  return Array.isArray(value) ? 'array' : typeof value
}

/** `string(14)`, `array(3)`, `object(2)`: how much there is, not what. */
function maskedShape(value: unknown): string {
  if (typeof value === 'string') return `string(${value.length})`
  if (Array.isArray(value)) return `array(${value.length})`
  return isObject(value) ? `object(${Object.keys(value).length})` : typeOf(value)
}

/** Valid or not: fields that are new or of another type, and which of the documented ones are there. */
function analyze(kind: StoredKind, payload: unknown): Pick<SeenShape, 'findings' | 'present'> {
  const findings = new Map<string, Finding>()
  const present = new Set<string>()
  const documented = new Map(Object.entries(kind === 'auto' ? {} : DOCUMENTED[kind]))
  const add = (change: DriftChange, path: string, from: string | null, value: unknown) => {
    const key = `${change} ${path}`
    if (findings.size >= MAX_DRIFT_FINDINGS || findings.has(key)) return
    findings.set(key, { path, change, from, to: typeOf(value), sample: maskedShape(value) })
  }
  const walk = (holder: JsonObject, prefix: string) => {
    const keys = Object.keys(holder)
    const isMap = keys.filter((key) => !documented.has(prefix + key)).length > MAX_NEW_SIBLINGS
    for (const key of keys) {
      const value = holder[key]
      const path = prefix + key
      const expected = documented.get(path)
      if (expected === undefined) {
        add('new', prefix + (isMap ? '*' : shownName(key)), null, value)
        continue
      }
      present.add(path)
      if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) continue
      if (!expected.split(' or ').includes(typeOf(value))) add('type', path, expected, value)
      else if (isObject(value)) {
        // Otherwise what is below is the customer's own.
        const isHolder = [...documented.keys()].some((each) => each.startsWith(`${path}.`))
        if (isHolder) walk(value, `${path}.`)
      } else if (Array.isArray(value) && documented.has(`${path}.*`)) {
        for (const item of value.filter(isObject)) {
          present.add(`${path}.*`)
          walk(item, `${path}.*.`)
        }
      }
    }
  }
  if (isObject(payload)) walk(payload, '')
  return { findings: [...findings.values()], present }
}
