/** Answers for operators: stored events with ISO times and readable payloads, and sums over shards. Pure. */
import { toIso } from '../chatlio/timestamp.ts'
import type { KeyHolder } from '../http/auth.ts'
import { earliest } from '../lib/earliest.ts'
import { parseJson } from '../lib/json.ts'
import type { Found } from '../outbox/receipts/find.ts'
import type { EventDetail, EventSummary, Ledger, ShardStatus, Totals } from '../outbox/state.ts'

export const isoOrNull = (ms: number | null) => (ms === null ? null : toIso(ms))

export function eventView({ receivedAt, nextAttemptAt, ...event }: EventSummary) {
  const { id, kind, state, attempts, lastError, bytes } = event
  return {
    id,
    kind,
    state,
    attempts,
    receivedAt: toIso(receivedAt),
    nextAttemptAt: isoOrNull(nextAttemptAt),
    lastError,
    bytes,
  }
}

/** `settledAt`: when AEP accepted it; `via`: `forwarded` inside its request, or `drained` by the outbox. */
export function foundView({ settledAt, via, state, ...event }: Found) {
  const view = eventView({ ...event, state: state === 'delivered' ? 'pending' : state })
  return { ...view, state, settledAt: isoOrNull(settledAt), via }
}

/** The only view that shows a payload and AEP's own words. A payload that is not JSON is shown as text. */
export function eventDetailView(event: EventDetail) {
  const parsed = parseJson(event.body)
  const payload = parsed.ok ? parsed.value : new TextDecoder().decode(event.body)
  const tries = event.tries.map(({ at, code, status }) => ({ at: toIso(at), code, status }))
  return { ...eventView(event), payload, answer: event.answer, tries }
}

/** `keys`: the webhook keys that are set. */
export function statusView(shards: readonly ShardStatus[], keys: readonly KeyHolder[]) {
  const used = shards.flatMap((shard) => shard.keys)
  const lastUse = (key: string) =>
    Math.max(...used.filter(({ fingerprint }) => fingerprint === key).map((use) => use.lastUsedAt))
  return {
    ...shardView(total(shards)),
    keys: keys.map(({ fingerprint, name }) => {
      const at = lastUse(fingerprint)
      return { fingerprint, name, lastUsedAt: Number.isFinite(at) ? toIso(at) : null }
    }),
    shards: shards.map(shardView),
  }
}

function shardView({ oldestPendingAt, hold, nextAttemptAt, ...ledger }: ShardStatus) {
  const { accepted, delivered, pending, dead, quarantined, erased, forwarded, suppressed } = ledger
  return {
    accepted,
    delivered,
    pending,
    dead,
    quarantined,
    erased,
    forwarded,
    suppressed,
    oldestPendingAt: isoOrNull(oldestPendingAt),
    hold: hold && { reason: hold.reason, since: toIso(hold.since) },
    nextAttemptAt: isoOrNull(nextAttemptAt),
  }
}

function total(shards: readonly ShardStatus[]): ShardStatus {
  const sum = (count: keyof Ledger | keyof Totals) =>
    shards.reduce((all, shard) => all + shard[count], 0)
  const holds = shards.flatMap(({ hold }) => (hold ? [hold] : []))
  return {
    accepted: sum('accepted'),
    delivered: sum('delivered'),
    pending: sum('pending'),
    dead: sum('dead'),
    quarantined: sum('quarantined'),
    erased: sum('erased'),
    forwarded: sum('forwarded'),
    suppressed: sum('suppressed'),
    keys: [],
    oldestPendingAt: earliest(shards.map(({ oldestPendingAt }) => oldestPendingAt)),
    hold: holds.find(({ reason }) => reason === 'paused') ?? holds[0] ?? null,
    nextAttemptAt: earliest(shards.map(({ nextAttemptAt }) => nextAttemptAt)),
  }
}
