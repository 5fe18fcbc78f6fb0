/** Stored events: a page of a list, one in full, and erasing one. */
import type { StoredKind } from '../../chatlio/kind.ts'
import type { EventState, ListFilter } from '../../outbox/state.ts'
import type { Services } from '../../services.ts'
import { after, type Cursor, encodeCursor } from '../cursor.ts'
import { positionsOf } from '../position-range.ts'
import { eventDetailView, eventView } from '../view.ts'
import { logAction } from './log.ts'

/**
 * What is not given matches every event of the state. `path`: `null` matches events without one; `day`: of receipt,
 * `YYYY-MM-DD` in UTC.
 */
export type EventFilter<State extends EventState = EventState> = {
  state: State
  kind?: StoredKind | undefined
  code?: string | undefined
  path?: string | null | undefined
  day?: string | undefined
}

/**
 * Oldest first, without payloads. A page may have fewer events than `limit`, or none, and still a cursor: a shard reads
 * a limited number of pending events at a time.
 */
export async function readEvents(
  { shards }: Services,
  filter: EventFilter,
  { limit, cursor }: { limit: number; cursor?: Cursor | undefined },
) {
  const asked = listFilter(filter)
  // One more than requested shows whether there is another page.
  const pages = await shards.all(async (shard, index) => {
    const { events, readTo } = await shard.list(asked, after(cursor, index), limit + 1)
    const end = readTo === null ? null : { position: readTo, shard: index }
    return { events: events.map((event) => ({ ...event, shard: index })), end }
  })
  // Behind the place where the first shard stopped reading, there may be events that are not known yet.
  const end = pages.flatMap((page) => page.end ?? []).sort(byPlace)[0] ?? null
  const events = pages
    .flatMap((page) => page.events)
    .filter((event) => end === null || byPlace(event, end) <= 0)
    .sort(byPlace)
  const last = events.length > limit ? events[limit - 1] : end
  return {
    events: events.slice(0, limit).map(eventView),
    cursor: last ? encodeCursor(last) : null,
  }
}

function byPlace(a: Cursor, b: Cursor): number {
  return a.position - b.position || a.shard - b.shard
}

/** With its payload, its bytes as they came (`body`) and AEP's answer; `null` if it is not stored. */
export async function readEvent({ shards }: Services, id: string) {
  const found = await shards.all((shard) => shard.get(id))
  const event = found.find((each) => each !== null)
  return event ? { ...eventDetailView(event), body: event.body } : null
}

/** Whether there was such an event. */
export async function deleteEvent(services: Services, by: string, id: string): Promise<boolean> {
  const erased = await services.shards.all((shard) => shard.erase(id))
  if (!erased.includes(true)) return false
  await logAction(services, by, 'delete', { erased: 1 })
  return true
}

/** As shards take it. */
export function listFilter<State extends EventState>(
  filter: EventFilter<State>,
): ListFilter & { state: State } {
  const { state, kind, code, path, day } = filter
  return {
    state,
    kind: kind ?? null,
    code: code ?? null,
    path: path === undefined ? null : (path ?? ''),
    ...positionsOf(day),
  }
}
