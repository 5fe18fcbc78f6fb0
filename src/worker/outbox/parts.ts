/**
 * The records of split events: decided and stored before the first of them is sent, each forgotten once AEP has accepted it.
 *
 * Promises: no id stands for two contents while its event is kept. What an event is split into changes only under another
 * `generation`, of which the ids of its parts are made. Nothing is known of an event that comes again after its delivery: it
 * is split by the settings of then.
 */
import type { Split, StoredPart } from './event.ts'

export class Parts {
  readonly #storage: DurableObjectStorage
  readonly #sql: SqlStorage

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
    this.#sql = storage.sql
  }

  /** Parts still to be sent; none where the event is one record, or is not encoded yet. */
  left(position: number): StoredPart[] {
    return this.#sql
      .exec<StoredPart>('SELECT part, record FROM parts WHERE position = ? ORDER BY part', position)
      .toArray()
  }

  splitOf(position: number): Split | null {
    const [row] = this.#sql
      .exec<Split>(
        'SELECT made_for AS madeFor, parts, generation FROM splits WHERE position = ?',
        position,
      )
      .toArray()
    return row ?? null
  }

  /** Decides into which records an event is split, before the first of them is sent. */
  split(position: number, records: readonly string[], madeFor: string, generation: number): void {
    this.#storage.transactionSync(() => {
      this.#sql.exec('DELETE FROM parts WHERE position = ?', position)
      this.#sql.exec(SPLIT, position, madeFor, records.length, generation)
      for (const [part, record] of records.entries()) {
        this.#sql.exec('INSERT INTO parts VALUES (?, ?, ?)', position, part, record)
      }
    })
  }

  /** It is one record after all. */
  unsplit(position: number): void {
    this.#sql.exec('DELETE FROM parts WHERE position = ?', position)
    this.#sql.exec('DELETE FROM splits WHERE position = ?', position)
  }

  accepted(position: number, part: number): void {
    this.#sql.exec('DELETE FROM parts WHERE position = ? AND part = ?', position, part)
  }

  /** An event comes back whose settings have changed while AEP had some of its parts: the others make room for new ones. */
  splitAnew(position: number): void {
    if (this.#sql.exec(SPLIT_ANEW, position).rowsWritten === 0) return
    this.#sql.exec('DELETE FROM parts WHERE position = ?', position)
  }

  /** How many are left of these events, by position; none of those that are not split. */
  counts(positions: readonly number[]): Map<number, number> {
    const asked = JSON.stringify(positions)
    const rows = this.#sql.exec<{ position: number; count: number }>(COUNTS, asked)
    return new Map([...rows].map(({ position, count }) => [position, count]))
  }
}

const SPLIT =
  'INSERT OR REPLACE INTO splits (position, made_for, parts, generation) VALUES (?, ?, ?, ?)'

const SPLIT_ANEW = `UPDATE splits SET generation = generation + 1, parts = 0
  WHERE position = ?1 AND EXISTS (SELECT 1 FROM attempts
    WHERE attempts.position = ?1 AND code = 'settings-changed')`

const COUNTS = `SELECT position, COUNT(*) AS count FROM parts
  WHERE position IN (SELECT value FROM json_each(?)) GROUP BY position`
