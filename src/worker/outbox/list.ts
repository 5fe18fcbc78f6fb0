/**
 * What operators see of the stored events: lists, one in full, counts by cause, and which of them an action takes.
 *
 * Promises: reads only. What a list shows, what a count says and what an action changes come from here alike. Whatever is
 * asked for, an index entry is read for each event found, or `MAX_SCANNED` of the others at most: then a page is short,
 * and has a cursor all the same. A page continues at a position, so that events stored or erased meanwhile neither repeat
 * nor hide others.
 */
import type { StoredKind } from '../chatlio/kind.ts'
import { MAX_SCANNED } from '../limits.ts'
import {
  type Cause,
  EVENT_STATES,
  type EventState,
  PER_MS,
  reasonOf,
  type StoredError,
  type StoredEvent,
} from './event.ts'

export type Listed = Pick<StoredEvent, 'position' | 'id' | 'kind' | 'source' | 'receivedAt'> & {
  state: EventState
  attempts: number
  nextAttemptAt: number | null
  lastError: StoredError | null
  bytes: number
}

/** A failed attempt that is remembered. `at`: when it ended. */
type KeptAttempt = { at: number; code: StoredError['code']; status: number | null }

/** `answer`: AEP's last one, where one is kept. `history`: the first attempt and the latest, oldest first. */
export type EventDetail = Omit<Listed, 'position'> & {
  body: Uint8Array
  answer: string | null
  history: readonly KeptAttempt[]
}

/**
 * `null` matches any; `path`: empty matches where none is known (`reasonOf`); `idPrefix`: hexadecimal. Positions from `from`
 * on and below `end`.
 */
export type ListFilter = {
  state: EventState | 'delivered' | 'all'
  kind: StoredKind | null
  code: string | null
  path: string | null
  source?: string | null
  idPrefix?: string | null
  from: number
  end: number
}

/** With what it is looked up by. */
export type HashedEvent = { position: number; hashes: string }

/** `readTo`: the position that a list has read up to; `null` when there is nothing after it. */
export type ListedPage = { events: Listed[]; readTo: number | null }

/** Events parked in one state for one cause, among all that the group has had since it was last empty. */
export type CauseRow = Cause & { count: number; firstAt: number; lastAt: number }

export class EventList {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** At most `limit` events behind position `after` (`null`: from the beginning), oldest first or newest first. */
  list(filter: ListFilter, after: number | null, limit: number, newest = false): ListedPage {
    const events: Listed[] = []
    const most = scanOf(filter, limit)
    for (const [index, position] of this.#positions(filter, after, most, newest).entries()) {
      const event = this.at(position)
      if (event && matches(event, filter)) events.push(event)
      if (events.length === limit || index + 1 === most) return { events, readTo: position }
    }
    return { events, readTo: null }
  }

  /** The event with this id, if the filter matches it. */
  find(id: string, filter: ListFilter): Listed | null {
    const [position = -1] = this.#positionsOf('SELECT position FROM events WHERE id = ?', id)
    const isInRange = position >= filter.from && position < filter.end
    const event = isInRange ? this.at(position) : null
    return event && matches(event, filter) ? event : null
  }

