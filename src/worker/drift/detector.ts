/**
 * Sees once per shape and isolate whether an event differs from what Chatlio documents.
 *
 * Promises: a known shape costs its hash and nothing else; what is remembered and what is looked at in a given time are
 * bounded, whatever is sent; never throws, and never changes the event.
 * Accepts: an isolate that ends before its report is sent says nothing; counts are a lower bound.
 */
import type { Reading } from '../chatlio/event.ts'
import { STORED_KINDS } from '../chatlio/kind.ts'
import { isOfTestPerson } from '../chatlio/test-person.ts'
import { isLongNumber, isObject, type Parsed } from '../lib/json.ts'
import { DRIFT_REPORT_INTERVAL_MS, MAX_DRIFT_LOOKS, MAX_DRIFT_SHAPES } from '../limits.ts'
import { analyzeInvalid, analyzeValid } from './analyze.ts'
import type { DriftReport } from './drift.ts'

/** `null`: nothing to report of this shape, or nothing since it was reported. */
type Seen = DriftReport & { reportedAt: number | null }

/** An event that is valid has another number than one of the same shape that is not. */
const SEEDS = { valid: 0, invalid: 1_000 }

export class DriftDetector {
  /** By the hash of kind, outcome and shape. */
  readonly #shapes = new Map<number, Seen | null>()
  #looks = { since: 0, count: 0 }
  #isDue = false

  /** `now`: epoch milliseconds. */
  saw(reading: Reading, parsed: Parsed, id: string, now: number): void {
    if (!parsed.ok) return
    if (reading.outcome !== 'valid' && reading.outcome !== 'invalid') return
    // Written by us: it says nothing of what Chatlio sends.
    if (isOfTestPerson(parsed.value)) return
    const key = shapeHash(parsed.value, SEEDS[reading.outcome] + STORED_KINDS.indexOf(reading.kind))
    const known = this.#shapes.get(key)
    if (known === undefined) {
      if (this.#mayLook(now)) this.#look(key, reading, parsed.value, id)
      return
    }
    if (known === null) return
    known.count += 1
    known.eventId = id
    if (now - (known.reportedAt ?? now) >= DRIFT_REPORT_INTERVAL_MS) this.#isDue = true
  }

  /** What is new since the last call, and what has gone on for a while; usually nothing. */
  takeReports(now: number): DriftReport[] {
    if (!this.#isDue) return []
    this.#isDue = false
    const reports: DriftReport[] = []
    for (const [key, seen] of this.#shapes) {
      if (seen === null || seen.count === 0) continue
      const isFirst = seen.reportedAt === null
      if (!isFirst && now - (seen.reportedAt ?? 0) < DRIFT_REPORT_INTERVAL_MS) continue
      const { reportedAt: _, ...report } = seen
      reports.push({ ...report })
      seen.reportedAt = now
      seen.count = 0
      // Its documented fields are known now; without a finding there is nothing left to say.
      if (seen.findings.length === 0) this.#shapes.set(key, null)
    }
    return reports
  }

  #look(
    key: number,
    reading: Exclude<Reading, { outcome: 'malformed' | 'too-many-values' }>,
    value: unknown,
    id: string,
  ) {
    if (this.#shapes.size >= MAX_DRIFT_SHAPES) this.#shapes.clear()
    const { kind } = reading
    const { findings, present } =
      reading.outcome === 'valid'
        ? analyzeValid(reading.kind, isObject(value) ? value : {})
        : { findings: analyzeInvalid(kind, value, reading.issues), present: [] }
    const complete = reading.outcome === 'valid'
    const report = { kind, eventId: id, findings, present, complete, count: 1 }
    this.#shapes.set(key, { ...report, reportedAt: null })
    this.#isDue = true
  }

  /** So many new shapes in an interval; a flood of them is looked at in samples. */
  #mayLook(now: number): boolean {
    if (Math.abs(now - this.#looks.since) >= DRIFT_REPORT_INTERVAL_MS) {
      this.#looks = { since: now, count: 0 }
    }
    this.#looks.count += 1
    return this.#looks.count <= MAX_DRIFT_LOOKS
  }
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
