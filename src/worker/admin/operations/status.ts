/** The ledger over all shards, and pausing. When a shard does not answer, both fail: never an incomplete sum. */
import type { Services } from '../../services.ts'
import { statusView } from '../view.ts'
import { logAction } from './log.ts'

export async function readStatus({ shards, webhookKeys }: Services) {
  const statuses = await shards.all((shard) => shard.status())
  return statusView(statuses, await webhookKeys.holders())
}

/** The status afterwards. */
export async function setPaused(services: Services, by: string, paused: boolean) {
  const { shards, relay } = services
  const now = Date.now()
  const states = await shards.all((shard) => shard.pause(paused, now))
  // So this isolate does not wait for its next refresh.
  for (const state of states) relay.mergeUpstream(state)
  await logAction(services, by, paused ? 'pause' : 'resume', {})
  return readStatus(services)
}