  /** Of every state, in a range of positions without its ends, the oldest first. */
  hashed(after: number, before: number, limit: number): Iterable<HashedEvent> {
    return this.#sql.exec<HashedEvent>(
      `SELECT position, hashes FROM events WHERE position > ? AND position < ?
       ORDER BY position LIMIT ?`,
      after,
      before,
      limit,
    )
  }

  /** The newest received since a moment, with what they are looked up by. */
  newestSince(ms: number, limit: number) {
    return this.#sql
      .exec<{ id: string; kind: StoredKind; receivedAt: number; hashes: string }>(
        `SELECT id, kind, received_at AS receivedAt, hashes FROM events WHERE position >= ?
         ORDER BY position DESC LIMIT ?`,
        ms * PER_MS,
        limit,
      )
      .toArray()
  }

  /** Positions of events whose id begins so, at most `limit` of them. */
  beginningWith(prefix: string, limit: number): number[] {
    return this.#positionsOf(
      "SELECT position FROM events WHERE id >= ?1 AND id < ?1 || 'g' LIMIT ?2",
      prefix,
      limit,
    )
  }

  /** The event at a position, or `null`. */
  at(position: number): Listed | null {
    const [row] = this.#sql.exec<Row>(AT, position).toArray()
    return row ? toListed(row) : null
  }

  /** One event with its body, by its id or its position; `null` if it is not stored. */
  get(key: string | number): EventDetail | null {
    const [row] = this.#sql
      .exec<Row & { body: ArrayBuffer; answer: string | null; history: string | null }>(
        typeof key === 'string' ? `${GET} id = ?` : `${GET} position = ?`,
        key,
      )
      .toArray()
    if (!row) return null
    const { position: _, ...summary } = toListed(row)
    const kept: [number, StoredError['code'], number | null][] = JSON.parse(row.history ?? '[]')
    return {
      ...summary,
      body: new Uint8Array(row.body),
      answer: row.answer,
      history: kept.map(([at, code, status]) => ({ at, code, status })),
    }
  }

  causes(): CauseRow[] {
    return this.#sql
      .exec<CauseRow>(
        `SELECT state, code, path, kind, count, first_at AS firstAt, last_at AS lastAt FROM causes`,
      )
      .toArray()
  }

  /** How many of the events that were there are stored, in each state. */
  statesAt(positions: readonly number[]): Record<EventState, number> {
    return this.#sql.exec<Record<EventState, number>>(STATES_AT, JSON.stringify(positions)).one()
  }

  /** How many events were received up to a moment, counted up to `limit`. */
  receivedUpTo(ms: number, limit: number): number {
    const query = 'SELECT COUNT(*) AS n FROM (SELECT 1 FROM events WHERE position < ? LIMIT ?)'
    return this.#sql.exec<{ n: number }>(query, (ms + 1) * PER_MS, limit).one().n
  }

  #positions(filter: ListFilter, after: number | null, limit: number, newest: boolean): number[] {
    const { state, kind, code, path, idPrefix } = filter
    const range = rangeOf(filter, after, newest)
    if (idPrefix) {
      const found = this.beginningWith(idPrefix, MAX_SCANNED)
      const inRange = found.filter((position) => position > range[0] && position < range[1])
      return inRange.sort((a, b) => (newest ? b - a : a - b)).slice(0, limit)
    }
    const byCause = isParked(state) && (kind !== null || code !== null || path !== null)
    const queries = newest ? NEWEST_FIRST : OLDEST_FIRST
    if (state === 'all') return this.#positionsOf(queries.ofAll, ...range, limit)
    return byCause
      ? this.#positionsOf(queries.ofCauses, state, ...range, limit, kind, code, path)
      : this.#positionsOf(queries.ofState, state, ...range, limit)
  }

  #positionsOf(query: string, ...bindings: (string | number | null)[]): number[] {
    const rows = this.#sql.exec<{ position: number }>(query, ...bindings)
    return [...rows].map(({ position }) => position)
  }
}

/** Positions that a page may show, without both ends. */
export function rangeOf(
  { from, end }: Pick<ListFilter, 'from' | 'end'>,
  after: number | null,
  newest: boolean,
): [after: number, before: number] {
  return newest ? [from - 1, Math.min(after ?? end, end)] : [Math.max(after ?? -1, from - 1), end]
}

const isParked = (state: ListFilter['state']) => state === 'dead' || state === 'quarantined'

/** How many events a page may look at: as many as it shows, unless it has to look for them without an index. */
function scanOf({ state, kind, code, path, source, idPrefix }: ListFilter, limit: number): number {
  const isIndexed = isParked(state) || (kind === null && code === null && path === null)
  return isIndexed && !source && !idPrefix ? limit : Math.max(MAX_SCANNED, limit)
}

