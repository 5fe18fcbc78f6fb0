/**
 * Overwrites what SQLite leaves of deleted rows on disk. Durable Objects refuse `PRAGMA secure_delete` and `VACUUM`.
 *
 * Promises: a scrub that is owed is done in the end, in steps of bounded size, whatever restarts in between. First all free
 * pages of the file are filled with zeros; then the tables are written anew, and their old pages filled as well: no page
 * holds a deleted row any more, however it was deleted and wherever SQLite had moved it. A crash loses nothing: each step
 * is one transaction.
 * Accepts: while more events are stored than one step can write anew, remains of deleted rows may stay inside pages that
 * hold others; the second half waits until there are fewer. Cloudflare's own history of the storage (30 days) is out of reach.
 */
import { SCRUB_BYTES, SCRUB_EVENTS } from '../../limits.ts'

const PAGE_BYTES = 4_096

/**
 * A row that fills whole pages of 4,096 bytes: 4,061 bytes of it and of its header (4) stand in a page of the table, and
 * 255 more pages take 4,092 each (SQLite's file format).
 */
const FILLER_BYTES = 4_061 + 255 * 4_092 - 4
const FILLER_ON_DISK = 256 * PAGE_BYTES

const PEAK = 'database-peak'
const OWED = 'scrub-owed'

/** The peak is written down in steps of this, and what happens between two looks at it is within one more. */
const PEAK_STEP_BYTES = 2_097_152

/** Tables that hold what somebody wrote. The others hold ids, counts and keyed hashes. */
const CONTENT = ['pending', 'parked', 'tries', 'parts']

/** `fillTo`: the size at which no page of the file is free; `null` once it was reached. */
type Owed = { fillTo: number | null }

export class Scrub {
  readonly #storage: DurableObjectStorage
  readonly #limitBytes: number
  #peakBytes: number
  /** Written since the last look at the size, at most. */
  #written = 0
  #owed: Owed | null
  #stepping = false

  constructor(storage: DurableObjectStorage, limitBytes = SCRUB_BYTES) {
    this.#storage = storage
    this.#limitBytes = limitBytes
    this.#peakBytes = storage.kv.get<number>(PEAK) ?? 0
    this.#owed = storage.kv.get<Owed>(OWED) ?? null
  }

  get isOwed(): boolean {
    return this.#owed !== null
  }

