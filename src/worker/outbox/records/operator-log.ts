/** Who did what: operators' actions with their counts, no ids and no payloads. 90 days. */
import { OPERATOR_LOG_MS } from '../../limits.ts'
import type { EventState } from '../event.ts'

/** `by`: `token`, or the address that Cloudflare Access gives. */
export type LogEntry = {
  at: number
  by: string
  action: string
  counts: { readonly [name: string]: number }
  /** Which events it was done to, where it was done to many: what was asked for, without ids. */
  filter: { readonly [name: string]: string }
}

export type ListedEntry = LogEntry & { position: number }

/**
 * What has become of those that are watched. `gone`: AEP has accepted them, or some of them were erased since, if any event
 * was (`someErased`).
 */
export type Progress = Record<EventState, number> & { gone: number; someErased: boolean }

type Row = Omit<ListedEntry, 'counts' | 'filter'> & { counts: string; filter: string | null }

const COLUMNS = 'position, at, by, action, counts, filter'

export const OPERATOR_LOG_TABLES = `
CREATE TABLE IF NOT EXISTS operator_log (
  position INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  by TEXT NOT NULL,
  action TEXT NOT NULL,
  counts TEXT NOT NULL,
  filter TEXT
);
`

/** Of a redrive: where its events are, as many as are watched, and how many events had been erased until then. */
export const REDRIVEN_COLUMN = 'ALTER TABLE operator_log ADD COLUMN redriven TEXT;'

/** `positions` stay those of the events, whatever becomes of them. */
type Redriven = { positions: readonly number[]; erased: number }

export class OperatorLog {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Returns its position. */
  add({ at, by, action, counts, filter }: LogEntry, redriven: Redriven | null): number {
    return this.#sql
      .exec<{ position: number }>(
        `INSERT INTO operator_log (at, by, action, counts, filter, redriven)
         VALUES (?, ?, ?, ?, ?, ?) RETURNING position`,
        at,
        by,
        action,
        JSON.stringify(counts),
        JSON.stringify(filter),
        redriven && JSON.stringify(redriven),
      )
      .one().position
  }

  /** The newest first. */
  list(before: number, limit: number): ListedEntry[] {
    const query = `SELECT ${COLUMNS} FROM operator_log WHERE position < ? ORDER BY position DESC LIMIT ?`
    return this.#sql.exec<Row>(query, before, limit).toArray().map(toEntry)
  }

  get(position: number): { entry: ListedEntry; redriven: Redriven | null } | null {
    const query = `SELECT ${COLUMNS}, redriven FROM operator_log WHERE position = ?`
    const [row] = this.#sql.exec<Row & { redriven: string | null }>(query, position).toArray()
    if (!row) return null
    const { redriven, ...entry } = row
    return { entry: toEntry(entry), redriven: JSON.parse(redriven ?? 'null') }
  }

  /** Entries are in the order of time, so this reads those that go and one more. */
  sweep(now: number): void {
    this.#sql.exec(
      `DELETE FROM operator_log WHERE position < COALESCE(
         (SELECT MIN(position) FROM operator_log WHERE at >= ?), ?)`,
      now - OPERATOR_LOG_MS,
      Number.MAX_SAFE_INTEGER,
    )
  }
}

function toEntry({ counts, filter, ...entry }: Row): ListedEntry {
  return { ...entry, counts: JSON.parse(counts), filter: JSON.parse(filter ?? '{}') }
}
