/**
 * Chatlio's timestamps, which are Go's RFC 3339 with up to nine decimals and an offset, as AEP takes them:
 * UTC with milliseconds ("must occur in the past", EE; Parquet keeps milliseconds, FCON).
 *
 * Promises: truncates, never rounds up into the future; Go's zero time counts as absent; what cannot be
 * read stays as it came, since a strange date is no reason to lose a chat.
 */

const RFC_3339 =
  /^(\d{4}-\d{2}-\d{2})[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

export type Timestamp =
  | { state: 'read'; ms: number }
  /** Go's zero time, year 1. */
  | { state: 'absent' }
  | { state: 'unreadable' }

export function readTimestamp(text: string): Timestamp {
  const parts = RFC_3339.exec(text)
  if (!parts) return { state: 'unreadable' }
  const [, date, hour, minute, second, decimals = '', zone] = parts
  const millis = decimals.slice(0, 3).padEnd(3, '0')
  // A day that does not exist (30 February) would silently become another one.
  if (!isCalendarDay(date as string)) return { state: 'unreadable' }
  const ms = Date.parse(`${date}T${hour}:${minute}:${second}.${millis}${zone?.toUpperCase()}`)
  if (Number.isNaN(ms)) return { state: 'unreadable' }
  return ms < YEAR_2 ? { state: 'absent' } : { state: 'read', ms }
}

const YEAR_2 = Date.parse('0002-01-01T00:00:00Z')

function isCalendarDay(date: string): boolean {
  const ms = Date.parse(`${date}T00:00:00Z`)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date)
}

/** The field as it leaves: UTC milliseconds, not after receipt; `undefined` where it counts as absent. */
export function normalizeTimestamp(text: string, receivedAt: number): string | undefined {
  const timestamp = readTimestamp(text)
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
