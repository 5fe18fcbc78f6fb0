/** What is remembered of a webhook once it has been answered: its count, its key, and the receipt of what went straight. */
import type { EventKind } from '../chatlio/kind.ts'
import type { Noted } from '../receipts/held.ts'
import type { Ingested, Refused } from './ingest.ts'

/** `key`: fingerprint of the webhook key; `at`: epoch milliseconds of the answer; `ms`: how long it took. */
export function notedOf(
  result: Ingested | Refused,
  key: string | null,
  at: number,
  ms: number,
): Noted {
  const { kind, outcome } = result
  if (outcome === 'refused' || outcome === 'unavailable') {
    return { at, ms, kind, outcome: 'refused', key, straight: false, receipt: null }
  }
  const { id, receivedAt, bytes, subject, straight = false } = result
  // Only a valid event goes straight, and its kind is known then.
  const receipt = straight
    ? { id, kind: kind as EventKind, receivedAt, settledAt: at, bytes, subject }
    : null
  return { at, ms, kind, outcome, key, straight, receipt }
}
