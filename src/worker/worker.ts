/** The Worker's handlers: requests, and the cron trigger, which makes every shard re-arm a lost alarm. */
import { app } from './app.ts'
import { servicesOf } from './services.ts'

export const worker = {
  fetch: app.fetch,
  async scheduled(_controller, env) {
    const { shards, relay } = servicesOf(env)
    const pending = await shards.all((shard) => shard.wake())
    // With nothing left to ask AEP with, no acceptance can end a hold for refusals.
    if (pending.every((count) => count === 0)) await shards.all((shard) => shard.endRejecting())
    // Once collects what the shards know of AEP, once more gives it to all of them.
    await relay.refresh()
    if (shards.count > 1) await relay.refresh()
  },
} satisfies ExportedHandler<Env>
