/**
 * Actions on every event that a filter matches, or on some by their ids.
 * A page at a time, so that a shard with a hundred thousand events goes on relaying between two pages.
 */
import { ERASE_PAGE, REDRIVE_PAGE } from '../../limits.ts'
import type { MatchRequest } from '../../outbox/match.ts'
import type { OutboxStub } from '../../outbox/shards.ts'
import type { ParkedState } from '../../outbox/state.ts'
import type { Services } from '../../services.ts'
import { type EventFilter, listFilter } from './events.ts'
import { logAction } from './log.ts'

/** With `ids`, only those of them that match the rest. */
export type Matching = EventFilter<ParkedState> & { ids?: readonly string[] | undefined }

/** `dryRun`: changes nothing, and counts what it would change. */
export type RunMode = { dryRun: boolean }

/** Makes them pending again; quarantined ones that are still invalid stay, and are counted. */
export async function redriveMatching(
  services: Services,
  by: string,
  what: Matching,
  { dryRun }: RunMode,
): Promise<{ matched: number; redriven: number; stillInvalid: number }> {
  const sums = { matched: 0, redriven: 0, stillInvalid: 0 }
  await eachPage(services, what, { dryRun, limit: REDRIVE_PAGE }, async (shard, request) => {
    const { next, ...page } = await shard.redrive(request)
    sums.matched += page.matched
    sums.redriven += page.redriven
    sums.stillInvalid += page.stillInvalid
    return next
  })
  if (!dryRun) await logAction(services, by, 'redrive', sums)
  return sums
}

/** Erases them. */
export async function deleteMatching(
  services: Services,
  by: string,
  what: Matching,
  { dryRun }: RunMode,
): Promise<{ matched: number; erased: number }> {
  const sums = { matched: 0, erased: 0 }
  await eachPage(services, what, { dryRun, limit: ERASE_PAGE }, async (shard, request) => {
    const { next, ...page } = await shard.eraseMatching(request)
    sums.matched += page.matched
    sums.erased += page.erased
    return next
  })
  if (!dryRun) await logAction(services, by, 'delete', sums)
  return sums
}

/** `act` resolves to where the next page begins, `null` after the last. */
async function eachPage(
  { shards }: Services,
  { ids, ...filter }: Matching,
  page: { dryRun: boolean; limit: number },
  act: (shard: OutboxStub, request: MatchRequest) => Promise<number | null>,
): Promise<void> {
  const asked = listFilter(filter)
  await shards.all(async (shard) => {
    for (let after: number | null = -1; after !== null; ) {
      after = await act(shard, { filter: asked, ids: ids ?? null, after, ...page })
    }
  })
}
