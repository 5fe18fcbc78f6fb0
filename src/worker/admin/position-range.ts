/** A UTC day of receipt as a range of positions: `from` belongs to it, `end` does not. */
import { DAY_MS } from '../limits.ts'
import { PER_MS } from '../outbox/storage/reader.ts'

/** `day`: `YYYY-MM-DD`; without one, every position. */
export function positionsOf(day: string | undefined): { from: number; end: number } {
  if (day === undefined) return { from: 0, end: Number.MAX_SAFE_INTEGER }
  const from = Date.parse(day) * PER_MS
  return { from, end: from + DAY_MS * PER_MS }
}
