/** Stored events: lists, causes, one in full; redriving and deleting, one or all that match. */
import { toIso } from '../../chatlio/timestamp.ts'
import { exceededLimit, parseJson } from '../../lib/json.ts'
import {
  DAY_MS,
  ERASE_PAGE,
  HOUR_MS,
  MAX_JSON_DEPTH,
  MAX_WATCHED,
  REDRIVE_PAGE,
} from '../../limits.ts'
import type { BulkRequest } from '../../outbox/bulk.ts'
import { PER_MS } from '../../outbox/event.ts'
import type { EventDetail, Listed, ListFilter } from '../../outbox/list.ts'
import type { Found } from '../../outbox/records/find.ts'
import type { Services } from '../../services.ts'
import type { Answer, Input } from '../api.ts'
import { encodeCursor } from '../input.ts'

export const isoOrNull = (ms: number | null) => (ms === null ? null : toIso(ms))

/** Moments as an operator reads them; what else there is stays as it is. */
function eventView<Event extends { receivedAt: number; nextAttemptAt: number | null }>(
  event: Event,
) {
  const { receivedAt, nextAttemptAt } = event
  return { ...event, receivedAt: toIso(receivedAt), nextAttemptAt: isoOrNull(nextAttemptAt) }
}

/** As listed: delivered events have when, and how. */
export function listedView(event: Listed | Found) {
  if ('settledAt' in event) return foundView(event)
  const { position: _, ...listed } = event
  return eventView(listed)
}

export function foundView({ position: _, settledAt, refused, ...rest }: Found) {
  const view = { ...eventView(rest), settledAt: isoOrNull(settledAt) }
  if (!refused) return view
  const { at, code, pointer, batch } = refused
  return { ...view, failedAt: toIso(at), code, pointer, batch }
}

/** A UTC day of receipt, or an hour of one, as positions: `from` belongs to it, `end` does not. Without, every position. */
export function positionsOf(day: string | undefined): { from: number; end: number } {
  if (day === undefined) return { from: 0, end: Number.MAX_SAFE_INTEGER }
  const isHour = day.includes('T')
  const from = Date.parse(isHour ? `${day}:00Z` : day) * PER_MS
  return { from, end: from + (isHour ? HOUR_MS : DAY_MS) * PER_MS }
}

/**
 * A page may have fewer events than `limit`, or none, and still a cursor: the outbox reads a limited number of pending
 * events at a time.
 */
export async function events(
  { outbox }: Services,
  {
    limit,
    cursor,
    order,
    ...filter
  }: Omit<Input<'events'>, 'state'> & Pick<Input<'export'>, 'state'>,
): Promise<Answer<'events'>> {
  const isNewest = order === 'newest'
  const page = await outbox().list(listFilter(filter), cursor ?? null, limit + 1, isNewest)
  const { shown, next } = pageOf(page.events, limit)
  const { readTo } = page
  return {
    events: shown.map(listedView),
    cursor: next ?? (readTo === null ? null : encodeCursor(readTo)),
  }
}

/** One more was asked for than is shown: it tells whether there is another page. `next`: its cursor. */
export function pageOf<Item extends { position: number }>(found: readonly Item[], limit: number) {
  const last = found.length > limit ? found[limit - 1] : undefined
  return { shown: found.slice(0, limit), next: last ? encodeCursor(last.position) : null }
}

/**
 * The only answer that shows a payload and AEP's own words. A payload that is not JSON is shown as text, and so is one that
 * is too deep to be written as JSON again.
 */
export async function event(
  services: Services,
  { id }: Input<'event'>,
): Promise<Answer<'event'> | null> {
  return (await eventWithBody(services, id))?.event ?? null
}

/** And its bytes as they came, both as of one moment. */
export async function eventWithBody({ outbox }: Services, id: string) {
  const found = await outbox().get(id)
  if (!found) return null
  return { event: detailView(found), body: found.body }
}

const WRITABLE = { depth: MAX_JSON_DEPTH, values: Infinity }

export function detailView({ body, ...rest }: EventDetail): Answer<'event'> {
  const parsed = parseJson(body)
  const isReadable = parsed.ok && exceededLimit(parsed.value, WRITABLE) === null
  const payload: unknown = isReadable ? parsed.value : new TextDecoder().decode(body)
  const history = rest.history.map((each) => ({ ...each, at: toIso(each.at) }))
  return { ...eventView(rest), payload, history }
}

