/**
 * The differences that isolates have reported: one row per kind, path and change.
 *
 * Promises: at most 200 rows a kind (the one not accepted and not seen for longest makes room); what an operator has
 * accepted is counted on and raises no more alerts; a field is `gone` only where it has come before.
 */
import { STORED_KINDS, type StoredKind } from '../chatlio/kind.ts'
import type { DriftKey, DriftReport, DriftRow, DriftSummary, Finding } from '../drift/drift.ts'
import { MAX_DRIFT_ROWS_PER_KIND } from '../limits.ts'

export const DRIFT_TABLES = `
CREATE TABLE drift (
  kind TEXT NOT NULL,
  path TEXT NOT NULL,
  change TEXT NOT NULL,
  from_type TEXT,
  to_type TEXT,
  count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  sample TEXT,
  accepted INTEGER NOT NULL,
  PRIMARY KEY (kind, path, change)
) WITHOUT ROWID;
CREATE TABLE drift_known (
  kind TEXT NOT NULL,
  path TEXT NOT NULL,
  PRIMARY KEY (kind, path)
) WITHOUT ROWID;
`

type Row = Omit<DriftRow, 'accepted'> & { accepted: number }

const COLUMNS = `kind, path, change, from_type AS "from", to_type AS "to", count, first_at AS firstAt,
  last_at AS lastAt, event_id AS eventId, sample, accepted`

export class DriftStore {
  readonly #storage: DurableObjectStorage

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  /** `now`: the moment of the report, in epoch milliseconds. */
  record(reports: readonly DriftReport[], now: number): void {
    this.#storage.transactionSync(() => {
      for (const report of reports) this.#recordOne(report, now)
    })
  }

  /** Those not accepted first, the newest first. */
  rows(): DriftRow[] {
    return this.#storage.sql
      .exec<Row>(
        `SELECT ${COLUMNS} FROM drift ORDER BY accepted, first_at DESC, kind, path, change`,
      )
      .toArray()
      .map(toDriftRow)
  }

  /** The row, now accepted; `null` if there is no such row. */
  accept({ kind, path, change }: DriftKey): DriftRow | null {
    const [row] = this.#storage.sql
      .exec<Row>(
        `UPDATE drift SET accepted = 1 WHERE kind = ? AND path = ? AND change = ? RETURNING ${COLUMNS}`,
        kind,
        path,
        change,
      )
      .toArray()
    return row ? toDriftRow(row) : null
  }

  summary(): DriftSummary {
    return this.#storage.sql
      .exec<DriftSummary[number]>(
        `SELECT kind, change, COUNT(*) AS count, MAX(first_at) AS newestAt FROM drift
         WHERE accepted = 0 GROUP BY kind, change`,
      )
      .toArray()
  }

  #recordOne({ kind, findings, present, complete, eventId, count }: DriftReport, now: number) {
    if (!STORED_KINDS.includes(kind)) return
    const missing = complete ? this.#missing(kind, present) : []
    for (const path of present) {
      this.#storage.sql.exec('INSERT OR IGNORE INTO drift_known VALUES (?, ?)', kind, path)
    }
    const gone = missing.map(
      (path): Finding => ({ path, change: 'gone', from: null, to: null, sample: null }),
    )
    for (const finding of [...findings, ...gone]) {
      this.#recordFinding(kind, finding, eventId, count, now)
    }
  }

  /** Fields that have come before and are not there, unless what holds them is not there either. */
  #missing(kind: StoredKind, present: readonly string[]): string[] {
    const here = new Set(present)
    return this.#storage.sql
      .exec<{ path: string }>('SELECT path FROM drift_known WHERE kind = ?', kind)
      .toArray()
      .map(({ path }) => path)
      .filter((path) => !here.has(path) && isHeld(path, here))
  }

  #recordFinding(kind: StoredKind, finding: Finding, eventId: string, count: number, now: number) {
    const { sql } = this.#storage
    const { path, change, from, to, sample } = finding
    const [known] = sql
      .exec<{ to: string | null }>(
        'SELECT to_type AS "to" FROM drift WHERE kind = ? AND path = ? AND change = ?',
        kind,
        path,
        change,
      )
      .toArray()
    if (!known) this.#makeRoom(kind)
    else if (change === 'new' && isOtherType(path, known.to, to)) {
      const changed = { ...finding, change: 'type' as const, from: known.to }
      this.#recordFinding(kind, changed, eventId, count, now)
      return
    }
    // A null says nothing of the type that a field has otherwise.
    sql.exec(
      `INSERT INTO drift VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, 0)
       ON CONFLICT (kind, path, change) DO UPDATE SET count = count + ?6, last_at = ?7,
         event_id = ?8, sample = ?9, to_type = CASE ?5 WHEN 'null' THEN to_type ELSE ?5 END`,
      kind,
      path,
      change,
      from,
      to,
      count,
      now,
      eventId,
      sample,
    )
  }

  #makeRoom(kind: StoredKind): void {
    const { sql } = this.#storage
    const { n } = sql
      .exec<{ n: number }>('SELECT COUNT(*) AS n FROM drift WHERE kind = ?', kind)
      .one()
    if (n < MAX_DRIFT_ROWS_PER_KIND) return
    sql.exec(
      `DELETE FROM drift WHERE (kind, path, change) IN (SELECT kind, path, change FROM drift
         WHERE kind = ? ORDER BY accepted, last_at LIMIT 1)`,
      kind,
    )
  }
}

/** Whether what holds the field came with anything in it. */
function isHeld(path: string, present: ReadonlySet<string>): boolean {
  const end = path.lastIndexOf('.')
  const holder = path.slice(0, end + 1)
  return end < 0 || [...present].some((each) => each.startsWith(holder))
}

/** A null says nothing of the type that a field has otherwise; `*` stands for many fields. */
function isOtherType(path: string, was: string | null, is: string | null): boolean {
  return was !== is && was !== 'null' && is !== 'null' && !path.endsWith('*')
}

function toDriftRow({ accepted, ...row }: Row): DriftRow {
  return { ...row, accepted: accepted === 1 }
}
