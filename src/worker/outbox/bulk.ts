/**
 * Actions on many stored events: all that a filter matches, some by their ids, or one person's.
 *
 * Promises: a page at a time, bounded by events and by bytes, whichever way they are chosen, so that the outbox goes on with
 * other work between two pages. What is dry changes nothing and counts what a real run would find. A quarantined event is
 * validated again before it is redriven, and stays when it is still invalid; one of a suppressed person stays as well.
 * An event is a person's by the documented places alone; where a body is no JSON object, or is in quarantine and names nobody
 * there, by its text: of the stored body itself, not of its hashes. Others' events stay, and those that mention the person are
 * counted; AEP's answers kept with them are blanked when they quote the person.
 */
import { readEventOrNull } from '../chatlio/event.ts'
import { isOf, namesNobody, type PersonKey, subjectOf } from '../chatlio/person.ts'
import { isObject, parseJson } from '../lib/json.ts'
import { folded, mentions, readingsOf, readingsOfText } from '../lib/spellings.ts'
import { BULK_BYTES } from '../limits.ts'
import type { Events } from './events.ts'
import type { EventDetail, EventList, Listed, ListFilter } from './list.ts'
import type { Records } from './records/records.ts'

export type BulkRequest = {
  /** A redrive takes none that is pending. */
  filter: ListFilter
  /** Only these ids; `null`: all. */
  ids: readonly string[] | null
  dryRun: boolean
  /** Where the page begins: behind a position, or with `ids` behind so many of them. */
  after: number
  limit: number
}

/** `positions`: where the redriven ones are. `next`: the `after` of the next page; `null` if this is the last one. */
export type RedrivePage = {
  matched: number
  redriven: number
  stillInvalid: number
  positions: number[]
  next: number | null
}
export type DeletePage = { matched: number; erased: number; next: number | null }

/** `person`: normalized; `hash`: the keyed one of it; `after`: a position. */
export type EraseRequest = Pick<BulkRequest, 'dryRun' | 'after' | 'limit'> & {
  person: PersonKey
  hash: string
}

/** `receipts` are counted with the last page. */
export type ErasePage = DeletePage & { receipts: number; mentioned: number }

type BulkDeps = {
  events: Events
  list: EventList
  records: Pick<Records, 'suppressions' | 'eraseReceipts'>
  now: () => number
}

export class Bulk {
  readonly #deps: BulkDeps

  constructor(deps: BulkDeps) {
    this.#deps = deps
  }

  /** Part of the caller's transaction. */
  redrive(request: BulkRequest): RedrivePage {
    const { events, records, now } = this.#deps
    const { found, next } = this.#page(request)
    const page: RedrivePage = { matched: 0, redriven: 0, stillInvalid: 0, positions: [], next }
    for (const { position, state } of found) {
      const event = state === 'pending' ? null : events.read(position)
      if (!event) continue
      page.matched += 1
      const reading = readEventOrNull(event, parseJson(event.body))
      if (state === 'quarantined' && reading?.outcome !== 'valid') {
        page.stillInvalid += 1
        continue
      }
      if (request.dryRun || records.suppressions.has(event.hashes, now())) continue
      events.requeue(position, reading?.kind ?? event.kind)
      page.positions.push(position)
      page.redriven += 1
    }
    return page
  }

  /** Part of the caller's transaction. */
  erase(request: BulkRequest): DeletePage {
    const { found, next } = this.#page(request)
    const erased = request.dryRun ? [] : found.map(({ position }) => position)
    this.#deps.events.erase(erased, 'deleted')
    return { matched: found.length, erased: erased.length, next }
  }

  #page({ filter, ids, after, limit }: BulkRequest): { found: Listed[]; next: number | null } {
    const { list } = this.#deps
    if (!ids) {
      const { events, readTo } = list.list(filter, after, limit)
      const found = withinBytes(events)
      const last = found.length < events.length ? found.at(-1) : null
      return { found, next: last?.position ?? readTo }
    }
    const distinct = [...new Set(ids)]
    let at = Math.max(after, 0)
    const end = Math.min(at + limit, distinct.length)
    function* asked() {
      for (; at < end; at += 1) {
        const event = list.find(distinct[at] ?? '', filter)
        if (event) yield event
      }
    }
    // Leaves `at` at the first that is not taken.
    const found = withinBytes(asked())
    return { found, next: at < distinct.length ? at : null }
  }

  erasePerson({ person, hash, dryRun, after, limit }: EraseRequest): ErasePage {
    const { list, events, records } = this.#deps
    const page: ErasePage = { matched: 0, erased: 0, receipts: 0, mentioned: 0, next: null }
    const all = list.hashed(after, Number.MAX_SAFE_INTEGER, limit)
    const positions = [...all].map(({ position }) => position)
    let bytes = 0
    for (const position of positions) {
      if (bytes >= BULK_BYTES) break
      page.next = position
      const stored = list.get(position)
      if (!stored) continue
      bytes += stored.body.length
      const relation = relationOf(stored, person)
      if (relation === 'theirs') {
        page.matched += 1
        if (dryRun) continue
        events.erase([position], 'person')
        page.erased += 1
        continue
      }
      if (relation === 'mentioned') page.mentioned += 1
      const { answer } = stored
      const quotes = answer && mentions(readingsOfText(answer), folded(person.value))
      if (!dryRun && quotes) events.eraseAnswer(position)
    }
    const isLast = positions.length < limit && page.next === (positions.at(-1) ?? null)
    return isLast ? { ...page, next: null, receipts: records.eraseReceipts(hash, dryRun) } : page
  }
}

/** As many as are worked on at once: the first always, however large. Asks for no more than one beyond. */
export function withinBytes<Event extends { bytes: number }>(events: Iterable<Event>): Event[] {
  const taken: Event[] = []
  let bytes = 0
  for (const event of events) {
    bytes += event.bytes
    if (taken.length > 0 && bytes > BULK_BYTES) break
    taken.push(event)
  }
  return taken
}

function relationOf(
  { id, kind, state, receivedAt, body }: EventDetail,
  person: PersonKey,
): 'theirs' | 'mentioned' | 'none' {
  const parsed = parseJson(body)
  const isJson = parsed.ok && isObject(parsed.value)
  const inPlaces = subjectOf({ kind, parsed, body, isValid: true })
  if (isJson && isOf(person, inPlaces)) return 'theirs'
  if (!mentions(readingsOf(body), folded(person.value))) return 'none'
  if (!isJson) return 'theirs'
  const isUnread =
    state === 'quarantined' &&
    readEventOrNull({ id, kind, receivedAt }, parsed)?.outcome !== 'valid'
  return isUnread && namesNobody(inPlaces) ? 'theirs' : 'mentioned'
}
