/**
 * The index by which stored events are found: keyed hashes, written late, sorted and in bulk.
 *
 * Promises: storing an event writes nothing here. The newest few hundred are searched as they are, by the column `hashes` of
 * their rows; those that stay are indexed a few thousand to a row. An entry of an event that has left is passed over, since
 * the event's own row decides; a row goes when none of its events is left.
 */
import { INDEX_AFTER_MS, INDEX_FROM, INDEXED_TOGETHER } from '../../limits.ts'
import { type Hashes, hasHash, unpackHashes } from './lookup.ts'
import {
  addKey,
  BLOCK_SQL,
  filterOf,
  type IndexEntry,
  keyOf,
  mayHold,
  mixed,
  packEntries,
  positionOf,
  positionsIn,
  unpackEntries,
} from './packed.ts'

export const EVENT_INDEX_TABLES = `
CREATE TABLE event_index (
  last INTEGER PRIMARY KEY,
  filter BLOB NOT NULL,
  entries BLOB NOT NULL
);
`

export type HashedEvent = { position: number; hashes: Hashes | null }

/** The stored events, as their own room shows them. Ranges are of positions, without their ends. */
export type StoredEvents = {
  /** The oldest first. */
  hashed(after: number, before: number, limit: number): Iterable<HashedEvent>
}

export class EventIndex {
  readonly #sql: SqlStorage
  readonly #events: StoredEvents
  /** Everything up to this position is indexed; `null`: to be read. */
  #last: number | null = null

  constructor(sql: SqlStorage, events: StoredEvents) {
    this.#sql = sql
    this.#events = events
  }

  /** Events have been stored; part of their transaction. Writes only where a position is among those indexed already. */
  stored(events: readonly HashedEvent[]): void {
    for (const event of events) if (event.position <= this.#indexedTo()) this.#addLate(event)
  }

  /** Positions of stored events with this hash, from `from` on and below `before`, the newest first. */
  find(hash: string, from: number, before: number, limit: number): number[] {
    const found = new Set<number>()
    for (const { position, hashes } of this.#events.hashed(
      Math.max(this.#indexedTo(), from - 1),
      before,
      Number.MAX_SAFE_INTEGER,
    )) {
      if (hasHash(hashes, hash)) found.add(position)
    }
    const key = keyOf({ hash })
    for (const { last } of this.#candidates(key, from)) {
      if (found.size >= limit) break
      const positions = positionsIn(this.#entries(last), key).sort((a, b) => b - a)
      for (const position of positions) {
        if (position < from || position >= before || found.size >= limit) continue
        for (const { hashes } of this.#events.hashed(position - 1, position + 1, 1)) {
          if (hasHash(hashes, hash)) found.add(position)
        }
      }
    }
    return [...found].sort((a, b) => b - a).slice(0, limit)
  }

  /** Forgets entries of events that had this hash and have left, all that they had. A row goes with the next `sweep`. */
  erase(hash: string): void {
    const key = keyOf({ hash })
    for (const { last } of this.#candidates(key, 0)) {
      const entries = unpackEntries(this.#entries(last))
      const left = new Set(
        entries
          .filter((entry) => entry.key === key)
          .map(({ position }) => position)
          .filter((at) => [...this.#events.hashed(at - 1, at + 1, 1)].length === 0),
      )
      if (left.size === 0) continue
      const kept = entries.filter(({ position }) => !left.has(position))
      this.#sql.exec(
        `UPDATE event_index SET filter = zeroblob(length(filter)),
           entries = zeroblob(length(entries)) WHERE last = ?`,
        last,
      )
      this.#sql.exec(
        'UPDATE event_index SET filter = ?, entries = ? WHERE last = ?',
        filterOf(kept.map((entry) => entry.key)).buffer,
        packEntries(kept).buffer,
        last,
      )
    }
  }

  /** Indexes what has been stored for a while, where there is enough of it, and drops rows without events. */
  sweep(now: number): void {
    const before = positionOf({ receivedAt: now - INDEX_AFTER_MS, id: '000' })
    for (;;) {
      const events = [...this.#events.hashed(this.#indexedTo(), before, INDEXED_TOGETHER)]
      if (events.length < INDEX_FROM) break
      this.#write(events)
      if (events.length < INDEXED_TOGETHER) break
    }
    let after = -1
    for (const { last } of this.#rows()) {
      const [event] = this.#events.hashed(after, last + 1, 1)
      if (!event) this.#sql.exec('DELETE FROM event_index WHERE last = ?', last)
      after = last
    }
    this.#last = null
  }

  #write(events: readonly HashedEvent[]): void {
    const entries = events.flatMap(entriesOf)
    const last = events.at(-1)?.position ?? 0
    this.#sql.exec(
      'INSERT INTO event_index (last, filter, entries) VALUES (?, ?, ?)',
      last,
      filterOf(entries.map(({ key }) => key)).buffer,
      packEntries(entries).buffer,
    )
    this.#last = null
  }

  /** Stored late, because a clock was set back or a request took long: goes into the row of its neighbours. */
  #addLate(event: HashedEvent): void {
    const [row] = this.#sql
      .exec<{ last: number; filter: ArrayBuffer; entries: ArrayBuffer }>(
        'SELECT * FROM event_index WHERE last >= ? ORDER BY last LIMIT 1',
        event.position,
      )
      .toArray()
    if (!row) return
    const filter = new Uint8Array(row.filter)
    const added = entriesOf(event)
    for (const { key } of added) addKey(filter, key)
    const entries = [...unpackEntries(new Uint8Array(row.entries)), ...added]
    this.#sql.exec(
      'UPDATE event_index SET filter = ?, entries = ? WHERE last = ?',
      filter.buffer,
      packEntries(entries).buffer,
      row.last,
    )
  }

  /** Rows whose filter may hold the key, the newest first. */
  #candidates(key: number, from: number): { last: number }[] {
    const rows = this.#sql.exec<{ last: number; block: ArrayBuffer }>(
      `SELECT last, ${BLOCK_SQL} AS block FROM event_index WHERE last >= ? ORDER BY last DESC`,
      mixed(key),
      from,
    )
    return [...rows].filter(({ block }) => mayHold(new Uint8Array(block), key))
  }

  #entries(last: number): Uint8Array {
    const { entries } = this.#sql
      .exec<{ entries: ArrayBuffer }>('SELECT entries FROM event_index WHERE last = ?', last)
      .one()
    return new Uint8Array(entries)
  }

  #rows(): { last: number }[] {
    return this.#sql.exec<{ last: number }>('SELECT last FROM event_index ORDER BY last').toArray()
  }

  #indexedTo(): number {
    this.#last ??= this.#rows().at(-1)?.last ?? -1
    return this.#last
  }
}

function entriesOf({ position, hashes }: HashedEvent): IndexEntry[] {
  return unpackHashes(hashes).map(({ hash }) => ({ key: keyOf({ hash }), position }))
}
