/**
 * Sees once per shape and isolate whether an event differs from what Chatlio documents, and counts which fields come.
 *
 * Promises: a known shape costs its hash and little else; what is remembered and what is looked at in a given time are
 * bounded, whatever is sent; never throws, and never changes the event.
 * Accepts: an isolate that ends before its report is sent says nothing; counts are a lower bound.
 */
import type { Reading } from '../chatlio/event.ts'
import { STORED_KINDS, type StoredKind } from '../chatlio/kind.ts'
import { isOfTestPerson } from '../chatlio/person.ts'
import { isLongNumber, type Parsed } from '../lib/json.ts'
import { DRIFT_REPORT_INTERVAL_MS, MAX_DRIFT_LOOKS, MAX_DRIFT_SHAPES } from '../limits.ts'
import { analyze } from './analyze.ts'
import { type Came, type DriftReport, type Finding, holderOf } from './drift.ts'

/** Events of one shape. `count`: those since it was last reported. */
type SeenShape = {
  kind: StoredKind
  findings: readonly Finding[]
  present: ReadonlySet<string>
  eventId: string
  count: number
  reportedAt: number | null
}

/** Events of one kind since the last report. `run`: those of one shape that came last, not counted in `fields` yet. */
type Tally = {
  events: number
  eventId: string
  fields: Map<string, Came>
  run: { shape: SeenShape; count: number }
}

export class DriftDetector {
  /** By the hash of kind and shape. */
  readonly #shapes = new Map<number, SeenShape>()
  readonly #tallies = new Map<StoredKind, Tally>()
  #looks = { since: 0, count: 0 }

  /** `now`: epoch milliseconds. */
  observe(reading: Reading, parsed: Parsed, id: string, now: number): void {
    if (!parsed.ok || !('kind' in reading) || reading.outcome === 'too-many-values') return
    // Written by us: it says nothing of what Chatlio sends.
    if (isOfTestPerson(parsed.value)) return
    const key = shapeHash(parsed.value, STORED_KINDS.indexOf(reading.kind))
    const shape = this.#shapes.get(key) ?? this.#look(key, reading.kind, parsed.value, now)
    if (!shape) return
    shape.count += 1
    shape.eventId = id
    this.#tally(shape, id)
  }

  /** What has come since the last call, by kind; differences that go on every five minutes only. */
  takeReports(now: number): DriftReport[] {
    const reports: DriftReport[] = []
    for (const [kind, tally] of this.#tallies) {
      count(tally)
      const { events, eventId, fields } = tally
      const findings = this.#dueShapes(kind, now).flatMap((shape) => {
        const counted = { eventId: shape.eventId, count: shape.count }
        shape.reportedAt = now
        shape.count = 0
        return shape.findings.map((finding) => ({ ...finding, ...counted }))
      })
      reports.push({ kind, events, eventId, fields: Object.fromEntries(fields), findings })
    }
    this.#tallies.clear()
    return reports
  }

  #dueShapes(kind: StoredKind, now: number): SeenShape[] {
    return [...this.#shapes.values()].filter(({ reportedAt, count, ...shape }) => {
      const isDue = reportedAt === null || now - reportedAt >= DRIFT_REPORT_INTERVAL_MS
      return shape.kind === kind && shape.findings.length > 0 && count > 0 && isDue
    })
  }

  #tally(shape: SeenShape, id: string): void {
    const { kind } = shape
    let tally = this.#tallies.get(kind)
    if (!tally) {
      tally = { events: 0, eventId: id, fields: new Map(), run: { shape, count: 0 } }
      this.#tallies.set(kind, tally)
    } else if (tally.run.shape !== shape) {
      count(tally)
      tally.run = { shape, count: 0 }
    }
    tally.run.count += 1
    tally.eventId = id
  }

  /** So many new shapes in an interval; a flood of them is looked at in samples: `null`. */
  #look(key: number, kind: StoredKind, value: unknown, now: number): SeenShape | null {
    if (Math.abs(now - this.#looks.since) >= DRIFT_REPORT_INTERVAL_MS) {
      this.#looks = { since: now, count: 0 }
    }
    this.#looks.count += 1
    if (this.#looks.count > MAX_DRIFT_LOOKS) return null
    if (this.#shapes.size >= MAX_DRIFT_SHAPES) this.#shapes.clear()
    const { findings, present } = analyze(kind, value)
    const seen = { eventId: '', count: 0, reportedAt: null }
    const shape = { kind, findings, present: new Set(present), ...seen }
    this.#shapes.set(key, shape)
    return shape
  }
}

/** Adds the events of the run to what is counted. */
function count(tally: Tally): void {
  const { run, fields } = tally
  const { shape, count } = run
  for (const [path, [came, missed]] of fields) {
    if (shape.present.has(path)) continue
    const holder = holderOf(path)
    if (holder === '' || shape.present.has(holder)) fields.set(path, [came, missed + count])
  }
  for (const path of shape.present) fields.set(path, [(fields.get(path)?.[0] ?? 0) + count, 0])
  tally.events += count
  run.count = 0
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
