/**
 * The places of events: a number that orders them by their moment of receipt, and that nothing else has.
 *
 * Promises: one statement, however many are looked for, and a few rows read for each.
 */
import type { EventState } from '../state.ts'
import { PER_MS, type Place } from './reader.ts'

export class Positions {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Where these events are stored, by id, and the free positions at their moments of receipt. */
  find(events: readonly { id: string; receivedAt: number }[]): {
    stored: Map<string, Place>
    free: FreePositions
  } {
    const stored = new Map<string, Place>()
    const next = new Map<number, number>()
    const rows = this.#sql.exec<{
      id: string
      ms: number
      pending: number | null
      parked: number | null
      state: EventState | null
      last: number
    }>(FIND, JSON.stringify(events.map(({ id, receivedAt }) => [id, receivedAt])))
    for (const { id, ms, pending, parked, state, last } of rows) {
      next.set(ms, freeAfter(last, ms))
      if (pending !== null) stored.set(id, { position: pending, state: 'pending' })
      else if (parked !== null && state !== null) stored.set(id, { position: parked, state })
    }
    return { stored, free: new FreePositions(this, next) }
  }

  free(moments: readonly number[]): FreePositions {
    return new FreePositions(this, this.nextFree(moments))
  }

  /** The first free position of each of these milliseconds; of the next one when it is full. */
  nextFree(moments: readonly number[]): Map<number, number> {
    const rows = this.#sql.exec<{ ms: number; last: number }>(
      NEXT_FREE,
      JSON.stringify([...new Set(moments)]),
    )
    return new Map([...rows].map(({ ms, last }) => [ms, freeAfter(last, ms)]))
  }
}

/**
 * Positions for several at once: each is given away once. The first free one of the millisecond of receipt, or of a
 * later one when that one is full.
 */
export class FreePositions {
  readonly #positions: Positions
  /** By millisecond: the first position that is free. */
  readonly #next: Map<number, number>

  constructor(positions: Positions, next: Map<number, number>) {
    this.#positions = positions
    this.#next = next
  }

  take(receivedAt: number): number {
    for (let ms = receivedAt; ; ms += 1) {
      const free = this.#next.get(ms) ?? this.#positions.nextFree([ms]).get(ms) ?? ms * PER_MS
      this.#next.set(ms, free + 1)
      if (free < (ms + 1) * PER_MS) return free
    }
  }
}

function freeAfter(last: number, ms: number): number {
  return Math.max(last + 1, ms * PER_MS)
}

/** The highest position taken in a millisecond, or -1: SQL. */
function lastOf(ms: string): string {
  const range = `position BETWEEN ${ms} * ${PER_MS} AND ${ms} * ${PER_MS} + ${PER_MS - 1}`
  const tables = ['pending', 'parked'].map(
    (table) => `IFNULL((SELECT MAX(position) FROM ${table} WHERE ${range}), -1)`,
  )
  return `MAX(${tables})`
}

// Made once: a statement is looked up by its text.
const FIND = `SELECT value ->> 0 AS id, value ->> 1 AS ms,
    (SELECT position FROM pending WHERE pending.id = value ->> 0) AS pending,
    parked.position AS parked, parked.state, ${lastOf('(value ->> 1)')} AS last
  FROM json_each(?) LEFT JOIN parked ON parked.id = value ->> 0`

const NEXT_FREE = `SELECT value AS ms, ${lastOf('value')} AS last FROM json_each(?)`