/** An event of any state, delivered ones too. `code` and `path` of a pending event are those of its last attempt. */
export function matches(
  event: Omit<Listed, 'state'> & { state: string },
  { state, kind, code, path, source, idPrefix }: ListFilter,
): boolean {
  if (state !== 'all' && event.state !== state) return false
  if (kind !== null && kind !== event.kind) return false
  if (source && source !== event.source) return false
  if (idPrefix && !event.id.startsWith(idPrefix)) return false
  if (code === null && path === null) return true
  if (event.lastError === null && event.state === 'pending') return false
  const reason = reasonOf(event.lastError)
  return (code === null || code === reason.code) && (path === null || path === reason.path)
}

type Row = Omit<Listed, 'attempts' | 'nextAttemptAt' | 'lastError'> & {
  attempts: number | null
  nextAt: number | null
  code: StoredError['code'] | null
  status: number | null
  message: string | null
}

function toListed({ attempts, nextAt, code, status, message, ...row }: Row): Listed {
  return {
    ...row,
    attempts: attempts ?? 0,
    nextAttemptAt: nextAt,
    lastError: code === null ? null : { code, status, message: message ?? '' },
  }
}

const COLUMNS = `position, id, kind, source, state, received_at AS receivedAt, length(body) AS bytes,
  attempts, next_at AS nextAt, attempts.code AS code, status, message`
const FROM = 'FROM events LEFT JOIN attempts USING (position)'

const AT = `SELECT ${COLUMNS} ${FROM} WHERE position = ?`
const GET = `SELECT ${COLUMNS}, body, answer, history ${FROM} WHERE`

const STATES_AT = `SELECT ${EVENT_STATES.map(
  (state) => `COUNT(*) FILTER (WHERE state = '${state}') AS ${state}`,
)} FROM json_each(?) CROSS JOIN events ON position = value`

const OLDEST_FIRST = queries('MIN', '>', 'ASC')
const NEWEST_FIRST = queries('MAX', '<', 'DESC')

function queries(closest: 'MIN' | 'MAX', behind: '>' | '<', order: 'ASC' | 'DESC') {
  const [first, last] = behind === '>' ? ['?2', '?3'] : ['?3', '?2']
  /** The next event of the same cause; the end of the range after the last. */
  const nextOf = (group: string, after: string) =>
    `COALESCE((SELECT ${closest}(position) FROM events AS e
      WHERE e.state = ?1 AND e.code = ${group}.code AND e.path = ${group}.path
        AND e.kind = ${group}.kind AND e.position ${behind} ${after}), ${last})`
  return {
    ofAll: `SELECT position FROM events WHERE position > ? AND position < ?
      ORDER BY position ${order} LIMIT ?`,
    ofState: `SELECT position FROM events WHERE state = ?1 AND position > ?2 AND position < ?3
      ORDER BY position ${order} LIMIT ?4`,
    /**
     * Merges the events of all causes that match. `ORDER BY` makes a priority queue of the recursion: each step removes
     * the closest event and adds the next one of the same cause, so that one index serves every combination of filters.
     */
    ofCauses: `
      WITH RECURSIVE merged (position, code, path, kind) AS (
        SELECT ${nextOf('causes', first)}, code, path, kind FROM causes
          WHERE state = ?1 AND (?5 IS NULL OR kind = ?5) AND (?6 IS NULL OR code = ?6)
            AND (?7 IS NULL OR path = ?7)
        UNION ALL
        SELECT ${nextOf('merged', 'merged.position')}, code, path, kind FROM merged
          WHERE position > ?2 AND position < ?3
        ORDER BY 1 ${order} LIMIT ?4
      )
      SELECT position FROM merged WHERE position > ?2 AND position < ?3`,
  }
}
