/**
 * One person's events: where are they, erase them, and who is suppressed.
 *
 * Promises: an address or id is compared as a keyed hash, and neither kept, answered nor logged. An erasure suppresses
 * first, so that nothing new is stored while the old is erased, and takes that person's events of every state, and no
 * others. Repeating it is safe.
 */
import { personKeysIn } from '../../aep/record/person.ts'
import { normalizedKey, type PersonKey } from '../../chatlio/person.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import { DAY_MS, ERASE_PAGE, MAX_SUPPRESS_DAYS } from '../../limits.ts'
import { type LookupField, LookupHash, packHashes } from '../../outbox/records/lookup.ts'
import type { Services } from '../../services.ts'
import type { Answer, Input } from '../api.ts'
import { encodeCursor } from '../input.ts'
import { foundView, isoOrNull, positionsOf } from './events.ts'

/** Events of every state, and receipts of delivered ones, the newest first. */
export async function find(services: Services, input: Input<'find'>): Promise<Answer<'find'>> {
  const { id, conversation, day, limit, cursor } = input
  const by =
    id !== undefined
      ? { id }
      : conversation !== undefined
        ? { hash: await hashOf(services, 'conversation', conversation) }
        : { hash: await hashOfPerson(services, personOf(input)) }
  const { from, end } = positionsOf(day)
  const before = Math.min(cursor ?? end, end)
  // One more than asked for tells whether there is another page.
  const found = await services.outbox().find({ by, from, before, limit: limit + 1 })
  const last = found.length > limit ? found[limit - 1] : undefined
  return {
    events: found.slice(0, limit).map(foundView),
    cursor: last ? encodeCursor(last.position) : null,
  }
}

export async function erase(services: Services, input: Input<'erase'>): Promise<Answer<'erase'>> {
  const { suppressDays, dryRun } = input
  const { outbox, reporter, rim } = services
  const person = personOf(input)
  const hash = await hashOfPerson(services, person)
  const now = rim.now()
  const suppresses = !dryRun && suppressDays > 0
  const until = suppresses
    ? await outbox().suppress(hash, now, now + suppressDays * DAY_MS)
    : await outbox().suppressedUntil(hash, now)
  // This isolate need not wait for its next refresh.
  if (suppresses) await reporter.report()
  const counts = { matched: 0, erased: 0, receipts: 0, mentioned: 0 }
  for (let after: number | null = -1; after !== null; ) {
    const request = { person, hash, dryRun, after, limit: ERASE_PAGE }
    const page: Awaited<ReturnType<ReturnType<typeof outbox>['erasePerson']>> =
      await outbox().erasePerson(request)
    counts.matched += page.matched
    counts.erased += page.erased
    counts.receipts += page.receipts
    counts.mentioned += page.mentioned
    after = page.next
  }
  return { ...counts, suppressedUntil: isoOrNull(until) }
}

/**
 * `records`: as AEP has them, in either format. Where a record names nobody, it is of nobody who is suppressed. `recovered`:
 * ids of events, or parts, that AEP has taken again.
 */
export async function screen(
  { outbox, rim }: Services,
  { records, recovered }: Input<'screen'>,
): Promise<Answer<'screen'>> {
  const hash = new LookupHash(await outbox().lookupKey(), rim.hmac)
  const hashes = await Promise.all(
    records.map(async (record) => {
      const own = personKeysIn(record).map(async ({ field, value }) => {
        return { field, hash: await hash.of(field, value) }
      })
      return packHashes(await Promise.all(own))
    }),
  )
  if (recovered.length > 0) await outbox().recovered(recovered)
  return { indexes: await outbox().screen(hashes) }
}

export async function suppressions({ outbox, rim }: Services): Promise<Answer<'suppressions'>> {
  const rows = await outbox().suppressions(rim.now())
  return {
    count: rows.length,
    rows: rows.map(({ id, since, until }) => ({ id, since: toIso(since), until: toIso(until) })),
  }
}

/** `null`: nobody is suppressed by this id. */
export async function extendSuppression(
  services: Services,
  { id, until }: Input<'extendSuppression'>,
): Promise<(Answer<'extendSuppression'> & { extended: number }) | null> {
  const { outbox, reporter, rim } = services
  const now = rim.now()
  const latest = Math.min(until, now + MAX_SUPPRESS_DAYS * DAY_MS)
  const end = await outbox().extendSuppression(id, now, latest)
  if (end === null) return null
  await reporter.report()
  const { rows } = await suppressions(services)
  const row = rows.find((each) => each.id === id)
  return row ? { ...row, extended: 1 } : null
}

/** `null`: this person was not suppressed. */
export async function endSuppression(services: Services, input: Input<'endSuppression'>) {
  const hash = await hashOfPerson(services, personOf(input))
  if (!(await services.outbox().endSuppression(hash, services.rim.now()))) return null
  await services.reporter.report()
  return { ended: 1 }
}

type Person = { email?: string | undefined; visitor?: string | undefined }

function personOf({ email, visitor = '' }: Person): PersonKey {
  return email === undefined
    ? normalizedKey({ field: 'visitor', value: visitor })
    : normalizedKey({ field: 'email', value: email })
}

function hashOfPerson(services: Services, { field, value }: PersonKey): Promise<string> {
  return hashOf(services, field, value)
}

async function hashOf(
  { outbox, rim }: Services,
  field: LookupField,
  value: string,
): Promise<string> {
  return new LookupHash(await outbox().lookupKey(), rim.hmac).of(field, value)
}
