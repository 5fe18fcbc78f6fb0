/**
 * Chatlio's timestamps, which are Go's RFC 3339 with up to nine decimals and an offset, as AEP takes them:
 * UTC with milliseconds ("must occur in the past", EE; Parquet keeps milliseconds, FCON).
 *
 * Promises: truncates, never rounds up into the future; Go's zero time counts as absent; what cannot be
 * read stays as it came, since a strange date is no reason to lose a chat.
 */

/** Date and time as `Date.parse` reads them too; only whether the day exists is left to be seen. */
const RFC_3339 =
  /^\d{4}-(?:0\d|1[0-2])-[0-3]\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

export type Timestamp =
  | { state: 'read'; ms: number }
  /** Go's zero time, year 1. */
  | { state: 'absent' }
  | { state: 'unreadable' }

const UNREADABLE: Timestamp = { state: 'unreadable' }

export function readTimestamp(text: string): Timestamp {
  if (!RFC_3339.test(text) || !isCalendarDay(text)) return UNREADABLE
  // Decimals beyond the third are cut off (ECMA-262 leaves them open; V8 does).
  const ms = Date.parse(text.toUpperCase())
  if (Number.isNaN(ms)) return UNREADABLE
  return ms < YEAR_2 ? { state: 'absent' } : { state: 'read', ms }
}

const YEAR_2 = Date.parse('0002-01-01T00:00:00Z')

/** A day that does not exist (30 February) would silently become another one. */
function isCalendarDay(text: string): boolean {
  if (Number(text.slice(8, 10)) <= 28) return true
  const date = text.slice(0, 10)
  const ms = Date.parse(date)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date)
}

/** The field as it leaves: UTC milliseconds, not after receipt; `undefined` where it counts as absent. */
export function writeTimestamp(
  timestamp: Timestamp,
  text: string,
  receivedAt: number,
): string | undefined {
  if (timestamp.state === 'unreadable') return text
  if (timestamp.state === 'absent') return undefined
  return toIso(Math.min(timestamp.ms, receivedAt))
}

export function toIso(ms: number): string {
  return new Date(ms).toISOString()
}

/** The UTC day, `YYYY-MM-DD`. */
export function utcDay(ms: number): string {
  return toIso(ms).slice(0, 10)
}
