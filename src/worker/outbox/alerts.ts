/**
 * What the outbox knows that may be worth an alert, and what alerts remember here: their states, and which refusals no
 * alert has counted yet.
 *
 * Promises: never in the way of delivery: a refusal is recorded by SQLite itself along with the event, a row each, and
 * read when the cron trigger asks. The states and what they count are written together, so none is counted twice.
 * Facts are codes, counts and moments only: nothing of an event, and nothing that AEP wrote. Times are epoch milliseconds.
 */

import { activeFailure, type Hold, holdOf, type UpstreamState } from '../aep/upstream/state.ts'
import { type OutboxFacts, type Refusals, warnings } from '../alerts/alerts.ts'
import type { DriftSummary } from '../drift/drift.ts'
import { MAX_CAUSES_READ, MAX_COUNTED_EXPIRING, MAX_REFUSALS_READ } from '../limits.ts'
import { PER_MS } from './storage/reader.ts'

export const ALERTS_TABLES =
  'CREATE TABLE alerts (only INTEGER PRIMARY KEY CHECK (only = 1), states TEXT NOT NULL);'

export type AlertsDeps = {
  sql: SqlStorage
  upstream: () => UpstreamState
  pending: () => number
  oldestPendingAt: () => number | null
  /** Of any state. */
  oldestAt: () => number | null
  isWritable: () => Promise<boolean>
  drift: () => DriftSummary
  retentionMs: number
  now: () => number
}

export class Alerts {
  readonly #deps: AlertsDeps

  constructor(deps: AlertsDeps) {
    this.#deps = deps
  }

  async facts(): Promise<OutboxFacts> {
    const { upstream, pending, oldestPendingAt, isWritable, drift } = this.#deps
    return {
      states: this.states(),
      ...holdFacts(upstream()),
      pending: pending(),
      oldestPendingAt: oldestPendingAt(),
      expiring: this.#expiring(),
      writable: await isWritable(),
      refusals: this.#refusals(),
      drift: drift(),
    }
  }

  /** JSON text; `null` before the first run. */
  states(): string | null {
    const [row] = this.#deps.sql.exec<{ states: string }>('SELECT states FROM alerts').toArray()
    return row?.states ?? null
  }

  /** `upTo`: the refusals that these states count. Part of one transaction; mostly nothing has changed or is written. */
  save(states: string, upTo: number): void {
    const { sql } = this.#deps
    sql.exec(
      `INSERT INTO alerts (only, states) VALUES (1, ?)
       ON CONFLICT (only) DO UPDATE SET states = excluded.states WHERE states != excluded.states`,
      states,
    )
    if (upTo > 0) sql.exec('DELETE FROM refused WHERE seq <= ?', upTo)
  }

  /** What an operator has sent again or erased since does not count. */
  #refusals(): Refusals {
    const { sql } = this.#deps
    const { upTo } = sql
      .exec<{ upTo: number | null }>(
        'SELECT MAX(seq) AS upTo FROM (SELECT seq FROM refused ORDER BY seq LIMIT ?)',
        MAX_REFUSALS_READ,
      )
      .one()
    if (upTo === null) return { causes: [], upTo: 0 }
    const causes = sql
      .exec<Refusals['causes'][number]>(
        `SELECT state, kind, code, path, COUNT(*) AS count FROM refused JOIN parked USING (position)
         WHERE seq <= ? GROUP BY state, kind, code, path ORDER BY count DESC LIMIT ?`,
        upTo,
        MAX_CAUSES_READ,
      )
      .toArray()
    return { causes, upTo }
  }

  /** Reads as many rows as it counts, and no more than a limit. */
  #expiring(): OutboxFacts['expiring'] {
    const { sql, retentionMs, now } = this.#deps
    const { soonMs, todayMs } = warnings(retentionMs)
    const oldestAt = this.#deps.oldestAt()
    const receivedBefore = (ms: number) => {
      if (oldestAt === null || oldestAt > ms) return 0
      return sql
        .exec<{ n: number }>(
          `SELECT COUNT(*) AS n FROM (
             SELECT * FROM (SELECT 1 FROM pending WHERE position <= ?1 LIMIT ?2)
             UNION ALL SELECT * FROM (SELECT 1 FROM parked WHERE position <= ?1 LIMIT ?2))`,
          (ms + 1) * PER_MS - 1,
          MAX_COUNTED_EXPIRING + 1,
        )
        .one().n
    }
    const ends = now() - retentionMs
    return { soon: receivedBefore(ends + soonMs), today: receivedBefore(ends + todayMs), oldestAt }
  }
}

function holdFacts(state: UpstreamState): Pick<OutboxFacts, 'hold' | 'pausedSince'> {
  const { pause } = state
  const hold = holdOf({ ...state, pause: { ...pause, paused: false } })
  const answer = hold && answerBehind(hold.reason, state)
  return {
    hold: hold && { ...hold, code: answer?.code ?? null, status: answer?.status ?? null },
    pausedSince: pause.paused ? pause.at : null,
  }
}

/** What AEP answered, as far as it is known. */
function answerBehind(reason: Hold['reason'], state: UpstreamState) {
  if (reason === 'rejecting') {
    const [newest] = state.refusals.newest
    return { code: 'rejected', status: newest?.status ?? null }
  }
  const failure = activeFailure(state)
  return failure?.reason === reason ? failure : null
}
