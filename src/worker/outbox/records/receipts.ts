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
import {
  BLOCK_SQL,
  filterOf,
  keyOf,
  keysOf,
  matching,
  mayHold,
  mixed,
  positionOf,
  type Receipt,
  recordsIn,
  timesOf,
  unpackReceipt,
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

/** With the place among stored events. */
export type FoundReceipt = Receipt & { position: number }

/** A row of them, not read yet. */
export type ReceiptRow = { first: number; last: number; packed: () => Uint8Array }

/** Positions from `from` on and below `before`; settled after `settledAfter`. */
type ReceiptRange = { from: number; before: number; limit: number; settledAfter: number }

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
      .exec<{ segment: number; packed: ArrayBuffer }>(
        `SELECT segment, packed FROM receipts WHERE segment = (SELECT MAX(segment) FROM receipts
           WHERE segment >= ? AND segment < ?) AND count < ?`,
        day * PER_DAY,
        (day + 1) * PER_DAY,
        SEGMENT_RECEIPTS,
      )
      .toArray()
    const records = tail ? [...recordsIn(new Uint8Array(tail.packed)), ...added] : added
    let segment = tail?.segment ?? this.#nextOf(day)
    for (let from = 0; from < records.length; from += SEGMENT_RECEIPTS) {
      this.#write(segment, records.slice(from, from + SEGMENT_RECEIPTS))
      segment += 1
    }
  }

  #nextOf(day: number): number {
    const { last } = this.#sql
      .exec<{ last: number | null }>(
        'SELECT MAX(segment) AS last FROM receipts WHERE segment >= ? AND segment < ?',
        day * PER_DAY,
        (day + 1) * PER_DAY,
      )
      .one()
    return (last ?? day * PER_DAY - 1) + 1
  }

  #write(segment: number, records: readonly Uint8Array[]): void {
    let [first, last, settled] = [Number.MAX_SAFE_INTEGER, 0, 0]
    const keys: number[] = []
    for (const record of records) {
      const { receivedAt, settledAt } = timesOf(record)
      first = Math.min(first, receivedAt)
      last = Math.max(last, receivedAt)
      settled = Math.max(settled, settledAt)
      keys.push(...keysOf(record))
    }
    this.#sql.exec(
      `INSERT INTO receipts (segment, count, first, last, settled, filter, packed)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (segment) DO UPDATE SET count = excluded.count, first = excluded.first,
         last = excluded.last, settled = excluded.settled, filter = excluded.filter,
         packed = excluded.packed`,
      segment,
      records.length,
      first,
      last,
      settled,
      filterOf(keys).buffer,
      joined(records).buffer,
    )
  }

  /** The newest first, each id once. `recent`: packed receipts that are not in a row of this table yet. */
  find(wanted: Wanted, range: ReceiptRange, recent: Iterable<Uint8Array>): FoundReceipt[] {
    const { from, before, limit, settledAfter } = range
    const found = new Map<string, FoundReceipt>()
    const take = (packed: Uint8Array) => {
      for (const record of matching(packed, wanted)) {
        const receipt = unpackReceipt(record)
        const position = positionOf(receipt)
        const isInRange = position >= from && position < before && receipt.settledAt > settledAfter
        const known = found.get(receipt.id)?.position ?? -1
        if (isInRange && position > known) found.set(receipt.id, { ...receipt, position })
      }
    }
    for (const packed of recent) take(packed)
    const newest = () => [...found.values()].sort((a, b) => b.position - a.position)
    for (const day of this.#days(from, before)) {
      for (const { segment } of this.#candidates(wanted, day * PER_DAY, (day + 1) * PER_DAY)) {
        take(this.#packed(segment))
      }
      const least = newest()[limit - 1]
      // Earlier days have nothing newer.
      if (least && least.position >= positionOf({ receivedAt: day * DAY_MS, id: '000' })) break
    }
    return newest().slice(0, limit)
  }

  /**
   * Rows with receipts received between two positions, the newest or the oldest first by what they hold. `first` and
   * `last`: epoch milliseconds. A row is read only when it is asked for.
   */
  *rows(from: number, before: number, newest: boolean): Generator<ReceiptRow> {
    const days = [...this.#days(from, before)]
    for (const day of newest ? days : days.toReversed()) {
      const rows = this.#sql
        .exec<{ segment: number; first: number; last: number }>(
          'SELECT segment, first, last FROM receipts WHERE segment >= ? AND segment < ?',
          day * PER_DAY,
          (day + 1) * PER_DAY,
        )
        .toArray()
      rows.sort((a, b) => (newest ? b.last - a.last : a.first - b.first))
      const at = (receivedAt: number) => positionOf({ receivedAt, id: '000' })
      for (const { segment, first, last } of rows) {
        if (at(last + 1) <= from || at(first) >= before) continue
        yield { first, last, packed: () => this.#packed(segment) }
      }
    }
  }

  /** Days that have receipts, the newest first. */
  *#days(from: number, before: number): Generator<number> {
    const dayOf = (position: number) =>
      Math.floor(position / positionOf({ receivedAt: DAY_MS, id: '000' }))
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

  /** Rows whose filter may hold what is wanted. */
  #candidates(wanted: Wanted, from: number, before: number): { segment: number }[] {
    const key = keyOf(wanted)
    const rows = this.#sql.exec<{ segment: number; block: ArrayBuffer }>(
      `SELECT segment, ${BLOCK_SQL} AS block FROM receipts WHERE segment >= ? AND segment < ?`,
      mixed(key),
      from,
      before,
    )
    return [...rows].filter(({ block }) => mayHold(new Uint8Array(block), key))
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
    for (const { segment } of this.#candidates({ hash }, 0, Number.MAX_SAFE_INTEGER)) {
      const { kept, erased } = without(this.#packed(segment), hash)
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

/** Packed receipts, without those that have this hash. */
export function without(
  packed: Uint8Array,
  hash: string,
): { kept: Uint8Array[]; erased: string[] } {
  const theirs = new Set(matching(packed, { hash }).map(({ byteOffset }) => byteOffset))
  const [erased = [], kept = []] = [true, false].map((isTheirs) =>
    recordsIn(packed).filter(({ byteOffset }) => theirs.has(byteOffset) === isTheirs),
  )
  return { kept, erased: erased.map((record) => unpackReceipt(record).id) }
}
