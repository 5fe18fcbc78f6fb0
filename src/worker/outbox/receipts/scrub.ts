/**
 * Overwrites what SQLite leaves of deleted rows on disk. Durable Objects refuse `PRAGMA secure_delete` and `VACUUM`.
 *
 * Promises: after `rebuild` and `overwriteFreePages` no page of the database holds a row that has been deleted, however it
 * was deleted and wherever SQLite had moved it. A crash in between loses nothing: each rebuild is one transaction.
 * Accepts: storage above a limit is not rebuilt, for its cost; there, the overwritten rows and the free pages up to the
 * limit are what is clean. Cloudflare's own history of the storage (30 days) is out of reach.
 */
import { SCRUB_BYTES } from '../../limits.ts'

/** Tables in which content of events is, or has been. */
const TABLES = ['pending', 'parked', 'tries', 'parts'] as const

/** A filler row takes one page to itself. */
const FILLER_BYTES = 4_000

const PEAK = 'database-peak'

/** The file never shrinks, so its free pages are what lies between its size now and its largest. */
export function notePeak(storage: DurableObjectStorage): number {
  const size = storage.sql.databaseSize
  const known = storage.kv.get<number>(PEAK) ?? 0
  if (size > known) storage.kv.put(PEAK, size)
  return Math.max(size, known)
}

export async function scrub(storage: DurableObjectStorage): Promise<void> {
  const { sql } = storage
  const before = notePeak(storage)
  if (sql.databaseSize <= SCRUB_BYTES) {
    for (const table of TABLES) storage.transactionSync(() => rebuild(sql, table))
  }
  // A rebuilt table is made beside the old one, so the file may have grown.
  const peak = Math.max(before, notePeak(storage))
  await storage.sync()
  await overwriteFreePages(storage, peak)
}

/** Copies the rows that are there into a new table, which takes the old one's name. Indexes and triggers are made anew. */
function rebuild(sql: SqlStorage, table: string): void {
  const objects = sql
    .exec<{ type: string; sql: string }>(
      "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'trigger'",
      table,
    )
    .toArray()
  const made = objects.find(({ type }) => type === 'table')
  if (!made) return
  const inParentheses = made.sql.slice(made.sql.indexOf('('))
  sql.exec(`CREATE TABLE rebuilt ${inParentheses}`)
  sql.exec(`INSERT INTO rebuilt SELECT * FROM ${table}`)
  sql.exec(`DROP TABLE ${table}`)
  sql.exec(`ALTER TABLE rebuilt RENAME TO ${table}`)
  for (const { type, sql: statement } of objects) if (type !== 'table') sql.exec(statement)
}

async function overwriteFreePages(storage: DurableObjectStorage, peak: number): Promise<void> {
  const { sql } = storage
  const pages = Math.ceil(Math.min(peak - sql.databaseSize, SCRUB_BYTES) / 4_096) + 16
  storage.transactionSync(() => {
    sql.exec('DROP TABLE IF EXISTS filler')
    sql.exec('CREATE TABLE filler (zeros BLOB)')
    sql.exec(
      `WITH RECURSIVE pages (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM pages WHERE n < ?)
       INSERT INTO filler SELECT zeroblob(${FILLER_BYTES}) FROM pages`,
      pages,
    )
  })
  // Pages that are freed in the transaction that wrote them are never written: the zeros must be on disk first.
  await storage.sync()
  sql.exec('DROP TABLE filler')
  notePeak(storage)
}
