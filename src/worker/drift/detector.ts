/**
 * Sees once per shape and isolate whether an event differs from what Chatlio documents.
 *
 * Promises: a known shape costs its hash and nothing else; what is remembered and what is looked at in a given time are
 * bounded, whatever is sent; never throws, and never changes the event.
 * Accepts: an isolate that ends before its report is sent says nothing; counts are a lower bound.
 */
import type { Reading } from '../chatlio/event.ts'
import { STORED_KINDS } from '../chatlio/kind.ts'
import { isObject, type Parsed } from '../lib/json.ts'
import { DRIFT_REPORT_INTERVAL_MS, MAX_DRIFT_LOOKS, MAX_DRIFT_SHAPES } from '../limits.ts'
import { analyzeInvalid, analyzeValid } from './analyze.ts'
import type { DriftReport } from './drift.ts'
import { shapeHash } from './shape-hash.ts'

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
