/**
 * Where is the chat of yesterday, how many were there, and which operator did what.
 * An address or id of a person comes in a body, since URLs are shown by `wrangler tail`, and is compared as a keyed hash.
 */
import { normalizedKey } from '../chatlio/subject.ts'
import { toIso } from '../chatlio/timestamp.ts'
import { DAY_MS } from '../limits.ts'
import { STEP_MS, summed } from '../outbox/receipts/activity.ts'
import { PER_MS } from '../outbox/storage/reader.ts'
import { percentile } from '../receipts/histogram.ts'
import { type LookupField, LookupHash } from '../receipts/lookup-hash.ts'
import { type AppContext, servicesOf } from '../services.ts'
import { before, encodeCursor } from './cursor.ts'
import { ActivitySchema, FindSchema, LogSchema } from './lookup-parameters.ts'
import { checkBody, checkQuery } from './parameters.ts'
import { badRequest } from './problems.ts'
import { readJson } from './read-json.ts'
import { foundView } from './view.ts'

export async function findEvents(c: AppContext): Promise<Response> {
  const body = checkBody(FindSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  const { id, conversation, visitor, email, day, limit, cursor } = body.output
  const { shards } = servicesOf(c.env)
  const by =
    id !== undefined
      ? { id }
      : { hash: await hashOf(c, ...fieldOf({ conversation, visitor, email })) }
  const from = day === undefined ? 0 : Date.parse(day) * PER_MS
  const end = day === undefined ? Number.MAX_SAFE_INTEGER : from + DAY_MS * PER_MS
  // One more than asked for tells whether there is another page.
  const pages = await shards.all(async (shard, index) => {
    const below = before(cursor ?? undefined, index, end)
    const found = await shard.find({ by, from, before: below, limit: limit + 1 })
    return found.map((event) => ({ ...event, shard: index }))
  })
  const events = pages.flat().sort((a, b) => b.position - a.position || a.shard - b.shard)
  const last = events.length > limit ? events[limit - 1] : undefined
  return c.json({
    events: events.slice(0, limit).map(foundView),
    cursor: last ? encodeCursor(last) : null,
  })
}

function fieldOf(given: { [Field in LookupField]: string | undefined }): [LookupField, string] {
  if (given.conversation !== undefined) return ['conversation', given.conversation]
  const { field, value } =
    given.email === undefined
      ? normalizedKey({ field: 'visitor', value: given.visitor ?? '' })
      : normalizedKey({ field: 'email', value: given.email })
  return [field, value]
}

export async function hashOf(c: AppContext, field: LookupField, value: string): Promise<string> {
  const { shards } = servicesOf(c.env)
  return new LookupHash(await shards.tokenKeeper().lookupKey()).of(field, value)
}

export async function showActivity(c: AppContext): Promise<Response> {
  const query = checkQuery(ActivitySchema, new URL(c.req.url).searchParams)
  if (!query.ok) return badRequest(query.detail)
  const { step, to = Date.now() + 1, from = to - DAY_MS } = query.output
  const rows = await servicesOf(c.env).shards.all((shard) => shard.activity(from, to, step))
  const points = summed(rows.flat(), STEP_MS[step])
  return c.json({
    step,
    lowerBound: true,
    points: points.map(({ minute, kind, outcome, count, histogram }) => ({
      at: toIso(minute),
      kind,
      outcome,
      count,
      p50Ms: percentile(histogram, 0.5),
      p99Ms: percentile(histogram, 0.99),
    })),
  })
}

export async function showLog(c: AppContext): Promise<Response> {
  const query = checkQuery(LogSchema, new URL(c.req.url).searchParams)
  if (!query.ok) return badRequest(query.detail)
  const { limit, cursor } = query.output
  const below = before(cursor, 0, Number.MAX_SAFE_INTEGER)
  const entries = await servicesOf(c.env)
    .shards.tokenKeeper()
    .actions(below, limit + 1)
  const last = entries.length > limit ? entries[limit - 1] : undefined
  return c.json({
    entries: entries.slice(0, limit).map(({ at, by, action, counts }) => {
      return { at: toIso(at), by, action, counts }
    }),
    cursor: last ? encodeCursor({ position: last.position, shard: 0 }) : null,
  })
}
