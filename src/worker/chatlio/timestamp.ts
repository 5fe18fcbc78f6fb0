/**
 * Converts Chatlio's timestamps (Go's RFC 3339, with up to nine decimals and an offset; other senders leave the
 * seconds out) to the form that AEP takes: UTC with milliseconds ("must occur in the past", EE; Parquet keeps milliseconds, FCON).
 *
 * Promises: truncates decimals, so that no time moves into the future; treats Go's zero time as absent; leaves an
 * unreadable timestamp unchanged, since a strange date is no reason to lose a chat.
 */
import { DAY_MS } from '../limits.ts'

/** Date and time in a form that `Date.parse` also accepts. Does not check that the day exists in the calendar. */
const DATE_TIME =
  /^\d{4}-(?:0\d|1[0-2])-[0-3]\d[Tt](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/** Go's zero time is of year 1. */
const YEAR_2 = Date.parse('0002-01-01T00:00:00Z')

/** Epoch milliseconds; `null`: unreadable. */
export function readTime(text: string): number | null {
  if (!DATE_TIME.test(text) || !isCalendarDay(text)) return null
  // V8 truncates decimals beyond the third; ECMA-262 leaves this to the implementation.
  const ms = Date.parse(text.toUpperCase())
  return Number.isNaN(ms) ? null : ms
}

/** `Date.parse` would silently turn a day that does not exist (30 February) into another one. */
function isCalendarDay(text: string): boolean {
  if (Number(text.slice(8, 10)) <= 28) return true
  const date = text.slice(0, 10)
  const ms = Date.parse(date)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date)
}

/** UTC with milliseconds, at most `receivedAt` (epoch ms); `undefined` if it counts as absent. */
export function normalizedTime(text: string, receivedAt: number): string | undefined {
  const ms = readTime(text)
  if (ms === null) return text
  return ms < YEAR_2 ? undefined : toIso(Math.min(ms, receivedAt))
}

let latest = { day: Number.NaN, date: '' }

/** RFC 3339 in UTC with milliseconds. The times of an event are mostly of one day: its date is made once. */
export function toIso(ms: number): string {
  const whole = Math.trunc(ms)
  const day = Math.floor(whole / DAY_MS)
  if (day !== latest.day) latest = { day, date: new Date(whole).toISOString().slice(0, -13) }
  const left = whole - day * DAY_MS
  const seconds = Math.floor(left / 1_000)
  const minutes = Math.floor(seconds / 60)
  const time = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:${two(seconds % 60)}`
  return `${latest.date}${time}.${String(left % 1_000).padStart(3, '0')}Z`
}

function two(number: number): string {
  return number < 10 ? `0${number}` : `${number}`
}

/** The UTC day, `YYYY-MM-DD`. */
export function utcDay(ms: number): string {
  return toIso(ms).slice(0, 10)
}
