/**
 * Erases one person's events, a page at a time.
 *
 * Promises: an event is this person's by the documented places alone; where a body is no JSON object, or is in quarantine
 * and names nobody there, by its text. Others' events stay, and those that mention the person are counted; AEP's answers
 * kept with them are blanked when they quote the person. Compares the stored bodies themselves, not their hashes. A dry run
 * changes nothing.
 */
import { readEventOrNull } from '../../chatlio/event.ts'
import { isOf, namesNobody, type PersonKey, subjectOf } from '../../chatlio/person.ts'
import { isObject, parseJson } from '../../lib/json.ts'
import { folded, mentions, readingsOf, readingsOfText } from '../../lib/spellings.ts'
import { ERASE_BYTES } from '../../limits.ts'
import type { Events } from '../events.ts'
import type { EventList, StoredBody } from '../list.ts'
import type { Records } from './records.ts'

export type EraseRequest = {
  /** Normalized. */
  person: PersonKey
  /** The keyed hash of it. */
  hash: string
  dryRun: boolean
  /** A position. */
  after: number
  limit: number
}

/** `receipts` are counted with the last page; `next` is where the next page begins, `null` after the last. */
export type ErasePage = {
  matched: number
  erased: number
  receipts: number
  mentioned: number
  next: number | null
}

type EraseDeps = {
  list: EventList
  events: Events
  records: Records
}

export function erasePage(request: EraseRequest, deps: EraseDeps): ErasePage {
  const { list, events, records } = deps
  const { person, hash, dryRun, after, limit } = request
  const page: ErasePage = { matched: 0, erased: 0, receipts: 0, mentioned: 0, next: null }
  const positions = list.positionsAfter(after, limit)
  let bytes = 0
  for (const position of positions) {
    if (bytes >= ERASE_BYTES) break
    page.next = position
    const stored = list.body(position)
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

function relationOf(
  { id, kind, state, receivedAt, body }: StoredBody,
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
