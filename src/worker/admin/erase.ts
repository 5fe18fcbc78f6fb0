/**
 * A privacy request: one person's events, and no more of them.
 *
 * Promises: suppresses first, on every shard, so that nothing new is stored while the old is erased; then erases from every
 * state. Repeating it is safe. Neither the address nor an id is kept, answered or logged.
 */
import { toIso } from '../chatlio/timestamp.ts'
import { DAY_MS, ERASE_PAGE } from '../limits.ts'
import { type AppContext, servicesOf } from '../services.ts'
import { logAction } from './action.ts'
import { hashOf } from './find.ts'
import { EraseSchema, PersonSchema, personOf } from './lookup-parameters.ts'
import { checkBody } from './parameters.ts'
import { badRequest, notFound } from './problems.ts'
import { readJson } from './read-json.ts'

export async function erasePerson(c: AppContext): Promise<Response> {
  const body = checkBody(EraseSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  const { suppressDays, dryRun } = body.output
  const person = personOf(body.output)
  const hash = await hashOf(c, person.field, person.value)
  const { shards, refresh } = servicesOf(c.env)
  const now = Date.now()
  const suppresses = !dryRun && suppressDays > 0
  const ends = await shards.all((shard) =>
    suppresses
      ? shard.suppress(hash, now, now + suppressDays * DAY_MS)
      : shard.suppressedUntil(hash, now),
  )
  // This isolate need not wait for its next refresh.
  if (suppresses) await refresh.now()
  const counts = { matched: 0, erased: 0, receipts: 0, mentioned: 0 }
  await shards.all(async (shard) => {
    for (let after: number | null = -1; after !== null; ) {
      const page: Awaited<ReturnType<typeof shard.erasePerson>> = await shard.erasePerson({
        person,
        hash,
        dryRun,
        after,
        limit: ERASE_PAGE,
      })
      counts.matched += page.matched
      counts.erased += page.erased
      counts.receipts += page.receipts
      counts.mentioned += page.mentioned
      after = page.next
    }
  })
  if (!dryRun) await logAction(c, 'erase', counts)
  const ended = ends.filter((end) => end !== null)
  const suppressedUntil = ended.length === 0 ? null : toIso(Math.max(...ended))
  return c.json({ ...counts, suppressedUntil })
}

/** Every shard has them all. */
export async function listSuppressions(c: AppContext): Promise<Response> {
  const { shards } = servicesOf(c.env)
  const rows = await shards.tokenKeeper().suppressions(Date.now())
  rows.sort((a, b) => a.since - b.since)
  return c.json({
    count: rows.length,
    rows: rows.map(({ since, until }) => ({ since: toIso(since), until: toIso(until) })),
  })
}

export async function endSuppression(c: AppContext): Promise<Response> {
  const body = checkBody(PersonSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  const person = personOf(body.output)
  const hash = await hashOf(c, person.field, person.value)
  const { shards, refresh } = servicesOf(c.env)
  const now = Date.now()
  const ended = await shards.all((shard) => shard.endSuppression(hash, now))
  if (!ended.includes(true)) return notFound()
  await refresh.now()
  await logAction(c, 'end-suppression', { ended: 1 })
  return c.body(null, 204)
}
