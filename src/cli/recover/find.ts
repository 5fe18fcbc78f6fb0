/**
 * Find: what AEP accepted and then refused, event by event, and which of it can be sent again. Holds ids, codes, places and
 * batches; the records stay in AEP's files until they are sent.
 */
import type { FailedRow } from '../../worker/aep/failed-row.ts'
import type { LandedFailure } from '../../worker/aep/landed.ts'
import type { PlatformProblem } from '../../worker/aep/platform-get.ts'
import { type AepSide, readEverything } from '../compare/aep.ts'
import type { Sent } from '../compare/sent.ts'
import type { Options } from './options.ts'

export type Refused = LandedFailure & Pick<FailedRow, 'form'>

export type Found = {
  /** In the form in which the relay sends; the oldest first, each event once. */
  readonly sendable: readonly Refused[]
  /** Ids of those that an earlier run has sent again, since AEP refused them. */
  readonly alreadySent: readonly string[]
  /** In another form: what the mapping made, a text that was cut, or something unknown. */
  readonly others: readonly Refused[]
  /** Rows that name no event of this relay. */
  readonly unnamed: number
  /** Batches whose rows AEP no longer has. */
  readonly gone: number
  /** Batches that could not be read. */
  readonly unread: number
}

export async function findRefused(
  aep: AepSide,
  options: Options,
  sent: Sent,
  now: number,
): Promise<Found | PlatformProblem> {
  const byId = new Map<string, Refused>()
  const { format } = aep.destination
  const read = await readEverything(aep, now - options.sinceMs, now)
  if ('reason' in read) return read
  for (const failure of read.failures) {
    const { id, code, form } = failure
    if (options.code !== null && code !== options.code) continue
    const known = byId.get(id)
    // Refused twice: the row that can be sent counts, and of these the latest, which says whether it was sent since.
    if (known && known.form === format && form !== format) continue
    byId.set(id, failure)
  }
  const all = [...byId.values()].sort((a, b) => a.at - b.at)
  const own = all.filter(({ form }) => form === format)
  return {
    sendable: own.filter((one) => !sent.has(one)),
    alreadySent: own.filter((one) => sent.has(one)).map(({ id }) => id),
    others: all.filter(({ form }) => form !== format),
    unnamed: read.unnamed,
    gone: read.gone,
    unread: read.unread,
  }
}
