/** Paging: the query of a registry list: `property`, `orderby`, `start`, `limit`. Pure. */
import type { JsonObject } from '../../streaming/message.ts'
import { holds, parseCondition } from '../filter.ts'

const MAX_LIMIT = 300

type Page = {
  readonly results: readonly JsonObject[]
  readonly _page: {
    readonly orderby: string
    readonly next: string | null
    readonly count: number
  }
}

/**
 * In the order of creation unless `orderby` says otherwise. `start` is the last value of the page before,
 * and what follows is strictly greater.
 */
export function pageOf(rows: readonly JsonObject[], query: URLSearchParams): Page {
  const conditions = query.getAll('property').map(parseCondition)
  const orderby = query.get('orderby') ?? ''
  const descending = orderby.startsWith('-')
  const field = orderby.replace(/^[-+ ]/, '') || '$id'
  const start = query.get('start')
  const key = (row: JsonObject) => String(row[field] ?? '')
  const sign = descending ? -1 : 1
  const after = (a: string, b: string) => sign * (a < b ? -1 : a > b ? 1 : 0)
  const asked = Number(query.get('limit') || MAX_LIMIT)
  const limit = Math.min(MAX_LIMIT, Math.max(1, Number.isInteger(asked) ? asked : MAX_LIMIT))
  const matching = rows.filter((row) => conditions.every((condition) => holds(condition, row)))
  const ordered =
    orderby || start || matching.length > limit
      ? matching.toSorted((a, b) => after(key(a), key(b)))
      : matching
  const rest = start === null ? ordered : ordered.filter((row) => after(key(row), start) > 0)
  const results = rest.slice(0, limit)
  const last = results.at(-1)
  const next = rest.length > limit && last ? key(last) : null
  return { results, _page: { orderby: orderby || 'updated', next, count: results.length } }
}
