/** The Worker's handlers: requests, and the cron trigger, which makes every shard re-arm a lost alarm and raises alerts. */
import { runAlerts } from './alerts/tick.ts'
import { app } from './app.ts'
import { within } from './lib/timeout.ts'
import { STORE_TIMEOUT_MS } from './limits.ts'
import { type Services, servicesOf } from './services.ts'

export const worker = {
  fetch: app.fetch,
  async scheduled(_controller, env) {
    const services = servicesOf(env)
    try {
      await wakeShards(services)
    } finally {
      // A shard that does not answer is one of the things to alert about.
      await runAlerts({
        ...services,
        fetch: (url, init) => fetch(url, init),
        now: Date.now,
        isWell: () => services.health.isWell(),
      })
    }
  },
} satisfies ExportedHandler<Env>

async function wakeShards({ shards, reporter }: Services): Promise<void> {
  const pending = await shards.all((shard) => within(STORE_TIMEOUT_MS, shard.wake()))
  // With nothing left to ask AEP with, no acceptance can end a hold for refusals.
  if (pending.every((count) => count === 0)) await shards.all((shard) => shard.endRejecting())
  await reporter.report()
}
