/**
 * Finds events that are set aside by what they have in common: state, code, path, kind, day of receipt.
 *
 * Promises: whatever is asked for, an index entry is read for each event found, and a row for each cause of that state;
 * never the other events. What a list shows, what a count says and what an action changes come from here alike.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import type { ListFilter, ParkedState } from '../state.ts'

/**
 * Events set aside in one state for one cause. `firstAt` and `lastAt` are moments of receipt, among all events that the
 * group has had since it was last empty.
 */
export type CauseRow = {
  state: ParkedState
  code: string
  path: string
  kind: StoredKind
  count: number
  firstAt: number
  lastAt: number
}

export type ParkedFilter = ListFilter & { state: ParkedState }

export class ParkedEvents {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Positions after `after`, at most `limit` of them, in their order. */
  positions(filter: ParkedFilter, after: number, limit: number): number[] {
    const { state, kind, code, path, from, end } = filter
    const start = Math.max(after, from - 1)
    const query = kind === null && code === null && path === null ? OF_STATE : OF_CAUSES
    return this.#sql
      .exec<{ position: number }>(query, state, start, end, limit, kind, code, path)
      .toArray()
      .map(({ position }) => position)
  }

  /** The position of one event, if the filter matches it. */
  find(id: string, { state, kind, code, path, from, end }: ParkedFilter): number | null {
    const [row] = this.#sql
      .exec<{ position: number }>(
        `SELECT position FROM parked WHERE id = ?1 AND state = ?2 AND position >= ?3
           AND position < ?4 AND (?5 IS NULL OR kind = ?5) AND (?6 IS NULL OR code = ?6)
           AND (?7 IS NULL OR path = ?7)`,
        id,
        state,
        from,
        end,
        kind,
        code,
        path,
      )
      .toArray()
    return row?.position ?? null
  }

  causes(): CauseRow[] {
    return this.#sql
      .exec<CauseRow>(
        `SELECT state, code, path, kind, count, first_at AS firstAt, last_at AS lastAt FROM causes`,
      )
      .toArray()
  }

  /** Of the body at a position. */
  bytes(position: number): number {
    const [row] = this.#sql
      .exec<{ n: number }>('SELECT length(body) AS n FROM parked WHERE position = ?', position)
      .toArray()
    return row?.n ?? 0
  }
}

/** Takes the parameters of `OF_CAUSES`, so that both are called alike. */
const OF_STATE = `SELECT position FROM parked WHERE state = ?1 AND position > ?2 AND position < ?3
    AND ?5 IS NULL AND ?6 IS NULL AND ?7 IS NULL
  ORDER BY position LIMIT ?4`

/** The next event of the same cause; `?3`, where events end, after the last. */
const nextOf = (group: string, after: string) => `COALESCE((SELECT MIN(position) FROM parked AS p
    WHERE p.state = ?1 AND p.code = ${group}.code AND p.path = ${group}.path
      AND p.kind = ${group}.kind AND p.position > ${after}), ?3)`

/**
 * Merges the events of all causes that match. `ORDER BY` makes a queue of the recursion: each step takes the oldest event
 * out of it and puts in the next one of the same cause, so that one index serves every combination of the filters.
 */
const OF_CAUSES = `
  WITH RECURSIVE merged (position, code, path, kind) AS (
    SELECT ${nextOf('causes', '?2')}, code, path, kind FROM causes
      WHERE state = ?1 AND (?5 IS NULL OR kind = ?5) AND (?6 IS NULL OR code = ?6)
        AND (?7 IS NULL OR path = ?7)
    UNION ALL
    SELECT ${nextOf('merged', 'merged.position')}, code, path, kind FROM merged WHERE position < ?3
    ORDER BY 1 LIMIT ?4
  )
  SELECT position FROM merged WHERE position < ?3`
