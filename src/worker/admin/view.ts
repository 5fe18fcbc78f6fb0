/** Answers for operators: stored events with ISO times and readable payloads, and sums over shards. Pure. */
import { toIso } from '../chatlio/timestamp.ts'
import { parseJson } from '../lib/json.ts'
import type { EventDetail, EventSummary, Ledger, ShardStatus } from '../outbox/state.ts'

const iso = (ms: number | null) => (ms === null ? null : toIso(ms))

export function eventView({ receivedAt, nextAttemptAt, ...event }: EventSummary) {
  const { id, kind, state, attempts, lastError, bytes } = event
  return {
    id,
    kind,
    state,
    attempts,
    receivedAt: toIso(receivedAt),
    nextAttemptAt: iso(nextAttemptAt),
    lastError,
    bytes,
  }
}

/** The only view that shows a payload and AEP's own words. A payload that is not JSON is shown as text. */
export function eventDetailView(event: EventDetail) {
  const parsed = parseJson(event.body)
  const payload = parsed.ok ? parsed.value : new TextDecoder().decode(event.body)
  return { ...eventView(event), payload, answer: event.answer }
}

export function statusView(shards: readonly ShardStatus[]) {
  return { ...shardView(total(shards)), shards: shards.map(shardView) }
}

function shardView({ oldestPendingAt, hold, nextAttemptAt, ...ledger }: ShardStatus) {
  const { accepted, delivered, pending, dead, quarantined, erased } = ledger
  return {
    accepted,
    delivered,
    pending,
    dead,
    quarantined,
    erased,
    oldestPendingAt: iso(oldestPendingAt),
    hold: hold && { reason: hold.reason, since: toIso(hold.since) },
    nextAttemptAt: iso(nextAttemptAt),
  }
}

function total(shards: readonly ShardStatus[]): ShardStatus {
  const sum = (count: keyof Ledger) => shards.reduce((all, shard) => all + shard[count], 0)
  const holds = shards.flatMap(({ hold }) => (hold ? [hold] : []))
  return {
    accepted: sum('accepted'),
    delivered: sum('delivered'),
    pending: sum('pending'),
    dead: sum('dead'),
    quarantined: sum('quarantined'),
    erased: sum('erased'),
    oldestPendingAt: earliest(shards.map(({ oldestPendingAt }) => oldestPendingAt)),
    hold: holds.find(({ reason }) => reason === 'paused') ?? holds[0] ?? null,
    nextAttemptAt: earliest(shards.map(({ nextAttemptAt }) => nextAttemptAt)),
  }
}

function earliest(moments: readonly (number | null)[]): number | null {
  const known = moments.filter((moment) => moment !== null)
  return known.length === 0 ? null : Math.min(...known)
}
