/** Stored events: a page of a list, one in full, and erasing one. */
import type { StoredKind } from '../../chatlio/kind.ts'
import type { EventState, ListFilter } from '../../outbox/state.ts'
import type { Services } from '../../services.ts'
import { after, type Cursor, encodeCursor } from '../cursor.ts'
import { eventDetailView, eventView } from '../view.ts'
import { logAction } from './log.ts'

/** What is not given matches every event of the state. */
export type EventFilter<State extends EventState = EventState> = {
  state: State
  kind?: StoredKind | undefined
  code?: string | undefined
}

/** Oldest first, without payloads. */
export async function readEvents(
  { shards }: Services,
  filter: EventFilter,
  { limit, cursor }: { limit: number; cursor?: Cursor | undefined },
) {
  const asked = listFilter(filter)
  // One more than requested shows whether there is another page.
  const pages = await shards.all(async (shard, index) => {
    const listed = await shard.list(asked, after(cursor, index), limit + 1)
    return listed.map((event) => ({ ...event, shard: index }))
  })
  const events = pages.flat().sort((a, b) => a.position - b.position || a.shard - b.shard)
  const last = events.length > limit ? events[limit - 1] : undefined
  return {
    events: events.slice(0, limit).map(eventView),
    cursor: last ? encodeCursor(last) : null,
  }
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
  const { state, kind, code } = filter
  return { state, kind: kind ?? null, code: code ?? null }
}
