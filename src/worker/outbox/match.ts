/** Which events an action takes, a page at a time: those that a filter matches, all of them or some by their ids. */
import type { ParkedEvents, ParkedFilter } from './storage/parked.ts'

export type MatchRequest = {
  filter: ParkedFilter
  /** Only these ids; `null`: all events after position `after`, at most `limit` of them. */
  ids: readonly string[] | null
  dryRun: boolean
  after: number
  limit: number
}

/** `next`: the `after` of the next page; `null` if this is the last one. */
export function matchPage(
  { filter, ids, after, limit }: MatchRequest,
  parked: ParkedEvents,
): { positions: number[]; next: number | null } {
  if (ids) {
    const found = [...new Set(ids)].flatMap((id) => parked.find(id, filter) ?? [])
    return { positions: found, next: null }
  }
  const positions = parked.positions(filter, after, limit)
  return { positions, next: positions.length === limit ? (positions.at(-1) ?? null) : null }
}
