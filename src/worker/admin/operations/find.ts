/**
 * Where is the chat of yesterday: events of every state and receipts of delivered ones, the newest first.
 * A person's address or id is compared as a keyed hash.
 */
import { normalizedKey } from '../../chatlio/subject.ts'
import { type LookupField, LookupHash } from '../../outbox/records/lookup.ts'
import type { Services } from '../../services.ts'
import { before, type Cursor, encodeCursor } from '../cursor.ts'
import { positionsOf } from '../position-range.ts'
import { foundView } from '../view.ts'

/** Exactly one of these is given. */
export type FindBy = { id?: string | undefined } & {
  [Field in LookupField]?: string | undefined
}

/** `day`: `YYYY-MM-DD`, in UTC. */
export type FindPage = {
  day?: string | undefined
  limit: number
  cursor?: Cursor | null | undefined
}

export async function find(services: Services, what: FindBy, { day, limit, cursor }: FindPage) {
  const { shards } = services
  const { id } = what
  const by = id !== undefined ? { id } : { hash: await hashOf(services, ...fieldOf(what)) }
  const { from, end } = positionsOf(day)
  // One more than asked for tells whether there is another page.
  const pages = await shards.all(async (shard, index) => {
    const below = before(cursor ?? undefined, index, end)
    const found = await shard.find({ by, from, before: below, limit: limit + 1 })
    return found.map((event) => ({ ...event, shard: index }))
  })
  const events = pages.flat().sort((a, b) => b.position - a.position || a.shard - b.shard)
  const last = events.length > limit ? events[limit - 1] : undefined
  return {
    events: events.slice(0, limit).map(foundView),
    cursor: last ? encodeCursor(last) : null,
  }
}

export async function hashOf(
  { shards }: Services,
  field: LookupField,
  value: string,
): Promise<string> {
  return new LookupHash(await shards.tokenKeeper().lookupKey()).of(field, value)
}

function fieldOf({ conversation, visitor, email }: FindBy): [LookupField, string] {
  if (conversation !== undefined) return ['conversation', conversation]
  const { field, value } =
    email === undefined
      ? normalizedKey({ field: 'visitor', value: visitor ?? '' })
      : normalizedKey({ field: 'email', value: email })
  return [field, value]
}
