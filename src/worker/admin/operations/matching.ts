/**
 * Actions on every event that a filter matches, or on some by their ids.
 * A page at a time, so that a shard with a hundred thousand events goes on relaying between two pages.
 */
import { REDRIVE_PAGE } from '../../limits.ts'
import type { EventState } from '../../outbox/state.ts'
import type { Services } from '../../services.ts'
import { type EventFilter, listFilter } from './events.ts'
import { logAction } from './log.ts'

/** Events set aside; with `ids`, only those of them that match the rest. */
export type Matching = EventFilter<Exclude<EventState, 'pending'>> & {
  ids?: readonly string[] | undefined
}

/** `dryRun`: changes nothing, and counts what it would change. */
export type RunMode = { dryRun: boolean }

export async function redriveMatching(
  services: Services,
  by: string,
  { ids, ...filter }: Matching,
  { dryRun }: RunMode,
) {
  const sums = { matched: 0, redriven: 0, stillInvalid: 0 }
  await services.shards.all(async (shard) => {
    for (let next: number | null = -1; next !== null; ) {
      const page: Awaited<ReturnType<typeof shard.redrive>> = await shard.redrive({
        ...listFilter(filter),
        ids: ids ?? null,
        dryRun,
        after: next,
        limit: REDRIVE_PAGE,
      })
      sums.matched += page.matched
      sums.redriven += page.redriven
      sums.stillInvalid += page.stillInvalid
      next = page.next
    }
  })
  if (!dryRun) await logAction(services, by, 'redrive', sums)
  return sums
}
