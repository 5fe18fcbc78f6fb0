/** The words of drift: how what Chatlio sends differs from what it documents. Names and types, never a value. */
import type { StoredKind } from '../chatlio/kind.ts'

/** `new`: a field that nobody documents; `type`: a known one of another type; `gone`: one that used to come, and does not. */
export const DRIFT_CHANGES = ['new', 'type', 'gone'] as const
export type DriftChange = (typeof DRIFT_CHANGES)[number]

/** Field names joined by dots, `*` for an array's items and for keys that look like data. */
export type Finding = {
  path: string
  change: DriftChange
  from: string | null
  to: string | null
  /** The value's shape: `string(14)`, `object(3)`. */
  sample: string | null
}

/** What one isolate saw in events of one shape. */
export type DriftReport = {
  kind: StoredKind
  /** One event of this shape. */
  eventId: string
  findings: Finding[]
  /** Documented fields that were there; empty for an event that is not valid. */
  present: string[]
  /** Whether documented fields may be missed: the event was valid. */
  complete: boolean
  /** Events of this shape since the last report. */
  count: number
}

export type DriftRow = Omit<Finding, 'sample'> & {
  kind: StoredKind
  count: number
  firstAt: number
  lastAt: number
  eventId: string
  sample: string | null
  accepted: boolean
}

export type DriftKey = { kind: StoredKind; path: string; change: DriftChange }

/** What is not accepted, for alerts: how many of each, and when the newest was first seen. */
export type DriftSummary = {
  kind: StoredKind
  change: DriftChange
  count: number
  newestAt: number
}[]
