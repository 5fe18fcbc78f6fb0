/**
 * One person's events: where are they, erase them, and who is suppressed.
 *
 * Promises: an address or id is compared as a keyed hash, and neither kept, answered nor logged. An erasure suppresses
 * first, so that nothing new is stored while the old is erased, and takes that person's events of every state, and no
 * others. Repeating it is safe.
 */
import * as v from 'valibot'
import { personKeysIn } from '../../aep/record/identity.ts'
import { normalizedKey, type PersonKey } from '../../chatlio/person.ts'
import { parseJson, utf8Bytes } from '../../lib/json.ts'
import { DAY_MS, ERASE_PAGE, MAX_SUPPRESS_DAYS } from '../../limits.ts'
import { type LookupField, LookupHash, packHashes } from '../../outbox/records/lookup.ts'
import type { Services } from '../../services.ts'
import type { Answer, Input } from '../api.ts'
import { dated, foundView, isoOrNull, overPages, pageOf, positionsOf } from './events.ts'
import type { Run } from './run.ts'

/** Events of every state, and receipts of delivered ones, the newest first. */
export const find: Run<'find'> = async (services, input) => {
  const { id, conversation, day, limit, cursor } = input
  const key =
    conversation === undefined
      ? personOf(input)
      : ({ field: 'conversation', value: conversation } as const)
  const by = id === undefined ? { hash: await hashOf(services, key) } : { id }
  const { from, end } = positionsOf(day)
  const before = Math.min(cursor ?? end, end)
  const found = await services.outbox().find({ by, from, before, limit: limit + 1 })
  const { shown, next } = pageOf(found, limit)
  return { events: shown.map(foundView), cursor: next }
}

export const erase: Run<'erase'> = async (services, input) => {
  const { suppressDays, dryRun } = input
  const { outbox, reporter, rim } = services
  const person = personOf(input)
  const hash = await hashOf(services, person)
  const now = rim.now()
  const suppresses = !dryRun && suppressDays > 0
  const until = suppresses
    ? await outbox().suppress(hash, now, now + suppressDays * DAY_MS)
    : await outbox().suppressedUntil(hash, now)
  // This isolate need not wait for its next refresh.
  if (suppresses) await reporter.report()
  const names = ['matched', 'erased', 'receipts', 'mentioned'] as const
  const counts = await overPages(names, (after) =>
    outbox().erasePerson({ person, hash, dryRun, after, limit: ERASE_PAGE }),
  )
  return { ...counts, suppressedUntil: isoOrNull(until) }
}

/**
 * `records`: as AEP has them, in either format. Where a record names nobody, it is of nobody who is suppressed. `recovered`:
 * ids of events, or parts, that AEP has taken again.
 */
export const screen: Run<'screen'> = async ({ outbox, rim }, { records, recovered }) => {
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
  return { count: rows.length, rows: rows.map((row) => dated(row, 'since', 'until')) }
}

/** `null`: nobody is suppressed by this id. */
export const extendSuppression: Run<'extendSuppression', null> = async (services, input) => {
  const { id, until } = input
  const { outbox, reporter, rim } = services
  const now = rim.now()
  const latest = Math.min(until, now + MAX_SUPPRESS_DAYS * DAY_MS)
  const end = await outbox().extendSuppression(id, now, latest)
  if (end === null) return null
  await reporter.report()
  const { rows } = await suppressions(services)
  const row = rows.find((each) => each.id === id)
  return row ? { ...row, counted: { extended: 1 } } : null
}

const BASE64URL = { alphabet: 'base64url', omitPadding: true } as const

/** Hashes and key together can be guessed at, so they leave encrypted only. */
export const exportSuppressions: Run<'exportSuppressions'> = async (
  { outbox, rim },
  { passphrase },
) => {
  const exported = await outbox().exportSuppressions(rim.now())
  const plain = { key: exported.key.toHex(), suppressions: exported.suppressions }
  const sealed = await rim.seal(passphrase, utf8Bytes(JSON.stringify(plain)))
  return { count: exported.suppressions.length, sealed: sealed.toBase64(BASE64URL) }
}

const Exported = v.object({
  key: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  suppressions: v.array(
    v.object({
      hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
      since: v.number(),
      until: v.number(),
    }),
  ),
})

export const importSuppressions: Run<'importSuppressions'> = async (
  { outbox, reporter, rim },
  { passphrase, sealed },
) => {
  const exported = await unsealed(rim, passphrase, sealed)
  if (!exported)
    return { imported: 0, error: 'The passphrase is another one, or a part is missing.' }
  const { key, suppressions } = exported
  const now = rim.now()
  const latest = now + MAX_SUPPRESS_DAYS * DAY_MS
  const rows = suppressions.map((row) => ({ ...row, until: Math.min(row.until, latest) }))
  const imported = await outbox().importSuppressions(Uint8Array.fromHex(key), rows, now)
  await reporter.report()
  return imported === null ? { imported: 0, error: OWN_KEY } : { imported, error: null }
}

const OWN_KEY =
  'This outbox has events, receipts or suppressions under a key of its own, which would not be found any more. Erase those persons here, from your register.'

/** Within one Worker nothing has to leave it: an isolate knows key and hashes as it is. */
export const copySuppressions: Run<'copySuppressions'> = async (
  { outbox, reporter, rim },
  { from, to },
) => {
  if (from === to) return { copied: 0, error: 'These are the same outbox.' }
  const now = rim.now()
  const { key, suppressions } = await outbox(from).exportSuppressions(now)
  const copied = await outbox(to).importSuppressions(key, suppressions, now)
  await reporter.report()
  if (copied !== null) return { copied, error: null }
  return { copied: 0, error: suppressions.length > 0 ? OWN_KEY : null }
}

async function unsealed(rim: Services['rim'], passphrase: string, text: string) {
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet: 'base64url' })
    const parsed = parseJson(await rim.open(passphrase, bytes))
    return parsed.ok ? v.parse(Exported, parsed.value) : null
  } catch {
    return null
  }
}

/** `null`: this person was not suppressed. */
export async function endSuppression(services: Services, input: Input<'endSuppression'>) {
  const hash = await hashOf(services, personOf(input))
  if (!(await services.outbox().endSuppression(hash, services.rim.now()))) return null
  await services.reporter.report()
  return { ended: 1 }
}

type Person = { email?: string | undefined; visitor?: string | undefined }

function personOf({ email, visitor = '' }: Person): PersonKey {
  const isVisitor = email === undefined
  return normalizedKey({ field: isVisitor ? 'visitor' : 'email', value: email ?? visitor })
}

async function hashOf(
  { outbox, rim }: Services,
  { field, value }: { field: LookupField; value: string },
): Promise<string> {
  return new LookupHash(await outbox().lookupKey(), rim.hmac).of(field, value)
}
