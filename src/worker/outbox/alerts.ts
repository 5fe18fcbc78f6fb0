/**
 * What the outbox knows that may be worth an alert, and what alerts remember here: their states.
 *
 * Promises: costs delivery nothing: SQLite itself counts a refusal along with its cause (`schema.ts`), and the count
 * is read when the cron trigger asks. The states and what they count are written together, so none is counted twice.
 * Facts are codes, counts, kinds and moments only: nothing of an event, and nothing that AEP wrote. Times are epoch
 * milliseconds.
 */
import { warnings } from '../alerts/alerts.ts'
import type { OutboxFacts, RefusedCause } from '../alerts/facts.ts'
import { DAY_MS, HOUR_MS, MAX_CAUSES_READ, MAX_COUNTED_EXPIRING } from '../limits.ts'
import type { DriftStore } from './drift.ts'
import type { Events } from './events.ts'
import type { AepWatch } from './known.ts'
import type { EventList } from './list.ts'
import type { CompletenessFacts } from './records/completeness.ts'
import type { Records } from './records/records.ts'

export const ALERTS_TABLES = `
CREATE TABLE alerts (only INTEGER PRIMARY KEY CHECK (only = 1), states TEXT NOT NULL);
`

export type AlertsDeps = {
  sql: SqlStorage
  watch: AepWatch
  events: Events
  list: EventList
  records: Records
  drift: DriftStore
  isWritable: () => Promise<boolean>
  silenceMs: number
  /** How long a conversation may be without its transcript; 0: transcripts are not checked. */
  completeMs: number
  retentionMs: number
  now: () => number
}

export class Alerts {
  readonly #deps: AlertsDeps
  /** Looked at once an hour, as long as this object lives; and at the first run of a new one. */
  #completeness: { at: number; facts: CompletenessFacts } | null = null

  constructor(deps: AlertsDeps) {
    this.#deps = deps
  }

  async facts(): Promise<OutboxFacts> {
    const { watch, events, isWritable, drift, records } = this.#deps
    const { hold, causes } = watch.besidesPause()
    const { code = null, status = null } = causes.hold ?? {}
    const { pause } = watch.aep
    const { unavailable, refused, keys } = records.status()
    const used = keys.map(({ lastUsedAt }) => lastUsedAt)
    const lastWebhookAt = used.length > 0 ? Math.max(...used) : null
    return {
      states: this.states(),
      hold: hold && { ...hold, code, status },
      pausedSince: pause.paused ? pause.at : null,
      pending: events.ledger.read().pending,
      oldestPendingAt: events.oldestPendingAt(),
      expiring: this.#expiring(),
      writable: await isWritable(),
      refusals: this.#refusals(),
      drift: drift.summary(),
      landed: records.landed.facts(),
      lost: unavailable,
      refused,
      lastWebhookAt,
      weekBefore: this.#weekBefore(lastWebhookAt),
      completeness: this.#completenessFacts(),
    }
  }

  #completenessFacts(): CompletenessFacts | null {
    const { records, completeMs } = this.#deps
    if (completeMs === 0) return null
    const now = this.#deps.now()
    const known = this.#completeness
    if (known && known.at <= now && now - known.at < HOUR_MS) return known.facts
    const overdueAt = now - completeMs
    const { latest, before } = records.finder.completeness(overdueAt - 7 * DAY_MS, overdueAt)
    this.#completeness = { at: now, facts: { latest, before } }
    return this.#completeness.facts
  }

  /** JSON text; `null` before the first run. */
  states(): string | null {
    const [row] = this.#deps.sql.exec<{ states: string }>('SELECT states FROM alerts').toArray()
    return row?.states ?? null
  }

  /** `refusals`: those that these states count. Part of one transaction; mostly nothing has changed or is written. */
  save(states: string, refusals: readonly RefusedCause[]): void {
    const { sql } = this.#deps
    sql.exec(
      `INSERT INTO alerts (only, states) VALUES (1, ?)
       ON CONFLICT (only) DO UPDATE SET states = excluded.states WHERE states != excluded.states`,
      states,
    )
    for (const { state, code, path, kind, count } of refusals) {
      sql.exec(
        `UPDATE causes SET uncounted = max(uncounted - ?, 0)
         WHERE state = ? AND code = ? AND path = ? AND kind = ?`,
        count,
        state,
        code,
        path,
        kind,
      )
    }
  }

  /** What an operator has sent again or erased since does not count. */
  #refusals(): RefusedCause[] {
    return this.#deps.sql
      .exec<RefusedCause>(
        `SELECT state, kind, code, path, uncounted AS count FROM causes WHERE uncounted > 0
         ORDER BY uncounted DESC LIMIT ?`,
        MAX_CAUSES_READ,
      )
      .toArray()
  }

  /**
   * Webhooks in the same hours a week before; looked up only where none has come since. Whole hours, up to the latest that
   * is over: of those before there is nothing smaller.
   */
  #weekBefore(lastWebhookAt: number | null): number {
    const { records, silenceMs, now } = this.#deps
    const end = Math.floor(now() / HOUR_MS) * HOUR_MS
    if (silenceMs === 0 || lastWebhookAt === null || lastWebhookAt > end - silenceMs) return 0
    const to = end - 7 * DAY_MS
    const from = to - silenceMs
    return records
      .points(from, to, 'hour')
      .filter(({ outcome }) => outcome !== 'unauthorized' && outcome !== 'drained')
      .reduce((sum, { count }) => sum + count, 0)
  }

  #expiring(): OutboxFacts['expiring'] {
    const { list, events, retentionMs, now } = this.#deps
    const { soonMs, todayMs } = warnings(retentionMs)
    const within = (ms: number) =>
      list.receivedUpTo(now() - retentionMs + ms, MAX_COUNTED_EXPIRING + 1)
    return { soon: within(soonMs), today: within(todayMs), oldestAt: events.oldestAt() }
  }
}
