/**
 * Lists the events of a shard for operators.
 * Promises: reads only. Pages continue after a position, so that events stored or erased between two pages neither
 * repeat nor hide others. A page reads the events that it shows; of pending ones with a filter, which has no index there,
 * `MAX_PENDING_SCANNED` at most.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import { MAX_PENDING_SCANNED } from '../../limits.ts'
import { causeOf } from '../cause.ts'
import type {
  EventDetail,
  EventState,
  Listed,
  ListedPage,
  ListFilter,
  StoredError,
} from '../state.ts'
import { ParkedEvents } from './parked.ts'

type Row = {
  position: number
  id: string
  kind: StoredKind
  state: EventState
  receivedAt: number
  bytes: number
  attempts: number | null
  nextAt: number | null
  code: StoredError['code'] | null
  status: number | null
  message: string | null
}

const COLUMNS = `position, id, kind, received_at AS receivedAt, length(body) AS bytes, attempts,
  next_at AS nextAt, tries.code AS code, status, message`

const PENDING = "'pending' AS state FROM pending LEFT JOIN tries USING (position)"
const PARKED = 'state FROM parked LEFT JOIN tries USING (position)'

export class Listing {
  readonly parked: ParkedEvents
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.parked = new ParkedEvents(sql)
    this.#sql = sql
  }

  /** At most `limit` events after position `after`, oldest first. */
  list({ state, ...filter }: ListFilter, after: number, limit: number): ListedPage {
    if (state === 'pending') return this.#pending({ state, ...filter }, after, limit)
    const positions = this.parked.positions({ state, ...filter }, after, limit)
    return {
      events: positions.flatMap((position) => this.#row(PARKED, position) ?? []),
      readTo: positions.length === limit ? (positions.at(-1) ?? null) : null,
    }
  }

  /** The event at a position, whatever its state; `null` if there is none. */
  at(position: number): Listed | null {
    return this.#row(PENDING, position) ?? this.#row(PARKED, position)
  }

  /** One event with its body; `null` if it is not stored. */
  get(id: string): EventDetail | null {
    for (const from of [PENDING, PARKED]) {
      const [row] = this.#sql
        .exec<Row & { body: ArrayBuffer; answer: string | null; history: string | null }>(
          `SELECT ${COLUMNS}, body, answer, history, ${from} WHERE id = ?`,
          id,
        )
        .toArray()
      if (row) {
        const { position: _, ...summary } = toListed(row)
        const tries = triesOf(row.history)
        return { ...summary, body: new Uint8Array(row.body), answer: row.answer, tries }
      }
    }
    return null
  }

  #pending(filter: ListFilter, after: number, limit: number): ListedPage {
    const { kind, code, path, from, end } = filter
    const isFiltered = kind !== null || code !== null || path !== null
    const scanned = isFiltered ? MAX_PENDING_SCANNED : limit
    const page: ListedPage = { events: [], readTo: null }
    const rows = this.#sql.exec<Row>(
      `SELECT ${COLUMNS}, ${PENDING} WHERE position > ? AND position < ? ORDER BY position LIMIT ?`,
      Math.max(after, from - 1),
      end,
      scanned,
    )
    let read = 0
    for (const row of rows) {
      read += 1
      const event = toListed(row)
      if (matches(event, filter)) page.events.push(event)
      if (read === scanned || page.events.length === limit) {
        page.readTo = event.position
        break
      }
    }
    return page
  }

  #row(from: string, position: number): Listed | null {
    const [row] = this.#sql
      .exec<Row>(`SELECT ${COLUMNS}, ${from} WHERE position = ?`, position)
      .toArray()
    return row ? toListed(row) : null
  }
}

/** `code` and `path` of a pending event are those of its last try. */
function matches({ kind, lastError }: Listed, filter: ListFilter): boolean {
  if (filter.kind !== null && filter.kind !== kind) return false
  if (filter.code === null && filter.path === null) return true
  if (lastError === null) return false
  const { code, path } = causeOf(lastError)
  return (
    (filter.code === null || filter.code === code) && (filter.path === null || filter.path === path)
  )
}

/** Of the form that `TryStore.write` keeps. */
function triesOf(history: string | null): EventDetail['tries'] {
  const tries: [number, StoredError['code'], number | null][] = JSON.parse(history ?? '[]')
  return tries.map(([at, code, status]) => ({ at, code, status }))
}

function toListed(row: Row): Listed {
  const { position, id, kind, state, receivedAt, bytes, attempts, nextAt, code, status, message } =
    row
  const lastError = code === null ? null : { code, status, message: message ?? '' }
  return {
    position,
    id,
    kind,
    state,
    attempts: attempts ?? 0,
    receivedAt,
    nextAttemptAt: nextAt,
    lastError,
    bytes,
  }
}
