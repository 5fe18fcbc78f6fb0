/**
 * The index by which stored and delivered events are found: keyed hashes of conversation, visitor and email.
 *
 * Promises: finding reads index entries only. The entries of an event go with its last row, its receipt included.
 * Rows written: one for each of the three, when an event is stored or its receipt is carried here, and again when they go.
 */
import { type Hashes, unpacked } from '../../receipts/hashes.ts'

export class Lookups {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** In one statement for all of them. */
  link(found: readonly { position: number; hashes: Hashes | null }[]): void {
    const links = found.flatMap(({ position, hashes }) =>
      unpacked(hashes).map((hash) => [hash, position]),
    )
    if (links.length === 0) return
    this.#sql.exec(
      'INSERT OR IGNORE INTO lookups SELECT value ->> 0, value ->> 1 FROM json_each(?)',
      JSON.stringify(links),
    )
  }

  unlink(position: number, hashes: Hashes | null): void {
    for (const hash of unpacked(hashes)) {
      this.#sql.exec('DELETE FROM lookups WHERE hash = ? AND position = ?', hash, position)
    }
  }

  /** Positions of events and receipts below `before`, the newest first. */
  positions(hash: string, from: number, before: number, limit: number): number[] {
    return this.#sql
      .exec<{ position: number }>(
        `SELECT position FROM lookups WHERE hash = ? AND position >= ? AND position < ?
         ORDER BY position DESC LIMIT ?`,
        hash,
        from,
        before,
        limit,
      )
      .toArray()
      .map(({ position }) => position)
  }
}
