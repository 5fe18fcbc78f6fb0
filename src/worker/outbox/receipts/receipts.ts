/**
 * Receipts: where a delivered event went, and when.
 *
 * Promises: one receipt an event, however often it is delivered or carried here; a receipt has no payload. Its index
 * entries go with it.
 * Rows written: two for a receipt, beside those of `lookups.ts`.
 */

import type { StoredKind } from '../../chatlio/kind.ts'
import { RECEIPT_PAGE } from '../../limits.ts'
import type { Receipt } from '../../receipts/carried.ts'
import type { Hashes } from '../../receipts/hashes.ts'
import { Positions } from '../storage/position.ts'
import { PER_MS, type PendingEvent } from '../storage/reader.ts'
import type { Lookups } from './lookups.ts'

/** How it was delivered: inside its request, or by the outbox. */
export type Via = 'forwarded' | 'drained'

export type KeptReceipt = Omit<Receipt, 'hashes' | 'kind'> & {
  position: number
  kind: StoredKind
  via: Via
  attempts: number
}

const COLUMNS = `position, id, kind, received_at AS receivedAt, settled_at AS settledAt, via,
  attempts, bytes`

export class ReceiptStore {
  readonly #sql: SqlStorage
  readonly #lookups: Lookups
  readonly #keepMs: number
  readonly #positions: Positions
  /** Everything before has been swept, but for what was delivered late; that is looked at again at `#againAt`. */
  #sweptTo = -1
  #againAt = Number.POSITIVE_INFINITY

  /** `keepMs`: 0 keeps none. */
  constructor(sql: SqlStorage, lookups: Lookups, keepMs: number) {
    this.#sql = sql
    this.#lookups = lookups
    this.#keepMs = keepMs
    this.#positions = new Positions(sql)
  }

  /** The outbox has delivered these events: their index entries stay, for the receipts. Part of the caller's transaction. */
  settle(events: readonly PendingEvent[], at: number): void {
    const kept = new Set(this.#keepMs > 0 ? this.#keep(events, at) : [])
    // They have a receipt already, elsewhere, or none is wanted.
    const others = events.filter(({ position }) => !kept.has(position))
    for (const { position } of others) {
      const [row] = this.#sql
        .exec<{ hashes: string | null }>('SELECT hashes FROM pending WHERE position = ?', position)
        .toArray()
      this.#lookups.unlink(position, row?.hashes ?? null)
    }
  }

  #keep(events: readonly PendingEvent[], at: number): number[] {
    const rows = events.map(({ position, tries, body }) => {
      return [position, (tries?.attempts ?? 0) + 1, body.length]
    })
    return this.#sql
      .exec<{ position: number }>(
        `INSERT INTO receipts (position, id, kind, received_at, settled_at, via, attempts, bytes, hashes)
         SELECT position, pending.id, kind, received_at, ?, 'drained', value ->> 1, value ->> 2, IFNULL(hashes, '')
         FROM json_each(?) JOIN pending ON position = value ->> 0 WHERE true
         ON CONFLICT (id) DO NOTHING RETURNING position`,
        at,
        JSON.stringify(rows),
      )
      .toArray()
      .map(({ position }) => position)
  }

  /** New ones of these, in a few statements for all of them. Part of the caller's transaction. */
  addAll(receipts: readonly Receipt[]): void {
    if (this.#keepMs === 0) return
    for (let from = 0; from < receipts.length; from += RECEIPT_PAGE) {
      this.#addPage(receipts.slice(from, from + RECEIPT_PAGE))
    }
  }

  #addPage(receipts: readonly Receipt[]): void {
    const byId = new Map(receipts.map((receipt) => [receipt.id, receipt]))
    for (const { id } of this.#sql.exec<{ id: string }>(
      'SELECT id FROM receipts WHERE id IN (SELECT value FROM json_each(?))',
      JSON.stringify([...byId.keys()]),
    )) {
      byId.delete(id)
    }
    if (byId.size === 0) return
    const places = this.#positions.free([...byId.values()].map(({ receivedAt }) => receivedAt))
    const rows: unknown[][] = []
    const found: { position: number; hashes: Hashes }[] = []
    for (const { id, kind, receivedAt, settledAt, bytes, hashes } of byId.values()) {
      const position = places.take(receivedAt)
      rows.push([position, id, kind, receivedAt, settledAt, bytes, hashes])
      found.push({ position, hashes })
    }
    this.#sql.exec(
      `INSERT INTO receipts (position, id, kind, received_at, settled_at, bytes, hashes, via, attempts)
       SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
         value ->> 6, 'forwarded', 1
       FROM json_each(?)`,
      JSON.stringify(rows),
    )
    this.#lookups.link(found)
  }

  at(position: number): KeptReceipt | null {
    const [row] = this.#sql
      .exec<KeptReceipt>(`SELECT ${COLUMNS} FROM receipts WHERE position = ?`, position)
      .toArray()
    return row ?? null
  }

  positionOf(id: string): number | null {
    const [row] = this.#sql
      .exec<{ position: number }>('SELECT position FROM receipts WHERE id = ?', id)
      .toArray()
    return row?.position ?? null
  }

  /** The receipts of the person with this hash; returns how many there are, or were. */
  erase(hash: string, dryRun: boolean): number {
    let count = 0
    for (let before = Number.MAX_SAFE_INTEGER; ; ) {
      const positions = this.#lookups.positions(hash, 0, before, RECEIPT_PAGE)
      for (const position of positions) {
        if (!this.at(position)) continue
        count += 1
        if (!dryRun) this.#delete(position)
      }
      const last = positions.at(-1)
      if (last === undefined || positions.length < RECEIPT_PAGE) return count
      before = last
    }
  }

  /** Forgets receipts whose time is over. */
  sweep(now: number): void {
    if (now >= this.#againAt) {
      this.#sweptTo = -1
      this.#againAt = Number.POSITIVE_INFINITY
    }
    const cutoff = now - this.#keepMs
    for (;;) {
      const rows = this.#sql
        .exec<{ position: number; settledAt: number }>(
          `SELECT position, settled_at AS settledAt FROM receipts
           WHERE position > ? AND position < ? ORDER BY position LIMIT ?`,
          this.#sweptTo,
          cutoff * PER_MS,
          RECEIPT_PAGE,
        )
        .toArray()
      for (const { position, settledAt } of rows) {
        if (settledAt <= cutoff) this.#delete(position)
        else this.#againAt = Math.min(this.#againAt, settledAt + this.#keepMs)
        this.#sweptTo = position
      }
      if (rows.length < RECEIPT_PAGE) return
    }
  }

  #delete(position: number): void {
    const [row] = this.#sql
      .exec<{ hashes: string }>('SELECT hashes FROM receipts WHERE position = ?', position)
      .toArray()
    this.#lookups.unlink(position, row?.hashes ?? null)
    this.#sql.exec('DELETE FROM receipts WHERE position = ?', position)
  }
}
