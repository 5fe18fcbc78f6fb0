/**
 * A privacy request: one person's events, and no more of them; and who is suppressed.
 *
 * Promises: suppresses first, on every shard, so that nothing new is stored while the old is erased; then erases from every
 * state. Repeating it is safe. Neither the address nor an id is kept, answered or logged.
 */
import { normalizedKey, type PersonKey } from '../../chatlio/subject.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import { DAY_MS, ERASE_PAGE } from '../../limits.ts'
import type { Services } from '../../services.ts'
import { hashOf } from './find.ts'
import { logAction } from './log.ts'

/** Exactly one of these is given. */
export type Person = { email?: string | undefined; visitor?: string | undefined }

/** `suppressDays`: 0 suppresses nobody. */
export type ErasePerson = Person & { suppressDays: number; dryRun: boolean }

export async function erasePerson(services: Services, by: string, request: ErasePerson) {
  const { suppressDays, dryRun } = request
  const person = personOf(request)
  const hash = await hashOf(services, person.field, person.value)
  const { shards, reporter } = services
  const now = Date.now()
  const suppresses = !dryRun && suppressDays > 0
  const ends = await shards.all((shard) =>
    suppresses
      ? shard.suppress(hash, now, now + suppressDays * DAY_MS)
      : shard.suppressedUntil(hash, now),
  )
  // This isolate need not wait for its next refresh.
  if (suppresses) await reporter.report()
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
  if (!dryRun) await logAction(services, by, 'erase', counts)
  const ended = ends.filter((end) => end !== null)
  const suppressedUntil = ended.length === 0 ? null : toIso(Math.max(...ended))
  return { ...counts, suppressedUntil }
}

/** Every shard has them all. */
export async function readSuppressions({ shards }: Services) {
  const rows = await shards.tokenKeeper().suppressions(Date.now())
  return {
    count: rows.length,
    rows: rows.map(({ id, since, until }) => ({ id, since: toIso(since), until: toIso(until) })),
  }
}

/** Whether this person was suppressed. */
export async function endSuppression(
  services: Services,
  by: string,
  request: Person,
): Promise<boolean> {
  const person = personOf(request)
  const hash = await hashOf(services, person.field, person.value)
  const { shards, reporter } = services
  const now = Date.now()
  const ended = await shards.all((shard) => shard.endSuppression(hash, now))
  if (!ended.includes(true)) return false
  await reporter.report()
  await logAction(services, by, 'end-suppression', { ended: 1 })
  return true
}

function personOf({ email, visitor = '' }: Person): PersonKey {
  return email === undefined
    ? normalizedKey({ field: 'visitor', value: visitor })
    : normalizedKey({ field: 'email', value: email })
}
