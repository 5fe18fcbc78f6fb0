/**
 * The differences that isolates have reported: one row per kind, path and change.
 *
 * Promises: at most 200 rows a kind (the one not accepted and not seen for longest makes room); what an operator has
 * accepted is counted on and raises no more alerts; a field is `gone` when it came in nearly all of many events and in none
 * of the latest, and that row goes when the field comes back.
 * Accepts: which fields came is written once a minute, so an outbox that restarts forgets so much.
 */
import { STORED_KINDS, type StoredKind } from '../chatlio/kind.ts'
import {
  type CountedFinding,
  type DriftKey,
  type DriftReport,
  type DriftRow,
  type DriftSummary,
  holderOf,
} from '../drift/detector.ts'
import {
  DRIFT_GONE,
  DRIFT_MEMORY_EVENTS,
  DRIFT_SAVE_MS,
  MAX_DRIFT_ROWS_PER_KIND,
} from '../limits.ts'

/** `fields`: by kind, how many events came, and in how many of them which field did; JSON. */
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
CREATE TABLE drift_fields (only INTEGER PRIMARY KEY CHECK (only = 1), fields TEXT NOT NULL);
`

type Field = { came: number; missed: number }
type Fields = { [kind: string]: { events: number; fields: { [path: string]: Field } } }

type Row = Omit<DriftRow, 'accepted'> & { accepted: number }

const COLUMNS = `kind, path, change, from_type AS "from", to_type AS "to", count, first_at AS firstAt,
  last_at AS lastAt, event_id AS eventId, sample, accepted`

const FORGET_GONE = "DELETE FROM drift WHERE kind = ? AND path = ? AND change = 'gone'"

export class DriftStore {
  readonly #storage: DurableObjectStorage
  /** `null`: to be read. */
  #seen: Fields | null = null
  #savedAt = 0

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  /** `now`: the moment of the report, in epoch milliseconds. */
  record(reports: readonly DriftReport[], now: number): void {
    this.#storage.transactionSync(() => {
      for (const report of reports) {
        const { kind, findings } = report
        if (!STORED_KINDS.includes(kind)) continue
        for (const finding of [...findings, ...this.#gone(report)]) {
          this.#recordFinding(kind, finding, now)
        }
      }
      this.#save(now)
    })
  }

  /** Those not accepted first, the newest first. */
  rows(): DriftRow[] {
    return this.#rows(
      `SELECT ${COLUMNS} FROM drift ORDER BY accepted, first_at DESC, kind, path, change`,
    )
  }

  /** The rows that match, now accepted: one, or without a key all of them. */
  accept(key: DriftKey | null): DriftRow[] {
    const { kind = null, path = null, change = null } = key ?? {}
    return this.#rows(
      `UPDATE drift SET accepted = 1 WHERE ?1 IS NULL OR (kind = ?1 AND path = ?2 AND change = ?3)
       RETURNING ${COLUMNS}`,
      kind,
      path,
      change,
    )
  }

  #rows(query: string, ...bindings: (string | null)[]): DriftRow[] {
    const rows = this.#storage.sql.exec<Row>(query, ...bindings).toArray()
    return rows.map(({ accepted, ...row }) => ({ ...row, accepted: accepted === 1 }))
  }

  summary(): DriftSummary {
    return this.#storage.sql
      .exec<DriftSummary[number]>(
        `SELECT kind, change, COUNT(*) AS count, MAX(first_at) AS newestAt FROM drift
         WHERE accepted = 0 GROUP BY kind, change`,
      )
      .toArray()
  }

  /** Counts which fields came; those that no longer do. Rows of those that are back go. */
  #gone({ kind, events, eventId, fields }: DriftReport): CountedFinding[] {
    const seen = this.#fields()
    const known = seen[kind] ?? { events: 0, fields: {} }
    seen[kind] = known
    known.events += events
    const gone: CountedFinding[] = []
    for (const path of new Set([...Object.keys(known.fields), ...Object.keys(fields)])) {
      const holder = holderOf(path)
      const [came, missed] = fields[path] ?? [0, holder ? (fields[holder]?.[0] ?? 0) : events]
      const field = known.fields[path] ?? { came: 0, missed: 0 }
      known.fields[path] = field
      const wasGone = isGone(field, known.events - events)
      const wasMissed = field.missed >= DRIFT_GONE.missed
      field.came += came
      field.missed = came > 0 ? missed : field.missed + missed
      if (came > 0 && wasMissed) this.#storage.sql.exec(FORGET_GONE, kind, path)
      if (missed === 0 || !isGone(field, known.events)) continue
      const finding = { path, change: 'gone' as const, from: null, to: null, sample: null }
      gone.push({ ...finding, eventId, count: Math.round(wasGone ? missed : field.missed) })
    }
    if (known.events > DRIFT_MEMORY_EVENTS) halve(known)
    return gone
  }

  #fields(): Fields {
    if (!this.#seen) {
      const [row] = this.#storage.sql
        .exec<{ fields: string }>('SELECT fields FROM drift_fields')
        .toArray()
      this.#seen = row ? (JSON.parse(row.fields) as Fields) : {}
    }
    return this.#seen
  }

  #save(now: number): void {
    if (Math.abs(now - this.#savedAt) < DRIFT_SAVE_MS) return
    this.#storage.sql.exec(
      'INSERT OR REPLACE INTO drift_fields (only, fields) VALUES (1, ?)',
      JSON.stringify(this.#fields()),
    )
    this.#savedAt = now
  }

  #recordFinding(kind: StoredKind, finding: CountedFinding, now: number): void {
    const { sql } = this.#storage
    const { path, change, from, to, sample, eventId, count } = finding
    const query = 'SELECT to_type AS "to" FROM drift WHERE kind = ? AND path = ? AND change = ?'
    const [known] = sql.exec<{ to: string | null }>(query, kind, path, change).toArray()
    if (!known) this.#makeRoom(kind)
    else if (change === 'new' && isOtherType(path, known.to, to)) {
      const changed = { ...finding, change: 'type' as const, from: known.to }
      this.#recordFinding(kind, changed, now)
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
    this.#storage.sql.exec(
      `DELETE FROM drift WHERE (kind, path, change) IN (
         SELECT kind, path, change FROM drift WHERE kind = ?1 ORDER BY accepted, last_at
         LIMIT max((SELECT COUNT(*) FROM drift WHERE kind = ?1) - ?2 + 1, 0))`,
      kind,
      MAX_DRIFT_ROWS_PER_KIND,
    )
  }
}

/** `events`: of its kind. What was before it last came is compared with how often it did. */
function isGone({ came, missed }: Field, events: number): boolean {
  const before = events - missed
  return missed >= DRIFT_GONE.missed && before >= DRIFT_GONE.of && came >= before * DRIFT_GONE.share
}

/** So that what came long ago counts for less. */
function halve(known: Fields[string]): void {
  known.events /= 2
  for (const field of Object.values(known.fields)) {
    field.came /= 2
    field.missed /= 2
  }
}

/** A null says nothing of the type that a field has otherwise; `*` stands for many fields. */
function isOtherType(path: string, was: string | null, is: string | null): boolean {
  return was !== is && was !== 'null' && is !== 'null' && !path.endsWith('*')
}
