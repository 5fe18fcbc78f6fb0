/**
 * Receipts: where a delivered event went, and when; thousands to a row.
 *
 * Promises: a receipt has no payload and no text that names a person. One event is found once, however often it was
 * delivered or reported; what is older than `RECEIPT_DAYS` is not found. A row holds receipts of one UTC day, and goes as a
 * whole when the last of them is over: up to a day later than the first.
 * A `find` reads one block of each row's filter, newest day first, and the few rows whose filter has the key. Six million
 * receipts (seven days of ten a second: 1,477 rows, 684 MB) answer within 0.2 s in workerd (`test/worker/find.bench.ts`).
 */
import { joined } from '../../lib/bounded.ts'
import { DAY_MS, SEGMENT_RECEIPTS } from '../../limits.ts'
import { PER_MS } from '../event.ts'
import {
  BLOCK_SQL,
  filterOf,
  idOf,
  keyOf,
  keysOf,
  matching,
  mayHold,
  mixed,
  recordsIn,
  timesOf,
  type Wanted,
} from './packed.ts'

export const RECEIPTS_TABLES = `
CREATE TABLE receipts (
  segment INTEGER PRIMARY KEY,
  count INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  settled INTEGER NOT NULL,
  filter BLOB NOT NULL,
  packed BLOB NOT NULL
);
`

/** Rows of one day, at most: a row is number `day * PER_DAY + n`, so a day is a range of them and needs no index. */
const PER_DAY = 65_536

/** A row of them, not read yet. `first` and `last`: received, epoch milliseconds. */
export type ReceiptRow = { segment: number; first: number; last: number; packed: () => Uint8Array }

export class ReceiptStore {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Adds packed receipts. Part of the caller's transaction. */
  add(packed: readonly Uint8Array[]): void {
    const days = Map.groupBy(packed.flatMap(recordsIn), (record) =>
      Math.floor(timesOf(record).receivedAt / DAY_MS),
    )
    for (const [day, records] of days) this.#addToDay(day, records)
  }

  #addToDay(day: number, added: readonly Uint8Array[]): void {
    const [tail] = this.#sql
      .exec<{ segment: number; packed: ArrayBuffer | null }>(
        `SELECT segment, IIF(count < ?, packed, NULL) AS packed FROM receipts
         WHERE segment >= ? AND segment < ? ORDER BY segment DESC LIMIT 1`,
        SEGMENT_RECEIPTS,
        day * PER_DAY,
        (day + 1) * PER_DAY,
      )
      .toArray()
    const before = tail?.packed ? recordsIn(new Uint8Array(tail.packed)) : []
    const records = [...before, ...added]
    let segment = tail ? tail.segment + (tail.packed ? 0 : 1) : day * PER_DAY
    for (let from = 0; from < records.length; from += SEGMENT_RECEIPTS) {
      this.#write(segment, records.slice(from, from + SEGMENT_RECEIPTS))
      segment += 1
    }
  }

  #write(segment: number, records: readonly Uint8Array[]): void {
    const times = records.map(timesOf)
    const received = times.map(({ receivedAt }) => receivedAt)
    this.#sql.exec(
      `INSERT OR REPLACE INTO receipts (segment, count, first, last, settled, filter, packed)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      segment,
      records.length,
      Math.min(...received),
      Math.max(...received),
      Math.max(...times.map(({ settledAt }) => settledAt)),
      filterOf(records.flatMap(keysOf)).buffer,
      joined(records).buffer,
    )
  }

  /**
   * Rows with receipts received between two positions, the newest or the oldest first by what they hold; of those that are
   * wanted, rows whose filter may hold one. A row is read only when it is asked for.
   */
  *rows(
    from: number,
    before: number,
    newest: boolean,
    wanted: Wanted | null,
  ): Generator<ReceiptRow> {
    const key = wanted && keyOf(wanted)
    const days = this.#days(from, before)
    for (const day of newest ? days : [...days].reverse()) {
      const rows = this.#sql
        .exec<{ segment: number; first: number; last: number; block: ArrayBuffer | null }>(
          `SELECT segment, first, last, ${wanted ? BLOCK_SQL : '?'} AS block FROM receipts
           WHERE segment >= ? AND segment < ?`,
          key === null ? null : mixed(key),
          day * PER_DAY,
          (day + 1) * PER_DAY,
        )
        .toArray()
      rows.sort((a, b) => (newest ? b.last - a.last : a.first - b.first))
      for (const { segment, first, last, block } of rows) {
        if ((last + 1) * PER_MS <= from || first * PER_MS >= before) continue
        if (key !== null && block && !mayHold(new Uint8Array(block), key)) continue
        yield { segment, first, last, packed: () => this.#packed(segment) }
      }
    }
  }

  /** Days that have receipts, the newest first. */
  *#days(from: number, before: number): Generator<number> {
    const dayOf = (position: number) => Math.floor(position / (DAY_MS * PER_MS))
    for (let next = (dayOf(before) + 1) * PER_DAY; ; ) {
      const { last } = this.#sql
        .exec<{ last: number | null }>(
          'SELECT MAX(segment) AS last FROM receipts WHERE segment >= ? AND segment < ?',
          dayOf(from) * PER_DAY,
          next,
        )
        .one()
      if (last === null) return
      const day = Math.floor(last / PER_DAY)
      yield day
      next = day * PER_DAY
    }
  }

  #packed(segment: number): Uint8Array {
    const { packed } = this.#sql
      .exec<{ packed: ArrayBuffer }>('SELECT packed FROM receipts WHERE segment = ?', segment)
      .one()
    return new Uint8Array(packed)
  }

  /** Erases the receipts with this hash; returns their ids. A dry run changes nothing. */
  erase(hash: string, dryRun: boolean): Set<string> {
    const ids = new Set<string>()
    // Those of a clock that ran far ahead too, which have no place among the others.
    for (const { segment, packed } of this.rows(0, Infinity, true, { hash })) {
      const { kept, erased } = without(packed(), hash)
      for (const id of erased) ids.add(id)
      if (dryRun || erased.length === 0) continue
      this.#sql.exec(
        `UPDATE receipts SET packed = zeroblob(length(packed)), filter = zeroblob(length(filter))
         WHERE segment = ?`,
        segment,
      )
      if (kept.length > 0) this.#write(segment, kept)
      else this.#sql.exec('DELETE FROM receipts WHERE segment = ?', segment)
    }
    return ids
  }

  /** Forgets rows in which everything was settled before. */
  sweep(settledBefore: number): void {
    this.#sql.exec(
      'DELETE FROM receipts WHERE segment < ? AND settled <= ?',
      (Math.floor(settledBefore / DAY_MS) + 1) * PER_DAY,
      settledBefore,
    )
  }
}

/** Packed receipts without those that have this hash, and the ids of these. */
export function without(
  packed: Uint8Array,
  hash: string,
): { kept: Uint8Array[]; erased: string[] } {
  const theirs = matching(packed, { hash })
  const places = new Set(theirs.map(({ byteOffset }) => byteOffset))
  const kept = recordsIn(packed).filter(({ byteOffset }) => !places.has(byteOffset))
  return { kept, erased: theirs.map(idOf) }
}