  /** An event or receipt of so many bytes has been written. Looks at the size only now and then: that is a query. */
  grew(bytes: number): void {
    // Its records too, when it is split; and its index entries.
    this.#written += 2 * bytes + PAGE_BYTES
    if (this.#written >= PEAK_STEP_BYTES) this.#notePeak()
  }

  /** The file never shrinks: its free pages are what lies between the largest size that it had and the present one. */
  #notePeak(): void {
    this.#written = 0
    const { databaseSize } = this.#storage.sql
    if (databaseSize + PEAK_STEP_BYTES <= this.#peakBytes) return
    this.#peakBytes = Math.ceil(databaseSize / PEAK_STEP_BYTES + 2) * PEAK_STEP_BYTES
    this.#storage.kv.put(PEAK, this.#peakBytes)
  }

  /** Something has been erased. */
  owe(): void {
    this.#notePeak()
    this.#setOwed({ fillTo: this.#peakBytes })
  }

  /** One step of what is owed, if anything is. */
  async step(): Promise<void> {
    if (!this.#owed || this.#stepping) return
    this.#stepping = true
    try {
      await this.#step(this.#owed)
    } finally {
      this.#stepping = false
    }
  }

  async #step({ fillTo }: Owed): Promise<void> {
    if (fillTo === null) {
      // Pages that were in use when the free ones were filled may be free by now: both halves again.
      if (this.#tablesToRebuild()) this.owe()
      return
    }
    if (!(await this.#fill(fillTo))) return
    const tables = this.#tablesToRebuild()
    if (!tables) return this.#setOwed({ fillTo: null })
    this.#storage.transactionSync(() => this.#rebuild(tables))
    await this.#dropFiller()
    this.#setOwed(null)
  }

  #setOwed(owed: Owed | null): void {
    this.#owed = owed
    if (owed) this.#storage.kv.put(OWED, owed)
    else this.#storage.kv.delete(OWED)
  }

  /** `false`: there are more free pages than one step may fill. */
  async #fill(fillTo: number): Promise<boolean> {
    const { sql } = this.#storage
    const bytes = Math.min(fillTo - sql.databaseSize, this.#limitBytes)
    this.#storage.transactionSync(() => fillPages(sql, bytes))
    if (sql.databaseSize < fillTo) return false
    await this.#dropFiller()
    return true
  }

  /** Which tables one step can write anew; `null`: too much is stored. */
  #tablesToRebuild(): readonly string[] | null {
    const { sql } = this.#storage
    const names = sql
      .exec<{ name: string }>(
        `SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'filler'
           AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
      )
      .toArray()
      .map(({ name }) => name)
    if (sql.databaseSize <= this.#limitBytes) return names
    const [ledger] = sql
      .exec<{ events: number }>('SELECT accepted - delivered - erased AS events FROM ledger')
      .toArray()
    if (!ledger || ledger.events > SCRUB_EVENTS) return null
    const { bytes } = sql
      .exec<{ bytes: number }>(
        `SELECT (SELECT TOTAL(length(body)) FROM pending) + (SELECT TOTAL(length(body)) FROM parked)
           + (SELECT TOTAL(length(record)) FROM parts) AS bytes`,
      )
      .one()
    return bytes <= this.#limitBytes ? CONTENT : null
  }

  /**
   * Copies the rows of every table into a new one, made of pages that are clean, which then takes its name. The old pages
   * are filled before indexes are made anew, or these would be made of them.
   */
  #rebuild(tables: readonly string[]): void {
    const { sql } = this.#storage
    const objects = sql
      .exec<{ type: string; name: string; of: string; sql: string }>(
        `SELECT type, name, tbl_name AS "of", sql FROM sqlite_master WHERE sql IS NOT NULL
         ORDER BY type = 'trigger'`,
      )
      .toArray()
      .filter((each) => tables.includes(each.of))
    for (const { type, name, sql: made } of objects) {
      if (type !== 'table') continue
      sql.exec(`CREATE TABLE rebuilt_${name} ${made.slice(made.indexOf('('))}`)
      sql.exec(`INSERT INTO rebuilt_${name} SELECT * FROM ${name}`)
    }
    this.#notePeak()
    // A trigger whose table is missing for a moment would stop a rename.
    for (const { type, name } of objects) if (type === 'trigger') sql.exec(`DROP TRIGGER ${name}`)
    for (const name of tables) {
      sql.exec(`DROP TABLE ${name}`)
      sql.exec(`ALTER TABLE rebuilt_${name} RENAME TO ${name}`)
    }
    fillPages(sql, this.#peakBytes - sql.databaseSize)
    for (const { type, sql: statement } of objects) if (type !== 'table') sql.exec(statement)
  }

  /** Pages that are freed in the transaction that wrote them are never written: the zeros must be on disk first. */
  async #dropFiller(): Promise<void> {
    await this.#storage.sync()
    this.#storage.sql.exec('DROP TABLE IF EXISTS filler')
  }
}

/** Adds to the filler: a separate table, so that dropping it removes it at once. */
function fillPages(sql: SqlStorage, bytes: number): void {
  sql.exec('CREATE TABLE IF NOT EXISTS filler (zeros BLOB)')
  sql.exec(
    `WITH RECURSIVE rows (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows WHERE n < ?)
     INSERT INTO filler SELECT zeroblob(${FILLER_BYTES}) FROM rows`,
    Math.ceil(bytes / FILLER_ON_DISK),
  )
}