export async function body({ outbox }: Services, { id }: Input<'body'>) {
  const found = await outbox().get(id)
  return found && { body: found.body }
}

export async function deleteEvent({ outbox }: Services, { id }: Input<'deleteEvent'>) {
  return (await outbox().erase(id)) ? { erased: 1 } : null
}

/** The same state, code and path over all kinds, the most frequent first. */
export async function causes({ outbox }: Services): Promise<Answer<'causes'>> {
  const causes = new Map<string, Answer<'causes'>['causes'][number]>()
  for (const { state, code, path, kind, count, ...row } of await outbox().causes()) {
    const [firstAt, lastAt] = [toIso(row.firstAt), toIso(row.lastAt)]
    const key = JSON.stringify([state, code, path])
    const cause = causes.get(key)
    if (cause) {
      cause.count += count
      if (firstAt < cause.firstAt) cause.firstAt = firstAt
      if (lastAt > cause.lastAt) cause.lastAt = lastAt
      cause.kinds[kind] = (cause.kinds[kind] ?? 0) + count
    } else {
      const kinds = { [kind]: count }
      causes.set(key, { state, code, path: path || null, count, firstAt, lastAt, kinds })
    }
  }
  return {
    causes: [...causes.values()].sort(
      (a, b) => b.count - a.count || (a.lastAt < b.lastAt ? 1 : -1),
    ),
  }
}

/**
 * Makes them pending again; quarantined ones that are still invalid stay, and are counted. `positions`: where those are that
 * the operators' log watches.
 */
export async function redrive(
  { outbox }: Services,
  input: Input<'redrive'>,
): Promise<Answer<'redrive'> & { positions: number[] }> {
  const positions: number[] = []
  const names = ['matched', 'redriven', 'stillInvalid'] as const
  const request = bulkRequest(input, REDRIVE_PAGE)
  const sums = await overPages(names, async (after) => {
    const page = await outbox().redrive({ ...request, after })
    positions.push(...page.positions.slice(0, MAX_WATCHED - positions.length))
    return page
  })
  return { ...sums, positions }
}

export async function deleteMatching(
  { outbox }: Services,
  input: Input<'deleteMatching'>,
): Promise<Answer<'deleteMatching'>> {
  const request = bulkRequest(input, ERASE_PAGE)
  return overPages(['matched', 'erased'], (after) => outbox().eraseMatching({ ...request, after }))
}

function bulkRequest(
  { ids, dryRun, ...filter }: Input<'redrive'> | Input<'deleteMatching'>,
  limit: number,
): Omit<BulkRequest, 'after'> {
  return { filter: listFilter(filter), ids: ids ?? null, dryRun, limit }
}

/**
 * The sums of these numbers over all pages. A page at a time, so that an outbox with a hundred thousand events goes on relaying
 * between two. `next`: where the next page begins, `null` after the last.
 */
export async function overPages<const Name extends string>(
  names: readonly Name[],
  act: (after: number) => Promise<Record<Name, number> & { next: number | null }>,
): Promise<Record<Name, number>> {
  let sums = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
  for (let after: number | null = -1; after !== null; ) {
    const page: Record<Name, number> & { next: number | null } = await act(after)
    sums = addedUp(sums, page, names)
    after = page.next
  }
  return sums
}

export function addedUp<const Name extends string>(
  one: Readonly<Record<Name, number>>,
  other: Readonly<Record<Name, number>>,
  names: readonly Name[],
): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as never
}

/** What is not given matches every event of the state. `path`: `null` matches events without one; `id`: its beginning. */
export function listFilter<State extends string>(filter: {
  state: State
  kind?: ListFilter['kind'] | undefined
  code?: string | undefined
  path?: string | null | undefined
  source?: string | undefined
  day?: string | undefined
  id?: string | undefined
}): Omit<ListFilter, 'state'> & { state: State } {
  const { state, kind, code, path, source, day, id } = filter
  return {
    state,
    kind: kind ?? null,
    code: code ?? null,
    path: path === undefined ? null : (path ?? ''),
    source: source ?? null,
    idPrefix: id ?? null,
    ...positionsOf(day),
  }
}
