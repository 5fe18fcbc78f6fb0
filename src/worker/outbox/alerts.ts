/**
 * What the outbox knows that may be worth an alert, and what alerts remember here: their states, and which refusals no
 * alert has counted yet.
 *
 * Promises: never in the way of delivery: a refusal is recorded by SQLite itself along with the event, a row each, and
 * read when the cron trigger asks. The states and what they count are written together, so none is counted twice.
 * Facts are codes, counts and moments only: nothing of an event, and nothing that AEP wrote. Times are epoch milliseconds.
 */
import { type LandedFacts, type OutboxFacts, type Refusals, warnings } from '../alerts/alerts.ts'
import type { DriftSummary } from '../drift/drift.ts'
import { MAX_CAUSES_READ, MAX_COUNTED_EXPIRING, MAX_REFUSALS_READ } from '../limits.ts'
import type { EventList } from './list.ts'
import type { AepWatch } from './watch.ts'

export const ALERTS_TABLES = `
CREATE TABLE alerts (only INTEGER PRIMARY KEY CHECK (only = 1), states TEXT NOT NULL);
CREATE TABLE refused (seq INTEGER PRIMARY KEY, position INTEGER NOT NULL);
CREATE TRIGGER refused_at_once AFTER INSERT ON events WHEN NEW.code IS NOT NULL BEGIN
  INSERT INTO refused (position) VALUES (NEW.position);
END;
CREATE TRIGGER refused_later AFTER UPDATE OF state ON events
  WHEN NEW.code IS NOT NULL AND NEW.state IS NOT OLD.state BEGIN
  INSERT INTO refused (position) VALUES (NEW.position);
END;
`

export type AlertsDeps = {
  sql: SqlStorage
  watch: AepWatch
  list: EventList
  pending: () => number
  oldestPendingAt: () => number | null
  /** Of any state. */
  oldestAt: () => number | null
  isWritable: () => Promise<boolean>
  drift: () => DriftSummary
  landed: () => LandedFacts
  retentionMs: number
  now: () => number
}

export class Alerts {
  readonly #deps: AlertsDeps

  constructor(deps: AlertsDeps) {
    this.#deps = deps
  }

  async facts(): Promise<OutboxFacts> {
    const { watch, pending, oldestPendingAt, isWritable, drift, landed } = this.#deps
    const { hold, cause } = watch.besidesPause()
    const { pause } = watch.aep
    return {
      states: this.states(),
      hold: hold && { ...hold, code: cause?.code ?? null, status: cause?.status ?? null },
      pausedSince: pause.paused ? pause.at : null,
      pending: pending(),
      oldestPendingAt: oldestPendingAt(),
      expiring: this.#expiring(),
      writable: await isWritable(),
      refusals: this.#refusals(),
      drift: drift(),
      landed: landed(),
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
        `SELECT state, kind, code, path, COUNT(*) AS count FROM refused JOIN events USING (position)
         WHERE seq <= ? AND code IS NOT NULL GROUP BY state, kind, code, path ORDER BY count DESC LIMIT ?`,
        upTo,
        MAX_CAUSES_READ,
      )
      .toArray()
    return { causes, upTo }
  }

  /** Counts no more than a limit. */
  #expiring(): OutboxFacts['expiring'] {
    const { list, retentionMs, now } = this.#deps
    const { soonMs, todayMs } = warnings(retentionMs)
    const oldestAt = this.#deps.oldestAt()
    const receivedUpTo = (ms: number) => list.receivedUpTo(ms, MAX_COUNTED_EXPIRING + 1)
    const ends = now() - retentionMs
    return { soon: receivedUpTo(ends + soonMs), today: receivedUpTo(ends + todayMs), oldestAt }
  }
}
