/**
 * Overwrites what SQLite leaves of deleted rows on disk. Durable Objects refuse `PRAGMA secure_delete` and `VACUUM`.
 *
 * Promises: afterwards no page of the database holds a row that has been deleted, however it was deleted and wherever
 * SQLite had moved it. A crash in between loses nothing: the rebuild is one transaction.
 * Accepts: storage above a limit is not rebuilt, for its cost; there, the overwritten rows and the free pages up to the
 * limit are what is clean. Cloudflare's own history of the storage (30 days) is out of reach.
 */
import { SCRUB_BYTES } from '../../limits.ts'

const PAGE_BYTES = 4_096
/** As much as fits into a page beside its own fields. */
const FILLER_BYTES = 4_000

const PEAK = 'database-peak'

/** The peak is written down in steps of this, and what happens between two looks at it is within one more. */
const PEAK_STEP_BYTES = 2_097_152

/** The largest that the database has been: its file never shrinks, so free pages are what lies between that and today. */
export class DatabasePeak {
  readonly #storage: DurableObjectStorage
  #bytes: number
  /** Written since the last look, at most. */
  #written = 0

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
    // Of an erasure that a restart has cut short.
    storage.sql.exec('DROP TABLE IF EXISTS filler')
    this.#bytes = storage.kv.get<number>(PEAK) ?? 0
  }

  /** At least the peak, when `note` is called where it grows. */
  get bytes(): number {
    return this.#bytes
  }

  /** An event or receipt of so many bytes has been written. Looks at the size only now and then: that is a query. */
  grew(bytes: number): void {
    // Its records too, when it is split; and its index entries.
    this.#written += 2 * bytes + PAGE_BYTES
    if (this.#written >= PEAK_STEP_BYTES) this.note()
  }

  note(): void {
    this.#written = 0
    const { databaseSize } = this.#storage.sql
    if (databaseSize + PEAK_STEP_BYTES <= this.#bytes) return
    this.#bytes = Math.ceil(databaseSize / PEAK_STEP_BYTES + 2) * PEAK_STEP_BYTES
    this.#storage.kv.put(PEAK, this.#bytes)
  }
}

export async function scrub(storage: DurableObjectStorage, peak: DatabasePeak): Promise<void> {
  const { sql } = storage
  peak.note()
  storage.transactionSync(() => fillFreePages(sql, peak))
  await dropFiller(storage)
  if (sql.databaseSize > SCRUB_BYTES) return
  storage.transactionSync(() => rebuild(sql, peak))
  await dropFiller(storage)
}

type SchemaObject = { type: string; name: string; sql: string }

/**
 * Copies the rows of every table into a new one, made of pages that are clean, which then takes its name. The old pages are
 * filled before indexes are made anew, or these would be made of them.
 */
function rebuild(sql: SqlStorage, peak: DatabasePeak): void {
  const objects = sql
    .exec<SchemaObject>(
      `SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL
         AND tbl_name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND tbl_name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
       ORDER BY type = 'trigger'`,
    )
    .toArray()
  const tables = objects.filter(({ type }) => type === 'table')
  for (const { name, sql: made } of tables) {
    sql.exec(`CREATE TABLE rebuilt_${name} ${made.slice(made.indexOf('('))}`)
    sql.exec(`INSERT INTO rebuilt_${name} SELECT * FROM ${name}`)
  }
  peak.note()
  // A trigger whose table is missing for a moment would stop a rename.
  for (const { type, name } of objects) if (type === 'trigger') sql.exec(`DROP TRIGGER ${name}`)
  for (const { name } of tables) {
    sql.exec(`DROP TABLE ${name}`)
    sql.exec(`ALTER TABLE rebuilt_${name} RENAME TO ${name}`)
  }
  fillFreePages(sql, peak)
  for (const { type, sql: statement } of objects) if (type !== 'table') sql.exec(statement)
}

/** A filler row takes one page. */
function fillFreePages(sql: SqlStorage, peak: DatabasePeak): void {
  const pages = Math.ceil(Math.min(peak.bytes - sql.databaseSize, SCRUB_BYTES) / PAGE_BYTES)
  sql.exec('DROP TABLE IF EXISTS filler')
  sql.exec('CREATE TABLE filler (zeros BLOB)')
  sql.exec(
    `WITH RECURSIVE pages (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM pages WHERE n < ?)
     INSERT INTO filler SELECT zeroblob(${FILLER_BYTES}) FROM pages`,
    pages,
  )
}

/** Pages that are freed in the transaction that wrote them are never written: the zeros must be on disk first. */
async function dropFiller(storage: DurableObjectStorage): Promise<void> {
  await storage.sync()
  storage.sql.exec('DROP TABLE IF EXISTS filler')
}
