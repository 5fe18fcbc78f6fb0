/**
 * Encodes an event as JSON texts: one record, or several parts if that record is too large.
 *
 * Why: Profile silently drops an ExperienceEvent over 10 KB (PGUARD), and AEP refuses a request over 1 MB (MULTI).
 * Promises: each record is at most `maxRecordBytes` long; parts joined in order give the whole text; every part has the
 * event's time and kind, and its identities if there is room; the same input gives the same parts. Never throws, always
 * ends.
 * Accepts: if the name of the tenant or of a namespace alone fills a part, its parts exceed the limit.
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import type { Destination, RedactRule } from '../../config/config.ts'
import { utf8Length } from '../../lib/json.ts'
import { LONGEST_DELAY, recordOf } from './draft.ts'
import { draftRaw, encodeRaw } from './raw.ts'
import { type Redacted, redactEvent } from './redact.ts'
import { split } from './split.ts'
import { draftXdm } from './xdm.ts'

/**
 * JSON texts without an envelope. Store `parts` before the first is sent, even if there is only one (dropping repeated
 * texts was enough): its `_id` differs from that of the unsplit record. Send a stored part `withDelay` of that moment.
 */
export type Encoded = { redacted: Redacted } & (
  | { split: false; record: string }
  | { split: true; parts: string[] }
)

/**
 * `now`: epoch ms. `source`: the name of the webhook's key. `redact`: what is replaced in texts. `generation`: of the ids of
 * its parts (`partId`).
 */
export type Sending = {
  now: number
  source: string | null
  redact: readonly RedactRule[]
  generation?: number
}

/** `maxRecordBytes`: UTF-8 bytes of one record (`Envelope.maxRecordBytes`). */
export function encode(
  arrived: ChatEvent,
  destination: Destination,
  maxRecordBytes: number,
  { now, source, redact, generation = 0 }: Sending,
): Encoded {
  // Before anything is measured, so that all parts are of the same texts.
  const { event, redacted } = redactEvent(arrived, redact)
  const receivedAt = Date.parse(event.receivedAt)
  // Measured with the longest delay: however long an event waits, it is split or not as at first, so its `_id` stays.
  // A UTF-16 unit takes at most three bytes, so short records need no measuring.
  const fitsIn = (limit: number) => (record: string) =>
    record.length * 3 <= limit || utf8Length(record) <= limit
  if (destination.format === 'raw') {
    const delay = delaySeconds(receivedAt, now)
    const limit = maxRecordBytes - rawDelay(LONGEST_DELAY).length
    const fits = fitsIn(limit)
    const record = JSON.stringify(encodeRaw(event, source))
    if (fits(record)) return { split: false, record: withRawDelay(record, delay), redacted }
    const parts = split(draftRaw(event, source), event.id, generation, limit, fits)
    return { split: true, parts: parts.map((part) => withRawDelay(part, delay)), redacted }
  }
  const fits = fitsIn(maxRecordBytes)
  const draft = draftXdm(event, destination, source, LONGEST_DELAY)
  const record = JSON.stringify(recordOf(draft))
  if (fits(record)) {
    return { split: false, record: withDelay(record, receivedAt, now), redacted }
  }
  const parts = split(draft, event.id, generation, maxRecordBytes, fits)
  return { split: true, parts: parts.map((part) => withDelay(part, receivedAt, now)), redacted }
}

const rawDelay = (seconds: number) => `"delaySeconds":${seconds},`

/** Where both formats have it: first in a raw record, and first in our field group. */
const DELAY = /^(\{(?:"(?:[^"\\]|\\.)+":\{"chatlio":\{)?"delaySeconds":)\d+/

/** A record or part with the seconds from receipt to `now` (epoch ms): it may have waited since it was encoded. */
export function withDelay(record: string, receivedAt: number, now: number): string {
  return record.replace(DELAY, (_, before: string) => before + delaySeconds(receivedAt, now))
}

function withRawDelay(record: string, seconds: number): string {
  return `{${rawDelay(seconds)}${record.slice(1)}`
}

function delaySeconds(receivedAt: number, now: number): number {
  return Math.min(Math.max(Math.floor((now - receivedAt) / 1_000), 0), LONGEST_DELAY)
}
