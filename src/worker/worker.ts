/** The Worker's handlers: requests, and the cron trigger, which makes every shard re-arm a lost alarm. */
import { app } from './app.ts'
import { servicesOf } from './services.ts'

export const worker = {
  fetch: app.fetch,
  async scheduled(_controller, env) {
    await servicesOf(env).shards.all((shard) => shard.wake())
  },
} satisfies ExportedHandler<Env>
