/** Who did what: operators' actions with their counts, no ids and no payloads. 90 days. */
import { OPERATOR_LOG_MS } from '../../limits.ts'

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

type Row = {
  position: number
  at: number
  by: string
  action: string
  counts: string
  filter: string | null
}

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

export class OperatorLog {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  add({ at, by, action, counts, filter }: LogEntry): void {
    this.#sql.exec(
      'INSERT INTO operator_log (at, by, action, counts, filter) VALUES (?, ?, ?, ?, ?)',
      at,
      by,
      action,
      JSON.stringify(counts),
      JSON.stringify(filter),
    )
  }

  /** The newest first. */
  list(before: number, limit: number): ListedEntry[] {
    return this.#sql
      .exec<Row>(
        'SELECT * FROM operator_log WHERE position < ? ORDER BY position DESC LIMIT ?',
        before,
        limit,
      )
      .toArray()
      .map(({ counts, filter, ...entry }) => {
        return { ...entry, counts: JSON.parse(counts), filter: JSON.parse(filter ?? '{}') }
      })
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
