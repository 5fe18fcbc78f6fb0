/**
 * The index by which stored events are found: keyed hashes, written late, sorted and in bulk.
 *
 * Promises: storing an event writes nothing here. The newest few hundred are searched as they are, by the column `hashes` of
 * their rows; those that stay are indexed a few thousand to a row. An entry of an event that has left is passed over, since
 * the event's own row decides; a row goes when none of its events is left.
 */
import { INDEX_AFTER_MS, INDEX_FROM, INDEXED_TOGETHER } from '../../limits.ts'
import { PER_MS } from '../event.ts'
import type { EventList, HashedEvent } from '../list.ts'
import { hasHash, unpackHashes } from './lookup.ts'
import { BLOCK_SQL, filterOf, keyOf, mayHold, mixed, viewOf } from './packed.ts'

export const EVENT_INDEX_TABLES = `
CREATE TABLE event_index (
  last INTEGER PRIMARY KEY,
  filter BLOB NOT NULL,
  entries BLOB NOT NULL
);
`

export class EventIndex {
  readonly #sql: SqlStorage
  readonly #events: Pick<EventList, 'hashed'>
  /** Everything up to this position is indexed; `null`: to be read. */
  #last: number | null = null

  constructor(sql: SqlStorage, events: Pick<EventList, 'hashed'>) {
    this.#sql = sql
    this.#events = events
  }

  /**
   * Events have been stored; part of their transaction. Writes only where a position is among those indexed already, because
   * a clock was set back or a request took long: into the row of its neighbours.
   */
  stored(events: readonly HashedEvent[]): void {
    for (const event of events) {
      if (event.position > this.#indexedTo()) continue
      const { last } = this.#sql
        .exec<{ last: number }>(
          'SELECT MIN(last) AS last FROM event_index WHERE last >= ?',
          event.position,
        )
        .one()
      this.#write(last, [...unpackEntries(this.#entries(last)), ...entriesOf(event)])
    }
  }

  /** Positions of stored events with this hash, from `from` on and below `before`, the newest first. */
  find(hash: string, from: number, before: number, limit: number): number[] {
    const found = new Set<number>()
    const after = Math.max(this.#indexedTo(), from - 1)
    for (const { position, hashes } of this.#events.hashed(after, before, MAX_POSITION)) {
      if (hasHash(hashes, hash)) found.add(position)
    }
    const key = keyOf({ hash })
    for (const last of this.#candidates(key, from)) {
      const positions = positionsIn(this.#entries(last), key).sort((a, b) => b - a)
      for (const position of positions) {
        if (found.size >= limit) break
        if (position < from || position >= before) continue
        if (hasHash(this.#at(position)?.hashes ?? null, hash)) found.add(position)
      }
      if (found.size >= limit) break
    }
    return [...found].sort((a, b) => b - a).slice(0, limit)
  }

  /** Forgets entries of events that had this hash and have left, all that they had. A row goes with the next `sweep`. */
  erase(hash: string): void {
    const key = keyOf({ hash })
    for (const last of this.#candidates(key, 0)) {
      const entries = this.#entries(last)
      const left = new Set(positionsIn(entries, key).filter((position) => !this.#at(position)))
      if (left.size === 0) continue
      this.#sql.exec(
        `UPDATE event_index SET filter = zeroblob(length(filter)),
           entries = zeroblob(length(entries)) WHERE last = ?`,
        last,
      )
      const kept = unpackEntries(entries).filter(({ position }) => !left.has(position))
      this.#write(last, kept)
    }
  }

  /** Indexes what has been stored for a while, where there is enough of it, and drops rows without events. */
  sweep(now: number): void {
    try {
      this.#indexUpTo((now - INDEX_AFTER_MS) * PER_MS)
      this.#dropEmpty()
    } finally {
      // Where it fails, what it has written is undone.
      this.#last = null
    }
  }

  #indexUpTo(before: number): void {
    for (;;) {
      const events = [...this.#events.hashed(this.#indexedTo(), before, INDEXED_TOGETHER)]
      if (events.length < INDEX_FROM) return
      this.#write(events.at(-1)?.position ?? 0, events.flatMap(entriesOf))
      if (events.length < INDEXED_TOGETHER) return
    }
  }

  #dropEmpty(): void {
    let after = -1
    const rows = this.#sql.exec<{ last: number }>('SELECT last FROM event_index ORDER BY last')
    for (const { last } of rows.toArray()) {
      const [event] = this.#events.hashed(after, last + 1, 1)
      if (!event) this.#sql.exec('DELETE FROM event_index WHERE last = ?', last)
      after = last
    }
  }

  #write(last: number, entries: readonly IndexEntry[]): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO event_index (last, filter, entries) VALUES (?, ?, ?)',
      last,
      filterOf(entries.map(({ key }) => key)).buffer,
      packEntries(entries).buffer,
    )
    this.#last = null
  }

  /** Rows whose filter may hold the key, the newest first. */
  #candidates(key: number, from: number): number[] {
    const rows = this.#sql.exec<{ last: number; block: ArrayBuffer }>(
      `SELECT last, ${BLOCK_SQL} AS block FROM event_index WHERE last >= ? ORDER BY last DESC`,
      mixed(key),
      from,
    )
    return [...rows].flatMap(({ last, block }) => (mayHold(new Uint8Array(block), key) ? last : []))
  }

  #entries(last: number): Uint8Array {
    const { entries } = this.#sql
      .exec<{ entries: ArrayBuffer }>('SELECT entries FROM event_index WHERE last = ?', last)
      .one()
    return new Uint8Array(entries)
  }

  #at(position: number): HashedEvent | undefined {
    return [...this.#events.hashed(position - 1, position + 1, 1)][0]
  }

  #indexedTo(): number {
    this.#last ??= this.#sql
      .exec<{ last: number }>('SELECT IFNULL(MAX(last), -1) AS last FROM event_index')
      .one().last
    return this.#last
  }
}

const MAX_POSITION = Number.MAX_SAFE_INTEGER

/** An event that may be looked up by the hash that begins with `key`. */
export type IndexEntry = { key: number; position: number }

function entriesOf({ position, hashes }: HashedEvent): IndexEntry[] {
  return unpackHashes(hashes).map(({ hash }) => ({ key: keyOf({ hash }), position }))
}

const ENTRY = 12

/** Twelve bytes each, sorted by key: the release before, to which one may roll back, looks for a key by halving them. */
export function packEntries(entries: readonly IndexEntry[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(entries.length * ENTRY)
  const view = viewOf(bytes)
  const sorted = entries.toSorted((a, b) => a.key - b.key)
  for (const [index, { key, position }] of sorted.entries()) {
    view.setUint32(index * ENTRY, key)
    view.setFloat64(index * ENTRY + 4, position)
  }
  return bytes
}

export function unpackEntries(packed: Uint8Array): IndexEntry[] {
  const view = viewOf(packed)
  return Array.from({ length: packed.length / ENTRY }, (_, index) => {
    return { key: view.getUint32(index * ENTRY), position: view.getFloat64(index * ENTRY + 4) }
  })
}

/** Positions of the entries with this key. Looks at all of them, which takes less than reading their row. */
export function positionsIn(packed: Uint8Array, key: number): number[] {
  const view = viewOf(packed)
  const positions: number[] = []
  for (let at = 0; at < packed.length; at += ENTRY) {
    if (view.getUint32(at) === key) positions.push(view.getFloat64(at + 4))
  }
  return positions
}
