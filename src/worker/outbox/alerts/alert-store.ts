/**
 * What alerts keep in the outbox: their states (in shard 0), and in each shard a record of events that were refused.
 *
 * Promises: never in the way of delivery: the record is written by SQLite itself along with the event, a row each, and
 * read when the cron trigger asks. What has been read is deleted only when the states that count it are durable.
 * Accepts: where the two are torn apart, some refusals are counted twice; none is missed.
 */
import { MAX_CAUSES_READ, MAX_REFUSALS_READ } from '../../limits.ts'
import type { Cause, Refusals } from './facts.ts'

type CauseRow = {
  state: Cause['state']
  kind: Cause['kind']
  code: string
  path: string
  status: number | null
  message: string | null
  count: number
}

export class AlertStore {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** JSON text of the states; `null` before the first run. */
  states(): string | null {
    const [row] = this.#sql.exec<{ states: string }>('SELECT states FROM alerts').toArray()
    return row?.states ?? null
  }

  saveStates(states: string): void {
    // Mostly nothing has changed, and nothing is written.
    this.#sql.exec(
      `INSERT INTO alerts (only, states) VALUES (1, ?)
       ON CONFLICT (only) DO UPDATE SET states = excluded.states WHERE states != excluded.states`,
      states,
    )
  }

  /** Refusals since the last that were counted, by cause; what an operator has sent again or erased does not count. */
  refusals(): Refusals {
    const upTo = this.#sql
      .exec<{ n: number | null }>(
        'SELECT MAX(seq) AS n FROM (SELECT seq FROM refused ORDER BY seq LIMIT ?)',
        MAX_REFUSALS_READ,
      )
      .one().n
    if (upTo === null) return { causes: [], upTo: 0 }
    const rows = this.#sql
      .exec<CauseRow>(
        `SELECT state, kind, parked.code AS code, path, status, message, COUNT(*) AS count
         FROM refused JOIN parked USING (position) LEFT JOIN tries USING (position)
         WHERE seq <= ? GROUP BY state, kind, parked.code, path, status, message
         ORDER BY count DESC LIMIT ?`,
        upTo,
        MAX_CAUSES_READ,
      )
      .toArray()
    return { causes: rows.map(toCause), upTo }
  }

  /** These have been counted. */
  refusalsCounted(upTo: number): void {
    this.#sql.exec('DELETE FROM refused WHERE seq <= ?', upTo)
  }
}

/** Our own messages name places; what AEP reports only tells one cause from another. */
function toCause({ state, kind, code, path, status, message, count }: CauseRow): Cause {
  const text = (message ?? '').replaceAll(/\d+/g, '*')
  const isOurs = code === 'invalid-payload'
  return {
    state,
    kind,
    code,
    status,
    place: isOurs ? path : '',
    report: isOurs ? '' : fingerprint(text),
    count,
  }
}

/** FNV-1a, 32 bits. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  return (hash >>> 0).toString(36)
}
