/** Stored events: lists, causes, one in full, exported; redriving and deleting, one or all that match; what would be sent of one. */
import { Envelope } from '../../aep/client/client.ts'
import { encode } from '../../aep/record/encode.ts'
import { redactEvent } from '../../aep/record/redact.ts'
import { readEventOrNull } from '../../chatlio/event.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import { exceededLimit, isObject, parseExactly, parseJson, utf8Bytes } from '../../lib/json.ts'
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
import type { Run } from './run.ts'

export const isoOrNull = (ms: number | null) => (ms === null ? null : toIso(ms))

/** These moments as an operator reads them; what else there is stays as it is. */
export function dated<Row extends object, Name extends keyof Row>(row: Row, ...names: Name[]) {
  const moments = names.map((name) => [name, isoOrNull(row[name] as number | null)])
  return { ...row, ...Object.fromEntries(moments) } as Omit<Row, Name> & {
    [Each in Name]: Row[Each] extends number ? string : string | null
  }
}

/** As listed: delivered events have when, and how. */
function listedView(event: Listed | Found) {
  if ('settledAt' in event) return foundView(event)
  const { position: _, ...listed } = event
  return dated(listed, 'receivedAt', 'nextAttemptAt')
}

export function foundView({ position: _, settledAt, refused, ...rest }: Found) {
  const event = dated(rest, 'receivedAt', 'nextAttemptAt')
  const view = { ...event, settledAt: isoOrNull(settledAt) }
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
  input: Omit<Input<'events'>, 'state'> & Pick<Input<'export'>, 'state'>,
): Promise<Answer<'events'>> {
  const { limit, cursor = null, order, ...filter } = input
  const page = await outbox().list(listFilter(filter), cursor, limit + 1, order === 'newest')
  const { shown, next } = pageOf(page.events, limit)
  const end = page.readTo === null ? null : encodeCursor(page.readTo)
  return { events: shown.map(listedView), cursor: next ?? end }
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
export const event: Run<'event', null> = async (services, { id }) => {
  return (await eventWithBody(services, id))?.event ?? null
}

/** And its bytes as they came, both as of one moment. */
export async function eventWithBody({ outbox }: Services, id: string) {
  const found = await outbox().get(id)
  if (!found) return null
  return { event: detailView(found), body: found.body }
}

const WRITABLE = { depth: MAX_JSON_DEPTH, values: Infinity }

function detailView({ body, ...rest }: EventDetail): Answer<'event'> {
  const parsed = parseJson(body)
  const isReadable = parsed.ok && exceededLimit(parsed.value, WRITABLE) === null
  const payload: unknown = isReadable ? parsed.value : new TextDecoder().decode(body)
  const history = rest.history.map((each) => dated(each, 'at'))
  return { ...dated(rest, 'receivedAt', 'nextAttemptAt'), payload, history }
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
  const rows = await outbox().causes()
  const groups = Map.groupBy(rows, ({ state, code, path }) => JSON.stringify([state, code, path]))
  const causes = [...groups.values()].flatMap((group) => {
    const [first] = group
    if (!first) return []
    const { state, code, path } = first
    return {
      state,
      code,
      path: path || null,
      count: group.reduce((sum, { count }) => sum + count, 0),
      firstAt: toIso(Math.min(...group.map(({ firstAt }) => firstAt))),
      lastAt: toIso(Math.max(...group.map(({ lastAt }) => lastAt))),
      kinds: Object.fromEntries(group.map(({ kind, count }) => [kind, count])),
    }
  })
  return { causes: causes.sort((a, b) => b.count - a.count || (a.lastAt < b.lastAt ? 1 : -1)) }
}

/**
 * Makes them pending again; quarantined ones that are still invalid stay, and are counted. `positions`: where those are that
 * the operators' log watches.
 */
export const redrive: Run<'redrive'> = async ({ outbox }, input) => {
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

export const deleteMatching: Run<'deleteMatching'> = async ({ outbox }, input) => {
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
export function listFilter<State extends string>(
  filter: Omit<Input<'export'>, 'state' | 'ids'> & { state: State },
): Omit<ListFilter, 'state'> & { state: State } {
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

/** Streamed a page at a time, so that any number of events passes. One that fails midway ends without its last line. */
async function exportEvents(services: Services, input: Input<'export'>): Promise<Answer<'export'>> {
  const pages = input.ids ? chosen(services, input.ids, input.state) : matching(services, input)
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await pages.next()
      if (done) return controller.close()
      controller.enqueue(utf8Bytes(value.map((each) => `${JSON.stringify(each)}\n`).join('')))
    },
  })
  return { body }
}

async function* matching({ outbox }: Services, input: Input<'export'>) {
  const filter = listFilter(input)
  for (let after: number | null = null; ; ) {
    const { events, readTo } = await outbox().exported(filter, after)
    // What is enqueued must hold something, or nothing more is pulled.
    if (events.length > 0) yield events.map(exportedView)
    if (readTo === null) return
    after = readTo
  }
}

/** Those of the state, one by one. An event that was delivered and has come again is stored as well. */
async function* chosen(
  services: Services,
  ids: readonly string[],
  state: Input<'export'>['state'],
) {
  for (const id of new Set(ids)) {
    const stored = state === 'delivered' ? null : await event(services, { id })
    const found = stored ?? (await receiptOf(services, id))
    const isOfState = state === 'all' || state === (stored?.state ?? 'delivered')
    if (found?.id === id && isOfState) yield [found]
  }
}

async function receiptOf({ outbox }: Services, id: string) {
  const request = { by: { id }, from: 0, before: Number.MAX_SAFE_INTEGER, limit: 2 }
  const found = (await outbox().find(request)).find(({ settledAt }) => settledAt !== null)
  return found && foundView(found)
}

export { exportEvents as export }

const exportedView = (event: EventDetail | Listed | Found) =>
  'body' in event ? detailView(event) : listedView(event)

/** Encoded anew, as a redrive would be: of a split event all parts, also those that AEP has. */
export const preview: Run<'preview', null> = async ({ outbox, config, rim }, { id }) => {
  const stored = await outbox().get(id)
  if (!stored) return null
  const { destination, redact, maxEventBytes } = config
  const event = readEventOrNull(stored, parseJson(stored.body))
  const nothing = { sendable: false, format: destination?.format ?? null, records: [], masked: [] }
  if (event?.outcome !== 'valid') {
    return { ...nothing, why: 'It is not a valid event, so nothing is sent.', redacted: {} }
  }
  if (!destination) {
    return { ...nothing, why: 'The configuration names no place to send it to.', redacted: {} }
  }
  const maxRecordBytes = new Envelope(destination).maxRecordBytes(maxEventBytes)
  const { source } = stored
  const sent = encode(event.event, destination, maxRecordBytes, { now: rim.now(), source, redact })
  const texts = sent.split ? sent.parts : [sent.record]
  const { payload } = redactEvent(event.event, redact).event
  return {
    sendable: true,
    why: null,
    format: destination.format,
    records: texts.map(parseExactly),
    masked: differences(event.event.payload, payload, ''),
    redacted: { ...sent.redacted },
  }
}

/** Where two values differ: the path, and the text that is sent; `null`: it is left out. */
function differences(before: unknown, after: unknown, path: string): Answer<'preview'>['masked'] {
  if (before === after) return []
  const isHolder = (value: unknown) => isObject(value) || Array.isArray(value)
  if (!isHolder(before) || !isHolder(after)) {
    return [{ path, text: after === undefined ? null : String(after) }]
  }
  const [from, to] = [before, after] as Record<string, unknown>[]
  return Object.keys(from ?? {}).flatMap((key) =>
    differences(from?.[key], to?.[key], path === '' ? key : `${path}.${key}`),
  )
}
