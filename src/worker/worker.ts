/** The Worker: requests, and the cron trigger that wakes the outbox. */
import { app } from './app.ts'
import { servicesOf } from './services.ts'

export const worker = {
  fetch: app.fetch,
  async scheduled(_controller, env) {
    await servicesOf(env).shards.all((shard) => shard.wake())
  },
} satisfies ExportedHandler<Env>
